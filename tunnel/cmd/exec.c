/* SPDX-License-Identifier: MIT */
/*
 * berth-tunnel exec: a program in the job, as if it ran here: its arguments as they are, its input,
 * its two outputs, signals, its exit status.
 */
#include "cmd.h"

#include <signal.h>
#include <string.h>

#include "init/base/log.h"
#include "tunnel/cmd/exec_start.h"
#include "tunnel/cmd/output.h"
#include "tunnel/cmd/remote.h"
#include "tunnel/cmd/tty.h"
#include "tunnel/services/signals.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/reason.h"

#define STATUS_OK 200
/* What ssh uses for "the command did not end by itself". */
#define EXIT_LEFT 255
/* So many signals within so long that ask for an end, and we leave without waiting for it. */
#define IMPATIENCE 3
#define IMPATIENCE_NS (2 * NSEC_PER_SEC)

struct args {
	struct remote_args remote;
	struct exec_wish wish;
	bool input;
	const char *prefix;
};

static const struct opt opts[] = {
	OPT_FLAG('i', "stdin", struct args, input, "pass standard input on"),
	OPT_FLAG('t', "tty", struct args, wish.terminal, "give the program a terminal"),
	OPT_LIST('e', "env", struct args, wish.env, "NAME[=VALUE]",
		 "set a variable, or pass ours on (repeatable)"),
	OPT_STR('w', "workdir", struct args, wish.workdir, "DIR",
		"run it in this directory of the job (the job's)"),
	OPT_STR(0, "prefix", struct args, prefix, "TEXT", "begin each line of output with it"),
	REMOTE_OPTS(struct args, remote),
	OPT_END,
};

/* Beside those that remote.h watches. */
static const int more_signals[] = { SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };

struct exec {
	struct remote remote;
	const struct args *args;
	struct buf start; /* the START capsule */
	struct h3_stream *stream;
	int status; /* of the response */
	struct buf reason;
	struct capsule_reader reader;
	struct stdfd in;
	struct output out, err;
	size_t held; /* received and not reported as consumed */
	bool raw, has_input, started, lost, stopped, exited, over;
	int exit_status;
	struct err broken; /* why the stream ended without an EXIT */
	struct tty_escape escape;
	uint64_t asked_at; /* the first of some signals */
	unsigned int asked;
	uv_signal_t signals[ARRAY_LEN(more_signals)];
};

/* To the job */

static void send_capsule(struct exec *e, uint64_t type, struct span value)
{
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t len = capsule_put_head(type, value.len, head);

	/* What does not fit is lost: only signals and sizes come without looking for room. */
	if (!e->stream || h3_stream_room(e->stream) < len + value.len)
		return;
	if (!h3_stream_write(e->stream, span_of(head, len)) || !h3_stream_write(e->stream, value))
		log_debug("exec: a capsule did not fit");
}

static void end_input(struct exec *e)
{
	e->has_input = false;
	send_capsule(e, PROCESS_STDIN_END, (struct span){ 0 });
}

static void send_input(struct exec *e, struct span bytes)
{
	uint8_t keys[2 * 1024];
	bool leave = false;

	if (!e->raw) {
		send_capsule(e, PROCESS_STDIN, bytes);
		return;
	}
	bytes = span_of(keys, tty_escape_filter(&e->escape, bytes, keys, &leave));
	if (bytes.len > 0)
		send_capsule(e, PROCESS_STDIN, bytes);
	if (leave)
		remote_end(&e->remote, EXIT_LEFT);
}

static void on_input(struct stdfd *io)
{
	struct exec *e = container_of(io, struct exec, in);
	size_t room = e->stream ? h3_stream_room(e->stream) : 0;
	static uint8_t bytes[PROCESS_DATA_MAX];
	ssize_t len;

	if (room < 2 * CAPSULE_HEAD_MAX) {
		stdfd_want(io, false); /* until the stream is writable */
		return;
	}
	room = MIN(room - CAPSULE_HEAD_MAX, sizeof(bytes));
	len = stdfd_read(io, bytes, e->raw ? MIN(room / 2, (size_t)1024) : room);
	if (len > 0)
		send_input(e, span_of(bytes, (size_t)len));
	else if (len < 0)
		end_input(e);
}

static const struct stdfd_ops input_ops = { on_input };

static void send_window(struct exec *e)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(128);
	struct process_window window;

	if (!e->args->wish.terminal || !e->stream || !tty_window(&window) ||
	    !process_window_format(&window, &b) || h3_stream_room(e->stream) < buf_len(&b))
		return;
	if (!h3_stream_write(e->stream, buf_span(&b)))
		log_debug("exec: a window size did not fit");
}

/* From the job */

static void give_credit(struct exec *e)
{
	size_t waiting = output_waiting(&e->out) + output_waiting(&e->err), len;

	if (!e->stream || e->held <= waiting)
		return;
	len = e->held - waiting;
	e->held = waiting;
	h3_stream_consumed(e->stream, len);
}

static void end_if_over(struct exec *e)
{
	if ((!e->over && !e->lost) || !output_is_empty(&e->out) || !output_is_empty(&e->err))
		return;
	if (e->exited || e->lost)
		remote_end(&e->remote, e->exit_status);
	else
		remote_fail(&e->remote, &e->broken);
}

static void on_moved(struct output *output)
{
	struct exec *e = container_of(output, struct exec, out);

	/* Nobody reads it: so shall the program see it. */
	if (output->broken && !e->stopped && e->started && !e->over) {
		e->stopped = true;
		send_capsule(e, PROCESS_STDOUT_STOP, (struct span){ 0 });
	}
	give_credit(e);
}

static void on_err_moved(struct output *output)
{
	give_credit(container_of(output, struct exec, err));
}

static bool is_stream_capsule(void *user, uint64_t type)
{
	(void)user;
	/* Unknown ones are skipped however long they are. */
	return type != PROCESS_EXIT && type != PROCESS_EXIT_SIGNAL;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	struct exec *e = user;
	bool ok = true;

	if (type == PROCESS_STDOUT)
		ok = output_put(&e->out, bytes);
	else if (type == PROCESS_STDERR)
		ok = output_put(&e->err, bytes);
	if (!ok)
		err_set(&e->broken, ERR_PROTOCOL, "the job sends more than it may");
}

static int on_capsule(void *user, uint64_t type, struct span value, struct err *err)
{
	struct exec *e = user;
	struct process_exit end;

	if (process_exit_parse(type, value, &end, err) < 0)
		return -1;
	e->exited = true;
	e->exit_status = end.signalled ? 128 + signals_parse(end.signal) : (int)end.status;
	return 0;
}

static const struct capsule_ops capsule_ops = { is_stream_capsule, on_piece, on_capsule };

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct exec *e = user;
	struct err err;

	(void)stream;
	e->status = status;
	e->started = status == STATUS_OK;
	if (!e->started || !e->args->wish.terminal || !e->args->input)
		return;
	/* Until there is a program in the job that could have it, Ctrl-C is for us. */
	e->raw = true;
	if (tty_make_raw(STDIN_FILENO, &err) < 0)
		log_warn("%s", err.text);
}

static void end_output(struct exec *e, const struct err *why)
{
	if (e->over)
		return;
	e->over = true;
	stdfd_want(&e->in, false);
	output_end(&e->out);
	output_end(&e->err);
	if (e->status && !e->started)
		err_set(&e->broken, err_kind_from_http(e->status), "%s: %s",
			remote_name(&e->remote), reason_text(&e->reason, "refused"));
	else if (e->broken.kind == ERR_NONE && !e->exited)
		err_set(&e->broken, ERR_UNAVAILABLE, "%s: %s", remote_name(&e->remote),
			why ? why->text : "the job ended the stream");
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct exec *e = user;

	if (!e->started) {
		reason_add(&e->reason, bytes);
		h3_stream_consumed(stream, bytes.len);
		return;
	}
	e->held += bytes.len;
	if (e->broken.kind == ERR_NONE && (capsule_reader_feed(&e->reader, bytes, &e->broken) < 0 ||
					   e->broken.kind != ERR_NONE)) {
		/* Nothing that can be understood follows, and an end perhaps never. */
		h3_stream_reset(stream);
		end_output(e, NULL);
	}
	on_moved(&e->out);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	struct exec *e = user;

	(void)stream;
	if (e->has_input)
		stdfd_want(&e->in, true);
}

/* Input that the program did not read may still be on its way: nobody waits for that. */
static void on_end(struct h3_stream *stream, void *user)
{
	(void)stream;
	end_output(user, NULL);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct exec *e = user;

	(void)stream;
	e->stream = NULL;
	end_output(e, why);
}

static const struct h3_stream_ops stream_ops = {
	.response = on_response,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.closed = on_closed,
};

/* The connection */

static void on_connected(void *owner, struct h3_conn *conn)
{
	const struct h3_request request = { "CONNECT", "berth-process", "job", "/process" };
	struct exec *e = owner;
	struct err err;

	/* The longest START fits into an empty stream. */
	if (h3_conn_request(conn, &request, &stream_ops, e, &e->stream, &err) < 0) {
		remote_fail(&e->remote, &err);
		return;
	}
	if (!h3_stream_write(e->stream, buf_span(&e->start)))
		h3_stream_reset(e->stream);
	e->has_input = e->args->input && stdfd_is_open(&e->in);
	if (e->has_input)
		stdfd_want(&e->in, true);
	else if (!e->args->wish.terminal)
		end_input(e);
	/* It may have changed since START was made. */
	send_window(e);
	on_moved(&e->out);
}

static void on_conn_moved(void *owner, struct h3_conn *conn)
{
	(void)owner; /* the one request there is went along */
	(void)conn;
}

static bool on_lost(void *owner, const struct err *why)
{
	struct exec *e = owner;

	(void)why;
	e->lost = true;
	return true;
}

static void on_turn(void *owner)
{
	end_if_over(owner);
}

/* Signals */

/* Whether somebody asks for an end again and again, and nothing happens. */
static bool is_impatient(struct exec *e, int number)
{
	uint64_t now = uv_hrtime();

	if (number != SIGHUP && number != SIGINT && number != SIGTERM)
		return false;
	if (e->asked == 0 || now - e->asked_at > IMPATIENCE_NS) {
		e->asked = 0;
		e->asked_at = now;
	}
	return ++e->asked >= IMPATIENCE;
}

static void forward(struct exec *e, int number)
{
	/* Before there is a program, and after, a signal is for us. */
	if (!e->started || e->over || is_impatient(e, number))
		remote_end(&e->remote, 128 + number);
	else
		send_capsule(e, PROCESS_SIGNAL, span_of_str(sigabbrev_np(number)));
}

static void on_end_signal(void *owner, int number)
{
	forward(owner, number);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct exec *e = signal->data;
	struct err err;

	if (number == SIGCONT && e->raw && tty_make_raw(STDIN_FILENO, &err) < 0)
		log_warn("%s", err.text);
	if (number == SIGCONT || number == SIGWINCH)
		send_window(e);
	else
		forward(e, number);
}

/* The end */

static void on_close(void *owner)
{
	struct exec *e = owner;

	tty_restore();
	stdfd_close(&e->in);
	output_finish(&e->out);
	output_finish(&e->err);
	for (size_t i = 0; i < ARRAY_LEN(more_signals); i++)
		uv_close((uv_handle_t *)&e->signals[i], NULL);
}

static const struct remote_ops remote_ops = {
	.connected = on_connected,
	.moved = on_conn_moved,
	.lost = on_lost,
	.turn = on_turn,
	.signal = on_end_signal,
	.close = on_close,
};

/* The beginning */

static int check(const struct args *args, struct err *err)
{
	if (args->wish.terminal && args->input && !isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID,
			       "--tty: standard input is not a terminal: leave -t out");
	return 0;
}

static void watch_signals(struct exec *e)
{
	for (size_t i = 0; i < ARRAY_LEN(more_signals); i++) {
		uv_signal_init(&e->remote.loop, &e->signals[i]);
		e->signals[i].data = e;
		uv_signal_start(&e->signals[i], on_signal, more_signals[i]);
	}
}

static int open_standard(struct exec *e, struct err *err)
{
	uv_loop_t *loop = &e->remote.loop;

	e->out.moved = on_moved;
	e->err.moved = on_err_moved;
	e->out.prefix = e->err.prefix = e->args->prefix;
	if (output_open(&e->out, loop, STDOUT_FILENO, err) < 0 ||
	    output_open(&e->err, loop, STDERR_FILENO, err) < 0)
		return -1;
	if (e->args->input &&
	    stdfd_open(&e->in, loop, STDIN_FILENO, UV_READABLE, &input_ops, err) < 0)
		return -1;
	return 0;
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	static struct exec e;
	struct err why;
	int result;

	e.args = user;
	buf_init(&e.start, PROCESS_VALUE_MAX + CAPSULE_HEAD_MAX);
	buf_init(&e.reason, ERR_TEXT_MAX / 2);
	capsule_reader_init(&e.reader, &capsule_ops, &e, PROCESS_VALUE_MAX);
	result = check(e.args, err);
	if (result == 0)
		result = exec_start(&e.args->wish, argc, argv, &e.start, err);
	if (result == 0)
		result = remote_open(&e.remote, &e.args->remote, &remote_ops, &e, err);
	if (result == 0) {
		watch_signals(&e);
		if (open_standard(&e, &why) < 0 || remote_connect(&e.remote, &why) < 0)
			remote_fail(&e.remote, &why);
		result = remote_loop(&e.remote, err);
	}
	buf_finish(&e.start);
	buf_finish(&e.reason);
	capsule_reader_finish(&e.reader);
	return result;
}

const struct verb cmd_exec = {
	.name = "exec",
	.operands = "-- COMMAND [ARG...]",
	.summary = "run a program in a job",
	.details =
		"With --stdin and --tty, the keys '~.' at the beginning of a line leave at once.",
	.opts = opts,
	.mode = OPT_STOP_AT_OPERAND,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
