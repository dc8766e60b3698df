/* SPDX-License-Identifier: MIT */
/* Logs; see logs.h. */
#include "logs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

/* How long the engine may take for what it has; and what it adds to a log that is followed. */
#define READ_MS 10000
#define FOLLOW_MS 20

void docker_reading_finish(struct docker_reading *reading)
{
	http_stream_close(reading->stream);
	*reading = (struct docker_reading){ 0 };
}

bool docker_reading_is_at(const struct docker_reading *reading, const char *id,
			  const struct log_part *part)
{
	return reading->stream && strcmp(reading->id, id) == 0 && reading->which == part->which &&
	       reading->since_ns == part->since_ns && reading->offset == part->offset;
}

/* "&since=SECONDS.NANOSECONDS" in a buffer of this size; nothing when all of it is wanted. */
#define SINCE_SIZE 40
static void format_since(uint64_t since_ns, char out[SINCE_SIZE])
{
	out[0] = '\0';
	if (since_ns > 0)
		snprintf(out, SINCE_SIZE, "&since=%" PRIu64 ".%09" PRIu64, since_ns / NSEC_PER_SEC,
			 since_ns % NSEC_PER_SEC);
}

static int open_stream(struct engine *engine, struct docker_reading *reading,
		       const struct docker_source *source, const struct log_part *part,
		       bool follows, struct err *err)
{
	cleanup_free char *path = NULL, *versioned = NULL;
	cleanup(http_stream_close) struct http_stream *stream = NULL;
	char since[SINCE_SIZE];
	struct http_request request = { 0 };

	docker_reading_finish(reading);
	if (engine_greet(engine, err) < 0)
		return -1;
	format_since(part->since_ns, since);
	path = str_printf("/%s/%s/logs?%s=true&follow=%s%s", source->kind, source->id,
			  part->which == LOG_STDOUT ? "stdout" : "stderr",
			  follows ? "true" : "false", since);
	versioned = engine_path(engine, path);
	request.path = versioned;
	if (http_stream_open(engine->http, &request, &stream, err) < 0)
		return -1;
	if (http_stream_status(stream) != 200)
		return err_set(err,
			       http_stream_status(stream) == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
			       "the engine gives no log of this container (%d)",
			       http_stream_status(stream));
	reading->stream = take_ptr(stream);
	reading->which = part->which;
	reading->since_ns = part->since_ns;
	reading->follows = follows;
	snprintf(reading->id, sizeof(reading->id), "%s", source->id);
	return 0;
}

/* Takes from what has come; skips what is before `from`. */
static int take(struct docker_reading *reading, struct buf *bytes, const struct log_part *part,
		struct buf *ret, struct err *err)
{
	while (buf_len(bytes) > 0 && buf_len(ret) < part->max) {
		struct span all = buf_span(bytes), piece = { 0 };
		size_t room = part->max - buf_len(ret), skip = 0, over = 0;

		if (frames_next(&reading->frames, &all, &piece) < 0)
			return err_set(err, ERR_PROTOCOL,
				       "the engine's log is not in frames: has the container a "
				       "terminal?");
		/* What a Swarm says of the log itself. */
		if (reading->frames.which == FRAMES_ERROR) {
			buf_consume(bytes, buf_len(bytes) - all.len);
			continue;
		}
		if (reading->offset < part->offset)
			skip = (size_t)MIN(part->offset - reading->offset, (uint64_t)piece.len);
		if (piece.len - skip > room)
			over = piece.len - skip - room;
		/* What there is no room for is of the same frame, and comes again. */
		reading->frames.left += over;
		reading->offset += piece.len - over;
		buf_consume(bytes, buf_len(bytes) - all.len - over);
		if (!buf_append(ret, piece.ptr + skip, piece.len - skip - over))
			return err_set(err, ERR_LIMIT, "larger than %zu bytes", part->max);
	}
	return 0;
}

/* 1: something came, though perhaps nothing that was wanted; 0: nothing came in this time. */
static int read_once(struct docker_reading *reading, const struct log_part *part,
		     unsigned int wait_ms, struct buf *ret, struct err *err)
{
	struct buf *bytes = NULL;
	int got = http_stream_read(reading->stream, wait_ms, &bytes, err);

	return got <= 0 ? got : take(reading, bytes, part, ret, err) < 0 ? -1 : 1;
}

static int read_patiently(struct docker_reading *reading, const struct log_part *part,
			  struct buf *ret, struct err *err)
{
	int got = read_once(reading, part, READ_MS, ret, err);

	if (got == 0)
		return err_set(err, ERR_TIMEOUT, "the engine stopped in the middle of the log");
	return got < 0 ? -1 : 0;
}

/*
 * From the beginning, to where the reading was, and on. Podman loses parts of a log that is written
 * fast while it is followed: there, what has come in between is all that is read.
 */
static int go_on(struct engine *engine, struct docker_reading *reading,
		 const struct docker_source *source, const struct log_part *part, struct buf *ret,
		 struct err *err)
{
	bool follows = !engine->is_podman && !source->is_over;

	if (open_stream(engine, reading, source, part, follows, err) < 0)
		return -1;
	while (reading->offset < part->offset && !http_stream_has_ended(reading->stream)) {
		if (read_patiently(reading, part, ret, err) < 0)
			return -1;
	}
	return 0;
}

int docker_read_log(struct engine *engine, struct docker_reading *reading,
		    const struct docker_source *source, const struct log_part *part,
		    struct buf *ret, struct err *err)
{
	if (!docker_reading_is_at(reading, source->id, part)) {
		if (open_stream(engine, reading, source, part, false, err) < 0)
			return -1;
	} else if (reading->is_at_end && !reading->follows &&
		   go_on(engine, reading, source, part, ret, err) < 0) {
		return -1;
	}
	/* Less than was asked for is all that there is: whoever reads does not ask twice. */
	while (buf_len(ret) < part->max && !http_stream_has_ended(reading->stream)) {
		int got = 1;

		if (reading->follows && !source->is_over)
			got = read_once(reading, part, FOLLOW_MS, ret, err);
		else if (read_patiently(reading, part, ret, err) < 0)
			got = -1;
		if (got <= 0)
			return got;
	}
	reading->is_at_end = http_stream_has_ended(reading->stream);
	return 0;
}
