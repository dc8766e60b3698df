/* SPDX-License-Identifier: MIT */
/*
 * Punched paths: from the socket that the NATs know (hub.h) to the address that the checks found
 * (tunnel/ice); see path.h.
 */
#include <stdlib.h>

#include "init/base/alloc.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/path.h"

/* RFC 9443: what begins with less than that is not QUIC. */
#define QUIC_FIRST_BYTE 64

struct path_punched {
	struct path path;
	struct hub *hub;
	struct hub_user user;
	struct quic_addr source; /* where the kernel sent from when this was made */
};

static struct path_punched *path_punched_of(struct path *path)
{
	return (struct path_punched *)path;
}

static bool is_quic(const struct udp_datagrams *d, size_t at)
{
	return at < d->bytes.len && d->bytes.ptr[at] >= QUIC_FIRST_BYTE;
}

static size_t on_received(struct hub_user *user, const struct udp_datagrams *d)
{
	struct path_punched *p = container_of(user, struct path_punched, user);
	struct udp_datagrams mine = *d;

	if (!addr_equal(&d->path.remote, &p->path.remote))
		return 0;
	mine.bytes.len = 0;
	while (is_quic(d, mine.bytes.len))
		mine.bytes.len = MIN(mine.bytes.len + d->segment, d->bytes.len);
	if (mine.bytes.len == 0)
		return 0;
	mine.path = p->path.address;
	path_received(&p->path, &mine);
	return mine.bytes.len;
}

/* There is room again; who uses the path sends by itself. */
static bool on_write(struct hub_user *user, struct quic_batch *batch)
{
	struct path_punched *p = container_of(user, struct path_punched, user);

	(void)batch;
	if (!p->path.blocked)
		return false;
	p->path.blocked = false;
	path_writable(&p->path);
	return false;
}

static void on_turn(struct hub_user *user)
{
	path_turn(&container_of(user, struct path_punched, user)->path);
}

static bool send_batch(struct path *path, const struct quic_batch *batch)
{
	struct path_punched *p = path_punched_of(path);
	const struct quic_path real = { .remote = path->remote };

	path->blocked = !hub_send(p->hub, &real, batch);
	if (path->blocked)
		hub_wake(&p->user);
	return !path->blocked;
}

/* The socket stays, since it is what the NATs know. */
static int renew(struct path *path, struct err *err)
{
	(void)err;
	path->address.local = path_synthetic(PATH_LINK_PUNCHED);
	return 0;
}

/* The NATs of another network know nothing of this path. */
static bool is_misplaced(const struct path *path)
{
	const struct path_punched *p = (const struct path_punched *)path;
	struct quic_addr now = udp_source(&path->remote);

	return now.len > 0 && !addr_equal(&now, &p->source);
}

static void close_path(struct path *path)
{
	struct path_punched *p = path_punched_of(path);

	hub_leave(&p->user);
	free(p);
}

struct path *path_punched_new(struct hub *hub, const struct quic_addr *remote)
{
	static const struct path_ops ops = { .send = send_batch,
					     .renew = renew,
					     .is_misplaced = is_misplaced,
					     .close = close_path };
	static const struct hub_user_ops user_ops = { on_received, on_write, on_turn };
	struct path_punched *p = new_zero(struct path_punched);

	p->path = (struct path){
		.ops = &ops,
		.kind = PATH_PUNCHED,
		.address = { .local = path_synthetic(PATH_LINK_PUNCHED), .remote = *remote },
		.remote = *remote,
	};
	p->hub = hub;
	p->source = udp_source(remote);
	p->user.ops = &user_ops;
	hub_join(hub, &p->user);
	return &p->path;
}
