/* SPDX-License-Identifier: MIT */
/* Direct paths: a connected UDP socket each, and a new one to renew it; see path.h. */
#include <stdlib.h>

#include "init/base/alloc.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/path.h"

struct path_udp {
	struct path path;
	uv_loop_t *loop;
	struct udp *udp; /* the one in use; former ones are on their way out */
	unsigned int sockets;
	bool closed;
};

static struct path_udp *path_udp_of(struct path *path)
{
	return (struct path_udp *)path;
}

static void free_if_done(struct path_udp *p)
{
	if (p->closed && p->sockets == 0)
		free(p);
}

static void on_udp_closed(struct udp *udp, void *owner)
{
	struct path_udp *p = owner;

	free(udp);
	p->sockets--;
	free_if_done(p);
}

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	struct path_udp *p = owner;

	if (udp == p->udp)
		path_received(&p->path, d);
}

static void on_turn(struct udp *udp, void *owner)
{
	struct path_udp *p = owner;

	if (udp == p->udp)
		path_turn(&p->path);
}

static void on_writable(struct udp *udp, void *owner)
{
	struct path_udp *p = owner;

	if (udp == p->udp)
		path_writable(&p->path);
}

static void on_refused(struct udp *udp, void *owner)
{
	struct path_udp *p = owner;

	if (udp == p->udp)
		path_refused(&p->path);
}

static const struct udp_ops udp_ops = { on_received, on_turn, on_writable, on_refused };

static struct udp *open_udp(struct path_udp *p, struct err *err)
{
	struct udp_config config = { .remote = p->path.remote, .ops = &udp_ops, .owner = p };
	cleanup_free struct udp *udp = new_zero(struct udp);

	if (udp_open(udp, p->loop, &config, err) < 0)
		return NULL;
	p->sockets++;
	return take_ptr(udp);
}

static bool send_batch(struct path *path, const struct quic_batch *batch)
{
	bool sent = udp_send_batch(path_udp_of(path)->udp, batch);

	path->blocked = !sent;
	return sent;
}

static int renew(struct path *path, struct err *err)
{
	struct path_udp *p = path_udp_of(path);
	struct udp *udp = open_udp(p, err);

	if (!udp)
		return -1;
	udp_close(p->udp, on_udp_closed);
	p->udp = udp;
	path->blocked = false;
	path->address.local = path_synthetic(PATH_LINK_DIRECT);
	return 0;
}

static bool is_misplaced(const struct path *path)
{
	const struct path_udp *p = (const struct path_udp *)path;
	struct quic_addr now = udp_source(&path->remote), then = p->udp->local;

	addr_set_port(&then, 0);
	return now.len > 0 && !addr_equal(&now, &then);
}

static void close_path(struct path *path)
{
	struct path_udp *p = path_udp_of(path);

	p->closed = true;
	udp_close(p->udp, on_udp_closed);
}

struct path *path_udp_new(uv_loop_t *loop, const struct quic_addr *remote, struct err *err)
{
	static const struct path_ops ops = { send_batch, renew, is_misplaced, close_path };
	struct path_udp *p = new_zero(struct path_udp);

	p->path = (struct path){
		.ops = &ops,
		.kind = PATH_DIRECT,
		.address = { .local = path_synthetic(PATH_LINK_DIRECT), .remote = *remote },
		.remote = *remote,
	};
	p->loop = loop;
	p->udp = open_udp(p, err);
	if (!p->udp) {
		free(p);
		return NULL;
	}
	return &p->path;
}
