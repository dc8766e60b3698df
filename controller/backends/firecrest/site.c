/* SPDX-License-Identifier: MIT */
/* Files behind FirecREST; see site.h. */
#include "site.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/firecrest/changes.h"
#include "controller/backends/firecrest/read.h"
#include "controller/firecrest/part.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define PREFETCHED_MAX 65536
#define PREFETCH_FILES_MAX 256

struct cached {
	char *path;
	struct buf bytes;
	bool is_missing;
};

struct site_firecrest {
	struct site base;
	struct firecrest *fc;
	struct changes changes;
	size_t direct_max; /* 0: not asked for yet */
	struct cached *cached;
	size_t cached_len;
	char **known_dirs; /* prefetched: what is not cached is not there */
	size_t known_dirs_len;
	char *known_prefixes;
};

static struct site_firecrest *site_of(struct site *site)
{
	return (struct site_firecrest *)(void *)site;
}

struct firecrest *site_firecrest_client(struct site *site)
{
	return site_of(site)->fc;
}

/* Whether a file of this name would have been prefetched. */
static bool is_known_name(const struct site_firecrest *s, const char *name)
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

static bool is_known_missing(const struct site_firecrest *s, const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; slash && is_known_name(s, slash + 1) && i < s->known_dirs_len; i++) {
		size_t len = strlen(s->known_dirs[i]);

		if (len == (size_t)(slash - path) && memcmp(s->known_dirs[i], path, len) == 0)
			return true;
	}
	return false;
}

static int flush(struct site *site, struct err *err);

static int read_file(struct site *site, const char *path, uint64_t offset, size_t max,
		     struct buf *ret, struct err *err)
{
	struct site_firecrest *s = site_of(site);
	struct err own;

	for (size_t i = 0; i < s->cached_len; i++) {
		struct span bytes = buf_span(&s->cached[i].bytes);

		if (strcmp(s->cached[i].path, path) != 0 || s->cached[i].is_missing)
			continue;
		if (offset == LOG_END)
			offset = bytes.len - MIN(max, bytes.len);
		span_cut(&bytes, MIN((size_t)offset, bytes.len));
		return buf_append_span(ret, span_cut(&bytes, MIN(max, bytes.len)))
			       ? 0
			       : err_set(err, ERR_INTERNAL, "read %s: no room", path);
	}
	if (is_known_missing(s, path))
		return err_set(err, ERR_NOT_FOUND, "%s: there was none", path);
	if (flush(site, err) < 0)
		return -1;
	if (firecrest_read_part(s->fc, path, offset, max, ret, &own) < 0)
		return err_set(err, own.kind, "%s: %s", s->base.login, own.text);
	return 0;
}

static int make_dir(struct site *site, const char *path, struct err *err)
{
	(void)err;
	changes_add_dir(&site_of(site)->changes, path);
	return 0;
}

static int write_file(struct site *site, const char *path, struct span bytes, mode_t mode,
		      struct err *err)
{
	return changes_add_file(&site_of(site)->changes, path, bytes, mode, err);
}

static int make_link(struct site *site, const char *target, const char *path, struct err *err)
{
	(void)err;
	changes_add_link(&site_of(site)->changes, target, path);
	return 0;
}

static int remove_tree(struct site *site, const char *path, struct err *err)
{
	if (path[0] != '/' || path[1] == '\0')
		return err_set(err, ERR_INTERNAL, "'%s' is not removed", path);
	changes_add_removal(&site_of(site)->changes, path);
	return 0;
}

/* The system as the server describes it. */
static int find_machine(const struct site_firecrest *s, const json_t *answer, const json_t **ret,
			struct err *err)
{
	char names[200];

	*ret = firecrest_find_system(answer, s->base.login);
	if (*ret)
		return 0;
	firecrest_system_names(answer, names, sizeof(names));
	return err_set(err, ERR_INVALID, "system '%s': the server has %s", s->base.login,
		       names[0] ? names : "none for you");
}

static int ask_systems(struct site_firecrest *s, json_t **ret_answer, const json_t **ret,
		       struct err *err)
{
	const struct firecrest_request request = { .path = "/status/systems" };

	if (firecrest_call(s->fc, &request, ret_answer, err) < 0)
		return -1;
	return find_machine(s, *ret_answer, ret, err);
}

static int flush(struct site *site, struct err *err)
{
	struct site_firecrest *s = site_of(site);

	if (s->changes.len == 0 && s->changes.removed_len == 0 && !s->changes.archive)
		return 0;
	/* A job's directory is far below any limit; what is not asks for it. */
	return changes_flush(&s->changes, s->fc,
			     s->direct_max ? s->direct_max : FIRECREST_DIRECT_MAX, err);
}

static void forget(struct site *site)
{
	struct site_firecrest *s = site_of(site);

	for (size_t i = 0; i < s->cached_len; i++) {
		free(s->cached[i].path);
		buf_finish(&s->cached[i].bytes);
	}
	for (size_t i = 0; i < s->known_dirs_len; i++)
		free(s->known_dirs[i]);
	free(s->cached);
	free(s->known_dirs);
	free(s->known_prefixes);
	s->cached = NULL;
	s->known_dirs = NULL;
	s->known_prefixes = NULL;
	s->cached_len = s->known_dirs_len = 0;
}

static void add_cached(struct site_firecrest *s, const char *dir, const char *name, size_t len)
{
	/* "status." alone is that of the first rank: what the others tell costs too much. */
	bool has_rank = len > 1 && name[len - 2] >= '0' && name[len - 2] <= '9';
	const char *end = name[len - 1] != '.' ? "" : has_rank ? "json" : "0.json";

	s->cached = alloc_grow(s->cached, s->cached_len + 1, sizeof(*s->cached));
	s->cached[s->cached_len++] =
		(struct cached){ .path = str_printf("%s/%.*s%s", dir, (int)len, name, end),
				 .bytes = BUF_INIT(PREFETCHED_MAX),
				 .is_missing = true };
}

static void list_files(struct site_firecrest *s, const char *const *dirs, size_t len,
		       const char *prefixes)
{
	for (size_t i = 0; i < len; i++) {
		for (const char *p = prefixes; *p; p += strspn(p, " ")) {
			size_t word = strcspn(p, " ");

			if (s->cached_len < PREFETCH_FILES_MAX)
				add_cached(s, dirs[i], p, word);
			p += word;
		}
	}
}

/* All at the same time; what cannot be read for whatever reason is as good as not there. */
static int fetch_files(struct site_firecrest *s, struct err *err)
{
	cleanup_free char *max = str_printf("%d", PREFETCHED_MAX);
	cleanup_free struct firecrest_request *requests =
		new_array(struct firecrest_request, s->cached_len);
	cleanup_free const char *(*queries)[5] = alloc_zero(s->cached_len, sizeof(*queries));
	cleanup_free json_t **answers = new_array(json_t *, s->cached_len);
	cleanup_free struct err *errs = new_array(struct err, s->cached_len);
	int result = 0;

	for (size_t i = 0; i < s->cached_len; i++) {
		const char *const words[] = { "path", s->cached[i].path, "bytes", max, NULL };

		memcpy(queries[i], words, sizeof(words));
		requests[i] = (struct firecrest_request){ .path = "/filesystem/{system}/ops/head",
							  .query = queries[i] };
	}
	if (firecrest_call_many(s->fc, requests, s->cached_len, answers, errs) < 0)
		result = 0;
	for (size_t i = 0; i < s->cached_len; i++) {
		const json_t *output = json_object_get(answers[i], "output");

		s->cached[i].is_missing = !answers[i];
		if (answers[i] &&
		    firecrest_append_text(firecrest_text(output, "content"), PREFETCHED_MAX,
					  &s->cached[i].bytes, err) < 0)
			result = -1;
		if (!answers[i] && errs[i].kind != ERR_NOT_FOUND && result == 0)
			result = err_set(err, errs[i].kind, "%s: %s", s->base.login, errs[i].text);
		json_decref(answers[i]);
	}
	return result;
}

static int prefetch(struct site *site, const char *const *dirs, size_t len, const char *prefixes,
		    struct err *err)
{
	struct site_firecrest *s = site_of(site);

	forget(site);
	if (flush(site, err) < 0)
		return -1;
	list_files(s, dirs, len, prefixes);
	if (fetch_files(s, err) < 0) {
		forget(site);
		return -1;
	}
	s->known_prefixes = str_dup(prefixes);
	s->known_dirs = new_array(char *, len);
	for (size_t i = 0; i < len; i++)
		s->known_dirs[s->known_dirs_len++] = str_dup(dirs[i]);
	return 0;
}

/* Variables that sites have for their file systems. */
static const char *type_of_variable(const char *name, size_t len)
{
	static const struct {
		const char *name, *type;
	} variables[] = {
		{ "HOME", "users" },	  { "SCRATCH", "scratch" }, { "STORE", "store" },
		{ "PROJECT", "project" }, { "ARCHIVE", "archive" },
	};

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		if (strlen(variables[i].name) == len && memcmp(variables[i].name, name, len) == 0)
			return variables[i].type;
	}
	return NULL;
}

/* "~/x", "$SCRATCH/x", "/x", or NULL: ".berth" where jobs usually are. */
static char *expand(const json_t *machine, const char *home, const char *user)
{
	const char *rest = home ? home : "/.berth", *type = NULL;
	cleanup_free char *dir = NULL;

	if (home && home[0] == '/')
		return str_dup(home);
	if (home) {
		rest += strcspn(home, "/");
		type = home[0] == '~' ? "users"
				      : type_of_variable(home + 1, (size_t)(rest - home) - 1);
		if (!type)
			return NULL;
	}
	dir = firecrest_own_directory(machine, type, user);
	if (!dir && !home)
		dir = firecrest_own_directory(machine, "users", user);
	return dir ? str_printf("%s%s", dir, rest) : NULL;
}

static int check_scheduler(const struct firecrest *fc, const json_t *machine, struct err *err)
{
	const char *scheduler = firecrest_scheduler(machine);
	bool is_pbs = strcmp(scheduler, "pbs") == 0;

	if (is_pbs == firecrest_is_pbs(fc))
		return 0;
	if (is_pbs)
		return err_set(err, ERR_INVALID, "its scheduler is PBS: set 'scheduler: pbs'");
	return err_set(err, ERR_INVALID, "'scheduler': it is %s there: leave the setting out",
		       scheduler[0] ? scheduler : "Slurm");
}

/* Who we are there, and what is there: at the same time. */
static int ask_both(struct site_firecrest *s, json_t *ret[2], const json_t **ret_machine,
		    struct err *err)
{
	static const struct firecrest_request requests[] = {
		{ .path = "/status/systems" }, { .path = "/status/{system}/userinfo" }
	};
	struct err errs[ARRAY_LEN(requests)];

	if (firecrest_call_many(s->fc, requests, ARRAY_LEN(requests), ret, errs) < 0 && !ret[0])
		return err_set(err, errs[0].kind, "%s", errs[0].text);
	/* A machine that is not there has no users: that is said first. */
	if (find_machine(s, ret[0], ret_machine, err) < 0)
		return -1;
	return ret[1] ? 0 : err_set(err, errs[1].kind, "%s", errs[1].text);
}

static int take_home(struct site_firecrest *s, const json_t *machine, const json_t *answer,
		     const char *home, char **ret_home, char **ret_user_home, struct err *err)
{
	const char *user;

	user = firecrest_text(json_object_get(answer, "user"), "name");
	if (!user[0] || strchr(user, '/') || user[0] == '.')
		return err_set(err, ERR_PROTOCOL, "the server does not tell your name there");
	*ret_home = expand(machine, home, user);
	if (!*ret_home)
		return err_set(err, ERR_INVALID,
			       "'home': the server does not tell what %s is: set an absolute path",
			       home ? home : "the scratch file system");
	free(s->changes.home);
	s->changes.home = str_dup(*ret_home);
	*ret_user_home = expand(machine, "~", user);
	if (!*ret_user_home)
		*ret_user_home = str_dup(*ret_home);
	s->direct_max = firecrest_direct_max(machine);
	return firecrest_check_path(*ret_home, err);
}

static int find_home(struct site *site, const char *home, char **ret_home, char **ret_user_home,
		     struct err *err)
{
	struct site_firecrest *s = site_of(site);
	json_t *answers[2] = { NULL };
	const json_t *machine;
	int result = ask_both(s, answers, &machine, err);

	if (result == 0)
		result = check_scheduler(s->fc, machine, err);
	if (result == 0)
		result = take_home(s, machine, answers[1], home, ret_home, ret_user_home, err);
	json_decref(answers[0]);
	json_decref(answers[1]);
	return result;
}

/* Before something large is written: what goes directly. */
static int learn_limits(struct site_firecrest *s, struct err *err)
{
	cleanup(json_release) json_t *systems = NULL;
	const json_t *machine;

	if (s->direct_max)
		return 0;
	if (ask_systems(s, &systems, &machine, err) < 0)
		return -1;
	s->direct_max = firecrest_direct_max(machine);
	return 0;
}

static int checksums(struct site *site, const char *const *paths, size_t len,
		     char (*ret)[SITE_CHECKSUM_SIZE], struct err *err)
{
	struct site_firecrest *s = site_of(site);
	cleanup_free struct firecrest_request *requests = new_array(struct firecrest_request, len);
	cleanup_free const char *(*queries)[3] = alloc_zero(len, sizeof(*queries));
	cleanup_free json_t **answers = new_array(json_t *, len);
	cleanup_free struct err *errs = new_array(struct err, len);
	int result = 0;

	if (learn_limits(s, err) < 0 || flush(site, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		queries[i][0] = "path";
		queries[i][1] = paths[i];
		requests[i] =
			(struct firecrest_request){ .path = "/filesystem/{system}/ops/checksum",
						    .query = queries[i] };
	}
	if (firecrest_call_many(s->fc, requests, len, answers, errs) == 0)
		result = 0;
	for (size_t i = 0; i < len; i++) {
		const json_t *output = json_object_get(answers[i], "output");

		snprintf(ret[i], SITE_CHECKSUM_SIZE, "%s", firecrest_text(output, "checksum"));
		if (!answers[i] && firecrest_read_sum(errs[i].text, ret[i]))
			continue;
		if (!answers[i] && errs[i].kind != ERR_NOT_FOUND && result == 0)
			result = err_set(err, errs[i].kind, "%s: %s", s->base.login, errs[i].text);
		json_decref(answers[i]);
	}
	return result;
}

static void close_site(struct site *site)
{
	struct site_firecrest *s = site_of(site);

	forget(site);
	changes_finish(&s->changes);
	firecrest_close(s->fc);
	free(s);
}

static const struct site_ops site_firecrest_ops = {
	.read = read_file,
	.make_dir = make_dir,
	.write = write_file,
	.link = make_link,
	.remove = remove_tree,
	.flush = flush,
	.prefetch = prefetch,
	.forget = forget,
	.find_home = find_home,
	.checksums = checksums,
	.close = close_site,
};

struct site *site_firecrest_new(struct firecrest *fc)
{
	struct site_firecrest *s = new_zero(struct site_firecrest);

	s->base = (struct site){ .ops = &site_firecrest_ops, .login = firecrest_system(fc) };
	s->fc = fc;
	return &s->base;
}
