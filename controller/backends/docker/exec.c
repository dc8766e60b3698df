/* SPDX-License-Identifier: MIT */
/* Programs that the engine starts in a container; see exec.h. */
#include "exec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "controller/backends/docker/frames.h"
#include "init/base/fd.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define PIECE 65536
#define ID_MAX 128
#define COMPLAINT_MAX 4096
#define NOT_FOUND_STATUS 127
/* The engine sees a program's end a moment after the end of what it wrote. */
#define END_TRIES 200
#define END_PAUSE_MS 20
/* And takes no size of a terminal until the program runs. */
#define RESIZE_TRIES 50
#define RESIZE_PAUSE_MS 20

/* A program while it runs. */
struct session {
	struct engine *engine;
	char id[ID_MAX];
	const char *user; /* or NULL: the container's */
	int connection;
	bool has_frames;
	struct frames frames;
	int in;		      /* what is read for it, or -1 */
	struct buf pending;   /* what the engine has not taken yet */
	bool is_input_at_end; /* of all there is, the engine knows */
	struct terminal *terminal;
	unsigned int resize_tries; /* left, until the size is known there */
	int (*wrote)(struct session *session, enum frames_which which, struct span bytes,
		     struct err *err);
	int out, err_fd;    /* of wrote_through() */
	struct buf *answer; /* of wrote_to_answer() */
	struct buf complaint;
};

static void session_finish(struct session *s)
{
	fd_close(s->connection);
	buf_wipe(&s->pending);
	buf_finish(&s->complaint);
}
DEFINE_CLEANUP_VALUE(struct session, session_finish)

static json_t *words(const char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static int create(struct engine *engine, const char *container, const struct backend_exec *exec,
		  const char *user, char ret_id[ID_MAX], struct err *err)
{
	cleanup_free char *path = str_printf("/containers/%s/exec", container);
	cleanup(json_release) json_t *body =
		json_pack("{s:o, s:o, s:b, s:b, s:b, s:b}", "Cmd", words(exec->argv), "Env",
			  words(exec->env), "AttachStdin", exec->in >= 0, "AttachStdout",
			  exec->out >= 0, "AttachStderr", exec->out >= 0, "Tty", exec->tty);
	const struct engine_call call = { .method = "POST", .path = path, .body = body };
	cleanup(json_release) json_t *answer = NULL;
	const char *id;

	if (!body)
		return err_set(err, ERR_INVALID, "not all of the command is text in UTF-8");
	if (user)
		json_object_set_new(body, "User", json_string(user));
	if (exec->workdir)
		json_object_set_new(body, "WorkingDir", json_string(exec->workdir));
	if (engine_call(engine, &call, &answer, err) < 0)
		return -1;
	id = json_string_value(json_object_get(answer, "Id"));
	if (!id || !id[0] || strlen(id) >= ID_MAX)
		return err_set(err, ERR_PROTOCOL, "the engine gave the program no id");
	snprintf(ret_id, ID_MAX, "%s", id);
	return 0;
}

static int start(struct session *s, bool tty, struct err *err)
{
	static const char *const headers[] = { "Connection: Upgrade", "Upgrade: tcp", NULL };
	cleanup_free char *path = str_printf("/exec/%s/start", s->id);
	cleanup_free char *versioned = engine_path(s->engine, path);
	cleanup(http_response_finish) struct http_response response = { 0 };
	const char *body =
		tty ? "{\"Detach\":false,\"Tty\":true}" : "{\"Detach\":false,\"Tty\":false}";
	const struct http_request request = { .method = "POST",
					      .path = versioned,
					      .headers = headers,
					      .content_type = "application/json",
					      .body = span_of_str(body) };

	if (http_upgrade(s->engine->http, &request, &s->connection, &response, err) == 0)
		return 0;
	return response.status >= 400 ? engine_refuse(&response, err) : -1;
}

/* 1: the engine knows the size, or there is none; 0: it does not take it yet. */
static int resize(struct session *s)
{
	unsigned int rows, columns;
	cleanup_free char *path = NULL;
	struct engine_call call = { .method = "POST" };
	struct err err;

	if (!terminal_size(s->terminal, &rows, &columns))
		return 1;
	path = str_printf("/exec/%s/resize?h=%u&w=%u", s->id, rows, columns);
	call.path = path;
	if (engine_call(s->engine, &call, NULL, &err) == 0)
		return 1;
	log_debug("the size of the terminal: %s", err.text);
	return 0;
}

static void try_resize(struct session *s)
{
	if (s->resize_tries > 0)
		s->resize_tries = resize(s) ? 0 : s->resize_tries - 1;
}

static int hear_terminal(struct session *s, struct err *err)
{
	enum terminal_event event = terminal_news(s->terminal);

	if (event == TERMINAL_RESIZED)
		s->resize_tries = RESIZE_TRIES;
	return event == TERMINAL_ENDED ? err_set(err, ERR_UNAVAILABLE, "told to end") : 0;
}

/* What was read is sent before more is read: the program's slowness is the reader's. */
static int read_input(struct session *s, struct err *err)
{
	uint8_t *room = buf_reserve(&s->pending, PIECE);
	ssize_t n = read(s->in, room, PIECE);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : err_set_errno(err, errno, "read");
	if (n == 0)
		s->in = -1;
	buf_commit(&s->pending, (size_t)n);
	return 0;
}

/* One that has ended does not read: that is no failure, its status tells. */
static void send_pending(struct session *s)
{
	while (buf_len(&s->pending) > 0) {
		struct span bytes = buf_span(&s->pending);
		ssize_t n = send(s->connection, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			s->in = -1;
			buf_clear(&s->pending);
			break;
		}
		buf_consume(&s->pending, (size_t)n);
	}
	if (s->in < 0 && !s->is_input_at_end) {
		s->is_input_at_end = true;
		shutdown(s->connection, SHUT_WR);
	}
}

static int take(struct session *s, struct span bytes, struct err *err)
{
	struct span piece;
	int got;

	if (!s->has_frames)
		return s->wrote(s, FRAMES_STDOUT, bytes, err);
	while ((got = frames_next(&s->frames, &bytes, &piece)) > 0) {
		if (s->wrote(s, s->frames.which, piece, err) < 0)
			return -1;
	}
	return got < 0 ? err_set(err, ERR_PROTOCOL, "what the engine sends is not in frames") : 0;
}

/* 1: there may be more; 0: that was the end. */
static int receive(struct session *s, struct err *err)
{
	uint8_t bytes[PIECE];
	ssize_t n = recv(s->connection, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNRESET
			       ? errno != ECONNRESET
			       : err_set_errno(err, errno, "the engine's connection");
	if (n == 0)
		return 0;
	return take(s, span_of(bytes, (size_t)n), err) < 0 ? -1 : 1;
}

static int carry(struct session *s, struct err *err)
{
	int more = 1;

	while (more > 0) {
		bool has_pending = buf_len(&s->pending) > 0;
		struct pollfd wait[] = {
			{ .fd = s->connection,
			  .events = (short)(POLLIN | (has_pending ? POLLOUT : 0)) },
			{ .fd = has_pending ? -1 : s->in, .events = POLLIN },
			{ .fd = terminal_fd(s->terminal), .events = POLLIN },
		};

		send_pending(s);
		try_resize(s);
		if (poll(wait, ARRAY_LEN(wait), s->resize_tries > 0 ? RESIZE_PAUSE_MS : -1) < 0) {
			if (errno != EINTR)
				return err_set_errno(err, errno, "poll");
			continue;
		}
		if ((wait[1].revents && read_input(s, err) < 0) ||
		    (wait[2].revents && hear_terminal(s, err) < 0))
			return -1;
		if (wait[0].revents)
			more = receive(s, err);
	}
	return more;
}

/* 1: it has ended; 0: it runs. */
static int ask_status(struct session *s, int *ret_status, struct err *err)
{
	cleanup_free char *path = str_printf("/exec/%s/json", s->id);
	const struct engine_call call = { .path = path };
	cleanup(json_release) json_t *answer = NULL;
	const json_t *code;

	if (engine_call(s->engine, &call, &answer, err) < 0)
		return -1;
	code = json_object_get(answer, "ExitCode");
	if (json_is_true(json_object_get(answer, "Running")) || !json_is_integer(code))
		return 0;
	*ret_status = (int)(json_integer_value(code) & 0xff);
	return 1;
}

static int await_status(struct session *s, int *ret_status, struct err *err)
{
	for (unsigned int i = 0; i < END_TRIES; i++) {
		int ended = ask_status(s, ret_status, err);

		if (ended != 0)
			return ended < 0 ? -1 : 0;
		nanosleep(&(struct timespec){ .tv_nsec = END_PAUSE_MS * 1000000L }, NULL);
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "the connection to the engine broke off, and the program runs on");
}

static int run(struct session *s, const char *container, const struct backend_exec *exec,
	       int *ret_status, struct err *err)
{
	if (engine_greet(s->engine, err) < 0 ||
	    create(s->engine, container, exec, s->user, s->id, err) < 0 ||
	    start(s, exec->tty, err) < 0 || carry(s, err) < 0)
		return -1;
	return await_status(s, ret_status, err);
}

static int wrote_through(struct session *s, enum frames_which which, struct span bytes,
			 struct err *err)
{
	return fd_write_all(which == FRAMES_STDERR ? s->err_fd : s->out, bytes, err);
}

int docker_exec(struct engine *engine, const char *id, const struct backend_exec *exec,
		int *ret_status, struct err *err)
{
	cleanup(session_finish) struct session s = {
		.engine = engine,
		.connection = -1,
		.has_frames = !exec->tty,
		.in = exec->in,
		.is_input_at_end = exec->in < 0,
		.pending = BUF_INIT(PIECE),
		.terminal = exec->terminal,
		.resize_tries = exec->terminal ? RESIZE_TRIES : 0,
		.wrote = wrote_through,
		.out = exec->out,
		.err_fd = exec->err_fd,
	};

	return run(&s, id, exec, ret_status, err);
}

static bool note_complaint(struct session *s, struct span bytes)
{
	/* The beginning tells most. */
	bytes.len = MIN(bytes.len, buf_room(&s->complaint));
	return buf_append_span(&s->complaint, bytes);
}

static int wrote_to_answer(struct session *s, enum frames_which which, struct span bytes,
			   struct err *err)
{
	if (which == FRAMES_STDERR ? !note_complaint(s, bytes) : !buf_append_span(s->answer, bytes))
		return err_set(err, ERR_LIMIT, "a program in the container says too much");
	return 0;
}

static int complain(struct session *s, const char *program, int status, struct err *err)
{
	bool is_silent = buf_len(&s->complaint) == 0 && s->answer;
	char *text = buf_take_str(is_silent ? s->answer : &s->complaint);

	text[strcspn(text, "\r\n")] = '\0';
	text_make_printable(text);
	err_set(err,
		status >= NOT_FOUND_STATUS - 1 && status <= NOT_FOUND_STATUS ? ERR_NOT_FOUND
									     : ERR_SYSTEM,
		"%.40s in the container ended with status %d: %.200s", program, status, text);
	free(text);
	return -1;
}

int docker_ask(struct engine *engine, const char *id, const struct docker_question *question,
	       struct buf *ret, struct err *err)
{
	struct span input = question->input;
	const struct backend_exec exec = { .argv = question->argv, .in = input.len ? 0 : -1 };
	cleanup(session_finish) struct session s = {
		.engine = engine,
		.user = question->user,
		.connection = -1,
		.has_frames = true,
		.in = -1,
		.is_input_at_end = input.len == 0,
		.pending = BUF_INIT(input.len),
		.wrote = wrote_to_answer,
		.answer = ret,
		.complaint = BUF_INIT(COMPLAINT_MAX),
	};
	int status;

	if (!buf_append_span(&s.pending, input))
		return err_set(err, ERR_LIMIT, "too long");
	if (run(&s, id, &exec, &status, err) < 0)
		return -1;
	return status == 0 ? 0 : complain(&s, question->argv[0], status, err);
}

static int wrote_stream(struct session *s, enum frames_which which, struct span bytes,
			struct err *err)
{
	if (which != FRAMES_STDERR)
		return fd_write_all(s->out, bytes, err);
	(void)!note_complaint(s, bytes);
	return 0;
}

int docker_carry(struct engine *engine, const char *id, const char *bundle,
		 const struct backend_carry *carry, struct err *err)
{
	cleanup_free char *busybox = str_printf("%s/busybox", bundle);
	char port[8];
	const char *const argv[] = { busybox, "nc", "127.0.0.1", port, NULL };
	const struct backend_exec exec = { .argv = argv, .in = carry->in, .out = carry->out };
	cleanup(session_finish) struct session s = {
		.engine = engine,
		.connection = -1,
		.has_frames = true,
		.in = carry->in,
		.pending = BUF_INIT(PIECE),
		.wrote = wrote_stream,
		.out = carry->out,
		.complaint = BUF_INIT(COMPLAINT_MAX),
	};
	int status;

	snprintf(port, sizeof(port), "%u", carry->port);
	if (run(&s, id, &exec, &status, err) < 0)
		return -1;
	return status == 0 ? 0 : complain(&s, "nc", status, err);
}

int docker_start_program(struct engine *engine, const char *id, const char *const *argv,
			 struct err *err)
{
	const struct backend_exec exec = { .argv = argv, .in = -1, .out = -1, .err_fd = -1 };
	cleanup(json_release) json_t *body = json_pack("{s:b, s:b}", "Detach", 1, "Tty", 0);
	cleanup_free char *path = NULL;
	struct engine_call call = { .method = "POST", .body = body };
	char program[ID_MAX];

	if (create(engine, id, &exec, NULL, program, err) < 0)
		return -1;
	path = str_printf("/exec/%s/start", program);
	call.path = path;
	return engine_call(engine, &call, NULL, err);
}
