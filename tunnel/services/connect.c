/* SPDX-License-Identifier: MIT */
/*
 * CONNECT to a TCP port or a Unix socket in the job. The request is answered once the connection
 * stands, or with why it does not; from then on bytes go both ways, each direction with an end of
 * its own: the end of the stream becomes shutdown(2), the end of the connection ends the stream,
 * and a connection that is reset resets the stream.
 */
#include "connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "port.h"
#include "service.h"
#include "sink.h"
#include "splice.h"
#include "target.h"
#include "tunnel/net/resolve.h"

#define READ_MAX (64 * 1024)
#define READS_PER_TURN 4
#define ADDRESSES_MAX RESOLVE_MAX

/* For each address that is tried; the kernel alone would take two minutes. */
#define CONNECT_TIMEOUT_MS 10000

/* After the stream's clean end the other side may take so long for each piece that it was sent. */
#define LINGER_MS 60000

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_un path;
		union resolve_addr ip;
	};
	socklen_t len;
};

struct link {
	struct service_env *env;
	struct h3_stream *stream; /* NULL after its closed() */
	char name[TARGET_HOST_MAX + 16];

	struct resolve_query *query;
	uint16_t port_number;
	struct address addresses[ADDRESSES_MAX];
	size_t addresses_len, next;
	int first_errno; /* of the first address that failed: the others are second choice */
	uv_timer_t timeout;

	struct port port;
	bool connected;
	bool read_over, write_over, ended; /* ended: the peer sends no more */
	bool lingering; /* the stream is over, and what it brought is still to be written */
	unsigned int handles;
	struct sink output;
};

static void try_next(struct link *link);

static void release(struct link *link)
{
	struct service_env *env = link->env;

	if (--link->handles > 0)
		return;
	sink_finish(&link->output);
	free(link);
	service_leave(env);
}

static void on_timeout_closed(uv_handle_t *handle)
{
	release(container_of((uv_timer_t *)handle, struct link, timeout));
}

static void on_port_closed(struct port *port)
{
	struct link *link = port->owner;

	/* The port is free for the next address only now. */
	if (link->stream && !link->connected)
		try_next(link);
	release(link);
}

/* The stream is no longer ours: everything is closed, and the memory goes with the last handle. */
static void let_go(struct link *link)
{
	link->stream = link->output.stream = NULL;
	if (link->query)
		resolve_cancel(take_ptr(link->query));
	port_close(&link->port);
	uv_close((uv_handle_t *)&link->timeout, on_timeout_closed);
}

static void reject(struct link *link, const struct err *why)
{
	struct h3_stream *stream = link->stream;

	sink_drop(&link->output);
	let_go(link);
	service_reject(stream, why);
}

/* A bad gateway, unless the cause has a status of its own. */
static int connect_error(const struct link *link, int os, struct err *err)
{
	err_set_errno(err, os, "connect to %s", link->name);
	switch (os) {
	case ENOENT:
	case EACCES:
	case EPERM:
	case ETIMEDOUT:
	case EMFILE:
	case ENFILE:
		break;
	default:
		err->kind = ERR_PROTOCOL;
	}
	return -1;
}

static void close_if_over(struct link *link)
{
	if (link->read_over && link->write_over)
		port_close(&link->port);
}

/* No more is written, whether because the peer ended or because the other side takes nothing. */
static void end_output(struct link *link)
{
	link->write_over = true;
	sink_drop(&link->output);
	close_if_over(link);
	if (link->lingering) {
		link->lingering = false;
		let_go(link);
	}
}

static void on_linger(uv_timer_t *timer)
{
	end_output(container_of(timer, struct link, timeout));
}

/* The last bytes may come together with the end of the stream: they are delivered all the same. */
static void linger(struct link *link)
{
	link->stream = link->output.stream = NULL;
	link->lingering = true;
	uv_timer_start(&link->timeout, on_linger, LINGER_MS, 0);
}

static void end_output_if_over(struct link *link)
{
	if (!link->connected || !link->ended || link->write_over || !sink_is_empty(&link->output))
		return;
	shutdown(link->port.fd, SHUT_WR);
	end_output(link);
}

static void on_written(struct sink *sink, bool ok)
{
	struct link *link = container_of(sink, struct link, output);

	/* That the other side is gone is told by the next read, with its reason. */
	if (!ok) {
		end_output(link);
		return;
	}
	if (link->lingering)
		uv_timer_start(&link->timeout, on_linger, LINGER_MS, 0);
	end_output_if_over(link);
}

static void end_input(struct link *link)
{
	link->read_over = true;
	port_want(&link->port, UV_READABLE, false);
	close_if_over(link);
}

static void read_input(struct link *link)
{
	size_t len;

	for (int i = 0; i < READS_PER_TURN && link->stream && !link->read_over; i++) {
		switch (splice_read(link->port.fd, link->stream, 0, READ_MAX, &len)) {
		case SPLICE_DONE:
			break;
		case SPLICE_NOT_NOW:
			port_want(&link->port, UV_READABLE, true);
			return;
		case SPLICE_NO_ROOM:
			port_want(&link->port, UV_READABLE, false);
			return;
		case SPLICE_END:
			end_input(link);
			h3_stream_end(link->stream);
			return;
		case SPLICE_FAILED:
			end_input(link);
			h3_stream_reset(link->stream);
			return;
		}
	}
	port_want(&link->port, UV_READABLE, !link->read_over);
}

static void start_splice(struct link *link)
{
	int on = 1;

	link->connected = true;
	uv_timer_stop(&link->timeout);
	/*
	 * What was sent comes in packets already: waiting for more only adds delay. Fails on Unix
	 * sockets.
	 */
	setsockopt(link->port.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	port_want(&link->port, UV_WRITABLE, false);
	port_want(&link->port, UV_READABLE, true);
	h3_stream_respond(link->stream, 200);
	sink_write(&link->output);
}

static void give_up(struct link *link, int os)
{
	if (link->first_errno == 0)
		link->first_errno = os;
	uv_timer_stop(&link->timeout);
	/* try_next() follows when the port is closed. */
	port_close(&link->port);
}

static void finish_connect(struct link *link)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(link->port.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		give_up(link, error);
	else
		start_splice(link);
}

static void on_ready(struct port *port, int events)
{
	struct link *link = port->owner;

	if (!link->connected) {
		finish_connect(link);
		return;
	}
	if (events & UV_WRITABLE)
		sink_write(&link->output);
	if (events & UV_READABLE && port_is_open(port))
		read_input(link);
}

static const struct port_ops port_ops = { .ready = on_ready, .closed = on_port_closed };

static void on_timeout(uv_timer_t *timer)
{
	give_up(container_of(timer, struct link, timeout), ETIMEDOUT);
}

/* 0: under way or connected; otherwise why not. */
static int start_connect(struct link *link, const struct address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, &address->any, address->len) < 0)
		error = errno;
	if (error && error != EINPROGRESS) {
		close(fd);
		return error;
	}
	if (port_open(&link->port, link->env->config.loop, fd, &port_ops, link, NULL) < 0)
		return EMFILE;
	link->handles++;
	uv_timer_start(&link->timeout, on_timeout, CONNECT_TIMEOUT_MS, 0);
	port_want(&link->port, UV_WRITABLE, true);
	return 0;
}

static void try_next(struct link *link)
{
	struct err err;

	while (link->next < link->addresses_len) {
		int error = start_connect(link, &link->addresses[link->next++]);

		if (error == 0)
			return;
		if (link->first_errno == 0)
			link->first_errno = error;
	}
	connect_error(link, link->first_errno, &err);
	reject(link, &err);
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct link *link = user;

	(void)stream;
	sink_received(&link->output, bytes.len);
	if (!link->write_over && !sink_put(&link->output, bytes))
		end_output(link);
	sink_credit(&link->output);
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct link *link = user;

	(void)stream;
	link->ended = true;
	end_output_if_over(link);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	struct link *link = user;

	(void)stream;
	if (link->connected && port_is_open(&link->port))
		read_input(link);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct link *link = user;

	(void)stream;
	if (!why && link->connected && link->ended && !link->write_over)
		linger(link);
	else
		let_go(link);
}

static const struct h3_stream_ops stream_ops = {
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.closed = on_closed,
};

static struct link *new_link(struct service_env *env, struct h3_stream *stream)
{
	struct link *link = new_zero(struct link);

	link->env = env;
	link->stream = stream;
	sink_init(&link->output, env, stream, &link->port, on_written);
	/*
	 * The timer is there from the beginning, so that the memory always goes in a close
	 * callback.
	 */
	uv_timer_init(env->config.loop, &link->timeout);
	link->handles = 1;
	service_enter(env);
	h3_stream_set_ops(stream, &stream_ops, link);
	return link;
}

static void add_ip(struct link *link, const char *text)
{
	struct address *address = &link->addresses[link->addresses_len];
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(link->port_number) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(link->port_number) };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		*address = (struct address){ .ip.v4 = v4, .len = sizeof(v4) };
	else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		*address = (struct address){ .ip.v6 = v6, .len = sizeof(v6) };
	else
		return;
	link->addresses_len++;
}

static void on_resolved(void *owner, const struct resolve_list *list, const struct err *why)
{
	struct link *link = owner;

	link->query = NULL;
	if (!list) {
		reject(link, why);
		return;
	}
	for (size_t i = 0; i < list->len; i++)
		link->addresses[i] = (struct address){
			.ip = list->items[i],
			.len = list->items[i].any.sa_family == AF_INET
				       ? sizeof(struct sockaddr_in)
				       : sizeof(struct sockaddr_in6),
		};
	link->addresses_len = list->len;
	try_next(link);
}

static void open_tcp(struct service_env *env, struct h3_stream *stream,
		     const struct h3_request *request)
{
	struct target target;
	struct link *link;
	struct err err;
	bool is_v6;

	if (target_parse(request->authority, &target, &err) < 0) {
		service_reject(stream, &err);
		return;
	}
	if (!target_is_allowed(&target, env->config.allow, env->config.allow_len)) {
		err_set(&err, ERR_DENIED,
			"%s:%u is not on this job's allow list: only its own loopback ports are, and "
			"what was allowed when it was submitted",
			target.host, target.port);
		service_reject(stream, &err);
		return;
	}
	link = new_link(env, stream);
	link->port_number = target.port;
	is_v6 = strchr(target.host, ':') != NULL;
	snprintf(link->name, sizeof(link->name), "%s%s%s:%u", is_v6 ? "[" : "", target.host,
		 is_v6 ? "]" : "", target.port);
	if (!target.is_ip && !target_is_loopback(&target)) {
		link->query = resolver_query(service_resolver(env), target.host, target.port,
					     on_resolved, link);
		return;
	}
	add_ip(link, target.is_ip ? target.host : "127.0.0.1");
	if (!target.is_ip)
		add_ip(link, "::1");
	try_next(link);
}

static void open_unix(struct service_env *env, struct h3_stream *stream,
		      const struct h3_request *request)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct link *link;
	struct err err;

	if (target_parse_unix(request->path, path.sun_path, &err) < 0) {
		service_reject(stream, &err);
		return;
	}
	link = new_link(env, stream);
	snprintf(link->name, sizeof(link->name), "%s", path.sun_path);
	link->addresses[0] = (struct address){ .path = path, .len = sizeof(path) };
	link->addresses_len = 1;
	try_next(link);
}

void connect_adopt(struct service_env *env, struct h3_stream *stream, int fd)
{
	struct link *link = new_link(env, stream);
	struct err err;

	if (port_open(&link->port, env->config.loop, fd, &port_ops, link, &err) < 0) {
		reject(link, &err);
		return;
	}
	link->handles++;
	start_splice(link);
}

const struct service service_tcp = { .method = "CONNECT", .open = open_tcp };

const struct service service_unix = {
	.method = "CONNECT",
	.protocol = "berth-unix",
	.path = "/unix/",
	.open = open_unix,
};
