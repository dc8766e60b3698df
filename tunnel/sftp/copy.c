/* SPDX-License-Identifier: MIT */
/* Goes through what is to be copied; see copy.h. */
#include "copy.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

#include "copy_internal.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

/* So many may end at the same moment, each with a request. */
#define DEPTH_MAX 256

void copy_fail(struct copy *copy, bool is_source, const char *path, const struct err *why)
{
	if (copy->stopping)
		return; /* whoever stops it knows why */
	if (copy->totals.failures++ == 0)
		copy->totals.first = why->kind;
	copy->config.ops->complain(copy->config.user, is_source, path, why);
}

struct loose {
	struct copy *copy;
	char *path; /* NULL: a failure does not matter */
};

static void on_loose(void *user, const struct sftp_answer *answer)
{
	struct loose *loose = user;
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_STATUS, &why) < 0 && loose->path)
		copy_fail(loose->copy, false, loose->path, &why);
	loose->copy->loose--;
	free(loose->path);
	free(loose);
}

void copy_ask_loosely(struct copy *copy, struct sftp_client *client, struct sftp_request *request,
		      const char *path)
{
	struct loose *loose = new_zero(struct loose);

	*loose = (struct loose){ copy, path ? str_dup(path) : NULL };
	copy->loose++;
	sftp_client_ask(client, request, on_loose, loose);
}

static void walk_ask(struct copy *copy, struct sftp_client *client, struct sftp_request *request,
		     sftp_answered *answered)
{
	copy->busy = true;
	copy->waiting++;
	sftp_client_ask(client, request, answered, copy);
}

/* Directories */

static void free_dir(struct copy_dir *dir)
{
	free(dir->from);
	free(dir->to);
	buf_finish(&dir->handle);
	buf_finish(&dir->names);
	free(dir);
}

static void finish_dir(struct copy *copy, struct copy_dir *dir)
{
	struct sftp_request set = { .op = SFTP_SETSTAT,
				    .path = span_of_str(dir->to),
				    .attrs = dir->attrs };

	set.attrs.flags &= SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	if (copy->config.options.preserve && !copy->stopping)
		copy_ask_loosely(copy, copy->config.to, &set, dir->to);
	free_dir(dir);
}

void copy_dir_release(struct copy *copy, struct copy_dir *dir)
{
	struct copy_dir *up;

	for (; dir; dir = up) {
		assert(dir->users > 0);
		if (--dir->users > 0)
			return;
		up = dir->up;
		finish_dir(copy, dir);
	}
}

static size_t depth_of(const struct copy_dir *dir)
{
	size_t depth = 0;

	for (; dir; dir = dir->up)
		depth++;
	return depth;
}

/* The walk itself is a user of a directory until it is through with it. */
static void push_dir(struct copy *copy)
{
	struct copy_dir *dir = new_zero(struct copy_dir);

	*dir = (struct copy_dir){
		.up = copy->top,
		.from = take_ptr(copy->from),
		.to = take_ptr(copy->to),
		.attrs = copy->attrs,
		.handle = copy->opened,
		.names = BUF_INIT(SFTP_PACKET_MAX),
		.users = 1,
	};
	copy->opened = BUF_INIT(SFTP_HANDLE_MAX);
	copy->top = dir;
}

static void give_dir_up(struct copy *copy)
{
	struct sftp_request close = { .op = SFTP_CLOSE, .handle = buf_span(&copy->opened) };

	if (copy->from_why.kind != ERR_NONE)
		copy_fail(copy, true, copy->from, &copy->from_why);
	else
		copy_fail(copy, false, copy->to, &copy->to_why);
	if (close.handle.len > 0)
		copy_ask_loosely(copy, copy->config.from, &close, NULL);
	buf_clear(&copy->opened);
	copy_dir_release(copy, copy->top);
	free(take_ptr(copy->from));
	free(take_ptr(copy->to));
}

/* It could not be made, which is well if it is there. A link to one is not: who put it there? */
static void on_dir_looked_at(void *user, const struct sftp_answer *answer)
{
	struct copy *copy = user;

	if (answer->type == SFTP_TYPE_ATTRS && S_ISDIR(answer->attrs.mode))
		copy->to_why = (struct err){ 0 };
	copy->waiting--;
	copy->busy = false;
	if (copy->to_why.kind == ERR_NONE)
		push_dir(copy);
	else
		give_dir_up(copy);
}

static void on_dir_answered(struct copy *copy)
{
	/* Only what the user named may be a link, and not what is made in it. */
	bool is_target = !copy->top && strcmp(copy->to, copy->config.target) == 0;
	struct sftp_request look = { .op = is_target ? SFTP_STAT : SFTP_LSTAT,
				     .path = span_of_str(copy->to) };

	if (--copy->waiting > 0)
		return;
	if (copy->from_why.kind == ERR_NONE && copy->to_why.kind != ERR_NONE) {
		walk_ask(copy, copy->config.to, &look, on_dir_looked_at);
		return;
	}
	copy->busy = false;
	if (copy->from_why.kind == ERR_NONE)
		push_dir(copy);
	else
		give_dir_up(copy);
}

static void on_dir_opened(void *user, const struct sftp_answer *answer)
{
	struct copy *copy = user;

	if (sftp_answer_check(answer, SFTP_TYPE_HANDLE, &copy->from_why) == 0 &&
	    !buf_append_span(&copy->opened, answer->bytes))
		err_set(&copy->from_why, ERR_PROTOCOL, "a handle of a length that none has");
	on_dir_answered(copy);
}

static void on_dir_made(void *user, const struct sftp_answer *answer)
{
	struct copy *copy = user;

	(void)!sftp_answer_check(answer, SFTP_TYPE_STATUS, &copy->to_why);
	on_dir_answered(copy);
}

/* Takes the paths over. */
static void begin_dir(struct copy *copy, char *from, char *to, const struct sftp_attrs *attrs)
{
	struct sftp_request open = { .op = SFTP_OPENDIR, .path = span_of_str(from) };
	struct sftp_request make = {
		.op = SFTP_MKDIR,
		.path = span_of_str(to),
		/* We must be able to write into it; the mode it has comes at its end. */
		.attrs = { .flags = SFTP_ATTR_MODE, .mode = (attrs->mode & 0777) | 0700 },
	};

	if (copy->top)
		copy->top->users++;
	copy->from = from;
	copy->to = to;
	copy->attrs = *attrs;
	copy->from_why = copy->to_why = (struct err){ 0 };
	walk_ask(copy, copy->config.from, &open, on_dir_opened);
	walk_ask(copy, copy->config.to, &make, on_dir_made);
}

static void on_listed(void *user, const struct sftp_answer *answer)
{
	struct copy *copy = user;
	struct copy_dir *dir = copy->top;
	struct err why = { 0 };

	copy->waiting--;
	copy->busy = false;
	dir->listed = answer->type != SFTP_TYPE_NAME || answer->count == 0;
	if (!dir->listed) {
		buf_clear(&dir->names);
		dir->names_left = answer->count;
		if (!buf_append_span(&dir->names, answer->body))
			dir->names_left = 0; /* never: it was in a packet */
	} else if (answer->type != SFTP_TYPE_STATUS || answer->code != SFTP_STATUS_EOF) {
		(void)!sftp_answer_check(answer, SFTP_TYPE_NAME, &why);
		copy_fail(copy, true, dir->from, &why);
	}
}

/* One thing of any kind; takes the paths over. */
static void begin(struct copy *copy, char *from, char *to, struct sftp_attrs *attrs)
{
	static const struct err too_deep = { ERR_LIMIT, 0, "too deep a tree" };
	static const struct err not_file = { ERR_UNSUPPORTED, 0,
					     "neither a file, a directory nor a link: left out" };
	static const struct err is_dir = { ERR_INVALID, 0, "a directory; -r copies it" };
	bool stream = copy->config.source_is_stream;
	const struct err *why;

	/* What another wrote must not run as whoever copies it. */
	attrs->mode &= ~(mode_t)(S_ISUID | S_ISGID);
	if (S_ISDIR(attrs->mode) && copy->config.options.recursive &&
	    depth_of(copy->top) < DEPTH_MAX) {
		begin_dir(copy, from, to, attrs);
		return;
	}
	if ((S_ISREG(attrs->mode) || stream || S_ISLNK(attrs->mode)) && copy->top)
		copy->top->users++;
	if (S_ISREG(attrs->mode) || stream) {
		copy_file_start(copy, copy->top, from, to, attrs);
		return;
	}
	/* Sources that are links are followed by the server: none is told as one. */
	if (S_ISLNK(attrs->mode) && copy->top) {
		copy_link_start(copy, copy->top, from, to);
		return;
	}
	why = !S_ISDIR(attrs->mode) ? &not_file : copy->top ? &too_deep : &is_dir;
	copy_fail(copy, true, from, why);
	free(from);
	free(to);
}

static bool is_plain_name(struct span name)
{
	return name.len > 0 && name.len <= NAME_MAX && !memchr(name.ptr, '/', name.len) &&
	       !memchr(name.ptr, '\0', name.len) && !span_equal_str(name, ".") &&
	       !span_equal_str(name, "..");
}

static void take_entry(struct copy *copy)
{
	static const struct err no_name = { ERR_PROTOCOL, 0,
					    "lists a name that no directory can have: left out" };
	struct copy_dir *dir = copy->top;
	struct span rest = buf_span(&dir->names);
	cleanup_free char *text = NULL;
	struct sftp_name name;

	dir->names_left--;
	if (!sftp_name_cut(&rest, &name)) {
		dir->names_left = 0; /* never: they were counted */
		return;
	}
	if (is_plain_name(name.name)) {
		text = str_dup_len((const char *)name.name.ptr, name.name.len);
		begin(copy, fs_join(dir->from, text), fs_join(dir->to, text), &name.attrs);
	} else if (!span_equal_str(name.name, ".") && !span_equal_str(name.name, "..")) {
		copy_fail(copy, true, dir->from, &no_name);
	}
	/* begin() asks but never waits: dir is still the one on top. */
	buf_consume(&dir->names, buf_len(&dir->names) - rest.len);
}

/* Sources and the target */

static void on_target(void *user, const struct sftp_answer *answer)
{
	struct copy *copy = user;
	mode_t mode = answer->attrs.mode;
	static const struct err not_dir = { ERR_INVALID, 0,
					    "not a directory: several things cannot go there" };
	static const struct err no_file = { ERR_INVALID, 0,
					    "a directory: say which file standard input becomes" };
	const struct err *why = NULL;

	copy->waiting--;
	copy->busy = false;
	copy->has_target = true;
	copy->into = answer->type == SFTP_TYPE_ATTRS && S_ISDIR(mode);
	copy->is_device = answer->type == SFTP_TYPE_ATTRS && !S_ISDIR(mode) && !S_ISREG(mode);
	if (!copy->into && copy->config.sources_len > 1)
		why = &not_dir;
	else if (copy->into && copy->config.source_is_stream)
		why = &no_file;
	if (why) {
		copy_fail(copy, false, copy->config.target, why);
		copy->source = copy->config.sources_len;
	}
}

/*
 * The target itself, or in it what the user calls the source. "dir/." and the like have no name of
 * their own.
 */
static char *target_of(const struct copy *copy, const char *source)
{
	cleanup_free char *path = str_dup(source);
	size_t len = strlen(path);
	const char *name;

	if (!copy->into)
		return str_dup(copy->config.target);
	while (len > 0 && path[len - 1] == '/')
		path[--len] = '\0';
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return str_dup(copy->config.target);
	return fs_join(copy->config.target, name);
}

static void on_source(void *user, const struct sftp_answer *answer)
{
	struct copy *copy = user;
	const char *source = copy->config.sources[copy->source];
	const char *name = copy->config.names[copy->source++];
	struct sftp_attrs attrs = answer->attrs;
	struct err why = { 0 };

	copy->waiting--;
	copy->busy = false;
	if (sftp_answer_check(answer, SFTP_TYPE_ATTRS, &why) < 0)
		copy_fail(copy, true, source, &why);
	else
		begin(copy, str_dup(source), target_of(copy, name), &attrs);
}

/* Its listing is at its end; what is in it may still be under way. */
static void pop_dir(struct copy *copy)
{
	struct copy_dir *dir = copy->top;
	struct sftp_request close = { .op = SFTP_CLOSE, .handle = buf_span(&dir->handle) };

	copy->top = dir->up;
	copy_ask_loosely(copy, copy->config.from, &close, NULL);
	copy_dir_release(copy, dir);
}

/* One step; false: nothing can be done now. */
static bool step(struct copy *copy)
{
	struct sftp_request look = { .op = SFTP_STAT };
	struct sftp_request list = { .op = SFTP_READDIR };
	struct copy_dir *dir = copy->top;

	if (!copy->has_target) {
		look.path = span_of_str(copy->config.target);
		walk_ask(copy, copy->config.to, &look, on_target);
	} else if (dir && dir->names_left > 0) {
		take_entry(copy);
	} else if (dir && dir->listed) {
		pop_dir(copy);
	} else if (dir) {
		list.handle = buf_span(&dir->handle);
		walk_ask(copy, copy->config.from, &list, on_listed);
	} else if (copy->source < copy->config.sources_len) {
		look.path = span_of_str(copy->config.sources[copy->source]);
		walk_ask(copy, copy->config.from, &look, on_source);
	} else {
		return false;
	}
	return true;
}

void copy_turn(struct copy *copy)
{
	copy_files_turn(copy);
	while (!copy->busy && !copy->stopping && copy->files_len + copy->loose < COPY_FILES_MAX &&
	       step(copy))
		;
}

void copy_stop(struct copy *copy)
{
	copy->stopping = true;
	copy_files_stop(copy);
}

bool copy_is_over(const struct copy *copy)
{
	bool walked = copy->has_target && !copy->top && copy->source >= copy->config.sources_len;

	return (walked || copy->stopping) && !copy->busy && copy->files_len == 0 &&
	       copy->loose == 0;
}

const struct copy_totals *copy_totals(const struct copy *copy)
{
	return &copy->totals;
}

struct copy *copy_new(const struct copy_config *config)
{
	struct copy *copy = new_zero(struct copy);

	copy->config = *config;
	copy->opened = BUF_INIT(SFTP_HANDLE_MAX);
	copy->has_target = config->target_is_stream;
	return copy;
}

struct copy *copy_free(struct copy *copy)
{
	struct copy_dir *up;

	if (!copy)
		return NULL;
	copy_files_free(copy);
	for (; copy->top; copy->top = up) {
		up = copy->top->up;
		free_dir(copy->top);
	}
	free(copy->from);
	free(copy->to);
	buf_finish(&copy->opened);
	free(copy);
	return NULL;
}
