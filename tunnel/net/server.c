/* SPDX-License-Identifier: MIT */
/* Listening in the job; see server.h. */
#include "server.h"

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/h3/once.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/pathset.h"
#include "tunnel/net/timer.h"
#include "tunnel/quic/server.h"

#define GOODBYE_MS 1000
/* An idle client is heard every 25 s. */
#define SILENT_DEFAULT (60 * NSEC_PER_SEC)

struct server_conn {
	struct server_conn *next;
	struct server *server;
	struct h3_conn *h3;
	unsigned int id;
	uint64_t waits_for; /* serial of server_admit(); 0: nothing */
	double since;	    /* seconds since the epoch */
	bool over, leaving, arrived;
};

struct server {
	struct server_config config;
	struct hub_user user;
	struct timer timer;
	uv_timer_t goodbye; /* ends a close that a peer does not answer */
	struct quic_server *quic;
	struct server_conn *conns;
	struct pathset paths;
	struct h3_once once;
	unsigned int ids, handles;
	bool any_over, any_to_admit, closing, closed;
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

/* Where a connection comes from, and by what. */
static enum path_kind format_path(const struct server_conn *conn, char out[PATH_TEXT_MAX])
{
	const struct path *found;
	struct quic_path path;

	quic_conn_path(h3_conn_quic(conn->h3), &path);
	found = pathset_find(&conn->server->paths, &path.remote);
	if (found) {
		path_format(found, out);
		return found->kind;
	}
	addr_format(&path.remote, out);
	return PATH_DIRECT;
}

static void on_ready(struct h3_conn *h3, void *owner)
{
	struct server_conn *conn = owner;
	char text[PATH_TEXT_MAX];

	(void)h3;
	(void)format_path(conn, text);
	conn->since = clock_wall();
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
	hub_wake(&conn->server->user);
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
	hub_wake(&s->user);
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

static bool is_blocked(void *owner, const struct quic_path *path)
{
	const struct server *s = owner;
	const struct path *found = pathset_find(&s->paths, &path->remote);

	return found && found->blocked;
}

static size_t peers(void *owner, const struct quic_path *path,
		    struct quic_tag ret[QUIC_SERVER_RESETS_MAX])
{
	const struct server *s = owner;

	return pathset_peers(&s->paths, &path->remote, ret);
}

static const struct quic_server_ops quic_ops = { on_accept, is_blocked, peers };

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

/* What comes and goes, by the socket and by paths */

static void read_datagrams(struct server *s, const struct quic_path *path,
			   const struct udp_datagrams *d, struct span rest)
{
	uint64_t now = clock_now();

	if (s->closed)
		return;
	while (rest.len > 0)
		quic_server_read(s->quic, path, d->ecn, span_cut(&rest, MIN(rest.len, d->segment)),
				 now);
	hub_wake(&s->user);
}

/* Datagrams with our tag, or else the first one, which nobody wanted: it may deserve an answer. */
static size_t on_received(struct hub_user *user, const struct udp_datagrams *d)
{
	struct server *s = container_of(user, struct server, user);
	size_t len = 0;
	struct quic_tag tag;

	/* STUN is punch.h's (RFC 9443). */
	if (d->bytes.ptr[0] < 4)
		return 0;

	while (len < d->bytes.len &&
	       quic_tag_of(span_of(d->bytes.ptr + len, MIN(d->bytes.len - len, d->segment)),
			   &tag) &&
	       quic_tag_equal(&tag, &s->config.tag))
		len += MIN(d->bytes.len - len, d->segment);
	if (len == 0)
		len = MIN(d->bytes.len, d->segment);
	read_datagrams(s, &d->path, d, span_of(d->bytes.ptr, len));
	return len;
}

static void on_path_received(void *owner, const struct quic_path *address,
			     const struct udp_datagrams *d)
{
	read_datagrams(owner, address, d, d->bytes);
}

static void on_path_unblocked(void *owner)
{
	struct server *s = owner;

	if (s->closed)
		return;
	quic_server_unblock(s->quic);
	hub_wake(&s->user);
}

static const struct pathset_ops path_ops = { on_path_received, on_path_unblocked };

int server_add_path(struct server *s, struct path *path)
{
	return s->closing ? -1 : pathset_add(&s->paths, path);
}

void server_remove_path(struct server *s, struct path *path)
{
	pathset_remove(&s->paths, path);
}

void server_path_peer(struct server *s, const struct path *path, const struct quic_tag *tag,
		      bool is_here)
{
	pathset_note_peer(&s->paths, path, tag, is_here);
}

static void on_deadline(struct timer *timer, void *owner)
{
	struct server *s = owner;

	(void)timer;
	if (s->closed)
		return;
	quic_server_expire(s->quic, clock_now());
	hub_wake(&s->user);
}

static void close_handles(struct server *s);

/* All was written that can be. */
static void end_turn(struct server *s)
{
	if (s->any_over)
		free_conns(s, false);
	s->any_over = false;
	timer_set(&s->timer, quic_server_deadline(s->quic));
	if (s->closing && !s->conns)
		close_handles(s);
}

/* The socket's batches are the hub's to send; those of paths are sent here. */
static bool on_write(struct hub_user *user, struct quic_batch *batch)
{
	struct server *s = container_of(user, struct server, user);

	if (s->any_to_admit)
		server_admit(s, 0);
	for (int sent = 0; sent < HUB_BATCHES_MAX; sent++) {
		struct path *path;

		if (!quic_server_write(s->quic, batch, clock_now())) {
			end_turn(s);
			return false;
		}
		if (!quic_addr_is_synthetic(&batch->path.remote))
			return true;
		path = pathset_find(&s->paths, &batch->path.remote);
		if (path && !path->blocked)
			(void)path_send(path, batch);
		if (hub_is_blocked(s->config.hub))
			break;
	}
	hub_wake(&s->user);
	return false;
}

static const struct hub_user_ops user_ops = { .received = on_received, .write = on_write };

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
	hub_leave(&s->user);
	free_conns(s, true);
	s->quic = quic_server_free(s->quic);
	pathset_finish(&s->paths);
	timer_close(&s->timer, on_closed);
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
	hub_wake(&s->user);
}

void server_drop(struct server *s)
{
	for (struct server_conn *conn = s->conns; conn; conn = conn->next) {
		if (conn->over || quic_conn_is_accepted(h3_conn_quic(conn->h3)))
			continue;
		conn->leaving = true;
		h3_conn_refuse(conn->h3);
	}
	hub_wake(&s->user);
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
	hub_wake(&s->user);
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
	struct quic_server_config quic = {
		.tls = config->tls,
		.reset_key = config->reset_key,
		.tag = &config->tag,
		.settings = config->settings,
		.conns_max = config->connections,
		.ops = &quic_ops,
		.owner = s,
	};

	s->config = *config;
	s->config.connections = config->connections ? config->connections : QUIC_SERVER_CONNS_MAX;
	s->config.silent_ns = config->silent_ns ? config->silent_ns : SILENT_DEFAULT;
	s->handles = 2;
	uv_timer_init(config->loop, &s->goodbye);
	s->goodbye.data = s;
	s->timer.owner = s;
	s->user.ops = &user_ops;
	s->user.is_last = true;
	s->paths.ops = &path_ops;
	s->paths.owner = s;
	s->quic = quic_server_new(&quic, err);
	if (!s->quic || timer_open(&s->timer, config->loop, on_deadline, s, err) < 0) {
		close_handles(s);
		return NULL;
	}
	hub_join(config->hub, &s->user);
	hub_wake(&s->user);
	return s;
}

size_t server_list(const struct server *s, struct server_entry *ret, size_t max)
{
	size_t count = 0;

	for (const struct server_conn *conn = s->conns; conn && count < max; conn = conn->next) {
		const struct quic_conn *quic = h3_conn_quic(conn->h3);

		if (conn->over || !quic_conn_is_ready(quic))
			continue;
		ret[count].id = conn->id;
		ret[count].since = conn->since;
		ret[count].kind = format_path(conn, ret[count].remote);
		quic_conn_stats(quic, &ret[count].stats);
		count++;
	}
	return count;
}
