/* SPDX-License-Identifier: MIT */
/* Whole files to and from FirecREST: directly, or through its S3 store; see firecrest.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/files/firecrest_internal.h"
#include "controller/files/s3.h"
#include "controller/model/job_slurm.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define TRANSFER "/filesystem/{system}/transfer/"
#define POLL_MS 250
#define POLL_MAX_MS 5000
#define LOG_MAX 300
/* How often others are asked for when URLs have become too old. */
#define ASKS 3

/* Jobs that carry files */

int fs_firecrest_start(struct fs_firecrest *f, const char *path, json_t *body, json_t **ret,
		       struct err *err)
{
	cleanup_free char *call = str_printf(TRANSFER "%s", path);
	const struct firecrest_request request = { .method = "POST", .path = call, .body = body };
	int result;

	if (!body)
		return -1;
	if (f->account)
		json_object_set_new(body, "account", json_string(f->account));
	result = firecrest_call(f->fc, &request, ret, err);
	json_decref(body);
	return result;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* What the job wrote last, if that can be read; it is a shell that complains. */
static void read_complaint(struct fs_firecrest *f, const json_t *job, char out[LOG_MAX])
{
	const char *path = firecrest_text(json_object_get(job, "logs"), "errorLog");
	const char *query[] = { "path", path, "lines", "3", NULL };
	const struct firecrest_request request = { .path = "/filesystem/{system}/ops/tail",
						   .query = query };
	cleanup(json_release) json_t *answer = NULL;

	out[0] = '\0';
	if (path[0] != '/' || firecrest_call(f->fc, &request, &answer, NULL) < 0)
		return;
	snprintf(out, LOG_MAX, "%s", firecrest_text(json_object_get(answer, "output"), "content"));
	out[strcspn(out, "\r\n")] = '\0';
	text_make_printable(out);
}

/* 1: it ended well; 0: it has not ended; -1. */
static int look(struct fs_firecrest *f, const json_t *job, const char *id, struct err *err)
{
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s", id);
	const struct firecrest_request request = { .path = path };
	cleanup(json_release) json_t *answer = NULL;
	char word[FIRECREST_WORD_MAX], why[LOG_MAX];
	enum job_state state;
	struct err own = { 0 };

	if (firecrest_call(f->fc, &request, &answer, &own) < 0) {
		/* Accounting may be late to know it. */
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	}
	firecrest_words(
		json_object_get(json_object_get(json_array_get(json_object_get(answer, "jobs"), 0),
						"status"),
				"state"),
		",", word, sizeof(word));
	state = job_slurm_state(word);
	if (state == JOB_SUCCEEDED || strcmp(word, "F") == 0)
		return 1;
	if (!job_state_is_ended(state))
		return 0;
	read_complaint(f, job, why);
	return err_set(err, ERR_SYSTEM, "the server's job %s that carries it ended: %s%s%s", id,
		       word, why[0] ? ": " : "", why);
}

int fs_firecrest_wait(struct fs_firecrest *f, const json_t *started, struct err *err)
{
	const json_t *job = json_object_get(started, "transferJob");
	const char *id = firecrest_text(job, "jobId");
	uint64_t deadline = now_ns() + f->wait_ns;
	long pause_ms = POLL_MS;

	if (!id[0] || id[strspn(id, "0123456789")] != '\0')
		return err_set(err, ERR_PROTOCOL, "the server names no job that carries it");
	for (;;) {
		int ended = look(f, job, id, err);

		if (ended != 0)
			return ended < 0 ? -1 : 0;
		if (now_ns() >= deadline)
			return err_set(err, ERR_TIMEOUT,
				       "the server's job %s that carries it has not ended: --wait "
				       "waits longer",
				       id);
		nanosleep(&(struct timespec){ .tv_sec = pause_ms / 1000,
					      .tv_nsec = pause_ms % 1000 * 1000000L },
			  NULL);
		pause_ms = MIN(pause_ms * 3 / 2, (long)POLL_MAX_MS);
	}
}

/* Which way */

static int check_method(const struct fs_firecrest *f, struct err *err)
{
	if (strcmp(f->method, "s3") == 0)
		return 0;
	if (!f->method[0])
		return err_set(err, ERR_UNSUPPORTED,
			       "this server takes files up to %" PRIu64
			       " bytes, and has no store for larger ones",
			       f->direct_max);
	return err_set(err, ERR_UNSUPPORTED,
		       "this server carries files of more than %" PRIu64
		       " bytes by '%s' alone, which berth does not speak: only S3",
		       f->direct_max, f->method);
}

static json_t *make_body(const char *path, const uint64_t *size, struct err *err)
{
	json_t *body = fs_firecrest_body(path, NULL, err), *how;

	if (!body)
		return NULL;
	how = json_pack("{s:s}", "transferMethod", "s3");
	if (size)
		json_object_set_new(how, "fileSize", json_integer((json_int_t)*size));
	json_object_set_new(body, "transferDirectives", how);
	return body;
}

/* The server may answer with another way than it was asked for. */
static const json_t *directives_of(const json_t *started, struct err *err)
{
	const json_t *how = json_object_get(started, "transferDirectives");
	const char *method = firecrest_text(how, "transferMethod");

	if (strcmp(method, "s3") == 0)
		return how;
	err_set(err, ERR_UNSUPPORTED,
		"this server carries it by '%.40s', which berth does not speak: only S3",
		method[0] ? method : "?");
	return NULL;
}

static struct s3_progress progress_of(const struct fs_transfer *t)
{
	return (struct s3_progress){ .moved = t->moved, .user = t->user };
}

static void tell(const struct fs_transfer *t, uint64_t bytes)
{
	if (t->moved)
		t->moved(t->user, bytes);
}

/* Uploads */

struct parts {
	struct s3_part *items;
	size_t len;
};

static void parts_finish(struct parts *parts)
{
	free(parts->items);
}
DEFINE_CLEANUP_VALUE(struct parts, parts_finish)

/* URLs are borrowed from the answer. */
static int cut_parts(const json_t *how, uint64_t size, struct parts *ret, struct err *err)
{
	const json_t *urls = json_object_get(how, "partsUploadUrls");
	uint64_t step = firecrest_number(how, "maxPartSize", INT64_MAX), offset = 0;
	size_t len = json_array_size(urls);

	if (len == 0 || len > S3_PARTS_MAX || step == 0 || (size + step - 1) / step > len)
		return err_set(err, ERR_PROTOCOL,
			       "the server has too few places for the parts of the file");
	ret->items = new_array(struct s3_part, len);
	while (offset < size) {
		const char *url = json_string_value(json_array_get(urls, ret->len));

		if (!url)
			return err_set(err, ERR_PROTOCOL, "the server has no place for a part");
		ret->items[ret->len++] = (struct s3_part){ .url = url,
							   .offset = offset,
							   .len = MIN(step, size - offset) };
		offset += MIN(step, size - offset);
	}
	return 0;
}

/* 1: the URLs became too old meanwhile. */
static int upload_once(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
		       bool *is_unproven, struct err *err)
{
	const struct s3_progress progress = progress_of(t);
	cleanup(json_release) json_t *started = NULL;
	cleanup(parts_finish) struct parts parts = { 0 };
	struct s3_upload upload = { .fd = t->fd, .progress = &progress };
	const json_t *how;
	int result;

	if (fs_firecrest_start(f, "upload", make_body(path, &t->size, err), &started, err) < 0)
		return -1;
	how = directives_of(started, err);
	if (!how || cut_parts(how, t->size, &parts, err) < 0)
		return -1;
	upload.parts = parts.items;
	upload.len = parts.len;
	upload.complete_url = firecrest_text(how, "completeUploadUrl");
	result = s3_upload(&upload, err);
	*is_unproven = upload.is_unproven;
	return result == 0 ? fs_firecrest_wait(f, started, err) : result;
}

static int upload_large(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			struct err *err)
{
	int result = 1;

	if (check_method(f, err) < 0)
		return -1;
	for (int asks = 0; result > 0 && asks < ASKS; asks++)
		result = upload_once(f, path, t, &t->is_unproven, err);
	if (result > 0)
		return err_set(err, ERR_TIMEOUT,
			       "its URLs are too old each time: is the clock of "
			       "the server right?");
	return result;
}

/* In one request; the umask there is the server's. */
static int upload_small(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT((size_t)t->size);
	cleanup_free char *dir = str_dup(path);
	char *name = strrchr(dir, '/');

	while (buf_len(&bytes) < t->size) {
		size_t left = (size_t)t->size - buf_len(&bytes);
		uint8_t *room = buf_reserve(&bytes, left);
		ssize_t n = room ? pread(t->fd, room, left, (off_t)buf_len(&bytes)) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "read");
		if (n == 0)
			return err_set(err, ERR_SYSTEM, "became shorter while it was read");
		buf_commit(&bytes, (size_t)n);
	}
	*name++ = '\0';
	/* Servers do not agree on how these are quoted in a form (RFC 7578 section 4.2). */
	if (strpbrk(name, "\"\\"))
		return err_set(err, ERR_INVALID,
			       "FirecREST cannot be told of a name with a double quote or a "
			       "backslash: rename it");
	if (firecrest_upload(f->fc, dir[0] ? dir : "/", name, buf_span(&bytes), err) < 0)
		return -1;
	tell(t, t->size);
	return 0;
}

int fs_firecrest_put(struct fs *fs, const char *path, struct fs_transfer *t, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *whole = NULL;

	if (fs_firecrest_path(f, path, &whole, err) < 0 || fs_firecrest_describe(f, err) < 0)
		return -1;
	return t->size <= f->direct_max ? upload_small(f, whole, t, err)
					: upload_large(f, whole, t, err);
}

/* Downloads */

static int download_large(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			  struct err *err)
{
	const struct s3_progress progress = progress_of(t);
	struct s3_download download = {
		.fd = t->fd, .done = t->done, .size = t->size, .progress = &progress
	};
	int result = 1;

	if (check_method(f, err) < 0)
		return -1;
	for (int asks = 0; result > 0 && asks < ASKS; asks++) {
		cleanup(json_release) json_t *started = NULL;
		const json_t *how;

		if (fs_firecrest_start(f, "download", make_body(path, NULL, err), &started, err) <
		    0)
			return -1;
		how = directives_of(started, err);
		if (!how || fs_firecrest_wait(f, started, err) < 0)
			return -1;
		download.url = firecrest_text(how, "downloadUrl");
		result = s3_download(&download, err);
		t->done = download.done;
	}
	if (result > 0)
		return err_set(err, ERR_TIMEOUT,
			       "its URL is too old each time: is the clock of the "
			       "server right?");
	return result;
}

static int download_small(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			  struct err *err)
{
	cleanup(buf_finish) struct buf bytes = BUF_INIT((size_t)f->direct_max);
	struct span left;
	uint64_t at = 0;

	if (firecrest_download(f->fc, path, &bytes, err) < 0)
		return -1;
	for (left = buf_span(&bytes); left.len > 0;) {
		ssize_t n = pwrite(t->fd, left.ptr, left.len, (off_t)at);

		if (n < 0 && errno != EINTR)
			return err_set_errno(err, errno, "write");
		(void)span_cut(&left, (size_t)MAX(n, (ssize_t)0));
		at += (uint64_t)MAX(n, (ssize_t)0);
	}
	t->size = t->done = at;
	tell(t, at);
	return 0;
}

int fs_firecrest_get(struct fs *fs, const char *path, struct fs_transfer *t, struct err *err)
{
	struct fs_firecrest *f = fs_firecrest_of(fs);
	cleanup_free char *whole = NULL;

	if (fs_firecrest_path(f, path, &whole, err) < 0 || fs_firecrest_describe(f, err) < 0)
		return -1;
	return t->size <= f->direct_max ? download_small(f, whole, t, err)
					: download_large(f, whole, t, err);
}
