/* SPDX-License-Identifier: MIT */
/* A link on the loop: a name, a hub, a timer and a path around its core; see link.h. */
#include "link.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/link_private.h"

static struct link *link_of_path(struct path *path)
{
	return container_of(path, struct link, path);
}

static struct link *link_of_user(struct hub_user *user)
{
	return container_of(user, struct link, user);
}

/* Something happened: the core may have packets to write, and another deadline. */
void link_touch(struct link *l)
{
	l->dirty = true;
	hub_wake(&l->user);
}

/* What the core tells */

static void on_up(void *owner, enum link_way way)
{
	struct link *l = owner;
	enum path_kind kind = way == LINK_UDP ? PATH_RELAY : PATH_RELAY_TCP;

	if (way == LINK_UDP && l->dialled > 0)
		l->dialled--; /* this one is good */
	l->source = link_source(l);
	l->path.kind = kind;
	l->path.datagram_max = way == LINK_UDP ? 0 : RELAY_DATAGRAM_MAX;
	log_info("relay %s: registered by %s", l->config.site->host,
		 way == LINK_UDP ? "UDP" : "TCP");
	if (!l->closing)
		l->config.ops->up(l, l->config.owner);
	/* What was kept from the way before. */
	if (l->path.blocked && way == LINK_UDP)
		hub_wake(&l->user);
}

static void on_peer(void *owner, const struct quic_tag *tag, bool is_here)
{
	struct link *l = owner;

	log_debug("relay %s: the other end is %s", l->config.site->host,
		  is_here ? "there" : "gone");
	if (!l->closing)
		l->config.ops->peer(l, l->config.owner, tag, is_here);
}

static void on_moved(void *owner)
{
	struct link *l = owner;

	if (!l->closing)
		l->config.ops->moved(l, l->config.owner);
}

static void on_down(void *owner, const struct err *why, bool is_final)
{
	struct link *l = owner;

	log_debug("relay %s: not registered: %s", l->config.site->host, why->text);
	if (!l->closing)
		l->config.ops->down(l, l->config.owner, why, is_final);
}

static void on_wants_write(void *owner)
{
	link_touch(owner);
}

static const struct link_core_ops core_ops = {
	.up = on_up,
	.peer = on_peer,
	.moved = on_moved,
	.down = on_down,
	.wants_write = on_wants_write,
	.remote = link_where,
	.dial_tcp = link_tcp_dial,
	.say_tcp = link_tcp_say,
	.probe_tcp = link_tcp_probe,
	.drop_tcp = link_tcp_drop,
};

/* The hub */

/* By the tag that a packet is for; what has neither of ours may still be a stateless reset. */
enum packet { PACKET_INNER, PACKET_CONTROL, PACKET_UNKNOWN };

static enum packet classify(const struct link *l, struct span packet)
{
	struct quic_tag tag;

	if (!quic_tag_of(packet, &tag))
		return PACKET_UNKNOWN;
	if (quic_tag_equal(&tag, &l->config.tag))
		return PACKET_INNER;
	return quic_tag_equal(&tag, link_core_tag(l->core)) ? PACKET_CONTROL : PACKET_UNKNOWN;
}

/* The datagrams at the start that are all of this kind. */
static struct span leading_run(const struct link *l, const struct udp_datagrams *d,
			       enum packet kind)
{
	struct span rest = d->bytes;

	while (rest.len > 0 && classify(l, rest) == kind)
		span_cut(&rest, MIN(d->segment, rest.len));
	return span_of(d->bytes.ptr, d->bytes.len - rest.len);
}

static void read_control(struct link *l, const struct udp_datagrams *d, struct span packets)
{
	while (packets.len > 0)
		link_core_read(l->core, d->ecn, span_cut(&packets, MIN(d->segment, packets.len)),
			       clock_now());
	link_touch(l);
}

static size_t on_received(struct hub_user *user, const struct udp_datagrams *d)
{
	struct link *l = link_of_user(user);
	struct udp_datagrams run = *d;
	enum packet kind;

	if (l->closing || !quic_addr_equal(&d->path.remote, &l->remote))
		return 0;
	kind = classify(l, d->bytes);
	run.bytes = leading_run(l, d, kind);
	switch (kind) {
	case PACKET_INNER:
		link_core_answered(l->core);
		path_received(&l->path, &run);
		break;
	case PACKET_CONTROL:
		read_control(l, d, run.bytes);
		break;
	case PACKET_UNKNOWN:
		/* Looked at, and left for another link at the same address. */
		read_control(l, d, span_of(d->bytes.ptr, MIN(d->segment, d->bytes.len)));
		return 0;
	}
	return run.bytes.len;
}

/* A batch of the path's user that waited for room, and then what it has more. */
static void send_waiting(struct link *l)
{
	const struct quic_path to = { .remote = l->remote };

	if (!l->waiting)
		return;
	if (hub_send(l->config.hub, &to, l->waiting)) {
		l->waiting = NULL;
		path_writable(&l->path);
	}
	hub_wake(&l->user);
}

static bool on_write(struct hub_user *user, struct quic_batch *batch)
{
	struct link *l = link_of_user(user);

	l->dirty = true;
	if (!link_core_write(l->core, batch, clock_now())) {
		send_waiting(l);
		return false;
	}
	batch->path = (struct quic_path){ .remote = l->remote };
	return true;
}

static void on_hub_turn(struct hub_user *user)
{
	path_turn(&link_of_user(user)->path);
}

static const struct hub_user_ops user_ops = { on_received, on_write, on_hub_turn };

/* The path */

static bool send_batch(struct path *path, const struct quic_batch *batch)
{
	struct link *l = link_of_path(path);
	const struct quic_path to = { .remote = l->remote };
	enum link_way way = link_core_way(l->core);

	/* Lost, like all that is sent into a network that is away. */
	if (way == LINK_NO_WAY)
		return true;
	link_core_sent(l->core, clock_now());
	l->dirty = true;
	if (way == LINK_TCP) {
		path->blocked = !link_tcp_send(l, batch);
		return !path->blocked;
	}
	if (hub_send(l->config.hub, &to, batch))
		return true;
	l->waiting = batch;
	path->blocked = true;
	hub_wake(&l->user);
	return false;
}

static int renew(struct path *path, struct err *err)
{
	struct link *l = link_of_path(path);

	(void)err;
	path->address.local = path_synthetic(PATH_LINK_FIRST + l->config.number);
	return 0;
}

/* It stays the link's, without a user. */
static void let_go(struct path *path)
{
	link_of_path(path)->waiting = NULL;
	path->blocked = false;
}

static void open_path(struct link *l)
{
	static const struct path_ops ops = { .send = send_batch, .renew = renew, .close = let_go };
	unsigned int link = PATH_LINK_FIRST + l->config.number;

	l->path = (struct path){
		.ops = &ops,
		.kind = PATH_RELAY,
		.address = { .local = path_synthetic(link), .remote = path_synthetic(link) },
		.name = l->config.site->host,
	};
}

/* The whole */

static void on_deadline(struct timer *timer, void *owner)
{
	struct link *l = owner;

	(void)timer;
	if (l->closing)
		return;
	link_core_expire(l->core, clock_now());
	link_touch(l);
}

/* What waited for a way that is gone waits no more. */
static void unblock(struct link *l)
{
	if (l->path.blocked && !l->waiting && !link_tcp_is_blocked(l))
		path_writable(&l->path);
}

static void on_turn_end(void *owner)
{
	struct link *l = owner;

	if (!l->dirty || l->closing)
		return;
	l->dirty = false;
	link_tcp_clean(l);
	unblock(l);
	timer_set(&l->timer, link_core_deadline(l->core));
}

static void on_handle_closed(void *owner)
{
	struct link *l = owner;

	if (--l->handles > 0)
		return;
	if (l->closed)
		l->closed(l->owner);
	link_core_free(l->core);
	tls_context_free(l->tls);
	tls_context_free(l->tls_tcp);
	free(l);
}

struct link *link_new(const struct link_config *config, struct err *err)
{
	struct link *l = new_zero(struct link);
	struct link_core_config core = {
		.enrol = &l->enrol,
		.link = PATH_LINK_FIRST + config->number,
		.udp = config->udp && !config->site->ca,
		.tcp = config->tcp,
		.ops = &core_ops,
		.owner = l,
	};
	const struct key_public *relay = &config->site->key;

	l->config = *config;
	l->enrol = (struct enrol){
		.role = config->role == LINK_JOB ? RELAY_JOB : RELAY_CLIENT,
		.key = config->key,
		.id = config->id,
		.tag = config->tag,
		.token = config->site->token,
	};
	l->tls = tls_context_new_to_relay(relay, TLS_ALPN, err);
	l->tls_tcp = l->tls ? link_tcp_tls(config->site, err) : NULL;
	if (!l->tls_tcp || timer_open(&l->timer, config->loop, on_deadline, l, err) < 0) {
		tls_context_free(l->tls);
		tls_context_free(l->tls_tcp);
		free(l);
		return NULL;
	}
	turn_open(&l->turn, config->loop, on_turn_end, l);
	route_open(&l->route, config->loop, link_route_changed, l);
	open_path(l);
	core.tls = l->tls;
	key_tag(relay, core.relay_tag.bytes);
	if (core.udp && !link_parse_literal(l))
		l->resolver = resolver_new(config->loop, &(struct resolve_sources){ 0 });
	l->core = link_core_new(&core, clock_now());
	l->user.ops = &user_ops;
	if (config->hub)
		hub_join(config->hub, &l->user);
	timer_set(&l->timer, 0);
	return l;
}

/* So that the relay forgets us, and a client hears that the job is gone. */
static void say_goodbye(struct link *l)
{
	const struct quic_path to = { .remote = l->remote };
	struct quic_batch *batch = new_zero(struct quic_batch);

	link_core_close(l->core);
	while (l->config.hub && link_core_write(l->core, batch, clock_now()) &&
	       hub_send(l->config.hub, &to, batch))
		;
	free(batch);
}

void link_close(struct link *l, void (*closed)(void *owner), void *owner)
{
	if (!l || l->closing)
		return;
	l->closing = true;
	l->closed = closed;
	l->owner = owner;
	path_use(&l->path, NULL, NULL);
	say_goodbye(l);
	hub_leave(&l->user);
	link_tcp_clean(l);
	carrier_close(take_ptr(l->carrier));
	l->handles = l->resolver ? 4 : 3;
	if (l->query)
		resolve_cancel(l->query);
	if (l->resolver)
		resolver_close(l->resolver, on_handle_closed, l);
	timer_close(&l->timer, on_handle_closed);
	route_close(&l->route, on_handle_closed);
	turn_close(&l->turn, on_handle_closed);
}

struct path *link_path(struct link *l)
{
	return &l->path;
}

bool link_is_up(const struct link *l)
{
	return link_core_way(l->core) != LINK_NO_WAY;
}

bool link_peer_is_here(const struct link *l)
{
	return link_core_peer_is_here(l->core);
}

static bool to_quic_addr(const struct relay_address *from, struct quic_addr *ret)
{
	struct quic_addr addr = addr_any(from->family == 4 ? AF_INET : AF_INET6, from->port);

	if (from->family == 0 || from->port == 0)
		return false;
	if (from->family == 4)
		memcpy(&addr.v4.sin_addr, from->bytes, 4);
	else
		memcpy(&addr.v6.sin6_addr, from->bytes, 16);
	*ret = addr;
	return true;
}

bool link_observed(const struct link *l, struct quic_addr *ret)
{
	return to_quic_addr(link_core_observed(l->core), ret);
}

bool link_second(const struct link *l, struct quic_addr *ret)
{
	return to_quic_addr(link_core_second(l->core), ret);
}

uint64_t link_heard_at(const struct link *l)
{
	return link_core_way(l->core) == LINK_TCP ? clock_now() : link_core_heard_at(l->core);
}

uint64_t link_rtt(const struct link *l)
{
	return link_core_rtt(l->core);
}

const struct err *link_error(const struct link *l, bool tcp)
{
	const struct err *why = link_core_error(l->core, tcp ? LINK_TCP : LINK_UDP);

	return !tcp && l->remote_count == 0 && l->unresolved.kind != ERR_NONE ? &l->unresolved
									      : why;
}

void link_wake(struct link *l, bool has_changed)
{
	if (has_changed && l->resolver && !link_is_up(l))
		link_resolve(l);
	link_core_wake(l->core, has_changed, clock_now());
	link_touch(l);
}
