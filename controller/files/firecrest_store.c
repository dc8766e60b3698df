/* SPDX-License-Identifier: MIT */
/* Large files to and from FirecREST, through its S3 store; see firecrest.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/files/firecrest_internal.h"
#include "controller/files/journal.h"
#include "controller/files/s3.h"
#include "controller/files/sum.h"
#include "init/base/alloc.h"
#include "init/base/log.h"

/* How often others are asked for when URLs have become too old. */
#define ASKS 3
/* The store is asked often, as that costs nobody's quota; the scheduler seldom. */
#define STORE_NS (50 * NSEC_PER_MSEC)
#define STORE_MAX_NS (1 * NSEC_PER_SEC)
#define LOOK_FIRST_NS (3 * NSEC_PER_SEC)
#define LOOK_LAST_NS (30 * NSEC_PER_SEC)

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

static uint64_t ms_since(uint64_t begin_ns)
{
	return (fs_firecrest_now_ns() - begin_ns) / NSEC_PER_MSEC;
}

/*
 * What an interrupted run began, if it is to be gone on with: its URLs may be too old by now, which
 * the store will say. NULL: there is none.
 */
static json_t *interrupted(struct fs_firecrest *f, const struct fs_transfer *t)
{
	const json_t *answer = t->journal ? journal_answer(t->journal) : NULL;

	if (answer && !t->keeps) {
		fs_firecrest_give_up(f, answer);
		return NULL;
	}
	return json_incref((json_t *)(uintptr_t)answer);
}

/* Asks the server to begin; *ret is kept for a later run. */
static int begin(struct fs_firecrest *f, const char *call, const char *path,
		 const struct fs_transfer *t, const uint64_t *size, json_t **ret, struct err *err)
{
	uint64_t begun = fs_firecrest_now_ns();

	if (fs_firecrest_start(f, call, make_body(path, size, err), ret, err) < 0)
		return -1;
	log_info("the server has begun after %" PRIu64 " ms", ms_since(begun));
	return t->journal ? journal_begin(t->journal, *ret, err) : 0;
}

/* What it began is of no use any more, but to a later run. */
static void give_up(struct fs_firecrest *f, const struct fs_transfer *t, const json_t *started,
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
static int recall_parts(const struct fs_transfer *t, struct parts *parts, struct err *err)
{
	size_t recalled = 0;

	for (size_t i = 0; t->journal && i < parts->len; i++) {
		struct s3_part *part = &parts->items[i];
		const char *etag = journal_etag(t->journal, i);
		char md5[SUM_TEXT_SIZE];

		if (!etag)
			continue;
		if (sum_file(t->fd, SUM_MD5, part->offset, part->len, md5, err) < 0)
			return -1;
		if (!s3_etag_is(etag, md5))
			continue;
		snprintf(part->etag, sizeof(part->etag), "%s", etag);
		recalled++;
	}
	if (recalled > 0)
		log_info("%zu of %zu parts are there already", recalled, parts->len);
	return 0;
}

/* 0: the store has the whole; 1: what was begun is of no use; -1. */
static int send_parts(const json_t *started, struct fs_transfer *t, struct err *err)
{
	cleanup(parts_finish) struct parts parts = { 0 };
	const json_t *how = directives_of(started, err);
	struct s3_upload upload = { .fd = t->fd, .watch = watch_of(t) };
	uint64_t begun = fs_firecrest_now_ns();
	int result;

	if (!how || cut_parts(how, t->size, &parts, err) < 0 || recall_parts(t, &parts, err) < 0)
		return -1;
	upload.parts = parts.items;
	upload.len = parts.len;
	upload.complete_url = firecrest_text(how, "completeUploadUrl");
	result = s3_upload(&upload, err);
	if (upload.is_unproven)
		t->doubt = FS_DOUBTFUL;
	if (result == 0 && t->journal)
		journal_note(t->journal, JOURNAL_WHOLE, "");
	if (result == 0)
		log_info("the store has it after %" PRIu64 " ms", ms_since(begun));
	return result;
}

/*
 * The store has the whole of it: only the server's job is waited for. 1: that of an earlier run
 * ended meanwhile.
 */
static int finish_upload(struct fs_firecrest *f, const json_t *started, struct fs_transfer *t,
			 bool is_earlier, struct err *err)
{
	bool is_late;

	/* While the server is at work anyway. */
	if (sum_file(t->fd, SUM_SHA256, 0, t->size, t->here, err) < 0)
		return -1;
	if (fs_firecrest_wait(f, started, err) == 0)
		return 0;
	/* A job that is only late may be met again. */
	is_late = err->kind == ERR_TIMEOUT || err->kind == ERR_UNAVAILABLE;
	give_up(f, t, is_late ? started : NULL, t->keeps && is_late);
	return is_earlier && err->kind == ERR_SYSTEM ? 1 : -1;
}

/* 1: what was begun is of no use any more. */
static int upload_once(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
		       struct err *err)
{
	cleanup(json_release) json_t *started = interrupted(f, t);
	bool is_earlier = started != NULL;
	bool is_whole = is_earlier && journal_etag(t->journal, JOURNAL_WHOLE);
	struct err why = { 0 };
	int result;

	/* A job of the server that has ended fetches nothing any more. */
	if (is_earlier && !is_whole && fs_firecrest_look(f, started, &why) > 0) {
		journal_drop(t->journal);
		return 1;
	}
	if (!is_earlier && begin(f, "upload", path, t, &t->size, &started, err) < 0) {
		give_up(f, t, started, false);
		return -1;
	}
	result = is_whole ? 0 : send_parts(started, t, err);
	if (result == 0)
		return finish_upload(f, started, t, is_earlier, err);
	give_up(f, t, started, result < 0 && t->keeps);
	return result;
}

int fs_firecrest_upload(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
			struct err *err)
{
	struct err why = { 0 };
	int result = 1;

	if (check_method(f, err) < 0)
		return -1;
	t->doubt = FS_LIKELY;
	for (int asks = 0; result > 0 && asks < ASKS; asks++)
		result = upload_once(f, path, t, &why);
	if (result > 0)
		return err_set(err, ERR_TIMEOUT,
			       "its URLs are too old each time: is the clock of "
			       "the server right?");
	return result < 0 ? err_set(err, why.kind, "%s", why.text) : 0;
}

/* Downloads */

/*
 * The object appears when the server's job has carried it, all at once. The store is asked for it,
 * and the server now and then whether that job still lives.
 */
static int await(struct fs_firecrest *f, const json_t *started, struct s3_object *object,
		 struct err *err)
{
	struct fs_firecrest_pause pause = { .ns = STORE_NS, .max_ns = STORE_MAX_NS };
	uint64_t begun = fs_firecrest_now_ns(), next_look = LOOK_FIRST_NS, step = LOOK_FIRST_NS;
	bool has_ended = false;

	for (;;) {
		int there = s3_look(object, err);
		uint64_t passed = fs_firecrest_now_ns() - begun;

		/* What the store says of an object that has to be there, the download will tell. */
		if (there != 0 || has_ended) {
			log_info("the server's job has put it into the store after %" PRIu64 " ms",
				 passed / NSEC_PER_MSEC);
			return there < 0 ? -1 : 0;
		}
		if (passed >= f->wait_ns)
			return fs_firecrest_refuse_wait(started, err);
		if (passed >= next_look) {
			int looked = fs_firecrest_look(f, started, err);

			if (looked < 0 || looked == FS_FIRECREST_BROKE)
				return -1;
			has_ended = looked > 0;
			step = MIN(step * 2, LOOK_LAST_NS);
			next_look = passed + step;
		}
		if (!has_ended)
			fs_firecrest_pause(&pause);
	}
}

/* Ranges that are in the file already. */
static bool *recall_ranges(const struct fs_transfer *t)
{
	size_t len = s3_ranges(t->size), recalled = 0;
	bool *has = new_array(bool, len);
	struct stat st;

	for (size_t i = 0; t->journal && fstat(t->fd, &st) == 0 && i < len; i++) {
		has[i] = journal_etag(t->journal, i) &&
			 (uint64_t)st.st_size >= MIN(t->size, (i + 1) * S3_RANGE);
		recalled += has[i];
	}
	if (recalled > 0)
		log_info("%zu of %zu ranges are there already", recalled, len);
	return has;
}

/* The ranges that came of an object whose URL is too old are those of the next one as well. */
static int restart(struct fs_firecrest *f, const char *path, struct fs_transfer *t, const bool *has,
		   json_t **ret, struct err *err)
{
	if (begin(f, "download", path, t, NULL, ret, err) < 0)
		return -1;
	for (size_t i = 0; t->journal && i < s3_ranges(t->size); i++) {
		if (has[i])
			journal_note(t->journal, i, "");
	}
	return 0;
}

/* The server makes a sum while its job waits for its turn; whether it can is seen later. */
static void ask_sum(struct fs_firecrest *f, const char *path, struct fs_transfer *t)
{
	struct err why = { 0 };

	if (t->there[0] || t->has_no_sum)
		return;
	if (f->base.ops->checksum(&f->base, path, t->there, &why) == 0)
		return;
	log_info("the server makes no sum of it: %s", why.text);
	t->there[0] = '\0';
	t->has_no_sum = true;
}

/* 1: the URL is of no use any more. */
static int download_once(struct fs_firecrest *f, const char *path, struct fs_transfer *t, bool *has,
			 bool is_first, struct err *err)
{
	cleanup(json_release) json_t *started = is_first ? interrupted(f, t) : NULL;
	cleanup(s3_close) struct s3_object *object = NULL;
	struct s3_download download = {
		.fd = t->fd, .size = t->size, .has = has, .watch = watch_of(t)
	};
	const json_t *how;
	uint64_t begun;
	int result;

	if (!started && restart(f, path, t, has, &started, err) < 0)
		return -1;
	how = directives_of(started, err);
	if (!how || s3_open(firecrest_text(how, "downloadUrl"), &object, err) < 0)
		return -1;
	ask_sum(f, path, t);
	if (await(f, started, object, err) < 0) {
		give_up(f, t, started, t->keeps && err->kind != ERR_SYSTEM);
		return -1;
	}
	download.object = object;
	begun = fs_firecrest_now_ns();
	result = s3_download(&download, err);
	if (result == 0)
		log_info("it came here after %" PRIu64 " ms", ms_since(begun));
	return result;
}

int fs_firecrest_fetch(struct fs_firecrest *f, const char *path, struct fs_transfer *t,
		       struct err *err)
{
	cleanup_free bool *has = NULL;
	struct err why = { 0 };
	int result = 1;

	if (check_method(f, err) < 0)
		return -1;
	t->doubt = FS_LIKELY;
	has = recall_ranges(t);
	for (int asks = 0; result > 0 && asks < ASKS; asks++)
		result = download_once(f, path, t, has, asks == 0, &why);
	if (result > 0)
		return err_set(err, ERR_TIMEOUT,
			       "its URL is too old each time: is the clock of the "
			       "server right?");
	return result < 0 ? err_set(err, why.kind, "%s", why.text) : 0;
}
