/* SPDX-License-Identifier: MIT */
/* Scripts on a login node, through ssh; see remote.h. */
#include "remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "controller/run/argv.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define MARK REMOTE_SFTP_MARK
#define SSH_FAILED 255
#define COMPLAINT_MAX 240
/* ssh binds NAME.XXXXXXXXXXXXXXXX first, and renames it. */
#define BINDING_LEN 17
/* Quoted for any login shell: it has no quote, backslash or exclamation mark inside. */
#define RECEIVE "/bin/sh -c 'umask 077; IFS= read -r f && exec cat >\"$f\"'"

/* FNV-1a, 64 bits: a short name for a login node and how it is reached. */
static void mix(uint64_t *hash, const char *text)
{
	do
		*hash = (*hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	while (*text++);
}

char *remote_control_path(const char *login, const char *const *options,
			  const char *const *directories)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 - BINDING_LEN;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	mix(&hash, login);
	while (*options)
		mix(&hash, *options++);
	for (; *directories; directories++) {
		cleanup_free char *path = str_printf("%s/ssh-%016" PRIx64, *directories, hash);

		/* '%' and '"' mean something in ssh_config(5). */
		if (strlen(path) <= max && !strpbrk(path, "%\"\\ \n"))
			return take_ptr(path);
	}
	return NULL;
}

bool remote_quote(struct buf *script, const char *word)
{
	return text_append_shell(script, word);
}

static void add_ssh(const struct remote *remote, struct argv *argv)
{
	static const char *const ours[] = {
		"ConnectTimeout=20",	   "ServerAliveInterval=15", "RequestTTY=no",
		"RemoteCommand=none",	   "ForwardAgent=no",	     "ForwardX11=no",
		"ClearAllForwardings=yes", "PermitLocalCommand=no",
	};

	argv_add(argv, "ssh");
	for (const char *const *option = remote->options; *option; option++)
		argv_add_words(argv, "-o", *option, NULL);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		argv_add_words(argv, "-o", ours[i], NULL);
	if (!remote->may_ask)
		argv_add_words(argv, "-o", "BatchMode=yes", NULL);
	if (remote->control) {
		argv_add_words(argv, "-o", "ControlMaster=auto", "-o", "ControlPersist=600", NULL);
		argv_addf(argv, "-oControlPath=%s", remote->control);
	}
	argv_add_words(argv, "--", remote->login, NULL);
}

/* What ssh says when it fails stands in its last line. */
static void last_line(struct child *child, char *out, size_t size)
{
	const char *text = buf_str(&child->errors), *line = "";

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\r\n");

		if (len > 0)
			line = p;
		p += len;
		p += strspn(p, "\r\n");
	}
	snprintf(out, size, "%.*s", (int)strcspn(line, "\r\n"), line);
	text_make_printable(out);
}

static const struct {
	const char *words;
	enum err_kind kind;
	const char *advice;
} complaints[] = {
	{ "host key verification failed", ERR_DENIED, "log in once by hand" },
	{ "permission denied", ERR_DENIED,
	  "it has to let you in without a password: try it by hand" },
	{ "too many authentication", ERR_DENIED, "try it by hand" },
	{ "no space left", ERR_LIMIT, "make room there" },
	{ "quota exceeded", ERR_LIMIT, "make room there" },
	{ "read-only file system", ERR_DENIED, "set 'home' to a directory that you can write" },
};

static int refuse(const struct remote *remote, struct child *child, struct err *err)
{
	char why[COMPLAINT_MAX];

	last_line(child, why, sizeof(why));
	for (size_t i = 0; i < ARRAY_LEN(complaints); i++) {
		if (strcasestr(why, complaints[i].words))
			return err_set(err, complaints[i].kind, "login node %s: %s: %s",
				       remote->login, why, complaints[i].advice);
	}
	return err_set(err, ERR_UNAVAILABLE, "login node %s cannot be reached: %s: try 'ssh %s'",
		       remote->login, why[0] ? why : "ssh failed", remote->login);
}

/* Drops what came before the mark and its line; false when there is none. */
static bool drop_preamble(struct buf *b)
{
	struct span text = buf_span(b);
	const uint8_t *mark =
		text.len ? memmem(text.ptr, text.len, MARK "\n", strlen(MARK) + 1) : NULL;

	if (!mark)
		return false;
	buf_consume(b, (size_t)(mark - text.ptr) + strlen(MARK) + 1);
	return true;
}

int remote_run(const struct remote *remote, struct span script, unsigned int timeout_ms,
	       struct child *ret, struct err *err)
{
	cleanup(buf_finish) struct buf whole = BUF_INIT(REMOTE_SCRIPT_MAX + 1024);
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	struct child_plan plan = { .timeout_ms = remote->may_ask ? 0 : timeout_ms };

	/* A child of the script must not read the rest of it. */
	if (!buf_printf(&whole, "main() {\necho " MARK "\necho " MARK " >&2\n") ||
	    !buf_append_span(&whole, script) ||
	    !buf_printf(&whole, "\n}\nmain </dev/null\nexit $?\n"))
		return err_set(err, ERR_LIMIT, "longer than %d MiB", REMOTE_SCRIPT_MAX >> 20);
	if (script.len > 0 && memchr(script.ptr, '\0', script.len))
		return err_set(err, ERR_INVALID, "has a NUL byte");
	add_ssh(remote, &argv);
	argv_add(&argv, "/bin/sh");
	plan.argv = argv_words(&argv);
	plan.input = buf_span(&whole);
	if (child_run(&plan, &child, err) < 0)
		return -1;
	drop_preamble(&child.errors);
	if (!drop_preamble(&child.output) || child.status == SSH_FAILED)
		return refuse(remote, &child, err);
	*ret = child;
	child = (struct child){ 0 };
	return 0;
}

/* What needs no quotes inside of others for any login shell. */
static bool is_plain(const char *path)
{
	return path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "/._+-@,=")] == '\0';
}

void remote_sftp(const struct remote *remote, const char *tunnel, struct argv *ret)
{
	add_ssh(remote, ret);
	argv_addf(ret,
		  "/bin/sh -c '"
		  "t=%s; cd; echo " MARK "; "
		  "[ -x \"$t\" ] && \"$t\" --version >/dev/null 2>&1 && exec \"$t\" sftp; "
		  "for s in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh /usr/libexec "
		  "/usr/lib/misc; do [ -x $s/sftp-server ] && exec $s/sftp-server; done; "
		  "echo no sftp-server on this login node: a job there brings one >&2; exit 127'",
		  tunnel && is_plain(tunnel) ? tunnel : "");
}

int remote_upload(const struct remote *remote, const char *path, struct span bytes,
		  unsigned int timeout_ms, const struct child_progress *progress, struct err *err)
{
	cleanup(buf_finish) struct buf input = BUF_INIT(SIZE_MAX / 2);
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	struct child_plan plan = { .timeout_ms = remote->may_ask ? 0 : timeout_ms,
				   .progress = progress };

	if (strchr(path, '\n') || !buf_printf(&input, "%s\n", path) ||
	    !buf_append_span(&input, bytes))
		return err_set(err, ERR_INVALID, "%s: cannot be uploaded", path);
	add_ssh(remote, &argv);
	argv_add(&argv, RECEIVE);
	plan.argv = argv_words(&argv);
	plan.input = buf_span(&input);
	if (child_run(&plan, &child, err) < 0)
		return -1;
	return child.status == 0 ? 0 : refuse(remote, &child, err);
}
