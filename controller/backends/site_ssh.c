/* SPDX-License-Identifier: MIT */
/* A site behind a login node; see site_ssh.h. */
#include "site_ssh.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/site_lock.h"
#include "controller/backends/site_parts.h"
#include "controller/run/argv.h"
#include "controller/run/remote.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define TIMEOUT_MS 60000
#define UPLOAD_TIMEOUT_MS 600000
#define FILE_MAX 65536
#define COMPLAINT_MAX 240

/* Exit statuses of our scripts that no command of ours has. */
#define STATUS_CHANGE 96
#define STATUS_MISSING 97
#define STATUS_CHANGED 98
#define STATUS_NO_PROGRAM 127

struct cached {
	char *path;
	struct buf bytes;
};

struct site_ssh {
	struct site base;
	struct remote remote;
	struct argv options;
	char *login, *control;
	struct buf put_off; /* script */
	char **known_dirs;  /* prefetched */
	size_t known_dirs_len;
	char *known_prefixes;
	struct cached *cached;
	size_t cached_len;
	struct site_parts parts;
};

static struct site_ssh *site_ssh_of(struct site *site)
{
	return (struct site_ssh *)(void *)site;
}

static int too_long(struct err *err)
{
	return err_set(err, ERR_LIMIT, "too much for one message to the login node");
}

static const struct {
	const char *words;
	enum err_kind kind;
	const char *advice;
} complaints[] = {
	{ "no space left", ERR_LIMIT, ": make room there" },
	{ "quota exceeded", ERR_LIMIT, ": make room there" },
	{ "permission denied", ERR_DENIED, ": set 'home' of the cluster to a directory of yours" },
	{ "read-only file system", ERR_DENIED,
	  ": set 'home' of the cluster to a directory of yours" },
	{ "not a directory", ERR_INVALID, ": set 'home' of the cluster to a directory of yours" },
};

static int explain(const struct site_ssh *s, struct child *child, struct err *err)
{
	char why[COMPLAINT_MAX];

	child_complaint(child, why, sizeof(why));
	for (size_t i = 0; i < ARRAY_LEN(complaints); i++) {
		if (strcasestr(why, complaints[i].words))
			return err_set(err, complaints[i].kind, "%s: %s%s", s->login, why,
				       complaints[i].advice);
	}
	return err_set(err, ERR_SYSTEM, "%s: %s", s->login, why[0] ? why : "failed");
}

/* What was put off, then this script. What was put off is gone then, whatever comes of it. */
static int run_patiently(struct site_ssh *s, struct span script, unsigned int timeout_ms,
			 struct child *ret, struct err *err)
{
	bool fits = buf_append_span(&s->put_off, script);
	int result = fits ? remote_run(&s->remote, buf_span(&s->put_off), timeout_ms, ret, err)
			  : too_long(err);

	buf_clear(&s->put_off);
	if (result < 0)
		return -1;
	if (ret->status == STATUS_CHANGE)
		return explain(s, ret, err);
	return 0;
}

static int run_script(struct site_ssh *s, struct span script, struct child *ret, struct err *err)
{
	return run_patiently(s, script, TIMEOUT_MS, ret, err);
}

/* Where the PATH of commands is shorter than that of a login, the site's profile may help. */
static bool add_command(struct buf *script, const struct child_plan *plan)
{
	bool ok = true;

	if (plan->dir)
		ok = buf_printf(script, "cd ") && remote_quote(script, plan->dir) &&
		     buf_printf(script, " || exit %d\n", STATUS_CHANGE);
	for (const char *const *e = plan->env; ok && e && *e; e++)
		ok = buf_printf(script, "export ") && remote_quote(script, *e) &&
		     buf_append_u8(script, '\n');
	ok = ok && buf_printf(script, "command -v ") && remote_quote(script, plan->argv[0]) &&
	     buf_printf(script, " >/dev/null 2>&1 || ! [ -r /etc/profile ] || "
				". /etc/profile >/dev/null 2>&1\n");
	for (const char *const *word = plan->argv; ok && *word; word++)
		ok = remote_quote(script, *word) && buf_append_u8(script, ' ');
	return ok;
}

static int run(struct site *site, const struct child_plan *plan, struct child *ret, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup(buf_finish) struct buf script = BUF_INIT(REMOTE_SCRIPT_MAX);
	cleanup(child_finish) struct child child = { 0 };

	if (!add_command(&script, plan))
		return too_long(err);
	if (run_patiently(s, buf_span(&script), MAX(plan->timeout_ms, (unsigned int)TIMEOUT_MS),
			  &child, err) < 0)
		return -1;
	if (child.status == STATUS_NO_PROGRAM)
		return err_set(err, ERR_NOT_FOUND, "no program '%s' on %s", plan->argv[0],
			       s->login);
	*ret = child;
	child = (struct child){ 0 };
	return 0;
}

/* Whether a file of this name would have been prefetched. */
static bool is_known_name(const struct site_ssh *s, const char *name)
{
	for (const char *p = s->known_prefixes; p && *p;) {
		size_t len = strcspn(p, " ");

		if (strncmp(name, p, len) == 0)
			return true;
		p += len;
		p += strspn(p, " ");
	}
	return false;
}

/* 1: prefetched, and copied; 0: not prefetched. */
static int read_cached(const struct site_ssh *s, const char *path, uint64_t offset, size_t max,
		       struct buf *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < s->cached_len; i++) {
		struct span bytes = buf_span(&s->cached[i].bytes);

		if (strcmp(s->cached[i].path, path) != 0)
			continue;
		span_cut(&bytes, offset == LOG_END ? bytes.len - MIN(max, bytes.len)
						   : MIN((size_t)offset, bytes.len));
		return buf_append_span(ret, span_cut(&bytes, MIN(max, bytes.len)))
			       ? 1
			       : err_set(err, ERR_INTERNAL, "read %s: no room", path);
	}
	for (size_t i = 0; slash && is_known_name(s, slash + 1) && i < s->known_dirs_len; i++) {
		size_t len = strlen(s->known_dirs[i]);

		if (len == (size_t)(slash - path) && memcmp(s->known_dirs[i], path, len) == 0)
			return err_set(err, ERR_NOT_FOUND, "%s: there was none", path);
	}
	return 0;
}

static int read_file(struct site *site, const char *path, uint64_t offset, size_t max,
		     struct buf *ret, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup(buf_finish) struct buf script = BUF_INIT(REMOTE_SCRIPT_MAX);
	cleanup(child_finish) struct child child = { 0 };
	int cached = site_parts_take(&s->parts, path, offset, max, ret, err);

	if (cached == 0)
		cached = read_cached(s, path, offset, max, ret, err);
	if (cached != 0)
		return cached < 0 ? -1 : 0;
	if (!buf_printf(&script, "f=") || !remote_quote(&script, path) ||
	    !buf_printf(&script,
			"\n[ -e \"$f\" ] || exit %d\n[ -r \"$f\" ] || { cat \"$f\"; exit %d; }\n",
			STATUS_MISSING, STATUS_CHANGE) ||
	    !(offset == LOG_END ? buf_printf(&script, "tail -c %zu \"$f\"\n", max)
				: buf_printf(&script, "tail -c +%" PRIu64 " \"$f\" | head -c %zu\n",
					     offset + 1, max)))
		return too_long(err);
	if (run_script(s, buf_span(&script), &child, err) < 0)
		return -1;
	if (child.status == STATUS_MISSING)
		return err_set(err, ERR_NOT_FOUND, "%s: %s: there is none", s->login, path);
	if (!buf_append_span(ret, buf_span(&child.output)))
		return err_set(err, ERR_INTERNAL, "read %s: no room", path);
	return 0;
}

/* Ends a change: the rest of the script is not run when it fails. */
static int end_change(struct site_ssh *s, bool ok, struct err *err)
{
	ok = ok && buf_printf(&s->put_off, " || exit %d\n", STATUS_CHANGE);
	return ok ? 0 : too_long(err);
}

static int make_dir(struct site *site, const char *path, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	bool ok = buf_printf(&s->put_off, "(umask 077; mkdir -p ") &&
		  remote_quote(&s->put_off, path) && buf_append_u8(&s->put_off, ')');

	return end_change(s, ok, err);
}

static int write_file(struct site *site, const char *path, struct span bytes, mode_t mode,
		      struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup_free char *text = str_dup_len(bytes.len ? (const char *)bytes.ptr : "", bytes.len);
	bool ok;

	if (strlen(text) != bytes.len)
		return err_set(err, ERR_INVALID, "%s: has a NUL byte", path);
	ok = buf_printf(&s->put_off, "f=") && remote_quote(&s->put_off, path) &&
	     buf_printf(&s->put_off, "\n(umask 077; printf %%s ") &&
	     remote_quote(&s->put_off, text) &&
	     buf_printf(&s->put_off, " >\"$f.$$\" && chmod %o \"$f.$$\" && mv -f \"$f.$$\" \"$f\")",
			(unsigned int)mode);
	return end_change(s, ok, err);
}

/* The lock goes whatever comes of it, unless the script is killed. */
static int replace(struct site *site, const char *path, struct span expected, struct span bytes,
		   mode_t mode, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup_free char *lock = site_lock_path(path);
	cleanup_free char *before = str_dup_len((const char *)expected.ptr, expected.len);
	cleanup_free char *after = str_dup_len((const char *)bytes.ptr, bytes.len);
	cleanup(buf_wipe) struct buf script = BUF_INIT(REMOTE_SCRIPT_MAX);
	cleanup(child_finish) struct child child = { 0 };

	if (strlen(before) != expected.len || strlen(after) != bytes.len)
		return err_set(err, ERR_INVALID, "%s: has a NUL byte", path);
	if (!site_lock_append(&script, lock, STATUS_CHANGE) || !buf_printf(&script, "f=") ||
	    !remote_quote(&script, path) || !buf_printf(&script, "\ne=") ||
	    !remote_quote(&script, before) || !buf_printf(&script, "\nb=") ||
	    !remote_quote(&script, after) ||
	    !buf_printf(&script,
			"\nt=$(cat \"$f\"; echo x); s=0\n"
			"if [ \"$t\" != \"${e}x\" ]; then s=%d; else\n"
			"(umask 077; printf %%s \"$b\" >\"$f.$$\" && chmod %o \"$f.$$\" && "
			"mv -f \"$f.$$\" \"$f\") || s=%d\nfi\nrm -f \"$l\"\nexit $s\n",
			STATUS_CHANGED, (unsigned int)mode, STATUS_CHANGE))
		return too_long(err);
	if (run_script(s, buf_span(&script), &child, err) < 0)
		return -1;
	return child.status == STATUS_CHANGED;
}

static int make_link(struct site *site, const char *target, const char *path, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	bool ok = buf_printf(&s->put_off, "ln -s ") && remote_quote(&s->put_off, target) &&
		  buf_append_u8(&s->put_off, ' ') && remote_quote(&s->put_off, path);

	return end_change(s, ok, err);
}

static int remove_tree(struct site *site, const char *path, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	bool ok = buf_printf(&s->put_off, "rm -rf ") && remote_quote(&s->put_off, path);

	if (path[0] != '/' || path[1] == '\0')
		return err_set(err, ERR_INTERNAL, "'%s' is not removed", path);
	return end_change(s, ok, err);
}

static int need(struct site *site, const char *path, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	bool ok = buf_printf(&s->put_off, "f=") && remote_quote(&s->put_off, path) &&
		  buf_printf(&s->put_off,
			     "\n[ -e \"$f\" ] || { echo \"$f is gone: try again\" >&2; "
			     "exit %d; }\ntouch \"$f\"",
			     STATUS_CHANGE);

	return end_change(s, ok, err);
}

static int flush(struct site *site, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup(child_finish) struct child child = { 0 };

	return buf_len(&s->put_off) > 0 ? run_script(s, (struct span){ 0 }, &child, err) : 0;
}

static void forget(struct site *site)
{
	struct site_ssh *s = site_ssh_of(site);

	for (size_t i = 0; i < s->known_dirs_len; i++)
		free(s->known_dirs[i]);
	for (size_t i = 0; i < s->cached_len; i++) {
		free(s->cached[i].path);
		buf_wipe(&s->cached[i].bytes);
	}
	free(s->known_dirs);
	free(s->cached);
	free(s->known_prefixes);
	s->known_dirs = NULL;
	s->cached = NULL;
	s->known_prefixes = NULL;
	s->known_dirs_len = s->cached_len = 0;
}

/* "LENGTH PATH\n", so many bytes, "\n"; false at the end, or where it is not understood. */
static bool take_file(struct site_ssh *s, struct span *text)
{
	const uint8_t *newline = text->len ? memchr(text->ptr, '\n', text->len) : NULL;
	struct span head =
		newline ? span_cut(text, (size_t)(newline - text->ptr)) : (struct span){ 0 };
	cleanup_free char *line = str_dup_len(head.len ? (const char *)head.ptr : "", head.len);
	char *space = strchr(line, ' ');
	struct cached *c;
	uint64_t len;

	if (!newline || !space)
		return false;
	*space = '\0';
	span_cut(text, 1);
	if (!text_parse_uint(line, FILE_MAX, &len) || len >= text->len)
		return false;
	s->cached = alloc_grow(s->cached, s->cached_len + 1, sizeof(*s->cached));
	c = &s->cached[s->cached_len++];
	*c = (struct cached){ .path = str_dup(space + 1), .bytes = BUF_INIT(FILE_MAX) };
	if (!buf_append_span(&c->bytes, span_cut(text, (size_t)len)))
		return false;
	span_cut(text, 1);
	return true;
}

static int prefetch(struct site *site, const char *const *dirs, size_t len, const char *prefixes,
		    struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup(buf_finish) struct buf script = BUF_INIT(REMOTE_SCRIPT_MAX);
	cleanup(child_finish) struct child child = { 0 };
	struct span text;
	bool ok = buf_printf(&script, "LC_ALL=C\nfor d in");

	forget(site);
	for (size_t i = 0; ok && i < len; i++)
		ok = buf_append_u8(&script, ' ') && remote_quote(&script, dirs[i]);
	/* The length and the bytes are of one reading: files are replaced while we look. */
	ok = ok &&
	     buf_printf(
		     &script,
		     "\ndo for p in %s\ndo for f in \"$d\"/$p*\ndo [ -f \"$f\" ] && [ -r \"$f\" ] || continue\n"
		     "t=$(head -c %d \"$f\"; echo x); t=${t%%x}\n"
		     "printf '%%s %%s\\n%%s\\n' \"${#t}\" \"$f\" \"$t\"\ndone\ndone\ndone\n",
		     prefixes, FILE_MAX);
	if (!ok)
		return too_long(err);
	if (run_script(s, buf_span(&script), &child, err) < 0)
		return -1;
	text = buf_span(&child.output);
	while (take_file(s, &text))
		;
	if (text.len > 0)
		return err_set(err, ERR_PROTOCOL, "%s: printed something that is not understood",
			       s->login);
	s->known_prefixes = str_dup(prefixes);
	s->known_dirs = new_array(char *, len);
	for (size_t i = 0; i < len; i++)
		s->known_dirs[s->known_dirs_len++] = str_dup(dirs[i]);
	return 0;
}

static int expect(struct site *site, const struct site_part *parts, size_t len, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup(buf_finish) struct buf script = BUF_INIT(REMOTE_SCRIPT_MAX);
	cleanup(child_finish) struct child child = { 0 };

	if (!site_parts_write(parts, len, &script))
		return too_long(err);
	if (run_script(s, buf_span(&script), &child, err) < 0)
		return -1;
	if (site_parts_parse(parts, len, buf_span(&child.output), &s->parts, err) < 0)
		return err_wrap(err, "%s", s->login);
	return 0;
}

static void close_site(struct site *site)
{
	struct site_ssh *s = site_ssh_of(site);

	forget(site);
	site_parts_finish(&s->parts);
	buf_finish(&s->put_off);
	argv_finish(&s->options);
	free(s->login);
	free(s->control);
	free(s);
}

static const struct site_ops site_ssh_ops = {
	.run = run,
	.read = read_file,
	.make_dir = make_dir,
	.write = write_file,
	.replace = replace,
	.link = make_link,
	.remove = remove_tree,
	.need = need,
	.flush = flush,
	.prefetch = prefetch,
	.forget = forget,
	.expect = expect,
	.close = close_site,
};

struct site *site_ssh_new(const struct site_ssh_plan *plan)
{
	static const char *const none[] = { NULL };
	struct site_ssh *s = new_zero(struct site_ssh);

	s->base = (struct site){ .ops = &site_ssh_ops };
	s->login = str_dup(plan->login);
	s->base.login = s->login;
	argv_add_all(&s->options, plan->options);
	s->put_off = BUF_INIT(REMOTE_SCRIPT_MAX);
	s->remote = (struct remote){ .login = s->login,
				     .options = s->options.len ? argv_words(&s->options) : none,
				     .may_ask = plan->may_ask };
	s->control = remote_control_path(s->login, s->remote.options, plan->directories);
	s->remote.control = s->control;
	return &s->base;
}

int site_ssh_script(struct site *site, struct span script, struct buf *ret, struct err *err)
{
	return site_ssh_script_within(site, script, TIMEOUT_MS, ret, err);
}

int site_ssh_script_within(struct site *site, struct span script, unsigned int timeout_ms,
			   struct buf *ret, struct err *err)
{
	struct site_ssh *s = site_ssh_of(site);
	cleanup(child_finish) struct child child = { 0 };

	if (run_patiently(s, script, timeout_ms, &child, err) < 0)
		return -1;
	if (child.status != 0)
		return explain(s, &child, err);
	if (!buf_append_span(ret, buf_span(&child.output)))
		return err_set(err, ERR_LIMIT, "%s: printed too much", s->login);
	return 0;
}

void site_ssh_sftp(struct site *site, const char *tunnel, struct argv *ret)
{
	remote_sftp(&site_ssh_of(site)->remote, tunnel, ret);
}

int site_ssh_upload(struct site *site, const char *path, struct span bytes,
		    const struct child_progress *progress, struct err *err)
{
	return remote_upload(&site_ssh_of(site)->remote, path, bytes, UPLOAD_TIMEOUT_MS, progress,
			     err);
}
