/* SPDX-License-Identifier: MIT */
/* Interrupted transfers; see journal.h. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "controller/files/s3.h"
#include "controller/model/digest.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define FILE_MAX ((size_t)64 * 1024 * 1024)
#define WHOLE "whole"

struct journal {
	char *path;
	json_t *head;
	char **etags; /* NULL: that part has not arrived */
	size_t len;
	bool is_whole;
	int fd; /* lines go there; -1: not begun in this run */
};

static char *path_of(const char *dir, const struct journal_id *id)
{
	cleanup_free char *text = str_printf("%s\n%s\n%s\n%d", id->place ? id->place : "",
					     id->there, id->here, id->comes_here);
	char digest[DIGEST_HEX_SIZE];

	digest_sha256_hex(span_of_str(text), digest);
	return str_printf("%s/%s", dir, digest);
}

static json_t *make_head(const struct journal_id *id)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:I, s:I}", "place", id->place ? id->place : "",
			 "there", id->there, "here", id->here, "comes_here", id->comes_here, "size",
			 (json_int_t)id->size, "mtime", (json_int_t)id->mtime_s);
}

static void forget(struct journal *j)
{
	for (size_t i = 0; i < j->len; i++)
		free(j->etags[i]);
	free(j->etags);
	j->etags = NULL;
	j->len = 0;
	j->is_whole = false;
	json_object_del(j->head, "answer");
}

static void add_etag(struct journal *j, size_t part, const char *etag)
{
	size_t len = j->len;

	if (part == JOURNAL_WHOLE) {
		j->is_whole = true;
		return;
	}
	if (part >= len) {
		j->etags = alloc_grow(j->etags, part + 1, sizeof(*j->etags));
		for (; len <= part; len++)
			j->etags[len] = NULL;
		j->len = len;
	}
	free(j->etags[part]);
	j->etags[part] = str_dup(etag);
}

/* "3 ETAG" or "whole " */
static void parse_line(struct journal *j, const char *line)
{
	cleanup_free char *number = str_dup_len(line, strcspn(line, " "));
	const char *etag = line + strlen(number);
	uint64_t part;

	if (*etag++ != ' ' || strlen(etag) >= S3_ETAG_SIZE)
		return;
	if (strcmp(number, WHOLE) == 0)
		j->is_whole = true;
	else if (text_parse_uint(number, S3_PARTS_MAX * 100, &part))
		add_etag(j, (size_t)part, etag);
}

/* The object of the first line; *ret_rest is what follows it. NULL: it is none. */
static json_t *parse_head(struct span text, struct span *ret_rest)
{
	const uint8_t *newline = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
	json_t *head =
		newline ? json_loadb((const char *)text.ptr, (size_t)(newline - text.ptr), 0, NULL)
			: NULL;

	if (!head)
		return NULL;
	*ret_rest = text;
	span_cut(ret_rest, (size_t)(newline - text.ptr) + 1);
	return head;
}

static bool is_same(const json_t *a, const json_t *b)
{
	static const char *const names[] = {
		"place", "there", "here", "comes_here", "size", "mtime"
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!json_equal(json_object_get(a, names[i]), json_object_get(b, names[i])))
			return false;
	}
	return json_is_object(json_object_get(a, "answer"));
}

static int load(struct journal *j, struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT(FILE_MAX);
	cleanup(json_release) json_t *head = NULL;
	struct span rest;

	j->fd = fd_open(j->path, O_RDWR | O_APPEND);
	if (j->fd < 0)
		return 0;
	/* Held until it is closed, also by the kernel. */
	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_EXISTS, "another berth is copying it");
	if (fd_read_all(j->fd, FILE_MAX, &bytes, NULL) < 0)
		return 0;
	head = parse_head(buf_span(&bytes), &rest);
	if (!head || !is_same(head, j->head))
		return 0;
	json_object_set(j->head, "answer", json_object_get(head, "answer"));
	while (rest.len > 0) {
		const uint8_t *newline = memchr(rest.ptr, '\n', rest.len);
		cleanup_free char *line = NULL;

		if (!newline)
			break;
		line = str_dup_len((const char *)rest.ptr, (size_t)(newline - rest.ptr));
		parse_line(j, line);
		span_cut(&rest, (size_t)(newline - rest.ptr) + 1);
	}
	return 0;
}

int journal_open(const char *dir, const struct journal_id *id, struct journal **ret,
		 struct err *err)
{
	cleanup(journal_close) struct journal *j = new_zero(struct journal);

	j->fd = -1;
	j->path = path_of(dir, id);
	j->head = make_head(id);
	if (!j->head)
		return err_set(err, ERR_INVALID, "a name is not UTF-8");
	if (fs_make_dirs(dir, 0700, err) < 0 || load(j, err) < 0)
		return -1;
	*ret = take_ptr(j);
	return 0;
}

struct journal *journal_close(struct journal *j)
{
	if (j) {
		forget(j);
		json_decref(j->head);
		fd_close(j->fd);
		free(j->path);
		free(j);
	}
	return NULL;
}

const json_t *journal_answer(const struct journal *j)
{
	return json_object_get(j->head, "answer");
}

const char *journal_etag(const struct journal *j, size_t part)
{
	if (part == JOURNAL_WHOLE)
		return j->is_whole ? "" : NULL;
	return part < j->len ? j->etags[part] : NULL;
}

int journal_begin(struct journal *j, const json_t *answer, struct err *err)
{
	cleanup_free char *text = NULL, *line = NULL;

	forget(j);
	json_object_set(j->head, "answer", (json_t *)(uintptr_t)answer);
	text = json_dumps(j->head, JSON_COMPACT);
	if (!text)
		return err_set(err, ERR_INTERNAL, "the server's answer cannot be kept");
	line = str_printf("%s\n", text);
	if (j->fd < 0)
		j->fd = fd_open_mode(j->path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
	if (j->fd < 0 || flock(j->fd, LOCK_EX | LOCK_NB) < 0 || ftruncate(j->fd, 0) < 0)
		return err_set_errno(err, errno, "open %s", j->path);
	return fd_write_all(j->fd, span_of_str(line), err);
}

void journal_note(struct journal *j, size_t part, const char *etag)
{
	cleanup_free char *line = part == JOURNAL_WHOLE ? str_printf(WHOLE " \n")
							: str_printf("%zu %s\n", part, etag);

	add_etag(j, part, etag);
	if (j->fd >= 0 && fd_write_all(j->fd, span_of_str(line), NULL) < 0)
		log_info("%s: cannot be written: what arrived is carried again", j->path);
}

void journal_drop(struct journal *j)
{
	forget(j);
	if (j->fd >= 0)
		unlink(j->path);
	j->fd = fd_close(j->fd);
}

/* Collecting */

static char *text_of(const json_t *head, const char *name)
{
	const char *text = json_string_value(json_object_get(head, name));

	return str_dup(text ? text : "");
}

bool journal_read_summary(const char *path, struct journal_summary *ret)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT(FILE_MAX);
	cleanup(json_release) json_t *head = NULL;
	cleanup_close int fd = fd_open(path, O_RDONLY);
	struct span rest;

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 ||
	    fd_read_all(fd, FILE_MAX, &bytes, NULL) < 0)
		return false;
	head = parse_head(buf_span(&bytes), &rest);
	if (!json_is_object(json_object_get(head, "answer")))
		return false;
	*ret = (struct journal_summary){
		.place = text_of(head, "place"),
		.here = text_of(head, "here"),
		.job = text_of(json_object_get(json_object_get(head, "answer"), "transferJob"),
			       "jobId"),
		.comes_here = json_is_true(json_object_get(head, "comes_here")),
	};
	return true;
}

void journal_summary_finish(struct journal_summary *summary)
{
	free(summary->place);
	free(summary->here);
	free(summary->job);
	*summary = (struct journal_summary){ 0 };
}
