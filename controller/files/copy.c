/* SPDX-License-Identifier: MIT */
/* Files between this machine and a place; see copy.h. */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/files/journal.h"
#include "controller/files/pass.h"
#include "controller/files/sum.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define PART_SUFFIX ".berth-part"
#define NAME_LEN_MAX 255

/* A file or directory that is still to be copied; the next one is the last. */
struct todo {
	char *from, *to;
};

struct copying {
	const struct fs_copy *plan;
	struct todo *todo;
	size_t len;
	bool is_new;	     /* nothing has the target's name */
	enum err_kind first; /* of failures */
};

static void copying_finish(struct copying *c)
{
	for (size_t i = 0; i < c->len; i++) {
		free(c->todo[i].from);
		free(c->todo[i].to);
	}
	free(c->todo);
}
DEFINE_CLEANUP_VALUE(struct copying, copying_finish)

static void add_todo(struct copying *c, char *from, char *to)
{
	if ((c->len & (c->len - 1)) == 0)
		c->todo = alloc_grow(c->todo, c->len ? c->len * 2 : 1, sizeof(*c->todo));
	c->todo[c->len++] = (struct todo){ from, to };
}

static void fail(struct copying *c, const char *path, bool is_source, const struct err *why)
{
	if (c->first == ERR_NONE)
		c->first = why->kind;
	c->plan->ops->complain(c->plan->user, path, is_source, why);
}

/* Both sides in the same words */

static int stat_here(const char *path, bool follows, struct fs_entry *ret, struct err *err)
{
	struct stat st;

	if ((follows ? stat(path, &st) : lstat(path, &st)) < 0)
		return err_set(err, err_kind_from_errno(errno), "%s", strerror(errno));
	*ret = (struct fs_entry){
		.type = S_ISDIR(st.st_mode)   ? 'd'
			: S_ISREG(st.st_mode) ? '-'
			: S_ISLNK(st.st_mode) ? 'l'
					      : '?',
		.mode = st.st_mode & 07777,
		.size = (uint64_t)st.st_size,
		.mtime_s = (uint64_t)MAX(st.st_mtime, (time_t)0),
	};
	return 0;
}

static int stat_side(struct fs *fs, const char *path, bool follows, struct fs_entry *ret,
		     struct err *err)
{
	return fs ? fs->ops->stat(fs, path, follows, ret, err) : stat_here(path, follows, ret, err);
}

/* The side that is elsewhere, of a copy that has this machine on the other. */
static struct fs *place_of(const struct fs_copy *plan)
{
	return plan->from ? plan->from : plan->to;
}

/* 1: *ret; 0: there are no more; -1: errno says why it is not known. */
static int next_entry(DIR *dir, struct dirent **ret)
{
	do {
		errno = 0;
		*ret = readdir(dir);
	} while (*ret && (strcmp((*ret)->d_name, ".") == 0 || strcmp((*ret)->d_name, "..") == 0));
	return *ret ? 1 : errno ? -1 : 0;
}

static int list_here(const char *path, struct fs_list *ret, struct err *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int more = -1;

	while (dir && (more = next_entry(dir, &entry)) > 0 && ret->len < FS_ENTRIES_MAX) {
		struct fs_entry found = { .type = '?', .name = str_dup(entry->d_name) };

		fs_list_add(ret, &found);
	}
	if (more < 0)
		err_set(err, err_kind_from_errno(errno), "%s", strerror(errno));
	if (more > 0)
		err_set(err, ERR_LIMIT, "more than %d entries", FS_ENTRIES_MAX);
	if (dir)
		closedir(dir);
	fs_list_sort(ret);
	return more == 0 ? 0 : -1;
}

static int make_dir_here(const char *path, uint32_t mode, struct err *err)
{
	struct stat st;

	if (mkdir(path, mode | 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return err_set(err, err_kind_from_errno(errno), "%s", strerror(errno));
	/* A link there would lead elsewhere. */
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_EXISTS, "is there, and no directory");
	return 0;
}

/* Files that come here */

char *fs_copy_part(const char *path, bool is_kept)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cleanup_free char *suffix =
		is_kept ? str_dup(PART_SUFFIX)
			: str_printf(".%08x" PART_SUFFIX, (unsigned int)getpid());

	return str_printf("%.*s.%.*s%s", (int)(name - path), path,
			  (int)(NAME_LEN_MAX - 1 - strlen(suffix)), name, suffix);
}

/* What is there, and the file here. */
static int compare(const struct fs_copy *plan, const char *there, struct fs_transfer *t,
		   struct err *err)
{
	bool must = plan->verify || t->doubt == FS_DOUBTFUL;
	struct err why = { 0 };

	if (t->has_no_sum && !must)
		return fs_check_size(place_of(plan), there, t->size, err);
	if (!t->there[0] &&
	    place_of(plan)->ops->checksum(place_of(plan), there, t->there, &why) < 0) {
		if (fs_is_no_sum(&why) && !must)
			return fs_check_size(place_of(plan), there, t->size, err);
		return err_set(err, why.kind, "checksum: %s", why.text);
	}
	if (!t->here[0] && sum_file(t->fd, SUM_SHA256, 0, t->size, t->here, err) < 0)
		return -1;
	if (strcmp(t->here, t->there) != 0)
		return err_set(err, ERR_PROTOCOL,
			       "the copy is not what the source is: did it change meanwhile?");
	return 0;
}

/*
 * What is kept of a transfer: also of one that nobody wants to go on with, so that what it began at
 * the server can be ended.
 */
static int open_journal(const struct fs_copy *plan, const char *from, const char *to,
			const struct fs_entry *source, struct journal **ret, struct err *err)
{
	const char *here = plan->to ? from : to;
	cleanup_free char *dir = here[0] == '/' ? str_dup("") : getcwd(NULL, 0);
	cleanup_free char *path =
		str_printf("%s%s%s", dir ? dir : "", here[0] == '/' ? "" : "/", here);
	const struct journal_id id = {
		.place = place_of(plan)->name,
		.there = plan->to ? to : from,
		.here = path,
		.comes_here = !plan->to,
		.size = source->size,
		.mtime_s = source->mtime_s,
	};

	return plan->journals ? journal_open(plan->journals, &id, ret, err) : 0;
}

static int fetch(const struct fs_copy *plan, const char *from, const struct fs_entry *source,
		 struct journal *journal, int fd, struct err *err)
{
	struct fs_transfer transfer = { .fd = fd,
					.size = source->size,
					.journal = journal,
					.keeps = plan->resume,
					.moved = plan->ops->moved,
					.user = plan->user };

	if (plan->from->ops->get(plan->from, from, &transfer, err) < 0)
		return -1;
	if (ftruncate(fd, (off_t)transfer.size) < 0)
		return err_set_errno(err, errno, "write");
	if ((plan->verify || transfer.doubt != FS_SURE) &&
	    compare(plan, from, &transfer, err) < 0) {
		if (journal)
			journal_drop(journal);
		return -1;
	}
	return 0;
}

static int keep_attributes(int fd, const struct fs_entry *source, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { .tv_sec = (time_t)source->mtime_s } };

	if (fchmod(fd, source->mode & 0777) < 0 || futimens(fd, times) < 0)
		return err_set_errno(err, errno, "set mode and time");
	return 0;
}

static int get_file(const struct fs_copy *plan, const char *from, const char *to,
		    const struct fs_entry *source, struct err *err)
{
	cleanup_free char *part = fs_copy_part(to, plan->resume);
	mode_t mode = (source->mode & 0777) | 0600;
	cleanup(journal_close) struct journal *journal = NULL;
	cleanup_close int fd = fd_open_mode(
		part, O_RDWR | O_CREAT | O_NOFOLLOW | (plan->resume ? 0 : O_EXCL), mode);
	int result;

	if (fd < 0)
		return err_set(err, err_kind_from_errno(errno), "%s", strerror(errno));
	plan->ops->part(plan->user, plan->resume ? NULL : part);
	result = open_journal(plan, from, to, source, &journal, err);
	if (result == 0)
		result = fetch(plan, from, source, journal, fd, err);
	if (result == 0 && plan->preserve)
		result = keep_attributes(fd, source, err);
	if (result == 0 && rename(part, to) < 0)
		result = err_set(err, err_kind_from_errno(errno), "%s", strerror(errno));
	if (journal && (result == 0 || !plan->resume))
		journal_drop(journal);
	if (result < 0 && !plan->resume)
		unlink(part);
	plan->ops->part(plan->user, NULL);
	return result;
}

/* Files that go there */

static int put_file(const struct copying *c, const char *from, const char *to,
		    const struct fs_entry *source, struct err *err)
{
	const struct fs_copy *plan = c->plan;
	cleanup_close int fd = fd_open(from, O_RDONLY);
	cleanup(journal_close) struct journal *journal = NULL;
	struct fs_transfer transfer = { .fd = fd,
					.size = source->size,
					.keeps = plan->resume,
					.is_new = c->is_new,
					.moved = plan->ops->moved,
					.user = plan->user };
	int result;

	if (fd < 0)
		return err_set(err, err_kind_from_errno(errno), "%s", strerror(errno));
	if (open_journal(plan, from, to, source, &journal, err) < 0)
		return -1;
	transfer.journal = journal;
	if (plan->to->ops->put(plan->to, to, &transfer, err) < 0) {
		if (journal && !plan->resume)
			journal_drop(journal);
		return -1;
	}
	result = plan->verify || transfer.doubt != FS_SURE ? compare(plan, to, &transfer, err) : 0;
	if (journal)
		journal_drop(journal);
	if (result == 0 && plan->preserve)
		result = plan->to->ops->chmod(plan->to, to, source->mode & 0777, err);
	return result;
}

static bool is_within(const struct fs_copy *plan)
{
	return plan->from == plan->to;
}

/* Trees */

static int list_side(struct fs *fs, const char *path, struct fs_list *ret, struct err *err)
{
	return fs ? fs->ops->list(fs, path, ret, err) : list_here(path, ret, err);
}

/*
 * Into a directory that is new: what is replaced in another is not an archive's to decide. What
 * comes here has to be counted there first, which is done once for all of it.
 */
static bool copy_tree(const struct fs_copy *plan, const struct todo *t, bool is_named)
{
	const struct fs_tree tree = { .from = t->from,
				      .to = t->to,
				      .preserve = plan->preserve,
				      .part = plan->ops->part,
				      .user = plan->user };
	bool (*copy)(struct fs * fs, const struct fs_tree *tree) =
		plan->from ? plan->from->ops->get_tree : plan->to->ops->put_tree;

	if (plan->from && plan->to)
		return false;
	return copy && (is_named || plan->to) && copy(place_of(plan), &tree);
}

/* 1: it was there already. */
static int make_target(const struct fs_copy *plan, const struct todo *t,
		       const struct fs_entry *source, struct err *err)
{
	struct err why = { 0 };

	if (!plan->to) {
		bool was_there = access(t->to, F_OK) == 0;

		return make_dir_here(t->to, source->mode & 0777, err) < 0 ? -1 : was_there;
	}
	if (plan->to->ops->make_dir(plan->to, t->to, &why) == 0)
		return 0;
	return why.kind == ERR_EXISTS ? 1 : err_set(err, why.kind, "%s", why.text);
}

/* Within a place: all of it at once to where nothing is; 1: into what is there, one by one. */
static int copy_within(const struct fs_copy *plan, const struct todo *t,
		       const struct fs_entry *source, struct err *err)
{
	cleanup(fs_entry_finish) struct fs_entry target = { 0 };
	struct err why = { 0 };

	if (stat_side(plan->to, t->to, true, &target, &why) == 0)
		return target.type == 'd' ? 1
					  : err_set(err, ERR_EXISTS, "%s is no directory", t->to);
	if (why.kind != ERR_NOT_FOUND)
		return err_set(err, why.kind, "%s", why.text);
	return plan->to->ops->copy(plan->to, t->from, t->to, source, err);
}

static int open_dir(struct copying *c, const struct todo *t, const struct fs_entry *source,
		    bool is_named, struct err *err)
{
	const struct fs_copy *plan = c->plan;
	cleanup(fs_list_finish) struct fs_list list = { 0 };
	struct err why = { 0 };
	int was_there;

	if (!plan->recursive)
		return err_set(err, ERR_INVALID, "is a directory: -r copies it");
	if (is_within(plan)) {
		was_there = copy_within(plan, t, source, err);
		if (was_there <= 0)
			return was_there;
	} else {
		was_there = make_target(plan, t, source, &why);
	}
	if (was_there < 0) {
		fail(c, t->to, false, &why);
		return 0;
	}
	if (was_there == 0 && copy_tree(plan, t, is_named))
		return 0;
	if (list_side(plan->from, t->from, &list, err) < 0)
		return -1;
	for (size_t i = list.len; i-- > 0;)
		add_todo(c, fs_path_join(t->from, list.items[i].name),
			 fs_path_join(t->to, list.items[i].name));
	return 0;
}

/* What was named is followed, what was found is not. */
static int copy_one(struct copying *c, const struct todo *t, bool is_named, struct err *err)
{
	const struct fs_copy *plan = c->plan;
	cleanup(fs_entry_finish) struct fs_entry source = { 0 };

	if (stat_side(plan->from, t->from, is_named, &source, err) < 0)
		return -1;
	if (source.type == 'd')
		return open_dir(c, t, &source, is_named, err);
	if (is_within(plan) && (source.type == '-' || source.type == 'l'))
		return plan->to->ops->copy(plan->to, t->from, t->to, &source, err);
	if (source.type != '-')
		return err_set(err, ERR_UNSUPPORTED,
			       "neither a file nor a directory: it is left out");
	plan->ops->began(plan->user, t->from, source.size);
	if (plan->from && plan->to)
		return pass_file(plan, t->from, t->to, &source, err);
	return plan->to ? put_file(c, t->from, t->to, &source, err)
			: get_file(plan, t->from, t->to, &source, err);
}

static void copy_all(struct copying *c, size_t named)
{
	while (c->len > 0) {
		struct todo t = c->todo[--c->len];
		bool is_named = c->len < named;
		struct err why = { 0 };

		/* What is added from now on was found. */
		named = MIN(named, c->len);
		if (copy_one(c, &t, is_named, &why) < 0)
			fail(c, t.from, true, &why);
		free(t.from);
		free(t.to);
	}
}

/* The last name of a source; none for what ends in "." or "..". */
static char *name_of(const char *path)
{
	size_t end = strlen(path), begin;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && path[begin - 1] != '/'; begin--)
		;
	return str_dup_len(path + begin, end - begin);
}

/* A directory that is copied into itself has no end. What is not there is found out later. */
static int check_inside(const struct fs_copy *plan, const char *source, struct err *err)
{
	cleanup_free char *from = NULL, *to = NULL;
	size_t len;

	if (!plan->recursive || !is_within(plan) ||
	    fs_resolve(plan->from, source, &from, NULL) < 0 ||
	    fs_resolve(plan->to, plan->target, &to, NULL) < 0)
		return 0;
	len = strlen(from);
	if (strncmp(from, to, len) != 0 || (to[len] != '/' && to[len] != '\0'))
		return 0;
	return err_set(err, ERR_INVALID, "'%s' lies in '%s'", plan->target, source);
}

int fs_copy(const struct fs_copy *plan, struct err *err)
{
	cleanup(copying_finish) struct copying c = { .plan = plan };
	cleanup(fs_entry_finish) struct fs_entry target = { 0 };
	const char *to = plan->target[0] ? plan->target : ".";
	struct err why = { 0 };
	bool is_dir;

	if (stat_side(plan->to, to, true, &target, &why) < 0 && why.kind != ERR_NOT_FOUND)
		return err_set(err, why.kind, "%s: %s", to, why.text);
	is_dir = target.type == 'd';
	c.is_new = target.type == 0;
	if (!is_dir && (plan->len > 1 || (target.type == 0 && to[strlen(to) - 1] == '/')))
		return err_set(err, ERR_INVALID,
			       "%s: is no directory: several things cannot go there", to);
	for (size_t i = plan->len; i-- > 0;) {
		cleanup_free char *name = name_of(plan->sources[i]);
		bool has_name = name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
				name[0] != '/' && strcmp(name, "~") != 0;

		if (check_inside(plan, plan->sources[i], err) < 0)
			return -1;
		add_todo(&c, str_dup(plan->sources[i][0] ? plan->sources[i] : "."),
			 is_dir && has_name ? fs_path_join(to, name) : str_dup(to));
	}
	copy_all(&c, c.len);
	if (c.first == ERR_NONE)
		return 0;
	err_set(err, c.first, "not everything was copied");
	return 1;
}
