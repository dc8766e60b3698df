/* SPDX-License-Identifier: MIT */
/* Files behind SFTP; see sftp.h. */
#include "sftp.h"

#include <stdio.h>
#include <string.h>

#include "controller/files/sftp_internal.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define COMPLAINTS_MAX 8192

struct fs_sftp *fs_sftp_of(struct fs *fs)
{
	return (struct fs_sftp *)(void *)fs;
}

/* The conversation */

/* What it complained of last is why it ended. */
static int explain_end(struct fs_sftp *s, struct err *err)
{
	const char *text = buf_str(&s->complaints), *line = "";
	char why[ERR_TEXT_MAX / 2];

	for (const char *p = text; *p; p += strspn(p, "\r\n")) {
		if (strcspn(p, "\r\n") > 0)
			line = p;
		p += strcspn(p, "\r\n");
	}
	if (strncmp(line, "berth: ", strlen("berth: ")) == 0)
		line += strlen("berth: ");
	snprintf(why, sizeof(why), "%.*s", (int)strcspn(line, "\r\n"), line);
	text_make_printable(why);
	return err_set(err, ERR_UNAVAILABLE, "the way to its files ended%s%s", why[0] ? ": " : "",
		       why);
}

/* What login shells print comes before a line of ours. -1: there is no end to it. */
static int drop_preamble(struct fs_sftp *s, struct err *err)
{
	static const char mark[] = REMOTE_SFTP_MARK "\n";
	struct span text = buf_span(&s->in);
	const uint8_t *at = text.len ? memmem(text.ptr, text.len, mark, strlen(mark)) : NULL;
	size_t spare = at ? (size_t)(at - text.ptr) + strlen(mark)
			  : text.len - MIN(text.len, strlen(mark));

	s->is_preamble = !at;
	s->preamble_len += spare;
	buf_consume(&s->in, spare);
	if (s->is_preamble && s->preamble_len > PREAMBLE_MAX)
		return err_set(err, ERR_PROTOCOL, "start-up files there print without end");
	return 0;
}

int fs_sftp_wait(struct fs_sftp *s, struct err *err)
{
	while (s->client.under_way > 0 && !s->is_lost) {
		int more = child_talk(s->running, &s->client.out, &s->in, &s->complaints, err);

		if (more > 0 && s->is_preamble && drop_preamble(s, err) < 0)
			more = -1;
		if (more > 0 && !s->is_preamble && sftp_client_feed(&s->client, &s->in, err) < 0)
			more = -1;
		if (more == 0)
			explain_end(s, err);
		s->is_lost = more <= 0;
		if (s->is_lost) {
			sftp_client_drop(&s->client);
			return -1;
		}
	}
	return s->is_lost ? explain_end(s, err) : 0;
}

/* One question at a time */

/* What becomes of an answer, whose bytes are gone after the call that brings it. */
struct answer {
	enum sftp_type type;
	struct buf body; /* of a handle or of data its bytes, of others what is after the id */
	uint32_t count;
	struct sftp_attrs attrs;
	struct err why;
};

static void take_answer(void *user, const struct sftp_answer *answer)
{
	struct answer *a = user;
	bool has_bytes = answer->type == SFTP_TYPE_HANDLE || answer->type == SFTP_TYPE_DATA;

	if (answer->type == SFTP_TYPE_STATUS && answer->code == SFTP_STATUS_EOF &&
	    a->type != SFTP_TYPE_STATUS) {
		a->count = 0;
		return;
	}
	if (sftp_answer_check(answer, a->type, &a->why) < 0)
		return;
	a->count = answer->count;
	a->attrs = answer->attrs;
	if (!buf_append_span(&a->body, has_bytes ? answer->bytes : answer->body))
		err_set(&a->why, ERR_LIMIT, "an answer is too long");
}

static int ask(struct fs_sftp *s, struct sftp_request *request, struct answer *ret, struct err *err)
{
	sftp_client_ask(&s->client, request, take_answer, ret);
	if (fs_sftp_wait(s, err) < 0)
		return -1;
	return ret->why.kind == ERR_NONE ? 0 : err_set(err, ret->why.kind, "%s", ret->why.text);
}

/* For those that are done or not. */
static int ask_status(struct fs_sftp *s, struct sftp_request *request, struct err *err)
{
	struct answer answer = { .type = SFTP_TYPE_STATUS };

	return ask(s, request, &answer, err);
}

/* Answers with one name. */
static int ask_name(struct fs_sftp *s, struct sftp_request *request, char **ret, struct err *err)
{
	struct answer answer = { .type = SFTP_TYPE_NAME, .body = BUF_INIT(SFTP_PACKET_MAX) };
	int result = ask(s, request, &answer, err);
	struct span body = buf_span(&answer.body);
	struct sftp_name name;

	if (result == 0 && (!sftp_name_cut(&body, &name) || name.name.len == 0 ||
			    memchr(name.name.ptr, '\0', name.name.len)))
		result = err_set(err, ERR_PROTOCOL, "the answer is no path");
	if (result == 0)
		*ret = str_dup_len((const char *)name.name.ptr, name.name.len);
	buf_finish(&answer.body);
	return result;
}

/* "~" is known there; servers without expand-path start in the home, too. */
int fs_sftp_expand(struct fs_sftp *s, const char *path, char **ret, struct err *err)
{
	struct sftp_request request = { .op = SFTP_EXPAND_PATH, .path = span_of_str(path) };
	struct err why = { 0 };

	if (path[0] != '~') {
		*ret = str_dup(path[0] ? path : ".");
		return 0;
	}
	if (ask_name(s, &request, ret, &why) == 0)
		return 0;
	if (s->is_lost || why.kind != ERR_UNSUPPORTED || (path[1] != '\0' && path[1] != '/'))
		return err_set(err, why.kind, "%s", why.text);
	path += 1 + strspn(path + 1, "/");
	*ret = str_dup(path[0] ? path : ".");
	return 0;
}

static int resolve(struct fs *fs, const char *path, char **ret, struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	struct sftp_request request = { .op = SFTP_REALPATH };
	cleanup_free char *there = NULL;

	if (fs_sftp_expand(s, path, &there, err) < 0)
		return -1;
	request.path = span_of_str(there);
	return ask_name(s, &request, ret, err);
}

/* Requests about one path, which is expanded first. */
static int do_to_path(struct fs *fs, const char *path, struct sftp_request *request,
		      struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	cleanup_free char *there = NULL;

	if (fs_sftp_expand(s, path, &there, err) < 0)
		return -1;
	request->path = span_of_str(there);
	return ask_status(s, request, err);
}

static int chmod_file(struct fs *fs, const char *path, uint32_t mode, struct err *err)
{
	struct sftp_request request = { .op = SFTP_SETSTAT,
					.attrs = { .flags = SFTP_ATTR_MODE, .mode = mode } };

	return do_to_path(fs, path, &request, err);
}

/* Version 3 has no status for "exists": whoever is told only "failure" looks. */
static int make_dir(struct fs *fs, const char *path, struct err *err)
{
	struct sftp_request request = { .op = SFTP_MKDIR,
					.attrs = { .flags = SFTP_ATTR_MODE, .mode = 0777 } };
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	struct err why = { 0 };

	if (do_to_path(fs, path, &request, &why) == 0)
		return 0;
	if (why.kind == ERR_SYSTEM && fs->ops->stat(fs, path, false, &entry, NULL) == 0)
		return err_set(err, ERR_EXISTS, "File exists");
	return err_set(err, why.kind, "%s", why.text);
}

static int rename_file(struct fs *fs, const char *from, const char *to, struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	struct sftp_request request = { .op = SFTP_POSIX_RENAME };
	cleanup_free char *old = NULL, *new = NULL;

	if (fs_sftp_expand(s, from, &old, err) < 0 || fs_sftp_expand(s, to, &new, err) < 0)
		return -1;
	request.path = span_of_str(old);
	request.path2 = span_of_str(new);
	return ask_status(s, &request, err);
}

static int stat_file(struct fs *fs, const char *path, bool follows, struct fs_entry *ret,
		     struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	struct sftp_request request = { .op = follows ? SFTP_STAT : SFTP_LSTAT };
	struct answer answer = { .type = SFTP_TYPE_ATTRS };
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup_free char *there = NULL;

	if (fs_sftp_expand(s, path, &there, err) < 0)
		return -1;
	request.path = span_of_str(there);
	if (ask(s, &request, &answer, err) < 0)
		return -1;
	fs_sftp_entry(span_of_str(path), (struct span){ 0 }, &answer.attrs, &entry);
	if (entry.type == 'l') {
		request = (struct sftp_request){ .op = SFTP_READLINK, .path = span_of_str(there) };
		if (ask_name(s, &request, &entry.target, err) < 0)
			return -1;
	}
	*ret = entry;
	entry = (struct fs_entry){ 0 };
	return 0;
}

/* Handles */

int fs_sftp_open_handle(struct fs_sftp *s, struct sftp_request *request, const char *path,
			struct buf *ret, struct err *err)
{
	struct answer answer = { .type = SFTP_TYPE_HANDLE, .body = BUF_INIT(SFTP_HANDLE_MAX) };
	cleanup_free char *there = NULL;
	int result;

	if (fs_sftp_expand(s, path, &there, err) < 0)
		return -1;
	request->path = span_of_str(there);
	result = ask(s, request, &answer, err);
	*ret = answer.body;
	return result;
}

static void ignore(void *user, const struct sftp_answer *answer)
{
	(void)user;
	(void)answer;
}

void fs_sftp_close_handle(struct fs_sftp *s, struct buf *handle)
{
	struct sftp_request request = { .op = SFTP_CLOSE, .handle = buf_span(handle) };

	/* Nobody waits for it: what is asked next does. */
	if (buf_len(handle) > 0 && !s->is_lost)
		sftp_client_ask(&s->client, &request, ignore, NULL);
	buf_finish(handle);
}

/* At most a server's own limit comes with one answer: the rest is asked for. */
static int read_file(struct fs *fs, const char *path, uint64_t offset, size_t max, struct buf *ret,
		     struct err *err)
{
	struct fs_sftp *s = fs_sftp_of(fs);
	struct sftp_request open = { .op = SFTP_OPEN, .flags = SFTP_OPEN_READ };
	struct buf handle = { 0 };
	int result = fs_sftp_open_handle(s, &open, path, &handle, err);

	while (result == 0 && max > 0) {
		struct answer answer = { .type = SFTP_TYPE_DATA,
					 .body = BUF_INIT(SFTP_PACKET_MAX) };
		struct sftp_request request = { .op = SFTP_READ,
						.handle = buf_span(&handle),
						.offset = offset,
						.length = MIN(max, (size_t)READ_MAX) };
		size_t len;

		result = ask(s, &request, &answer, err);
		len = MIN(buf_len(&answer.body), max);
		if (result == 0 && !buf_append(ret, buf_span(&answer.body).ptr, len))
			result = err_set(err, ERR_INTERNAL, "no room for what was read");
		buf_finish(&answer.body);
		if (len == 0)
			break;
		offset += len;
		max -= len;
	}
	fs_sftp_close_handle(s, &handle);
	return result;
}

static void close_fs(struct fs *fs)
{
	struct fs_sftp *s = fs_sftp_of(fs);

	running_stop(s->running);
	sftp_client_finish(&s->client);
	buf_finish(&s->in);
	buf_finish(&s->complaints);
	free(s);
}

static const struct fs_ops sftp_ops = {
	.resolve = resolve,
	.list = fs_sftp_list,
	.stat = stat_file,
	.make_dir = make_dir,
	.rename = rename_file,
	.remove = fs_sftp_remove,
	.chmod = chmod_file,
	.read = read_file,
	.checksum = fs_sftp_checksum,
	.archive = fs_sftp_archive,
	.bytes = fs_sftp_bytes,
	.close = close_fs,
};

int fs_sftp_open(const struct fs_sftp_plan *plan, struct fs **ret, struct err *err)
{
	const struct child_plan child = { .argv = plan->argv, .dir = plan->dir, .talks = true };
	cleanup(fs_close) struct fs *fs = NULL;
	struct fs_sftp *s = new_zero(struct fs_sftp);

	fs = &s->base;
	s->base.ops = &sftp_ops;
	s->base.name = plan->name ? str_dup(plan->name) : NULL;
	s->is_preamble = plan->is_marked;
	s->runner = plan->runner;
	s->in = BUF_INIT(IN_MAX);
	s->complaints = BUF_INIT(COMPLAINTS_MAX);
	sftp_client_init(&s->client);
	if (child_start(&child, &s->running, err) < 0)
		return -1;
	*ret = take_ptr(fs);
	return 0;
}
