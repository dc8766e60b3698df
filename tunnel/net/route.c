/* SPDX-License-Identifier: MIT */
/* News of addresses and routes; see route.h. */
#include "route.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "init/base/cleanup.h"
#include "init/base/fd.h"

static int open_netlink(void)
{
	const struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_ROUTE,
	};
	cleanup_close int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	return take_fd(fd);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct route *route = poll->data;
	char news[8192];

	(void)status;
	(void)events;
	/* An overrun (ENOBUFS) is news too. */
	while (recv(route->fd, news, sizeof(news), 0) > 0)
		;
	route->changed(route->owner);
}

void route_open(struct route *route, uv_loop_t *loop, void (*changed)(void *owner), void *owner)
{
	*route = (struct route){ .fd = open_netlink(), .changed = changed, .owner = owner };
	if (route->fd < 0)
		return;
	if (uv_poll_init(loop, &route->poll, route->fd) < 0) {
		route->fd = fd_close(route->fd);
		return;
	}
	route->open = true;
	route->poll.data = route;
	uv_poll_start(&route->poll, UV_READABLE, on_readable);
}

static void on_closed(uv_handle_t *handle)
{
	struct route *route = handle->data;

	route->fd = fd_close(route->fd);
	if (route->closed)
		route->closed(route->owner);
}

void route_close(struct route *route, void (*closed)(void *owner))
{
	if (!route->open) {
		if (closed)
			closed(route->owner);
		return;
	}
	route->open = false;
	route->closed = closed;
	uv_close((uv_handle_t *)&route->poll, on_closed);
}
