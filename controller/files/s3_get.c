/* SPDX-License-Identifier: MIT */
/* Objects of an S3 store that come here; see s3.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/files/s3_internal.h"
#include "init/base/alloc.h"

#define HEADER_SIZE 64

struct s3_object {
	struct s3_address address;
	struct http *http;
	char *url; /* that the address points into */
};

int s3_open(const char *url, struct s3_object **ret, struct err *err)
{
	cleanup(s3_close) struct s3_object *object = new_zero(struct s3_object);

	object->url = str_dup(url);
	if (s3_split_url(object->url, &object->address, err) < 0 ||
	    http_open(object->address.base, &object->http, err) < 0)
		return -1;
	*ret = take_ptr(object);
	return 0;
}

struct s3_object *s3_close(struct s3_object *object)
{
	if (object) {
		http_close(object->http);
		s3_address_finish(&object->address);
		free(object->url);
		free(object);
	}
	return NULL;
}

/* Of a store that sends all of it, whatever it is asked for. */
static int on_byte(void *owner, struct span bytes, struct err *err)
{
	(void)owner, (void)bytes, (void)err;
	return 1;
}

int s3_look(struct s3_object *object, struct err *err)
{
	static const char *const first_byte[] = { "Range: bytes=0-0", NULL };
	const struct http_request request = { .path = object->address.path,
					      .headers = first_byte,
					      .received = on_byte,
					      .stall_ms = S3_STALL_MS,
					      .body_max = S3_ANSWER_MAX };
	cleanup(http_response_finish) struct http_response response = { 0 };

	if (http_send(object->http, &request, &response, err) < 0)
		return -1;
	/* Not there is 404, or 403 where who signed the URL may not list what there is. */
	if (s3_is_stale(&response) || response.status < 300 || response.status == 416)
		return 1;
	return 0;
}

/* What is wanted of an object, without a file that it goes to. */
struct wanted {
	uint8_t *room;
	size_t len, got;
};

static int on_wanted(void *owner, struct span bytes, struct err *err)
{
	struct wanted *w = owner;

	if (bytes.len > w->len - w->got)
		return err_set(err, ERR_PROTOCOL, "the store sends more than was asked for");
	memcpy(w->room + w->got, bytes.ptr, bytes.len);
	w->got += bytes.len;
	return 0;
}

int s3_read(struct s3_object *object, uint64_t offset, void *room, size_t len, struct err *err)
{
	cleanup_free char *header =
		str_printf("Range: bytes=%" PRIu64 "-%" PRIu64, offset, offset + (uint64_t)len - 1);
	const char *const headers[] = { header, NULL };
	struct wanted wanted = { .room = room, .len = len };
	const struct http_request request = { .path = object->address.path,
					      .headers = headers,
					      .received = on_wanted,
					      .owner = &wanted,
					      .stall_ms = S3_STALL_MS,
					      .body_max = S3_ANSWER_MAX };

	for (int round = 1;; round++) {
		cleanup(http_response_finish) struct http_response response = { 0 };
		struct err why = { 0 };
		int result;

		wanted.got = 0;
		result = http_send(object->http, &request, &response, &why);
		if (result == 0 && s3_is_stale(&response))
			return 1;
		if (result == 0 && response.status >= 300)
			s3_explain(response.status, buf_span(&response.body), &why);
		else if (result == 0 && (response.status != 206 || wanted.got != len))
			err_set(&why, ERR_PROTOCOL, "the store does not send parts of a file");
		if (why.kind == ERR_NONE)
			return 0;
		if (round == S3_ROUNDS)
			return err_set(err, why.kind, "%s", why.text);
	}
}

/* A range on its way. */
struct range {
	struct downloading *downloading;
	size_t index;
	uint64_t offset, len, got;
	char header[HEADER_SIZE]; /* Range: bytes=0-99 */
	const char *headers[2];
	int judged; /* 0: it is there; 1: the URL is of no use; -1: it is not, and why */
	struct err why;
};

struct downloading {
	struct s3_download *download;
	struct range ranges[S3_TOGETHER];
	size_t len;
	uint64_t done; /* bytes of ranges that are there */
};

static int on_received(void *owner, struct span bytes, struct err *err)
{
	struct range *r = owner;
	const struct s3_download *d = r->downloading->download;
	uint64_t moved = r->downloading->done;

	if (bytes.len > r->len - r->got)
		return err_set(err, ERR_PROTOCOL, "the store sends more than was asked for");
	if (d->write(d->writer, r->offset + r->got, bytes, err) < 0)
		return -1;
	r->got += bytes.len;
	for (size_t i = 0; i < r->downloading->len; i++)
		moved += r->downloading->ranges[i].got;
	if (d->watch.moved)
		d->watch.moved(d->watch.user, moved);
	return 0;
}

static int judge(const struct range *r, const struct http_response *response, struct err *err)
{
	bool is_whole = r->offset == 0 && r->len == r->downloading->download->size;

	if (s3_is_stale(response))
		return 1;
	if (response->status >= 300)
		return s3_explain(response->status, buf_span(&response->body), err);
	if (response->status != 206 && !(response->status == 200 && is_whole))
		return err_set(err, ERR_PROTOCOL, "the store does not send parts of a file");
	if (r->got != r->len)
		return err_set(err, ERR_PROTOCOL, "the store sent %" PRIu64 " bytes of %" PRIu64,
			       r->got, r->len);
	return 0;
}

static bool on_answered(void *owner, const struct http_response *response)
{
	struct range *r = owner;
	struct s3_download *d = r->downloading->download;

	r->judged = judge(r, response, &r->why);
	r->got = 0;
	if (r->judged != 0)
		return r->judged < 0;
	d->has[r->index] = true;
	r->downloading->done += r->len;
	if (d->watch.arrived)
		d->watch.arrived(d->watch.keeper, r->index, "");
	return true;
}

/* The next ranges from *index on that are not there. */
static void cut_ranges(struct downloading *downloading, size_t *index)
{
	const struct s3_download *d = downloading->download;

	downloading->len = 0;
	for (; *index < s3_ranges(d->size) && downloading->len < S3_TOGETHER; ++*index) {
		struct range *r = &downloading->ranges[downloading->len];
		uint64_t offset = *index * S3_RANGE;

		if (d->has[*index])
			continue;
		*r = (struct range){ .downloading = downloading,
				     .index = *index,
				     .offset = offset,
				     .len = MIN(d->size - offset, S3_RANGE),
				     .judged = -1 };
		err_set(&r->why, ERR_UNAVAILABLE, "a range got no answer");
		snprintf(r->header, sizeof(r->header), "Range: bytes=%" PRIu64 "-%" PRIu64,
			 r->offset, r->offset + r->len - 1);
		r->headers[0] = r->header;
		downloading->len++;
	}
}

/* 0: all of them are there; 1: the URL is of no use any more; -1. */
static int fetch(struct downloading *downloading, struct err *err)
{
	const struct s3_object *object = downloading->download->object;
	struct http_request requests[S3_TOGETHER] = { 0 };
	struct http_response responses[S3_TOGETHER] = { 0 };
	cleanup_free struct err *errs = new_array(struct err, S3_TOGETHER);
	int result = 0;

	for (size_t i = 0; i < downloading->len; i++)
		requests[i] = (struct http_request){ .path = object->address.path,
						     .headers = downloading->ranges[i].headers,
						     .received = on_received,
						     .answered = on_answered,
						     .owner = &downloading->ranges[i],
						     .timeout_ms = S3_TIMEOUT_MS,
						     .stall_ms = S3_STALL_MS,
						     .body_max = S3_ANSWER_MAX };
	(void)!http_send_many(object->http, requests, downloading->len, responses, errs);
	for (size_t i = 0; i < downloading->len; i++) {
		const struct range *r = &downloading->ranges[i];
		const struct err *why = errs[i].kind != ERR_NONE ? &errs[i] : &r->why;

		if (r->judged < 0 && result == 0)
			result = err_set(err, why->kind, "%s", why->text);
		if (r->judged > 0)
			result = 1;
		http_response_finish(&responses[i]);
	}
	return result;
}

int s3_download(struct s3_download *d, struct err *err)
{
	cleanup_free struct downloading *downloading = new_zero(struct downloading);
	int result = -1;

	downloading->download = d;
	for (size_t i = 0; i < s3_ranges(d->size); i++)
		downloading->done += d->has[i] ? MIN(d->size - i * S3_RANGE, S3_RANGE) : 0;
	for (int round = 1; result < 0 && round <= S3_ROUNDS; round++) {
		result = 0;
		for (size_t index = 0; index < s3_ranges(d->size) && result <= 0;) {
			int fetched;

			cut_ranges(downloading, &index);
			fetched = downloading->len > 0 ? fetch(downloading, err) : 0;
			result = fetched != 0 ? fetched : result;
		}
	}
	return result;
}
