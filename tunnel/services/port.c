/* SPDX-License-Identifier: MIT */
/* A descriptor on the loop; see port.h. */
#include "port.h"

#include "init/base/fd.h"
#include "init/base/macro.h"

static void watch(struct port *port);

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct port *port = container_of(poll, struct port, poll);

	if (status < 0) {
		/*
		 * libuv reports an error condition so and stops; the owner learns it from its next
		 * call.
		 */
		events = port->wanted;
		watch(port);
	}
	events &= port->wanted;
	if (events)
		port->ops->ready(port, events);
}

static void watch(struct port *port)
{
	if (port->wanted)
		uv_poll_start(&port->poll, port->wanted, on_poll);
	else
		uv_poll_stop(&port->poll);
}

static void on_closed(uv_handle_t *handle)
{
	struct port *port = container_of((uv_poll_t *)handle, struct port, poll);

	port->ops->closed(port);
}

int port_open(struct port *port, uv_loop_t *loop, int fd, const struct port_ops *ops, void *owner,
	      struct err *err)
{
	int status;

	*port = (struct port){ .fd = -1 };
	status = uv_poll_init(loop, &port->poll, fd);
	if (status < 0) {
		fd_close(fd);
		return err_set_errno(err, -status, "watch a descriptor");
	}
	port->fd = fd;
	port->ops = ops;
	port->owner = owner;
	return 0;
}

void port_want(struct port *port, int events, bool on)
{
	int wanted = on ? port->wanted | events : port->wanted & ~events;

	if (wanted == port->wanted || !port_is_open(port))
		return;
	port->wanted = wanted;
	watch(port);
}

void port_close(struct port *port)
{
	if (!port_is_open(port))
		return;
	port->wanted = 0;
	/* The descriptor leaves the poll set before its number can be used again. */
	uv_close((uv_handle_t *)&port->poll, on_closed);
	port->fd = fd_close(port->fd);
}
