/* SPDX-License-Identifier: MIT */
/* Bodies that are read at leisure, by libcurl's multi interface; see stream.h. */
#include "stream.h"

#include <time.h>

#include "controller/http/internal.h"
#include "init/base/alloc.h"

struct http_stream {
	struct http *http;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	struct buf body;
	bool is_paused;
	bool has_ended;
	CURLcode code; /* when it has ended */
	char why[CURL_ERROR_SIZE];
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static size_t take_piece(char *bytes, size_t size, size_t count, void *opaque)
{
	struct http_stream *stream = opaque;

	/* libcurl keeps the piece and brings it again. */
	if (!buf_append(&stream->body, bytes, size * count)) {
		stream->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	return size * count;
}

struct http_stream *http_stream_close(struct http_stream *stream)
{
	if (!stream)
		return NULL;
	if (stream->easy && stream->multi)
		stream->http->curl->multi_remove_handle(stream->multi, stream->easy);
	if (stream->easy)
		stream->http->curl->easy_cleanup(stream->easy);
	if (stream->multi)
		stream->http->curl->multi_cleanup(stream->multi);
	http_free_headers(stream->http, stream->headers);
	buf_finish(&stream->body);
	free(stream->url);
	free(stream);
	return NULL;
}

int http_stream_status(const struct http_stream *stream)
{
	long status = 0;

	stream->http->curl->easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

uint64_t http_stream_later_ms(const struct http_stream *stream)
{
	curl_off_t seconds = 0;

	stream->http->curl->easy_getinfo(stream->easy, CURLINFO_RETRY_AFTER, &seconds);
	return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

bool http_stream_has_ended(const struct http_stream *stream)
{
	return stream->has_ended && buf_len(&stream->body) == 0;
}

static void note_end(struct http_stream *stream)
{
	CURLMsg *message;
	int left;

	while ((message = stream->http->curl->multi_info_read(stream->multi, &left))) {
		if (message->msg == CURLMSG_DONE) {
			stream->has_ended = true;
			stream->code = message->data.result;
		}
	}
}

/* Does what can be done now, and if that brought nothing, waits a little. */
static void turn(struct http_stream *stream, unsigned int wait_ms)
{
	const struct curl_calls *curl = stream->http->curl;
	size_t before = buf_len(&stream->body);
	int running = 0;

	if (stream->is_paused) {
		stream->is_paused = false;
		curl->easy_pause(stream->easy, CURLPAUSE_CONT);
	}
	curl->multi_perform(stream->multi, &running);
	note_end(stream);
	if (!stream->has_ended && buf_len(&stream->body) == before && wait_ms > 0)
		curl->multi_poll(stream->multi, NULL, 0, (int)wait_ms, NULL);
}

static bool start(struct http_stream *stream, const struct http_request *request)
{
	const struct curl_calls *curl = stream->http->curl;
	__typeof__(curl_easy_setopt) *set = curl->easy_setopt;

	stream->easy = curl->easy_init();
	stream->multi = curl->multi_init();
	if (!stream->easy || !stream->multi)
		return false;
	stream->headers = http_make_headers(stream->http, request);
	stream->url = str_printf("%s%s", stream->http->base, request->path);
	http_set_request(stream->http, stream->easy, request, stream->headers);
	set(stream->easy, CURLOPT_ERRORBUFFER, stream->why);
	set(stream->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
	set(stream->easy, CURLOPT_URL, stream->url);
	set(stream->easy, CURLOPT_WRITEFUNCTION, take_piece);
	set(stream->easy, CURLOPT_WRITEDATA, stream);
	return curl->multi_add_handle(stream->multi, stream->easy) == CURLM_OK;
}

int http_stream_open(struct http *http, const struct http_request *request,
		     struct http_stream **ret, struct err *err)
{
	cleanup(http_stream_close) struct http_stream *stream = new_zero(struct http_stream);
	unsigned int timeout_ms = request->timeout_ms ? request->timeout_ms : HTTP_TIMEOUT_MS;
	uint64_t deadline = now_ms() + timeout_ms;

	stream->http = http;
	buf_init(&stream->body, HTTP_STREAM_MAX);
	if (!start(stream, request))
		return err_set(err, ERR_INTERNAL, "libcurl makes no handle");
	while (!stream->has_ended && http_stream_status(stream) == 0 &&
	       buf_len(&stream->body) == 0) {
		uint64_t now = now_ms();

		if (now >= deadline)
			return http_explain(http, "", CURLE_OPERATION_TIMEDOUT, timeout_ms, err);
		turn(stream, (unsigned int)MIN(deadline - now, UINT64_C(1000)));
	}
	if (stream->has_ended && stream->code != CURLE_OK)
		return http_explain(http, stream->why, stream->code, timeout_ms, err);
	*ret = take_ptr(stream);
	return 0;
}

int http_stream_read(struct http_stream *stream, unsigned int wait_ms, struct buf **ret,
		     struct err *err)
{
	uint64_t deadline = now_ms() + wait_ms, now = 0;

	*ret = &stream->body;
	do {
		if (stream->has_ended)
			break;
		now = now_ms();
		turn(stream, deadline > now ? (unsigned int)(deadline - now) : 0);
	} while (buf_len(&stream->body) == 0 && now < deadline);
	if (buf_len(&stream->body) > 0)
		return 1;
	if (!stream->has_ended)
		return 0;
	return stream->code == CURLE_OK
		       ? 1
		       : http_explain(stream->http, stream->why, stream->code, 0, err);
}
