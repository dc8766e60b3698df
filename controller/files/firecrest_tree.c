/* SPDX-License-Identifier: MIT */
/* Trees of many small files behind FirecREST, as one archive; see fs.h. */
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/files/firecrest_internal.h"
#include "controller/run/argv.h"
#include "controller/run/child.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/log.h"

/* Fewer go as quickly one by one: an archive costs five requests. Larger trees are not doubled. */
#define ENTRIES_MIN 8
#define BYTES_MAX (UINT64_C(1) << 30)
#define COMPLAINT_MAX 200

struct census {
	uint64_t files, links, others, bytes;
};

/* What is no file, directory or link is told by whoever copies one by one. */
static bool is_worth(const struct fs_firecrest *f, const struct census *census)
{
	if (census->others > 0 || census->bytes > BYTES_MAX)
		return false;
	return census->links > 0 ||
	       (census->files >= ENTRIES_MIN && census->bytes / census->files <= f->direct_max);
}

static void count(struct census *census, char type, uint64_t size)
{
	census->files += type == '-';
	census->links += type == 'l';
	census->others += !strchr("-dl", type);
	census->bytes += type == '-' ? size : 0;
}

static int count_here(const char *dir, struct census *ret, struct err *err)
{
	cleanup_free char *copy = str_dup(dir);
	char *const roots[] = { copy, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	if (!tree)
		return err_set_errno(err, errno, "list");
	while ((entry = fts_read(tree))) {
		char type = entry->fts_info == FTS_F					 ? '-'
			    : entry->fts_info == FTS_D || entry->fts_info == FTS_DP	 ? 'd'
			    : entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE ? 'l'
											 : '?';

		count(ret, type, type == '-' ? (uint64_t)entry->fts_statp->st_size : 0);
	}
	fts_close(tree);
	return 0;
}

static int count_there(struct fs_firecrest *f, const char *dir, struct census *ret, struct err *err)
{
	cleanup_free char *path = fs_path_join(dir, "");
	const char *const query[] = {
		"path", path, "recursive", "true", "showHidden", "true", NULL
	};
	const struct firecrest_request request = { .path = OPS "ls", .query = query };
	cleanup(json_release) json_t *answer = NULL;
	const json_t *entry;
	size_t i;

	if (firecrest_call(f->fc, &request, &answer, err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "output"), i, entry)
		count(ret, firecrest_text(entry, "type")[0],
		      firecrest_number(entry, "size", INT64_MAX));
	return 0;
}

/* A name that nothing has, in the user's directory. */
static int archive_there(struct fs_firecrest *f, char **ret, struct err *err)
{
	cleanup_free char *path = NULL;
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		return err_set_errno(err, errno, "no random numbers");
	path = str_printf("~/.%016" PRIx64 ".tar.gz", number);
	return fs_firecrest_path(f, path, ret, err);
}

static void remove_there(struct fs_firecrest *f, const char *path)
{
	struct err why = { 0 };

	if (f->base.ops->remove(&f->base, path, false, &why) < 0)
		log_info("%s stays there: %s", path, why.text);
}

static int run_tar(const struct argv *argv, struct err *err)
{
	const struct child_plan plan = { .argv = argv_words(argv) };
	cleanup(child_finish) struct child child = { 0 };
	char complaint[COMPLAINT_MAX];

	if (child_run(&plan, &child, err) < 0)
		return -1;
	child_complaint(&child, complaint, sizeof(complaint));
	return child.status == 0 ? 0 : err_set(err, ERR_SYSTEM, "tar: %s", complaint);
}

/* The archive of ours, which is only there for a while. */
struct spool {
	const struct fs_tree *tree;
	char *path;
	int fd;
};

static void spool_finish(struct spool *spool)
{
	if (spool->path && spool->fd >= 0)
		unlink(spool->path);
	spool->tree->part(spool->tree->user, NULL);
	fd_close(spool->fd);
	free(spool->path);
}
DEFINE_CLEANUP_VALUE(struct spool, spool_finish)

static int spool_open(struct spool *spool, const char *dir, struct err *err)
{
	spool->path = str_printf("%s/.berth-XXXXXX", dir);
	spool->fd = mkostemp(spool->path, O_CLOEXEC);
	if (spool->fd < 0)
		return err_set_errno(err, errno, "create %s", spool->path);
	spool->tree->part(spool->tree->user, spool->path);
	return 0;
}

static int put_archive(struct fs_firecrest *f, const struct fs_tree *tree, const char *target,
		       struct err *err)
{
	const char *temporary = getenv("TMPDIR");
	cleanup(spool_finish) struct spool spool = { .tree = tree, .fd = -1 };
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup_free char *path = NULL;
	struct fs_transfer transfer = { 0 };
	struct stat st;
	int result;

	if (spool_open(&spool, temporary && temporary[0] == '/' ? temporary : "/tmp", err) < 0 ||
	    archive_there(f, &path, err) < 0)
		return -1;
	argv_add_words(&argv, "tar", "-czf", spool.path, "-C", tree->from, ".", NULL);
	if (run_tar(&argv, err) < 0)
		return -1;
	if (fstat(spool.fd, &st) < 0)
		return err_set_errno(err, errno, "stat");
	transfer.fd = spool.fd;
	transfer.size = (uint64_t)st.st_size;
	if (f->base.ops->put(&f->base, path, &transfer, err) < 0)
		return -1;
	result = fs_firecrest_archive(f, path, target, true, err);
	remove_there(f, path);
	return result;
}

static int get_archive(struct fs_firecrest *f, const struct fs_tree *tree, const char *source,
		       struct err *err)
{
	cleanup(spool_finish) struct spool spool = { .tree = tree, .fd = -1 };
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup_free char *path = NULL;
	struct fs_transfer transfer = { 0 };
	int result;

	if (spool_open(&spool, tree->to, err) < 0 || archive_there(f, &path, err) < 0 ||
	    fs_firecrest_archive(f, source, path, false, err) < 0)
		return -1;
	transfer.fd = spool.fd;
	result = f->base.ops->stat(&f->base, path, false, &entry, err);
	transfer.size = entry.size;
	if (result == 0)
		result = f->base.ops->get(&f->base, path, &transfer, err);
	remove_there(f, path);
	if (result < 0)
		return -1;
	/* Its first name is that of the directory. */
	argv_add_words(&argv, "tar", "-xzf", spool.path, "-C", tree->to, "--strip-components=1",
		       "--no-same-owner", tree->preserve ? "-p" : "--no-same-permissions", NULL);
	if (!tree->preserve)
		argv_add(&argv, "-m");
	return run_tar(&argv, err);
}

/* What was refused once is not tried for each directory. */
static bool say(struct fs_firecrest *f, const struct fs_tree *tree, const struct census *census,
		int result, const struct err *why)
{
	f->has_no_trees = f->has_no_trees || result < 0;
	if (result < 0)
		log_info("%s: goes one by one: %s", tree->from, why->text);
	else
		log_info("%s: %" PRIu64 " files and %" PRIu64 " links went as one archive",
			 tree->from, census->files, census->links);
	return result == 0;
}

bool fs_firecrest_put_tree(struct fs *fs, const struct fs_tree *tree)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *target = NULL;
	struct census census = { 0 };
	struct err why = { 0 };
	int result;

	if (f->has_no_trees)
		return false;
	result = count_here(tree->from, &census, &why);
	if (result == 0)
		result = fs_firecrest_path(f, tree->to, &target, &why);
	if (result == 0)
		result = fs_firecrest_describe(f, &why);
	if (result == 0 && !is_worth(f, &census))
		return false;
	if (result == 0)
		result = put_archive(f, tree, target, &why);
	return say(f, tree, &census, result, &why);
}

/* A link to a directory would go as a link. */
static int check_dir(struct fs_firecrest *f, const char *path, struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };

	if (f->base.ops->stat(&f->base, path, false, &entry, err) < 0)
		return -1;
	return entry.type == 'd' ? 0 : err_set(err, ERR_UNSUPPORTED, "is a link");
}

bool fs_firecrest_get_tree(struct fs *fs, const struct fs_tree *tree)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *source = NULL;
	struct census census = { 0 };
	struct err why = { 0 };
	int result;

	if (f->has_no_trees)
		return false;
	result = fs_firecrest_path(f, tree->from, &source, &why);
	if (result == 0)
		result = fs_firecrest_describe(f, &why);
	if (result == 0)
		result = count_there(f, source, &census, &why);
	if (result == 0 && !is_worth(f, &census))
		return false;
	if (result == 0)
		result = check_dir(f, source, &why);
	if (result == 0)
		result = get_archive(f, tree, source, &why);
	return say(f, tree, &census, result, &why);
}
