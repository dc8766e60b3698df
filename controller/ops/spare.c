/* SPDX-License-Identifier: MIT */
/* Key files in reserve; see spare.h. */
#include "spare.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/model/digest.h"
#include "controller/ops/submit.h"
#include "init/base/fs.h"
#include "init/base/log.h"

#define FILES_MAX 8 /* two for each kind */
#define MAKING_NS (60 * NSEC_PER_SEC)
#define RECIPE_MAX (1024 * 1024)

static char *spare_dir(const struct controller *c)
{
	return fs_join(c->paths.keys_dir, "spare");
}

/* The words of keygen that say what the keys are like; the first ones say where they go. */
static bool describe(const struct making *m, char ret[DIGEST_HEX_SIZE])
{
	cleanup(buf_finish) struct buf recipe = BUF_INIT(RECIPE_MAX);
	bool ok = buf_append(&recipe, m->bundle, strlen(m->bundle) + 1);

	for (size_t i = MAKING_FILES_LEN; ok && i < m->argv.len; i++) {
		if (strcmp(m->argv.items[i], "--relays") == 0)
			return false;
		ok = buf_append(&recipe, m->argv.items[i], strlen(m->argv.items[i]) + 1);
	}
	digest_sha256_hex(buf_span(&recipe), ret);
	return ok;
}

static void plan_next(struct controller *c, const struct making *m, const char *job,
		      const char *client)
{
	argv_finish(&c->spare);
	argv_add_words(&c->spare, m->tunnel, "keygen", "--job-file", job, "--client-file", client,
		       NULL);
	for (size_t i = MAKING_FILES_LEN; i < m->argv.len; i++)
		argv_add(&c->spare, m->argv.items[i]);
}

static bool is_same_file(const struct stat *one, const struct stat *other)
{
	return one->st_ino == other->st_ino && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
	       one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

bool spare_take(struct controller *c, const struct making *m, const char *client_file)
{
	cleanup_free char *dir = spare_dir(c), *job = NULL, *client = NULL;
	char name[DIGEST_HEX_SIZE];
	struct stat before, taken;

	if (!describe(m, name))
		return false;
	job = str_printf("%s/%s.job", dir, name);
	client = str_printf("%s/%s.client", dir, name);
	plan_next(c, m, job, client);
	if (stat(client, &before) < 0 || rename(job, m->staged) < 0)
		return false;
	if (rename(client, client_file) == 0) {
		if (stat(client_file, &taken) == 0 && is_same_file(&before, &taken))
			return true;
		unlink(client_file); /* of another pair, made meanwhile */
	}
	unlink(m->staged); /* somebody removed its other half */
	return false;
}

/* Files that were made before some time, and the others. */
struct sweep {
	uint64_t before_ns;
	bool dry_run;
	size_t old, others;
};

/* Removes the old ones, and counts both. */
static int sweep(const struct controller *c, struct sweep *s, struct err *err)
{
	cleanup_free char *path = spare_dir(c);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int result = 0;

	s->old = s->others = 0;
	if (!dir)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "list %s", path);
	while ((entry = readdir(dir))) {
		cleanup_free char *file = fs_join(path, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		if (!fs_is_older(file, s->before_ns))
			s->others++;
		else if (s->dry_run || unlink(file) == 0)
			s->old++;
		else if (errno != ENOENT)
			result = err_set_errno(err, errno, "remove %s", file);
	}
	closedir(dir);
	return result;
}

int spare_collect(struct controller *c, uint64_t before_ns, bool dry_run, size_t *count,
		  struct err *err)
{
	struct sweep s = { .before_ns = before_ns, .dry_run = dry_run };
	int result = sweep(c, &s, err);

	*count += s.old;
	return result;
}

/* Half a pair is either being made now, or keeps others from being made. */
static bool is_due(const struct controller *c, const char *job, const char *client, uint64_t old_ns)
{
	struct sweep all = { 0 }, s = { .before_ns = old_ns };

	if (fs_exists(job))
		return false;
	if (fs_is_older(client, old_ns))
		unlink(client);
	if (sweep(c, &all, NULL) < 0)
		return false;
	/* Too many kinds: one that is used will be there again. */
	return all.others < FILES_MAX || (sweep(c, &s, NULL) == 0 && s.others < FILES_MAX);
}

void ops_make_spare(struct controller *c)
{
	const struct child_plan plan = { .argv = argv_words(&c->spare) };
	cleanup_free char *dir = spare_dir(c);
	struct err why;

	if (c->spare.len == 0 ||
	    !is_due(c, c->spare.items[MAKING_JOB_FILE], c->spare.items[MAKING_CLIENT_FILE],
		    controller_now_ns() - MAKING_NS))
		return;
	if (fs_make_dirs(dir, 0700, &why) < 0 || child_detach(&plan, &why) < 0)
		log_debug("no spare keys: %s", why.text);
}
