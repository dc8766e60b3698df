/* SPDX-License-Identifier: MIT */
/* Listening in the job; see server.h. */
#include "server.h"

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/h3/once.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/timer.h"
#include "tunnel/net/turn.h"
#include "tunnel/net/udp.h"
#include "tunnel/quic/server.h"

/* Batches a turn may send before the loop looks at other events. */
#define TURN_BATCHES_MAX 16
#define GOODBYE_MS 1000
/* An idle client is heard every 25 s. */
#define SILENT_DEFAULT (60 * NSEC_PER_SEC)

struct server_conn {
	struct server_conn *next;
	struct server *server;
	struct h3_conn *h3;
	unsigned int id;
	uint64_t waits_for; /* serial of server_admit(); 0: nothing */
	bool over, leaving, arrived;
};

struct server {
	struct server_config config;
	struct udp udp;
	struct timer timer;
	struct turn turn;
	uv_timer_t goodbye; /* ends a close that a peer does not answer */
	struct quic_server *quic;
	struct server_conn *conns;
	struct h3_once once;
	unsigned int ids, handles;
	bool dirty, any_over, any_to_admit, closing, closed;
	void (*on_closed)(void *owner);
};

/*
 * Some places are left for those that come while silent ones go. Only who has proven the key counts
 * here, and only for such a one somebody goes: else anybody could end the session of a laptop that
 * sleeps.
 */
static void make_room(struct server *s, const struct server_conn *newest)
{
	size_t most_ready = s->config.connections - MAX(s->config.connections / 8, (size_t)1);
	uint64_t now = clock_now(), longest = s->config.silent_ns;
	struct server_conn *most = NULL;
	size_t ready = 0;

	for (struct server_conn *conn = s->conns; conn; conn = conn->next) {
		struct quic_stats stats;

		if (conn->over || conn->leaving || !quic_conn_is_ready(h3_conn_quic(conn->h3)))
			continue;
		ready++;
		quic_conn_stats(h3_conn_quic(conn->h3), &stats);
		if (conn == newest || now - stats.received_at < longest)
			continue;
		longest = now - stats.received_at;
		most = conn;
	}
	if (!most || ready <= most_ready)
		return;
	log_info("conn %u: silent for %llu s, and there are many", most->id,
		 (unsigned long long)(longest / NSEC_PER_SEC));
	most->leaving = true;
	h3_conn_close(most->h3);
}

/*
 * Once a connection, as soon as its key is known: with early requests that is before the end of the
 * handshake.
 */
static void arrive(struct server_conn *conn)
{
	struct server *s = conn->server;

	if (conn->arrived)
		return;
	conn->arrived = true;
	conn->waits_for = s->config.ops->arrived(s->config.owner);
	if (conn->waits_for == 0)
		s->any_to_admit = true;
}

static void on_waits(struct h3_conn *h3, void *owner)
{
	(void)h3;
	arrive(owner);
}

static void on_ready(struct h3_conn *h3, void *owner)
{
	struct server_conn *conn = owner;
	char text[ADDR_TEXT_MAX];
	struct quic_path path;

	quic_conn_path(h3_conn_quic(h3), &path);
	addr_format(&path.remote, text);
	log_info("conn %u: open from %s", conn->id, text);
	make_room(conn->server, conn);
	if (conn->server->config.ops->arrived)
		arrive(conn);
}

static void on_request(struct h3_conn *h3, void *owner, struct h3_stream *stream,
		       const struct h3_request *request)
{
	const struct server_conn *conn = owner;
	struct server *s = conn->server;

	(void)h3;
	if (s->closing)
		h3_stream_reject(stream,
				 &(struct err){ ERR_UNAVAILABLE, 0, "the tunnel is ending" });
	else
		s->config.ops->request(s->config.owner, stream, request);
}

static void on_wants_write(struct h3_conn *h3, void *owner)
{
	const struct server_conn *conn = owner;

	(void)h3;
	conn->server->dirty = true;
}

static void on_conn_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	struct server_conn *conn = owner;
	struct server *s = conn->server;

	(void)h3;
	log_info("conn %u: closed: %s", conn->id, why->kind == ERR_NONE ? "done" : why->text);
	if (!conn->arrived && why->kind == ERR_DENIED && s->config.ops->stranger)
		s->config.ops->stranger(s->config.owner);
	conn->over = true;
	s->any_over = true;
	s->dirty = true;
}

static const struct h3_conn_ops h3_ops = {
	.ready = on_ready,
	.request = on_request,
	.waits = on_waits,
	.wants_write = on_wants_write,
	.closed = on_conn_closed,
};

static void on_accept(void *owner, struct quic_conn *quic)
{
	struct server *s = owner;
	struct server_conn *conn = new_zero(struct server_conn);

	conn->server = s;
	conn->id = ++s->ids;
	conn->h3 = h3_conn_new(quic, &h3_ops, conn);
	h3_conn_set_once(conn->h3, &s->once);
	if (s->config.ops->arrived)
		h3_conn_defer(conn->h3);
	conn->next = s->conns;
	s->conns = conn;
}

static const struct quic_server_ops quic_ops = { .accept = on_accept };

static void free_conns(struct server *s, bool all)
{
	struct server_conn **link = &s->conns;

	while (*link) {
		struct server_conn *conn = *link;

		if (!conn->over && !all) {
			link = &conn->next;
			continue;
		}
		*link = conn->next;
		h3_conn_free(conn->h3);
		free(conn);
	}
}

/* The socket */

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	struct server *s = owner;
	struct span rest = d->bytes;
	uint64_t now = clock_now();

	(void)udp;
	if (s->closed)
		return;
	while (rest.len > 0)
		quic_server_read(s->quic, &d->path, d->ecn,
				 span_cut(&rest, MIN(rest.len, d->segment)), now);
	s->dirty = true;
}

static void on_turn(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static void on_writable(struct udp *udp, void *owner)
{
	struct server *s = owner;

	(void)udp;
	s->dirty = true;
}

static void on_refused(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static const struct udp_ops udp_ops = { on_received, on_turn, on_writable, on_refused };

static void on_deadline(struct timer *timer, void *owner)
{
	struct server *s = owner;

	(void)timer;
	if (s->closed)
		return;
	quic_server_expire(s->quic, clock_now());
	s->dirty = true;
}

static void flush(struct server *s)
{
	int batches = 0;

	s->dirty = false;
	while (!udp_is_blocked(&s->udp) && batches++ < TURN_BATCHES_MAX) {
		if (!quic_server_write(s->quic, udp_batch(&s->udp), clock_now()))
			break;
		(void)udp_send(&s->udp);
	}
	timer_set(&s->timer, batches > TURN_BATCHES_MAX ? 0 : quic_server_deadline(s->quic));
}

/* Closing */

static void on_handle_closed(struct server *s)
{
	if (--s->handles > 0)
		return;
	h3_once_finish(&s->once);
	if (s->on_closed)
		s->on_closed(s->config.owner);
	free(s);
}

static void on_udp_closed(struct udp *udp, void *owner)
{
	(void)udp;
	on_handle_closed(owner);
}

static void on_closed(void *owner)
{
	on_handle_closed(owner);
}

static void on_goodbye_closed(uv_handle_t *handle)
{
	on_handle_closed(handle->data);
}

static void close_handles(struct server *s)
{
	if (s->closed)
		return;
	s->closed = true;
	free_conns(s, true);
	s->quic = quic_server_free(s->quic);
	udp_close(&s->udp, on_udp_closed);
	timer_close(&s->timer, on_closed);
	turn_close(&s->turn, on_closed);
	uv_close((uv_handle_t *)&s->goodbye, on_goodbye_closed);
}

size_t server_count(const struct server *s)
{
	return s->quic ? quic_server_count(s->quic) : 0;
}

void server_admit(struct server *s, uint64_t serial)
{
	s->any_to_admit = false;
	for (struct server_conn *conn = s->conns; conn; conn = conn->next) {
		if (!conn->arrived || conn->leaving || conn->over || conn->waits_for > serial)
			continue;
		conn->waits_for = UINT64_MAX; /* once */
		h3_conn_admit(conn->h3);
	}
	s->dirty = true;
}

static void on_turn_end(void *owner)
{
	struct server *s = owner;

	if (s->closed || !s->dirty)
		return;
	if (s->any_to_admit)
		server_admit(s, 0);
	flush(s);
	if (s->any_over)
		free_conns(s, false);
	s->any_over = false;
	if (s->closing && !s->conns && !udp_is_blocked(&s->udp))
		close_handles(s);
}

void server_drop(struct server *s)
{
	for (struct server_conn *conn = s->conns; conn; conn = conn->next) {
		if (conn->over || quic_conn_is_accepted(h3_conn_quic(conn->h3)))
			continue;
		conn->leaving = true;
		h3_conn_refuse(conn->h3);
	}
	s->dirty = true;
}

static void on_goodbye(uv_timer_t *timer)
{
	close_handles(timer->data);
}

void server_close(struct server *s, const char *reason, void (*closed)(void *owner))
{
	s->on_closed = closed;
	if (s->closing)
		return;
	s->closing = true;
	s->dirty = true;
	for (struct server_conn *conn = s->conns; conn; conn = conn->next) {
		if (reason)
			h3_conn_close_because(conn->h3, reason);
		else
			h3_conn_close(conn->h3);
	}
	uv_timer_start(&s->goodbye, on_goodbye, GOODBYE_MS, 0);
}

struct server *server_new(const struct server_config *config, struct err *err)
{
	struct server *s = new_zero(struct server);
	struct udp_config udp = { .listen = config->listen, .ops = &udp_ops, .owner = s };
	struct quic_server_config quic = {
		.tls = config->tls,
		.reset_key = config->reset_key,
		.settings = config->settings,
		.conns_max = config->connections,
		.ops = &quic_ops,
		.owner = s,
	};

	s->config = *config;
	s->config.connections = config->connections ? config->connections : QUIC_SERVER_CONNS_MAX;
	s->config.silent_ns = config->silent_ns ? config->silent_ns : SILENT_DEFAULT;
	s->handles = 4;
	uv_timer_init(config->loop, &s->goodbye);
	s->goodbye.data = s;
	s->udp.owner = s;
	s->timer.owner = s;
	s->turn.owner = s;
	s->quic = quic_server_new(&quic, err);
	if (!s->quic || udp_open(&s->udp, config->loop, &udp, err) < 0 ||
	    timer_open(&s->timer, config->loop, on_deadline, s, err) < 0) {
		close_handles(s);
		return NULL;
	}
	turn_open(&s->turn, config->loop, on_turn_end, s);
	s->dirty = true;
	return s;
}

const struct quic_addr *server_local(const struct server *s)
{
	return &s->udp.local;
}
