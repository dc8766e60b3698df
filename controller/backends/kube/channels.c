/* SPDX-License-Identifier: MIT */
/* Streams of a pod; see channels.h. */
#include "channels.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/model/json.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define PIECE 32768
#define INPUT 0
#define SIZE 4
#define END 255
#define WORDS_MAX 300

static int send_to(struct channels *c, uint8_t channel, struct span bytes, struct err *err)
{
	return http_websocket_send(c->ws, span_of(&channel, 1), bytes, err);
}

/* 0: it is at its end, and so is all; 1: it goes on. */
static int read_input(struct channels *c, struct err *err)
{
	uint8_t bytes[PIECE], input = INPUT;
	ssize_t n = read(c->in, bytes, MIN(sizeof(bytes), http_websocket_room(c->ws) - 1));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR
			       ? 1
			       : err_set_errno(err, errno, "standard input");
	if (n > 0)
		return send_to(c, INPUT, span_of(bytes, (size_t)n), err) < 0 ? -1 : 1;
	c->in = -1;
	if (c->can_tell_end && send_to(c, END, span_of(&input, 1), err) < 0)
		return -1;
	return !c->ends_with_input;
}

static int send_size(struct channels *c, struct err *err)
{
	unsigned int rows, columns;
	char text[64];

	if (!c->terminal || !terminal_size(c->terminal, &rows, &columns))
		return 0;
	snprintf(text, sizeof(text), "{\"Width\":%u,\"Height\":%u}", columns, rows);
	return send_to(c, SIZE, span_of_str(text), err);
}

static int hear_terminal(struct channels *c, struct err *err)
{
	switch (terminal_news(c->terminal)) {
	case TERMINAL_NOTHING:
		return 1;
	case TERMINAL_RESIZED:
		return send_size(c, err) < 0 ? -1 : 1;
	case TERMINAL_ENDED:
		break;
	}
	return err_set(err, ERR_UNAVAILABLE, "the terminal is gone");
}

static int put(struct channels *c, struct span bytes, struct err *err)
{
	size_t head;

	if (c->channel >= CHANNELS_MAX)
		return 0;
	head = MIN(bytes.len, (size_t)(c->head_len - c->passed[c->channel]));
	span_cut(&bytes, head);
	c->passed[c->channel] += (unsigned int)head;
	if (c->channel == c->told) {
		/* Of a long one the beginning tells enough. */
		bytes.len = MIN(bytes.len, buf_room(&c->words));
		return buf_append_span(&c->words, bytes) ? 0 : -1;
	}
	return c->out[c->channel] < 0 ? 0 : fd_write_all(c->out[c->channel], bytes, err);
}

static int take(struct channels *c, struct err *err)
{
	struct websocket_piece piece;
	int result;

	while ((result = http_websocket_read(c->ws, &piece, err)) > 0) {
		struct span bytes = span_of(piece.bytes, piece.len);

		if (!c->in_message && bytes.len > 0) {
			c->channel = *span_cut(&bytes, 1).ptr;
			c->in_message = true;
		}
		if (c->in_message && put(c, bytes, err) < 0)
			return -1;
		c->in_message = c->in_message && !piece.ends;
	}
	return result;
}

int channels_run(struct channels *c, struct err *err)
{
	int more = 1;

	buf_init(&c->words, CHANNELS_WORDS_MAX);
	c->ping_ms = c->ping_ms ? c->ping_ms : CHANNELS_PING_MS;
	if (send_size(c, err) < 0)
		return -1;
	while (more > 0 && !http_websocket_has_ended(c->ws)) {
		bool has_room = http_websocket_room(c->ws) > PIECE;
		struct pollfd wait[] = {
			{ .fd = http_websocket_fd(c->ws), .events = http_websocket_events(c->ws) },
			{ .fd = has_room ? c->in : -1, .events = POLLIN },
			{ .fd = has_room ? terminal_fd(c->terminal) : -1, .events = POLLIN },
		};

		int ready = poll(wait, ARRAY_LEN(wait), c->ping_ms);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return err_set_errno(err, errno, "poll");
		if (ready == 0 && http_websocket_ping(c->ws, err) < 0)
			return -1;
		if (wait[1].revents)
			more = read_input(c, err);
		if (more > 0 && wait[2].revents)
			more = hear_terminal(c, err);
		if (more >= 0 && (http_websocket_turn(c->ws, err) < 0 || take(c, err) < 0))
			return -1;
	}
	return more < 0 ? -1 : 0;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The cause "ExitCode" has the status in its message. */
static bool find_code(const json_t *status, uint64_t *ret)
{
	const json_t *causes = json_object_get(json_object_get(status, "details"), "causes"),
		     *cause;
	size_t i;

	json_array_foreach(causes, i, cause) {
		if (strcmp(text_of(cause, "reason"), "ExitCode") == 0)
			return text_parse_uint(text_of(cause, "message"), UINT8_MAX, ret);
	}
	return false;
}

int channels_exit_status(struct span status, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *words = NULL;
	uint64_t code;

	if (status.len == 0)
		return err_set(
			err, ERR_UNAVAILABLE,
			"the connection broke off: whether the program runs on is not known");
	if (json_parse(status, CHANNELS_WORDS_MAX, &json, NULL) == 0) {
		if (strcmp(text_of(json, "status"), "Success") == 0)
			return 0;
		if (find_code(json, &code))
			return (int)code;
	}
	words = json ? str_dup(text_of(json, "message"))
		     : str_dup_len((const char *)status.ptr, MIN(status.len, (size_t)WORDS_MAX));
	text_make_printable(words);
	/* The words of the container runtime, which knows no code for what it cannot start. */
	if (strstr(words, "executable file not found") || strstr(words, "no such file"))
		return err_set(err, ERR_NOT_FOUND, "%.*s", WORDS_MAX, words);
	return err_set(err, ERR_UNAVAILABLE, "%.*s", WORDS_MAX, words);
}
