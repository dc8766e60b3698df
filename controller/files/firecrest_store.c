/* SPDX-License-Identifier: MIT */
/* Large files to FirecREST, through its S3 store; see firecrest.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/files/firecrest_internal.h"
#include "controller/files/hashing.h"
#include "controller/files/journal.h"
#include "controller/files/s3.h"
#include "controller/files/sum.h"
#include "init/base/alloc.h"
#include "init/base/log.h"

/* Of pauses before it is asked for what a job makes, instead of the job. */
#define QUICK_MAX_NS (1 * NSEC_PER_SEC)

/* Why a server that was asked for S3 refused may be that it has none: -1, and *err says so. */
static int check_method(struct fs_firecrest *f, struct err *err)
{
	struct err unused = { 0 };

	if (fs_firecrest_describe(f, &unused) < 0 || strcmp(f->method, "s3") == 0)
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
const json_t *fs_firecrest_directives(const json_t *started, struct err *err)
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

static void arrived(void *keeper, size_t index, const char *etag)
{
	const struct fs_transfer *t = keeper;

	if (t->journal)
		journal_note(t->journal, index, etag);
}

static struct s3_watch watch_of(struct fs_transfer *t)
{
	return (struct s3_watch){
		.moved = t->moved, .user = t->user, .arrived = arrived, .keeper = t
	};
}

int fs_firecrest_refuse_urls(bool has_begun, struct err *err)
{
	return err_set(err, ERR_TIMEOUT,
		       has_begun ? "its URLs are too old before all of it is there, and parts of "
				   "it cannot be kept: a faster network, or a site whose URLs last "
				   "longer"
				 : "its URLs are too old each time: is the clock of the server "
				   "right?");
}

uint64_t fs_firecrest_ms_since(uint64_t begin_ns)
{
	return (fs_firecrest_now_ns() - begin_ns) / NSEC_PER_MSEC;
}

/*
 * What an interrupted run began, if it is to be gone on with: its URLs may be too old by now, which
 * the store will say. NULL: there is none.
 */
json_t *fs_firecrest_interrupted(struct fs_firecrest *f, const struct fs_transfer *t)
{
	const json_t *answer = t->journal ? journal_answer(t->journal) : NULL;

	if (answer && !t->keeps) {
		fs_firecrest_give_up(f, answer);
		return NULL;
	}
	return json_incref((json_t *)(uintptr_t)answer);
}

/* Asks the server to begin; *ret is kept for a later run. */
int fs_firecrest_begin(struct fs_firecrest *f, const char *call, const char *path,
		       const struct fs_transfer *t, const uint64_t *size, json_t **ret,
		       struct err *err)
{
	uint64_t begun = fs_firecrest_now_ns();
	struct err why = { 0 };

	if (fs_firecrest_start(f, call, make_body(path, size, &why), ret, &why) < 0)
		return check_method(f, err) < 0 ? -1 : err_set(err, why.kind, "%s", why.text);
	log_info("the server has begun after %" PRIu64 " ms", fs_firecrest_ms_since(begun));
	return t->journal ? journal_begin(t->journal, *ret, err) : 0;
}

/* What it began is of no use any more, but to a later run. */
void fs_firecrest_end(struct fs_firecrest *f, const struct fs_transfer *t, const json_t *started,
		      bool is_kept)
{
	if (is_kept && t->journal)
		return;
	if (started)
		fs_firecrest_give_up(f, started);
	if (t->journal)
		journal_drop(t->journal);
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

/* Parts that arrived before, if what the file has there is still what was sent. */
static int recall_parts(struct fs_transfer *t, struct parts *parts, struct err *err)
{
	size_t recalled = 0;

	for (size_t i = 0; t->journal && i < parts->len; i++) {
		struct s3_part *part = &parts->items[i];
		const char *etag = journal_etag(t->journal, i);
		char md5[SUM_TEXT_SIZE];

		if (!etag)
			continue;
		if (!t->bytes && sum_file(t->fd, SUM_MD5, part->offset, part->len, md5, err) < 0)
			return -1;
		if (!t->bytes && !s3_etag_is(etag, md5))
			continue;
		/* What is elsewhere is not read twice: in the end the whole is compared. */
		if (t->bytes)
			t->doubt = FS_DOUBTFUL;
		snprintf(part->etag, sizeof(part->etag), "%s", etag);
		recalled++;
	}
	if (recalled > 0)
		log_info("%zu of %zu parts are there already", recalled, parts->len);
	return 0;
}

static int read_from(void *reader, uint64_t offset, void *room, size_t len, struct err *err)
{
	return fs_transfer_read(reader, offset, room, len, err);
}

static uint64_t bytes_there(const struct parts *parts)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < parts->len; i++)
		bytes += parts->items[i].etag[0] ? parts->items[i].len : 0;
	return bytes;
}

/* 0: the store has the whole; 1: what was begun is of no use; -1. *arrived: bytes of this run. */
static int send_parts(const json_t *started, struct fs_transfer *t, uint64_t *arrived,
		      struct err *err)
{
	cleanup(parts_finish) struct parts parts = { 0 };
	const json_t *how = fs_firecrest_directives(started, err);
	struct s3_upload upload = { .fd = t->fd, .watch = watch_of(t) };
	uint64_t begun = fs_firecrest_now_ns(), before;
	int result;

	if (!how || cut_parts(how, t->size, &parts, err) < 0 || recall_parts(t, &parts, err) < 0)
		return -1;
	if (t->bytes)
		upload.read = read_from;
	upload.reader = t;
	upload.parts = parts.items;
	upload.len = parts.len;
	upload.complete_url = firecrest_text(how, "completeUploadUrl");
	before = bytes_there(&parts);
	result = s3_upload(&upload, err);
	*arrived = bytes_there(&parts) - before;
	if (upload.is_unproven)
		t->doubt = FS_DOUBTFUL;
	if (result == 0 && t->journal)
		journal_note(t->journal, JOURNAL_WHOLE, "");
	if (result == 0)
		log_info("the store has it after %" PRIu64 " ms", fs_firecrest_ms_since(begun));
	return result;
}

/*
 * Whether the file is there already, as its sum tells: so much that no job has to be asked about.
 * Where something was before nothing is said by that: the job may still be about to replace it.
 * 1: it is; 0: not yet; -1: to be asked no more.
 */
static int is_there(struct fs_firecrest *f, const char *path, struct fs_transfer *t)
{
	char sum[FS_DIGEST_SIZE];
	struct err why = { 0 };

	if (f->base.ops->checksum(&f->base, path, sum, &why) < 0) {
		t->has_no_sum = fs_is_no_sum(&why);
		return why.kind == ERR_NOT_FOUND ? 0 : -1;
	}
	if (strcmp(sum, t->here) != 0)
		return -1;
	snprintf(t->there, sizeof(t->there), "%s", sum);
	return 1;
}

/* A job that is quick is seen by what it makes, any other by how it ends. */
static int wait_for_job(struct fs_firecrest *f, const char *path, const json_t *started,
			struct fs_transfer *t, struct err *err)
{
	struct fs_firecrest_pause pause = { .ns = FS_FIRECREST_LOOK_NS,
					    .max_ns = 2 * QUICK_MAX_NS };
	uint64_t begun = fs_firecrest_now_ns();
	int found = t->is_new && t->here[0] ? 0 : -1;

	while (found == 0 && pause.ns <= QUICK_MAX_NS) {
		fs_firecrest_pause(&pause);
		found = is_there(f, path, t);
	}
	if (found <= 0)
		return fs_firecrest_wait(f, started, err);
	log_info("what the server's job makes is there after another %" PRIu64 " ms",
		 fs_firecrest_ms_since(begun));
	return 0;
}

/*
 * The store has the whole of it: only the server's job is waited for. 1: that of an earlier run
 * ended meanwhile.
 */
static int finish_upload(struct fs_firecrest *f, const char *path, const json_t *started,
			 struct fs_transfer *t, bool is_earlier, struct err *err)
{
	bool is_late;

	if (wait_for_job(f, path, started, t, err) == 0)
		return 0;
	/* A job that is only late may be met again. */
	is_late = err->kind == ERR_TIMEOUT || err->kind == ERR_UNAVAILABLE;
	fs_firecrest_end(f, t, is_late ? started : NULL, t->keeps && is_late);
	return is_earlier && err->kind == ERR_SYSTEM ? 1 : -1;
}

/* 1: what was begun is of no use any more, though so much of it arrived. */
static int upload_once(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
		       uint64_t *arrived, struct err *err)
{
	cleanup(json_release) json_t *started = fs_firecrest_interrupted(f, t);
	cleanup(hashing_free) struct hashing *hashing = NULL;
	bool is_earlier = started != NULL;
	bool is_whole = is_earlier && journal_etag(t->journal, JOURNAL_WHOLE);
	struct err why = { 0 };
	int result;

	/* A job of the server that has ended fetches nothing any more. */
	if (is_earlier && !is_whole && fs_firecrest_look(f, started, &why) > 0) {
		journal_drop(t->journal);
		return 1;
	}
	if (!is_earlier && fs_firecrest_begin(f, "upload", path, t, &t->size, &started, err) < 0) {
		fs_firecrest_end(f, t, started, false);
		return -1;
	}
	if (!t->bytes) {
		hashing = hashing_begin(t->fd, t->size);
		hashing_allow(hashing, t->size);
	}
	result = is_whole ? 0 : send_parts(started, t, arrived, err);
	if (result == 0 && hashing)
		result = hashing_end(hashing, t->here, err);
	if (result == 0)
		return finish_upload(f, path, started, t, is_earlier, err);
	fs_firecrest_end(f, t, started, result < 0 && t->keeps);
	return result;
}

int fs_firecrest_upload_whole(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			      uint64_t *most, struct err *err)
{
	struct err why = { 0 };
	int result = 1;

	t->doubt = FS_LIKELY;
	/* Once more may be enough, where we slept or the network did. */
	for (int asks = 0, halves = 0; result > 0 && asks < FS_FIRECREST_ASKS && halves < 2;
	     asks++) {
		uint64_t arrived = 0;

		result = upload_once(f, path, t, &arrived, &why);
		halves += arrived > 0;
		*most = MAX(*most, arrived);
	}
	return result < 0 ? err_set(err, why.kind, "%s", why.text) : result;
}

int fs_firecrest_upload(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			struct err *err)
{
	uint64_t most = 0;
	int result = fs_firecrest_upload_whole(f, path, t, &most, err);

	if (result <= 0)
		return result;
	/* Half of what came in their time leaves some of it for the server's job. */
	return most > 1 ? fs_firecrest_upload_pieces(f, path, t, most / 2, err)
			: fs_firecrest_refuse_urls(false, err);
}
