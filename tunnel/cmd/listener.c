/* SPDX-License-Identifier: MIT */
/* A socket here on which connections for the job come in; see listener.h. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "init/base/fd.h"

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64

static void on_ready(struct port *port, int events)
{
	struct listener *l = port->owner;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && port->wanted; i++) {
		int fd = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			l->ops->accepted(l, fd);
		else if (errno != ECONNABORTED && errno != EINTR)
			return; /* none left; without descriptors the loop comes back here */
	}
}

static void on_closed(struct port *port)
{
	(void)port; /* the memory is the verb's, and stays */
}

static const struct port_ops port_ops = { .ready = on_ready, .closed = on_closed };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un path;
};

static socklen_t fill(const struct forward_end *local, union address *ret)
{
	*ret = (union address){ 0 };
	if (local->path[0]) {
		ret->path.sun_family = AF_UNIX;
		memcpy(ret->path.sun_path, local->path, sizeof(local->path));
		return sizeof(ret->path);
	}
	if (inet_pton(AF_INET, local->host, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(local->port);
		return sizeof(ret->v4);
	}
	if (inet_pton(AF_INET6, local->host, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(local->port);
		return sizeof(ret->v6);
	}
	return 0;
}

/* A socket that refuses is one that a killed program left. */
static void remove_stale(const union address *address, socklen_t len)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd >= 0 && lstat(address->path.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(fd, &address->any, len) < 0 && errno == ECONNREFUSED)
		unlink(address->path.sun_path);
}

static int bind_to(int fd, const union address *address, socklen_t len)
{
	bool is_unix = address->any.sa_family == AF_UNIX;
	mode_t before = is_unix ? umask(0177) : 0;
	int result, on = 1;

	if (!is_unix)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	result = bind(fd, &address->any, len);
	if (is_unix)
		umask(before);
	return result < 0 || listen(fd, BACKLOG) < 0 ? -1 : 0;
}

/* The port that the kernel chose; or what the socket is in the file system. */
static void note(struct listener *l, int fd)
{
	union address address;
	socklen_t len = sizeof(address);
	struct stat st;

	if (l->local.path[0]) {
		if (lstat(l->local.path, &st) == 0) {
			l->device = st.st_dev;
			l->inode = st.st_ino;
		}
		return;
	}
	if (getsockname(fd, &address.any, &len) == 0)
		l->local.port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port
								       : address.v6.sin6_port);
}

int listener_open(struct listener *l, uv_loop_t *loop, const struct forward_end *local,
		  const struct listener_ops *ops, struct err *err)
{
	char text[FORWARD_TEXT_MAX];
	union address address;
	socklen_t len = fill(local, &address);
	cleanup_close int fd = -1;

	forward_end_format(local, text);
	if (len == 0)
		return err_set(err, ERR_INVALID, "'%s' is not an address of this machine",
			       local->host);
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, errno, "listen on %s", text);
	if (local->path[0])
		remove_stale(&address, len);
	if (bind_to(fd, &address, len) < 0) {
		if (errno == EADDRINUSE)
			return err_set(err, ERR_EXISTS,
				       "listen on %s: somebody else does: choose another", text);
		return err_set_errno(err, errno, "listen on %s", text);
	}
	l->ops = ops;
	l->local = *local;
	note(l, fd);
	if (port_open(&l->port, loop, take_fd(fd), &port_ops, l, err) < 0)
		return -1;
	port_want(&l->port, UV_READABLE, true);
	return 0;
}

void listener_pause(struct listener *l, bool pause)
{
	port_want(&l->port, UV_READABLE, !pause);
}

void listener_close(struct listener *l)
{
	struct stat st;

	if (!port_is_open(&l->port))
		return;
	if (l->local.path[0] && lstat(l->local.path, &st) == 0 && st.st_dev == l->device &&
	    st.st_ino == l->inode)
		unlink(l->local.path);
	port_close(&l->port);
}
