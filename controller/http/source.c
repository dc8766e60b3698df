/* SPDX-License-Identifier: MIT */
/* Bodies that are read while they are sent; see http.h. */
#include <stdio.h>

#include "controller/http/internal.h"

/* Of a body that is sent or received; larger ones miss the processor's cache. */
#define PIECE_MAX (512L * 1024L)

/* Read from where it is: several requests may read one file at the same time. */
static size_t give_body(char *room, size_t size, size_t count, void *opaque)
{
	struct attempt *attempt = opaque;
	const struct http_source *source = attempt->request->source;
	uint64_t left = source->len - attempt->source_at;
	size_t want = (size_t)MIN(left, (uint64_t)(size * count));
	ssize_t len = (ssize_t)want;

	if (want == 0)
		return 0;
	if (source->read && source->read(source->owner, source->offset + attempt->source_at, room,
					 want, &attempt->err) < 0) {
		attempt->is_refused = true;
		return CURL_READFUNC_ABORT;
	}
	while (!source->read) {
		len = pread(source->fd, room, want, (off_t)(source->offset + attempt->source_at));
		if (len >= 0 || errno != EINTR)
			break;
	}
	if (len <= 0) {
		attempt->is_refused = true;
		if (len < 0)
			err_set_errno(&attempt->err, errno, "read what is to be sent");
		else
			err_set(&attempt->err, ERR_SYSTEM, "became shorter while it was sent");
		return CURL_READFUNC_ABORT;
	}
	if (source->sent)
		source->sent(source->owner, attempt->source_at, span_of(room, (size_t)len));
	attempt->source_at += (uint64_t)len;
	return (size_t)len;
}

/* A connection that was kept may turn out to be closed: then it begins anew on another. */
static int seek_body(void *opaque, curl_off_t offset, int origin)
{
	struct attempt *attempt = opaque;

	if (origin != SEEK_SET || offset != 0)
		return CURL_SEEKFUNC_CANTSEEK;
	attempt->source_at = 0;
	return CURL_SEEKFUNC_OK;
}

void http_attempt_set_source(struct attempt *attempt)
{
	const struct http_request *request = attempt->request;
	__typeof__(curl_easy_setopt) *set = attempt->http->curl->easy_setopt;
	CURL *easy = attempt->easy;

	attempt->source_at = 0;
	if (request->source) {
		set(easy, CURLOPT_UPLOAD, 1L);
		set(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->source->len);
		set(easy, CURLOPT_READFUNCTION, give_body);
		set(easy, CURLOPT_READDATA, attempt);
		set(easy, CURLOPT_SEEKFUNCTION, seek_body);
		set(easy, CURLOPT_SEEKDATA, attempt);
		set(easy, CURLOPT_UPLOAD_BUFFERSIZE, PIECE_MAX);
		if (request->method)
			set(easy, CURLOPT_CUSTOMREQUEST, request->method);
	}
	if (request->received)
		set(easy, CURLOPT_BUFFERSIZE, PIECE_MAX);
	if (request->stall_ms) {
		set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		set(easy, CURLOPT_LOW_SPEED_TIME, (long)(request->stall_ms + 999) / 1000);
	}
}
