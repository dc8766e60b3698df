/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The body of an answer that is read when its owner likes, and perhaps never ends: a log that is
 * followed, events that are watched. It has a connection of its own. What has come and was not
 * read yet is kept, HTTP_STREAM_MAX bytes of it; then the server has to wait.
 *
 *	if (http_stream_open(http, &request, &stream, err) < 0)
 *		return -1;
 *	while ((got = http_stream_read(stream, 1000, &bytes, err)) > 0)
 *		...	(consume from bytes)
 */

#include "controller/http/http.h"

#define HTTP_STREAM_MAX (256 * 1024)

struct http_stream;

/*
 * Sends the request and waits for the head of the answer, the request's timeout at most. Any answer
 * is success, see http_stream_status(). The texts of the request are not needed afterwards but for
 * its body.
 */
int http_stream_open(struct http *http, const struct http_request *request,
		     struct http_stream **ret, struct err *err) attr_must_use;
struct http_stream *http_stream_close(struct http_stream *stream);
DEFINE_CLEANUP(struct http_stream, http_stream_close)

int http_stream_status(const struct http_stream *stream);

/* When the server wants to be asked again (Retry-After); 0: it does not say. */
uint64_t http_stream_later_ms(const struct http_stream *stream);

/*
 * Waits until there is something to read, at most so long. 1: there is, in *ret, which the caller
 * consumes from; 0: nothing came in this time; -1: it broke off. At its end 1 once more, with what
 * is left, and then http_stream_has_ended().
 */
int http_stream_read(struct http_stream *stream, unsigned int wait_ms, struct buf **ret,
		     struct err *err) attr_must_use;
bool http_stream_has_ended(const struct http_stream *stream);
