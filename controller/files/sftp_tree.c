/* SPDX-License-Identifier: MIT */
/* Directories behind SFTP: what is in them, and removing them with it; see sftp.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/files/sftp_internal.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define READDIRS 4   /* asked for at once */
#define REQUESTS 256 /* about entries, the same */
#define NAME_LEN_MAX 4096
#define MODE_FORMAT 0170000U
#define MODE_BITS 07777U

/* One entry */

static char type_of(uint32_t mode)
{
	static const struct {
		uint32_t format;
		char type;
	} types[] = {
		{ 0100000, '-' }, { 0040000, 'd' }, { 0120000, 'l' }, { 0010000, 'p' },
		{ 0140000, 's' }, { 0020000, 'c' }, { 0060000, 'b' },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].format == (mode & MODE_FORMAT))
			return types[i].type;
	}
	return '?';
}

/* The next word of a line, without what comes before and behind; empty at its end. */
static struct span cut_word(struct span *line)
{
	size_t len = 0;

	while (line->len > 0 && line->ptr[0] == ' ')
		(void)span_cut(line, 1);
	while (len < line->len && line->ptr[len] != ' ')
		len++;
	return span_cut(line, len);
}

static char *word_dup(struct span word)
{
	char *text = str_dup_len((const char *)word.ptr, word.len);

	text_make_printable(text);
	return text;
}

bool fs_sftp_owners(struct span longname, char **ret_user, char **ret_group)
{
	struct span mode = cut_word(&longname), links = cut_word(&longname);
	struct span user = cut_word(&longname), group = cut_word(&longname);

	if (mode.len < 10 || links.len == 0 || user.len == 0 || group.len == 0 ||
	    memchr(user.ptr, '\0', user.len) || memchr(group.ptr, '\0', group.len))
		return false;
	for (size_t i = 0; i < links.len; i++) {
		if (links.ptr[i] != '?' && (links.ptr[i] < '0' || links.ptr[i] > '9'))
			return false;
	}
	*ret_user = word_dup(user);
	*ret_group = word_dup(group);
	return true;
}

void fs_sftp_entry(struct span name, struct span longname, const struct sftp_attrs *attrs,
		   struct fs_entry *ret)
{
	*ret = (struct fs_entry){
		.name = str_dup_len((const char *)name.ptr, name.len),
		.type = attrs->flags & SFTP_ATTR_MODE ? type_of(attrs->mode) : '?',
		.mode = attrs->mode & MODE_BITS,
		.size = attrs->size,
		.mtime_s = attrs->mtime,
	};
	if (longname.len > 0 && fs_sftp_owners(longname, &ret->user, &ret->group))
		return;
	ret->user = str_printf("%u", (unsigned int)attrs->uid);
	ret->group = str_printf("%u", (unsigned int)attrs->gid);
}

/* What is in a directory */

struct listing {
	struct fs_list *list;
	struct err why; /* of the first answer that cannot be used */
	bool is_over;
};

static bool is_plain(struct span name)
{
	return name.len > 0 && name.len <= NAME_LEN_MAX && !memchr(name.ptr, '\0', name.len) &&
	       !memchr(name.ptr, '/', name.len);
}

static void take_names(struct listing *l, const struct sftp_answer *answer)
{
	struct span body = answer->body;
	struct sftp_name name;

	for (uint32_t i = 0; i < answer->count && l->why.kind == ERR_NONE; i++) {
		struct fs_entry entry;

		if (!sftp_name_cut(&body, &name)) {
			err_set(&l->why, ERR_PROTOCOL, "a listing is cut short");
		} else if (span_equal_str(name.name, ".") || span_equal_str(name.name, "..")) {
			continue;
		} else if (!is_plain(name.name)) {
			err_set(&l->why, ERR_PROTOCOL, "a listing with a name that no file has");
		} else if (l->list->len == FS_ENTRIES_MAX) {
			err_set(&l->why, ERR_LIMIT, "more than %d entries", FS_ENTRIES_MAX);
		} else {
			fs_sftp_entry(name.name, name.longname, &name.attrs, &entry);
			fs_list_add(l->list, &entry);
		}
	}
}

static void on_names(void *user, const struct sftp_answer *answer)
{
	struct listing *l = user;

	if (answer->type == SFTP_TYPE_STATUS && answer->code == SFTP_STATUS_EOF)
		l->is_over = true;
	else if (l->why.kind == ERR_NONE && sftp_answer_check(answer, SFTP_TYPE_NAME, &l->why) == 0)
		take_names(l, answer);
	l->is_over |= l->why.kind != ERR_NONE;
}

static int list_names(struct fs_sftp *s, const char *path, struct listing *l, struct err *err)
{
	struct sftp_request open = { .op = SFTP_OPENDIR };
	struct buf handle = { 0 };
	int result = fs_sftp_open_handle(s, &open, path, &handle, err);

	while (result == 0 && !l->is_over) {
		for (int i = 0; i < READDIRS; i++) {
			struct sftp_request request = { .op = SFTP_READDIR,
							.handle = buf_span(&handle) };

			sftp_client_ask(&s->client, &request, on_names, l);
		}
		result = fs_sftp_wait(s, err);
	}
	fs_sftp_close_handle(s, &handle);
	/* What was wrong with a name tells more than what became of the rest. */
	if (l->why.kind != ERR_NONE && l->why.kind != ERR_UNAVAILABLE)
		result = err_set(err, l->why.kind, "%s", l->why.text);
	return result;
}

/* One that is gone meanwhile, or may not be read, leads to nobody knows where. */
static void on_target(void *user, const struct sftp_answer *answer)
{
	struct fs_entry *entry = user;
	struct span body = answer->body;
	struct sftp_name name;

	if (sftp_answer_check(answer, SFTP_TYPE_NAME, NULL) == 0 && sftp_name_cut(&body, &name))
		entry->target = str_dup_len((const char *)name.name.ptr, name.name.len);
}

static int read_links(struct fs_sftp *s, const char *dir, struct fs_list *list, struct err *err)
{
	for (size_t i = 0; i < list->len; i++) {
		cleanup_free char *path = NULL;
		struct sftp_request request = { .op = SFTP_READLINK };

		if (list->items[i].type != 'l')
			continue;
		path = fs_path_join(dir, list->items[i].name);
		request.path = span_of_str(path);
		sftp_client_ask(&s->client, &request, on_target, &list->items[i]);
		if (s->client.under_way >= REQUESTS && fs_sftp_wait(s, err) < 0)
			return -1;
	}
	return fs_sftp_wait(s, err);
}

int fs_sftp_list(struct fs *fs, const char *path, struct fs_list *ret, struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	cleanup(fs_list_finish) struct fs_list list = { 0 };
	struct listing listing = { .list = &list };
	cleanup_free char *there = NULL;

	if (fs_sftp_expand(s, path, &there, err) < 0 || list_names(s, there, &listing, err) < 0 ||
	    read_links(s, there, &list, err) < 0)
		return -1;
	*ret = list;
	list = (struct fs_list){ 0 };
	return 0;
}

/* Removing */

/* The first failure of many requests. */
static void on_removed(void *user, const struct sftp_answer *answer)
{
	struct err *why = user, own = { 0 };

	/* What somebody else removed meanwhile is removed. */
	if (sftp_answer_check(answer, SFTP_TYPE_STATUS, &own) < 0 && own.kind != ERR_NOT_FOUND &&
	    why->kind == ERR_NONE)
		*why = own;
}

static int ask_removed(struct fs_sftp *s, enum sftp_op op, const char *path, struct err *why,
		       struct err *err)
{
	struct sftp_request request = { .op = op, .path = span_of_str(path) };

	sftp_client_ask(&s->client, &request, on_removed, why);
	return s->client.under_way >= REQUESTS ? fs_sftp_wait(s, err) : 0;
}

struct dirs {
	char **items;
	size_t len;
};

static void dirs_add(struct dirs *dirs, char *path)
{
	if ((dirs->len & (dirs->len - 1)) == 0)
		dirs->items = alloc_grow(dirs->items, dirs->len ? dirs->len * 2 : 1,
					 sizeof(*dirs->items));
	dirs->items[dirs->len++] = path;
}

static void dirs_finish(struct dirs *dirs)
{
	for (size_t i = 0; i < dirs->len; i++)
		free(dirs->items[i]);
	free(dirs->items);
}
DEFINE_CLEANUP_VALUE(struct dirs, dirs_finish)

/* Removes what is in a directory but for directories, which join the list. */
static int empty_dir(struct fs_sftp *s, const char *path, struct dirs *dirs, struct err *why,
		     struct err *err)
{
	cleanup(fs_list_finish) struct fs_list list = { 0 };
	struct listing listing = { .list = &list };

	if (list_names(s, path, &listing, err) < 0)
		return -1;
	for (size_t i = 0; i < list.len; i++) {
		cleanup_free char *inside = fs_path_join(path, list.items[i].name);

		if (list.items[i].type == 'd')
			dirs_add(dirs, take_ptr(inside));
		else if (ask_removed(s, SFTP_REMOVE, inside, why, err) < 0)
			return -1;
	}
	if (dirs->len > FS_ENTRIES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d directories", FS_ENTRIES_MAX);
	return fs_sftp_wait(s, err);
}

/*
 * A directory stands in the list after the one that it is in: from the end, each is empty. Requests
 * are answered in their order by every server that there is; one that does it otherwise says that
 * some directory is not empty, and nothing is lost.
 */
static int remove_tree(struct fs_sftp *s, const char *path, struct err *why, struct err *err)
{
	cleanup(dirs_finish) struct dirs dirs = { 0 };

	dirs_add(&dirs, str_dup(path));
	for (size_t i = 0; i < dirs.len && why->kind == ERR_NONE; i++) {
		if (empty_dir(s, dirs.items[i], &dirs, why, err) < 0)
			return -1;
	}
	for (size_t i = dirs.len; i-- > 0 && why->kind == ERR_NONE;) {
		if (ask_removed(s, SFTP_RMDIR, dirs.items[i], why, err) < 0)
			return -1;
	}
	return fs_sftp_wait(s, err);
}

int fs_sftp_remove(struct fs *fs, const char *path, bool is_dir, struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	cleanup_free char *there = NULL;
	struct err why = { 0 };
	int result = fs_sftp_expand(s, path, &there, err);

	if (result == 0 && is_dir)
		result = remove_tree(s, there, &why, err);
	else if (result == 0 && ask_removed(s, SFTP_REMOVE, there, &why, err) < 0)
		result = -1;
	if (result == 0)
		result = fs_sftp_wait(s, err);
	if (result == 0 && why.kind != ERR_NONE)
		result = err_set(err, why.kind, "%s", why.text);
	return result;
}
