/* SPDX-License-Identifier: MIT */
/*
 * `berth-listen`: the job listens for the workstation as long as the stream lives (see
 * wire/listen.h), and /accept/{id}, which fetches a connection that was announced.
 *
 *	waiting	   the answer is held back until LISTEN says where: 200 and LISTENING, or why not
 *	listening  connections are accepted, announced, and kept until they are fetched
 *	over	   nobody listens; what was not fetched is closed
 *
 * What an announced connection says waits in the kernel. At most LISTEN_PENDING_MAX wait at once,
 * and LISTEN_FETCH_MS at the longest: then nothing more is accepted, or the connection is closed.
 * A client that has not been heard for SILENT_NS gives its place up to another one that asks for
 * it, since a workstation that was switched off would keep it for a day.
 *
 * The ids are random, so that a request finds a connection only if it was announced to whoever
 * asks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "connect.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/log.h"
#include "init/base/text.h"
#include "listening.h"
#include "port.h"
#include "service.h"
#include "tunnel/net/clock.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/varint.h"

#define ACCEPT_PREFIX "/accept/"
#define ACCEPTS_PER_TURN 16
/* A client that is awake is heard every 25 s. */
#define SILENT_NS (60 * NSEC_PER_SEC)
/* After a failure that will be one for a while, such as too many descriptors. */
#define PAUSE_MS 100
#define ROOM_MIN (LISTEN_VALUE_MAX + CAPSULE_HEAD_MAX)

struct pending {
	TAILQ_ENTRY(pending) entry;
	uint64_t id, until; /* until: by the loop's clock, in ms */
	int fd;
};

struct listener {
	struct listener *next, **link; /* in env->listeners */
	struct service_env *env;
	struct h3_stream *stream; /* NULL after its closed() */
	struct capsule_reader reader;
	struct listen_start start; /* as it was asked for */
	char address[LISTEN_ADDRESS_MAX];
	struct listening listening;
	struct port ports[LISTENING_FDS_MAX];
	TAILQ_HEAD(, pending) pending; /* oldest first */
	size_t pending_len;
	uv_timer_t timer;
	unsigned int handles;
	bool started, over;
	bool paused; /* accept(2) failed; the timer goes on */
};

static void release(struct listener *l)
{
	struct service_env *env = l->env;

	if (--l->handles > 0)
		return;
	capsule_reader_finish(&l->reader);
	free(l);
	service_leave(env);
}

static void on_port_closed(struct port *port)
{
	release(port->owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(container_of((uv_timer_t *)handle, struct listener, timer));
}

/* The descriptor is the caller's from here on. */
static int pending_free(struct listener *l, struct pending *p)
{
	int fd = p->fd;

	TAILQ_REMOVE(&l->pending, p, entry);
	l->pending_len--;
	l->env->pending--;
	free(p);
	return fd;
}

/* Whether the next connection can be announced and kept. */
static bool may_accept(const struct listener *l)
{
	return l->started && !l->over && !l->paused && l->pending_len < LISTEN_PENDING_MAX &&
	       h3_stream_room(l->stream) >= ROOM_MIN;
}

static void on_timer(uv_timer_t *timer);

/* Says what is to happen next, after anything that changes it. */
static void resume(struct listener *l)
{
	const struct pending *oldest = TAILQ_FIRST(&l->pending);
	uint64_t now = uv_now(l->env->config.loop), wait = 0;
	bool wanted = may_accept(l);

	for (size_t i = 0; i < LISTENING_FDS_MAX; i++)
		port_want(&l->ports[i], UV_READABLE, wanted);
	if (oldest)
		wait = oldest->until > now ? oldest->until - now : 1;
	if (l->paused)
		wait = wait ? MIN(wait, PAUSE_MS) : PAUSE_MS;
	if (wait)
		uv_timer_start(&l->timer, on_timer, wait, 0);
	else
		uv_timer_stop(&l->timer);
}

static void on_timer(uv_timer_t *timer)
{
	struct listener *l = container_of(timer, struct listener, timer);
	uint64_t now = uv_now(l->env->config.loop);
	struct pending *p;

	l->paused = false;
	while ((p = TAILQ_FIRST(&l->pending)) && p->until <= now) {
		log_debug("listen: a connection was not fetched in time");
		fd_close(pending_free(l, p));
	}
	resume(l);
}

/* Where the connection came from; a Unix socket says nothing. */
static struct listen_address originator(const union resolve_addr *from, char text[INET6_ADDRSTRLEN])
{
	bool is_v6 = from->any.sa_family == AF_INET6;
	uint16_t port = ntohs(is_v6 ? from->v6.sin6_port : from->v4.sin_port);

	if (from->any.sa_family != AF_INET && !is_v6)
		return (struct listen_address){ 0 };
	inet_ntop(from->any.sa_family,
		  is_v6 ? (const void *)&from->v6.sin6_addr : &from->v4.sin_addr, text,
		  INET6_ADDRSTRLEN);
	return (struct listen_address){ span_of_str(text), port };
}

static bool announce(struct listener *l, uint64_t id, const union resolve_addr *addr)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(ROOM_MIN);
	char text[INET6_ADDRSTRLEN];
	struct listen_address from = originator(addr, text);

	return listen_accepted_format(id, &from, &b) && h3_stream_write(l->stream, buf_span(&b));
}

/* False when there is nothing to accept now. */
static bool accept_one(struct listener *l, int listening_fd)
{
	union resolve_addr from = { 0 };
	socklen_t len = sizeof(from);
	cleanup_close int fd = accept4(listening_fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct pending *p;
	uint64_t id;

	if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
		return true;
	if (fd < 0) {
		l->paused = errno != EAGAIN && errno != EWOULDBLOCK;
		return false;
	}
	if (l->env->pending >= LISTEN_PENDING_ALL_MAX ||
	    getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		return true; /* closed at once, as a full server does */
	id &= VARINT_MAX;
	if (!announce(l, id, &from))
		return true;
	p = new_zero(struct pending);
	p->id = id;
	p->until = uv_now(l->env->config.loop) +
		   (l->env->config.fetch_ms ? l->env->config.fetch_ms : LISTEN_FETCH_MS);
	p->fd = take_fd(fd);
	TAILQ_INSERT_TAIL(&l->pending, p, entry);
	l->pending_len++;
	l->env->pending++;
	return true;
}

static void on_ready(struct port *port, int events)
{
	struct listener *l = port->owner;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && may_accept(l); i++) {
		if (!accept_one(l, port->fd))
			break;
	}
	resume(l);
}

static const struct port_ops port_ops = { .ready = on_ready, .closed = on_port_closed };

/* Nobody listens any more; once. */
static void stop(struct listener *l)
{
	if (l->over)
		return;
	l->over = true;
	for (size_t i = 0; i < LISTENING_FDS_MAX; i++)
		port_close(&l->ports[i]);
	listening_close(&l->listening);
	while (!TAILQ_EMPTY(&l->pending))
		fd_close(pending_free(l, TAILQ_FIRST(&l->pending)));
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	uv_timer_stop(&l->timer);
}

/* The stream is no longer ours: everything is closed, and the memory goes with the last handle. */
static void let_go(struct listener *l)
{
	l->stream = NULL;
	stop(l);
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

static int watch(struct listener *l, struct err *err)
{
	for (size_t i = 0; i < l->listening.fds_len; i++) {
		if (port_open(&l->ports[i], l->env->config.loop, take_fd(l->listening.fds[i]),
			      &port_ops, l, err) < 0)
			return -1;
		l->handles++;
	}
	return 0;
}

static bool is_same_place(const struct listen_start *a, const struct listen_start *b)
{
	return a->kind == b->kind && a->kind != LISTEN_PRIVATE && a->port == b->port &&
	       (a->kind == LISTEN_UNIX || a->port != 0) && span_equal(a->address, b->address);
}

static void take_over(struct service_env *env, const struct listen_start *start)
{
	uint64_t now = clock_now();

	for (struct listener *l = env->listeners, *next; l; l = next) {
		next = l->next;
		if (!l->started || !is_same_place(&l->start, start) ||
		    now - MIN(h3_stream_heard_at(l->stream), now) < SILENT_NS)
			continue;
		log_info("listen: a client that is silent gives its place up");
		stop(l);
		h3_stream_reset(l->stream);
	}
}

static int on_listen(struct listener *l, struct span value, struct err *err)
{
	const struct service_config *config = &l->env->config;
	const struct listening_config listening = { config->environment, config->dir, config->allow,
						    config->allow_len };
	cleanup(buf_finish) struct buf b = BUF_INIT(ROOM_MIN);
	struct listen_address at;
	struct listen_start start;

	if (l->started)
		return err_set(err, ERR_PROTOCOL, "a second LISTEN");
	if (listen_start_parse(value, &start, err) < 0)
		return -1;
	take_over(l->env, &start);
	if (listening_open(&listening, &start, &l->listening, err) < 0 || watch(l, err) < 0)
		return -1;
	at = (struct listen_address){ start.kind == LISTEN_TCP ? start.address
							       : span_of_str(l->listening.path),
				      l->listening.port };
	l->started = true;
	l->start = start;
	if (start.address.len > 0)
		memcpy(l->address, start.address.ptr, start.address.len);
	l->start.address = span_of(l->address, start.address.len);
	h3_stream_respond(l->stream, 200);
	/* A new stream has room for far more. */
	if (!listen_listening_format(&at, &b) || !h3_stream_write(l->stream, buf_span(&b)))
		return err_set(err, ERR_INTERNAL, "no room for LISTENING");
	log_debug("listen: on %.*s port %u", (int)at.address.len,
		  at.address.len ? (const char *)at.address.ptr : "", at.port);
	resume(l);
	return 0;
}

static int on_refuse(struct listener *l, struct span value, struct err *err)
{
	struct pending *p;
	uint64_t id;

	if (!l->started)
		return err_set(err, ERR_PROTOCOL, "the first capsule is not LISTEN");
	if (listen_refuse_parse(value, &id, err) < 0)
		return -1;
	TAILQ_FOREACH(p, &l->pending, entry)
	{
		if (p->id == id) {
			fd_close(pending_free(l, p));
			break;
		}
	}
	resume(l);
	return 0;
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	/* Unknown capsules are skipped however long they are. */
	return type != LISTEN_LISTEN && type != LISTEN_REFUSE;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	(void)user;
	(void)type;
	(void)bytes;
}

static int on_whole(void *user, uint64_t type, struct span value, struct err *err)
{
	return type == LISTEN_LISTEN ? on_listen(user, value, err) : on_refuse(user, value, err);
}

static const struct capsule_ops capsule_ops = { .is_stream = is_stream,
						.piece = on_piece,
						.whole = on_whole };

/* The last thing that is done with a stream. */
static void fail(struct listener *l, const struct err *why)
{
	struct h3_stream *stream = l->stream;

	if (!l->started) {
		let_go(l);
		service_reject(stream, why);
		return;
	}
	log_warn("listen: %s", why->text);
	stop(l);
	h3_stream_reset(stream);
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct listener *l = user;
	struct err err;

	h3_stream_consumed(stream, bytes.len);
	if (!l->over && capsule_reader_feed(&l->reader, bytes, &err) < 0)
		fail(l, &err);
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct listener *l = user;
	struct err err;

	if (l->over)
		return;
	if (!l->started || !capsule_reader_at_boundary(&l->reader)) {
		err_set(&err, ERR_PROTOCOL, "the request ends %s",
			l->started ? "inside a capsule" : "before LISTEN");
		fail(l, &err);
		return;
	}
	stop(l);
	h3_stream_end(stream);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	struct listener *l = user;

	(void)stream;
	if (!l->over)
		resume(l);
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

static void open_listen(struct service_env *env, struct h3_stream *stream,
			const struct h3_request *request)
{
	struct listener *l = new_zero(struct listener);

	(void)request;
	l->env = env;
	l->stream = stream;
	TAILQ_INIT(&l->pending);
	capsule_reader_init(&l->reader, &capsule_ops, l, LISTEN_VALUE_MAX);
	uv_timer_init(env->config.loop, &l->timer);
	l->handles = 1;
	l->next = env->listeners;
	l->link = &env->listeners;
	if (l->next)
		l->next->link = &l->next;
	env->listeners = l;
	service_enter(env);
	h3_stream_set_ops(stream, &stream_ops, l);
}

/* The descriptor of the connection with this id, which is the caller's then; -1: there is none. */
static int fetch(struct service_env *env, uint64_t id)
{
	for (struct listener *l = env->listeners; l; l = l->next) {
		struct pending *p;

		TAILQ_FOREACH(p, &l->pending, entry)
		{
			int fd;

			if (p->id != id)
				continue;
			fd = pending_free(l, p);
			resume(l);
			return fd;
		}
	}
	return -1;
}

static void open_accept(struct service_env *env, struct h3_stream *stream,
			const struct h3_request *request)
{
	struct err err;
	uint64_t id;
	int fd = -1;

	if (text_parse_uint(request->path + strlen(ACCEPT_PREFIX), VARINT_MAX, &id))
		fd = fetch(env, id);
	if (fd >= 0) {
		connect_adopt(env, stream, fd);
		return;
	}
	err_set(&err, ERR_NOT_FOUND,
		"no such connection waits: it was fetched, or waited too long");
	service_reject(stream, &err);
}

const struct service service_listen = {
	.method = "CONNECT",
	.protocol = "berth-listen",
	.path = "/listen",
	.open = open_listen,
};

const struct service service_accept = {
	.method = "CONNECT",
	.protocol = "berth-accept",
	.path = ACCEPT_PREFIX,
	.open = open_accept,
};
