/* SPDX-License-Identifier: MIT */
/* A TCP port with limits; see stream_port.h. */
#include "stream_port.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "tunnel/net/addr.h"

#define BACKLOG 512
#define TURN_ACCEPTS_MAX 64
#define PAUSE_MS 100

/* An IPv4 address, or the first half of one of IPv6: who has that has all of it. */
struct origin {
	uint64_t bits;
};

struct stream_port {
	struct stream_port_config config;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	bool is_stopped;
	struct quic_addr local;
	struct origin *origins; /* of the connections that are there */
	size_t count, size;
	uint64_t refused;
	unsigned int handles;
};

static struct origin origin_of(const struct quic_addr *from)
{
	struct origin origin = { 0 };

	if (addr_family(from) == AF_INET)
		origin.bits = from->v4.sin_addr.s_addr;
	else if (addr_family(from) == AF_INET6)
		memcpy(&origin.bits, from->v6.sin6_addr.s6_addr, sizeof(origin.bits));
	return origin;
}

static bool has_room(const struct stream_port *port, struct origin origin)
{
	size_t same = 0;

	if (port->count >= port->config.max)
		return false;
	for (size_t i = 0; port->config.per_address_max && i < port->count; i++)
		same += port->origins[i].bits == origin.bits;
	return !port->config.per_address_max || same < port->config.per_address_max;
}

static void add(struct stream_port *port, struct origin origin)
{
	if (port->count == port->size) {
		port->size = port->size ? 2 * port->size : 16;
		port->origins = alloc_grow(port->origins, port->size, sizeof(*port->origins));
	}
	port->origins[port->count++] = origin;
}

void stream_port_release(struct stream_port *port, const struct quic_addr *from)
{
	struct origin origin = origin_of(from);

	for (size_t i = 0; i < port->count; i++) {
		if (port->origins[i].bits != origin.bits)
			continue;
		port->origins[i] = port->origins[--port->count];
		return;
	}
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct stream_port *port = timer->data;

	if (!port->is_stopped)
		uv_poll_start(&port->poll, UV_READABLE, on_readable);
}

/* False: no more now. */
static bool accept_one(struct stream_port *port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd = accept4(port->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct quic_addr from;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		uv_poll_stop(&port->poll);
		uv_timer_start(&port->timer, on_pause_over, PAUSE_MS, 0);
		return false;
	}
	if (fd < 0)
		return errno != EAGAIN; /* anything else concerns one connection */
	from = addr_from_sockaddr((const struct sockaddr *)&sa);
	if (!has_room(port, origin_of(&from))) {
		port->refused++;
		fd_close(fd);
		return true;
	}
	add(port, origin_of(&from));
	port->config.accepted(port->config.owner, fd, &from);
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct stream_port *port = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < TURN_ACCEPTS_MAX && !port->is_stopped; i++) {
		if (!accept_one(port))
			break;
	}
}

static int open_bound(const struct quic_addr *listen_at, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	cleanup_close int fd = socket(addr_family(listen_at),
				      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int one = 1, v6_only = !addr_is_any(listen_at);

	addr_format(listen_at, text);
	if (fd < 0)
		return err_set_errno(err, errno, "socket for %s", text);
	/* A restarted relay gets its port although old connections linger. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr_family(listen_at) == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
	if (bind(fd, &listen_at->any, listen_at->len) < 0 || listen(fd, BACKLOG) < 0) {
		if (errno == EADDRINUSE)
			return err_set(err, ERR_EXISTS, "%s is in use", text);
		return err_set_errno(err, errno, "listen on %s", text);
	}
	return take_fd(fd);
}

/* Both families on one socket where IPv6 exists, IPv4 alone where it was switched off. */
static int open_socket(const struct quic_addr *listen_at, struct err *err)
{
	struct quic_addr v6 = addr_any(AF_INET6, addr_port(listen_at));
	struct quic_addr v4 = addr_any(AF_INET, addr_port(listen_at));
	struct err why;
	int fd;

	if (listen_at->len > 0 && !addr_is_any(listen_at))
		return open_bound(listen_at, err);
	fd = open_bound(&v6, &why);
	if (fd < 0 && why.kind == ERR_EXISTS) {
		if (err)
			*err = why;
		return -1;
	}
	return fd < 0 ? open_bound(&v4, err) : fd;
}

static void on_closed(uv_handle_t *handle)
{
	struct stream_port *port = handle->data;

	if (--port->handles > 0)
		return;
	free(port->origins);
	free(port);
}

struct stream_port *stream_port_new(const struct stream_port_config *config, struct err *err)
{
	struct stream_port *port = new_zero(struct stream_port);
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);

	port->config = *config;
	port->fd = open_socket(&config->listen, err);
	if (port->fd < 0 || uv_poll_init(config->loop, &port->poll, port->fd) < 0) {
		if (port->fd >= 0)
			err_set(err, ERR_SYSTEM, "cannot watch a socket");
		fd_close(port->fd);
		free(port);
		return NULL;
	}
	if (getsockname(port->fd, (struct sockaddr *)&local, &len) == 0)
		port->local = addr_from_sockaddr((const struct sockaddr *)&local);
	port->poll.data = port;
	uv_timer_init(config->loop, &port->timer);
	port->timer.data = port;
	port->handles = 2;
	uv_poll_start(&port->poll, UV_READABLE, on_readable);
	return port;
}

const struct quic_addr *stream_port_local(const struct stream_port *port)
{
	return &port->local;
}

size_t stream_port_count(const struct stream_port *port)
{
	return port->count;
}

uint64_t stream_port_refused(const struct stream_port *port)
{
	return port->refused;
}

void stream_port_stop(struct stream_port *port)
{
	if (port->is_stopped)
		return;
	port->is_stopped = true;
	uv_poll_stop(&port->poll);
	uv_timer_stop(&port->timer);
	port->fd = fd_close(port->fd);
}

void stream_port_close(struct stream_port *port)
{
	if (!port)
		return;
	assert(port->count == 0);
	stream_port_stop(port);
	uv_close((uv_handle_t *)&port->poll, on_closed);
	uv_close((uv_handle_t *)&port->timer, on_closed);
}
