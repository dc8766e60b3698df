/* SPDX-License-Identifier: MIT */
/* A request with a small answer; see fetch.h. */
#include "fetch.h"

#include "init/base/alloc.h"
#include "tunnel/wire/reason.h"

#define STATUS_OK 200
#define REASON_MAX (ERR_TEXT_MAX / 2)

struct fetch {
	struct buf body;
	int status;
	bool ended, too_long;
	fetch_done *done;
	void *owner;
};

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct fetch *f = user;

	(void)stream;
	f->status = status;
	if (status != STATUS_OK)
		f->body.max = REASON_MAX;
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct fetch *f = user;

	h3_stream_consumed(stream, bytes.len);
	/* A reason may be cut short, an answer may not. */
	if (f->status != STATUS_OK)
		bytes.len = MIN(bytes.len, buf_room(&f->body));
	if (!buf_append_span(&f->body, bytes))
		f->too_long = true;
}

static void on_end(struct h3_stream *stream, void *user)
{
	(void)stream;
	((struct fetch *)user)->ended = true;
}

static void report(struct fetch *f, const struct err *lost)
{
	struct err why;

	if (!f->ended)
		err_set(&why, lost ? lost->kind : ERR_PROTOCOL, "%s",
			lost ? lost->text : "the answer has no end");
	else if (f->status != STATUS_OK)
		err_set(&why, err_kind_from_http(f->status), "%s",
			reason_text(&f->body, "refused"));
	else if (f->too_long)
		err_set(&why, ERR_PROTOCOL, "the answer has more than %zu bytes", f->body.max);
	else {
		f->done(f->owner, &f->body, NULL);
		return;
	}
	f->done(f->owner, NULL, &why);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct fetch *f = user;

	(void)stream;
	report(f, why);
	buf_finish(&f->body);
	free(f);
}

static const struct h3_stream_ops stream_ops = {
	.response = on_response,
	.body = on_body,
	.end = on_end,
	.closed = on_closed,
};

void fetch(struct h3_conn *conn, const struct fetch_request *request, fetch_done *done, void *owner)
{
	const struct h3_request h3 = { request->method, NULL, "job", request->path };
	struct fetch *f = new_zero(struct fetch);
	struct h3_stream *stream;
	struct err err;

	f->done = done;
	f->owner = owner;
	buf_init(&f->body, request->max);
	if (h3_conn_request(conn, &h3, &stream_ops, f, &stream, &err) < 0) {
		done(owner, NULL, &err);
		free(f);
		return;
	}
	if (request->body.len > 0 && !h3_stream_write(stream, request->body))
		h3_stream_reset(stream);
	else
		h3_stream_end(stream);
}
