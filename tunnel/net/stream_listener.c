/* SPDX-License-Identifier: MIT */
/* The job's TCP port; see stream_listener.h. */
#include "stream_listener.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/path_stream.h"
#include "tunnel/net/stream_port.h"

/* A connection whose request is not there yet. */
struct guest {
	struct guest *next;
	struct stream_listener *listener;
	struct stream *stream;
};

struct stream_listener {
	struct stream_listener_config config;
	struct stream_port *port;
	struct guest *guests;
	bool closing;
};

static void free_if_done(struct stream_listener *l)
{
	if (!l->closing || stream_port_count(l->port) > 0)
		return;
	stream_port_close(l->port);
	free(l);
}

static void remove_guest(struct guest *guest)
{
	struct guest **at = &guest->listener->guests;

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	free(guest);
}

/* A guest that got no path. */
static void send_away(struct guest *guest)
{
	struct stream_listener *l = guest->listener;
	struct stream *stream = guest->stream;

	stream_port_release(l->port, stream_remote(stream));
	remove_guest(guest);
	stream_close(stream);
}

static void on_over(struct stream *stream, void *owner, const struct err *why)
{
	struct guest *guest = owner;

	(void)stream;
	if (why->kind != ERR_NONE)
		log_debug("tcp: %s", why->text);
	send_away(guest);
}

static void on_path_closed(void *owner, const struct quic_addr *from)
{
	struct stream_listener *l = owner;

	stream_port_release(l->port, from);
	free_if_done(l);
}

static void on_request(struct stream *stream, void *owner, const struct http1_head *head)
{
	struct guest *guest = owner;
	struct stream_listener *l = guest->listener;
	struct path *path;

	if (!span_equal_str(head->target, PATH_STREAM_PATH)) {
		stream_respond(stream, 404,
			       "this is the tunnel of a job: ask for " PATH_STREAM_PATH);
		return;
	}
	if (!stream_accept(stream, head, PATH_STREAM_PROTOCOL)) {
		stream_respond(stream, 426, "ask for an Upgrade to " PATH_STREAM_PROTOCOL);
		return;
	}
	path = path_stream_accepted(stream, l->config.loop, on_path_closed, l);
	remove_guest(guest);
	l->config.accepted(l->config.owner, path);
}

static const struct stream_ops stream_ops = { .request = on_request, .over = on_over };

static void on_accepted(void *owner, int fd, const struct quic_addr *from)
{
	struct stream_listener *l = owner;
	struct guest *guest = new_zero(struct guest);
	struct stream_accept_config config = { .loop = l->config.loop,
					       .fd = fd,
					       .queue_max = STREAM_LISTENER_QUEUE };

	(void)from;
	guest->listener = l;
	guest->next = l->guests;
	l->guests = guest;
	guest->stream = stream_new_accepted(&config, &stream_ops, guest);
}

struct stream_listener *stream_listener_new(const struct stream_listener_config *config,
					    struct err *err)
{
	struct stream_listener *l = new_zero(struct stream_listener);
	struct stream_port_config port = { .loop = config->loop,
					   .listen = config->listen,
					   .max = STREAM_LISTENER_MAX,
					   .accepted = on_accepted,
					   .owner = l };

	l->config = *config;
	l->port = stream_port_new(&port, err);
	if (!l->port) {
		addr_set_port(&port.listen, 0);
		l->port = stream_port_new(&port, err);
	}
	if (!l->port) {
		free(l);
		return NULL;
	}
	return l;
}

const struct quic_addr *stream_listener_local(const struct stream_listener *l)
{
	return stream_port_local(l->port);
}

void stream_listener_close(struct stream_listener *l)
{
	if (!l)
		return;
	stream_port_stop(l->port);
	while (l->guests)
		send_away(l->guests);
	l->closing = true;
	free_if_done(l);
}
