/* SPDX-License-Identifier: MIT */
/*
 * `berth-process`: a command or login shell on a stream (see wire/process.h).
 *
 *	waiting	  the answer is held back until START says what to run: 200, or why not
 *	running	  capsules in become input, window sizes and signals; output becomes capsules
 *	exited	  the process is gone, its output may not be at its end
 *	done	  EXIT is in the send buffer, behind the last output
 *
 * Without a terminal the end is when the process is gone and both its outputs are at their end: a
 * background process that keeps one open keeps the stream open, as with sshd. With a terminal it is
 * when the process is gone and what it wrote is read: background processes keep it open for ever.
 *
 * When the client goes away a terminal hangs up. Pipes only break: what was meant to stay does.
 */
#include <signal.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "launch.h"
#include "port.h"
#include "pty.h"
#include "service.h"
#include "signals.h"
#include "sink.h"
#include "splice.h"
#include "tunnel/wire/capsule.h"

/* So many reads of PROCESS_DATA_MAX in one go, before other streams have their turn. */
#define READS_PER_TURN 4

/*
 * After the end of a process with a terminal that others keep open: how long its last bytes may
 * take to come through the kernel's buffers, and how many that can be.
 */
#define DRAIN_MS 100
#define DRAIN_MAX (128 * 1024)

struct process {
	struct service_env *env;
	struct h3_stream *stream; /* NULL after its closed() */
	struct capsule_reader reader;
	struct err input_error; /* noticed where nothing can be returned */
	bool failed;		/* reset: what still comes is thrown away */

	struct reaper_child child;
	pid_t pid; /* 0 until it runs */
	bool exited, done;
	int status; /* of waitpid(2), once exited */

	/* With a terminal there is one port, in and out at once, and err is never opened. */
	bool has_pty;
	struct port in, out, err;
	bool pty_over; /* the terminal has no more output */
	bool in_bulk, out_bulk, err_bulk;
	size_t drain_left;
	bool drain_over; /* DRAIN_MS have passed */
	uv_timer_t drain;
	unsigned int handles;

	struct sink input;
	bool input_ended; /* no more will come from the client */
	bool input_done;  /* and the process was told */
};

static void finish_if_over(struct process *p)
{
	struct service_env *env = p->env;

	if (--p->handles > 0)
		return;
	sink_finish(&p->input);
	capsule_reader_finish(&p->reader);
	free(p);
	service_leave(env);
}

static void on_port_closed(struct port *port)
{
	finish_if_over(port->owner);
}

static void on_drain_closed(uv_handle_t *handle)
{
	finish_if_over(container_of((uv_timer_t *)handle, struct process, drain));
}

/* The process reads no more: what it was to get is dropped, which is not an error. */
static void stop_input(struct process *p)
{
	p->input_done = true;
	sink_drop(&p->input);
	if (!p->has_pty)
		port_close(&p->in);
}

static void end_input(struct process *p)
{
	uint8_t keys[2];
	size_t len;

	if (p->input_done || !p->input_ended || !sink_is_empty(&p->input))
		return;
	if (!p->has_pty) {
		stop_input(p);
		return;
	}
	p->input_done = true;
	len = pty_end_of_input(p->in.fd, p->input.last, keys);
	/* The sink is empty: there is room. */
	if (!sink_put(&p->input, span_of(keys, len)))
		stop_input(p);
}

static void on_written(struct sink *sink, bool ok)
{
	struct process *p = container_of(sink, struct process, input);

	if (!ok) {
		stop_input(p);
		return;
	}
	if (!sink_is_empty(sink) && !p->has_pty)
		splice_grow_pipe(p->in.fd, &p->in_bulk);
	end_input(p);
}

static bool has_output(const struct process *p)
{
	if (p->has_pty)
		return !p->pty_over;
	return port_is_open(&p->out) || port_is_open(&p->err);
}

/* Tells the end once there is nothing before it. */
static void end_if_over(struct process *p)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	char name[SIGNALS_NAME_MAX];
	struct process_exit end;

	if (!p->exited || p->done || !p->stream || p->env->ending || has_output(p) ||
	    (signals_end_jobs(p->status) && !p->drain_over))
		return;
	signals_exit(p->status, name, &end);
	if (!process_exit_format(&end, &b) || !h3_stream_write(p->stream, buf_span(&b)))
		return; /* on_writable() comes back here */
	p->done = true;
	log_debug("process %d: ended", (int)p->pid);
	stop_input(p);
	port_close(&p->in);
	h3_stream_end(p->stream);
}

/* A pipe is closed; a terminal stays open until the process is gone, or it would hang up. */
static void end_output(struct process *p, struct port *port)
{
	port_want(port, UV_READABLE, false);
	if (p->has_pty)
		p->pty_over = true;
	else
		port_close(port);
}

static bool count_drain(struct process *p, size_t len)
{
	if (!p->has_pty || !p->exited)
		return true;
	p->drain_left -= MIN(len, p->drain_left);
	return p->drain_left > 0;
}

static void read_output(struct process *p, struct port *port)
{
	bool is_err = port == &p->err;
	uint64_t type = is_err ? PROCESS_STDERR : PROCESS_STDOUT;
	size_t len = 0;

	for (int i = 0; i < READS_PER_TURN && port_is_open(port) && p->stream; i++) {
		switch (splice_read(port->fd, p->stream, type, PROCESS_DATA_MAX, &len)) {
		case SPLICE_DONE:
			if (len == PROCESS_DATA_MAX && !p->has_pty)
				splice_grow_pipe(port->fd, is_err ? &p->err_bulk : &p->out_bulk);
			if (!count_drain(p, len)) {
				end_output(p, port);
				return;
			}
			/* A little was all there is, mostly; if not, the loop comes back. */
			if (len < PROCESS_DATA_MAX / 64 && !p->exited)
				i = READS_PER_TURN;
			break;
		case SPLICE_NOT_NOW:
			if (p->has_pty && p->drain_over)
				end_output(p, port);
			else
				port_want(port, UV_READABLE, true);
			return;
		case SPLICE_NO_ROOM:
			port_want(port, UV_READABLE, false);
			return;
		case SPLICE_END:
		case SPLICE_FAILED: /* EIO: nobody has the terminal open any more */
			end_output(p, port);
			return;
		}
	}
	port_want(port, UV_READABLE, true);
}

static void read_outputs(struct process *p)
{
	if (p->has_pty && !p->pty_over)
		read_output(p, &p->in);
	if (port_is_open(&p->out))
		read_output(p, &p->out);
	if (port_is_open(&p->err))
		read_output(p, &p->err);
	end_if_over(p);
}

static void on_in_ready(struct port *port, int events)
{
	struct process *p = port->owner;

	if (events & UV_WRITABLE)
		sink_write(&p->input);
	if (events & UV_READABLE && port_is_open(port)) {
		read_output(p, port);
		end_if_over(p);
	}
}

static void on_out_ready(struct port *port, int events)
{
	struct process *p = port->owner;

	(void)events;
	read_output(p, port);
	end_if_over(p);
}

static const struct port_ops in_ops = { .ready = on_in_ready, .closed = on_port_closed };
static const struct port_ops out_ops = { .ready = on_out_ready, .closed = on_port_closed };

static void on_drain(uv_timer_t *timer)
{
	struct process *p = container_of(timer, struct process, drain);

	p->drain_over = true;
	read_outputs(p);
}

static void on_exited(struct reaper_child *child, int status)
{
	struct process *p = container_of(child, struct process, child);

	p->exited = true;
	p->status = status;
	p->drain_left = DRAIN_MAX;
	if ((p->has_pty && !p->pty_over) || signals_end_jobs(status))
		uv_timer_start(&p->drain, on_drain, DRAIN_MS, 0);
	/* What it wrote is read now, with its end: one wake-up less for short commands. */
	read_outputs(p);
}

static int open_port(struct process *p, struct port *port, int fd, const struct port_ops *ops,
		     struct err *err)
{
	if (port_open(port, p->env->config.loop, fd, ops, p, err) < 0)
		return -1;
	p->handles++;
	return 0;
}

static int watch(struct process *p, const struct launched *launched, struct err *err)
{
	bool ok = open_port(p, &p->in, launched->in, &in_ops, err) == 0;

	/* Each takes its descriptor over, whether or not the one before it was taken. */
	if (!launched->has_pty) {
		ok = open_port(p, &p->out, launched->out, &out_ops, err) == 0 && ok;
		ok = open_port(p, &p->err, launched->err, &out_ops, err) == 0 && ok;
	}
	if (!ok) {
		signals_send(launched->pid, SIGKILL);
		return -1;
	}
	port_want(launched->has_pty ? &p->in : &p->out, UV_READABLE, true);
	port_want(&p->err, UV_READABLE, true);
	return 0;
}

static int on_start(struct process *p, struct span value, struct err *err)
{
	struct process_start start;
	struct launched launched;

	if (p->pid)
		return err_set(err, ERR_PROTOCOL, "a second START");
	if (process_start_parse(value, &start, err) < 0 ||
	    launch(p->env, &start, &launched, err) < 0)
		return -1;
	p->has_pty = launched.has_pty;
	if (watch(p, &launched, err) < 0)
		return -1;
	p->pid = launched.pid;
	reaper_add(&p->env->reaper, &p->child, p->pid, on_exited);
	log_debug("process %d: started", (int)p->pid);
	h3_stream_respond(p->stream, 200);
	return 0;
}

static int on_window(struct process *p, struct span value, struct err *err)
{
	struct process_window window;

	if (process_window_parse(value, &window, err) < 0)
		return -1;
	if (p->has_pty && port_is_open(&p->in))
		pty_set_window(p->in.fd, &window);
	return 0;
}

/* Signals that this system does not have are ignored (RFC 4254 section 6.9). */
static void on_signal(struct process *p, struct span name)
{
	int signal = signals_parse(name);

	if (signal && !p->exited)
		signals_send(p->pid, signal);
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	/* Unknown capsules are skipped however long they are. */
	return type < PROCESS_START || type > PROCESS_STDOUT_STOP || type == PROCESS_STDIN;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	struct process *p = user;

	if (type != PROCESS_STDIN)
		return;
	if (!p->pid)
		err_set(&p->input_error, ERR_PROTOCOL, "STDIN before START");
	else if (!p->input_done && port_is_open(&p->in) && !sink_put(&p->input, bytes))
		err_set(&p->input_error, ERR_PROTOCOL, "more input than was allowed");
}

static int on_whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct process *p = user;

	if (type == PROCESS_START)
		return on_start(p, value, err);
	if (!p->pid)
		return err_set(err, ERR_PROTOCOL, "the first capsule is not START");
	if (type == PROCESS_WINDOW)
		return on_window(p, value, err);
	if (type == PROCESS_SIGNAL) {
		on_signal(p, value);
	} else if (value.len > 0) {
		return err_set(err, ERR_PROTOCOL, "capsule 0x%x is to be empty",
			       (unsigned int)type);
	} else if (type == PROCESS_STDIN_END) {
		p->input_ended = true;
		end_input(p);
	} else if (type == PROCESS_STDOUT_STOP && port_is_open(&p->out)) {
		end_output(p, &p->out);
		end_if_over(p);
	}
	return 0;
}

static const struct capsule_ops capsule_ops = { .is_stream = is_stream,
						.piece = on_piece,
						.whole = on_whole };

/* The stream is no longer ours: everything is closed, and the memory goes with the last handle. */
static void let_go(struct process *p)
{
	p->stream = p->input.stream = NULL;
	if (p->pid && !p->exited) {
		reaper_remove(&p->env->reaper, &p->child);
		if (p->has_pty)
			signals_send(p->pid, SIGHUP);
	}
	port_close(&p->in);
	port_close(&p->out);
	port_close(&p->err);
	uv_close((uv_handle_t *)&p->drain, on_drain_closed);
}

/* The last thing that is done with a stream. */
static void fail(struct process *p, const struct err *why)
{
	struct h3_stream *stream = p->stream;

	if (!p->pid) {
		sink_credit(&p->input);
		let_go(p);
		service_reject(stream, why);
		return;
	}
	p->failed = true;
	log_warn("process %d: %s", (int)p->pid, why->text);
	h3_stream_reset(p->stream);
}

static int feed(struct process *p, struct span bytes, struct err *err)
{
	if (capsule_reader_feed(&p->reader, bytes, err) < 0)
		return -1;
	if (p->input_error.kind != ERR_NONE) {
		*err = p->input_error;
		return -1;
	}
	return 0;
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct process *p = user;
	struct err err;

	(void)stream;
	sink_received(&p->input, bytes.len);
	if (!p->done && !p->failed && feed(p, bytes, &err) < 0)
		fail(p, &err);
	else
		sink_credit(&p->input);
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct process *p = user;
	struct err err;

	(void)stream;
	if (p->done || p->failed)
		return;
	if (!p->pid || !capsule_reader_at_boundary(&p->reader)) {
		err_set(&err, ERR_PROTOCOL, "the request ends %s",
			p->pid ? "inside a capsule" : "before START");
		fail(p, &err);
		return;
	}
	p->input_ended = true;
	end_input(p);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	(void)stream;
	read_outputs(user);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	(void)stream;
	(void)why;
	let_go(user);
}

static const struct h3_stream_ops stream_ops = {
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.closed = on_closed,
};

static void open_process(struct service_env *env, struct h3_stream *stream,
			 const struct h3_request *request)
{
	struct process *p = new_zero(struct process);

	(void)request;
	p->env = env;
	p->stream = stream;
	sink_init(&p->input, env, stream, &p->in, on_written);
	capsule_reader_init(&p->reader, &capsule_ops, p, PROCESS_VALUE_MAX);
	/*
	 * The timer is there from the beginning, so that the memory always goes in a close
	 * callback.
	 */
	uv_timer_init(env->config.loop, &p->drain);
	p->handles = 1;
	service_enter(env);
	h3_stream_set_ops(stream, &stream_ops, p);
}

const struct service service_process = {
	.method = "CONNECT",
	.protocol = "berth-process",
	.path = "/process",
	.open = open_process,
};
