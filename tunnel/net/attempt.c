/* SPDX-License-Identifier: MIT */
/* One client connection by one path; see attempt.h. */
#include "attempt.h"

#include "init/base/alloc.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/timer.h"
#include "tunnel/net/turn.h"

/* Batches a turn may send before others get their turn. */
#define TURN_BATCHES_MAX 16
#define BLOCKED_PAUSE NSEC_PER_MSEC

struct attempt {
	struct attempt_config config;
	struct path *path, *trial; /* in use; NULL, or one that may be better */
	struct timer timer;
	struct turn turn;
	struct h3_conn *h3;
	bool dirty, ready, over, told, closing;
	struct err why;
	uint64_t refused_since;
	unsigned int handles;
	struct quic_batch batch;
};

static void on_handle_closed(struct attempt *a)
{
	if (--a->handles == 0)
		free(a);
}

static void on_closed(void *owner)
{
	on_handle_closed(owner);
}

/* The path */

static void on_received(struct path *path, void *user, const struct udp_datagrams *d)
{
	struct attempt *a = user;
	struct span rest = d->bytes;
	uint64_t now = clock_now();

	(void)path;
	if (a->closing || a->told)
		return;
	a->refused_since = CLOCK_NEVER;
	while (rest.len > 0)
		quic_conn_read(h3_conn_quic(a->h3), &d->path, d->ecn,
			       span_cut(&rest, MIN(rest.len, d->segment)), now);
	a->dirty = true;
}

static void flush(struct attempt *a);

/*
 * Now, since what empties a shared socket may be the last in this turn that does anything; what
 * follows from it, at the end of the turn or of the next one.
 */
static void on_writable(struct path *path, void *user)
{
	struct attempt *a = user;

	(void)path;
	if (!a->closing && !a->told)
		flush(a);
	a->dirty = true;
}

static void end(struct attempt *a, const struct err *why)
{
	if (a->over)
		return;
	a->over = true;
	a->why = *why;
	a->dirty = true;
}

static void on_refused(struct path *path, void *user)
{
	struct attempt *a = user;

	if (path == a->trial)
		attempt_end_trial(a);
	if (path != a->path)
		return;
	if (!a->ready)
		end(a, &(struct err){ ERR_UNAVAILABLE, ECONNREFUSED, "nobody listens there" });
	if (a->refused_since == CLOCK_NEVER)
		a->refused_since = clock_now();
}

/* The end of an attempt that is not ready; later the keeper finds another path. */
static void on_path_over(struct path *path, void *user, const struct err *why)
{
	struct attempt *a = user;

	if (path == a->trial)
		attempt_end_trial(a);
	else if (!a->ready)
		end(a, why);
}

static const struct path_user_ops path_ops = {
	.received = on_received,
	.writable = on_writable,
	.refused = on_refused,
	.over = on_path_over,
};

/* The connection */

static void on_ready(struct h3_conn *h3, void *owner)
{
	struct attempt *a = owner;

	(void)h3;
	a->ready = true;
	if (!a->closing)
		a->config.ops->ready(a, a->config.owner);
}

static void on_ticket(struct h3_conn *h3, void *owner, const struct quic_ticket *ticket)
{
	struct attempt *a = owner;

	(void)h3;
	if (!a->closing && a->config.ops->ticket)
		a->config.ops->ticket(a, a->config.owner, ticket);
}

static void on_wants_write(struct h3_conn *h3, void *owner)
{
	struct attempt *a = owner;

	(void)h3;
	a->dirty = true;
}

static void on_h3_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	(void)h3;
	end(owner, why);
}

static const struct h3_conn_ops h3_ops = {
	.ready = on_ready,
	.ticket = on_ticket,
	.wants_write = on_wants_write,
	.closed = on_h3_closed,
};

static void on_deadline(struct timer *timer, void *owner)
{
	struct attempt *a = owner;

	(void)timer;
	if (a->closing || a->told)
		return;
	quic_conn_expire(h3_conn_quic(a->h3), clock_now());
	a->dirty = true;
}

static bool is_blocked(const struct attempt *a)
{
	return a->path->blocked || (a->trial && a->trial->blocked);
}

/* QUIC says by which path; what is for one that is gone is lost. */
static void send_batch(struct attempt *a)
{
	const struct quic_addr *by = &a->batch.path.local;

	if (a->trial && quic_addr_equal(by, &a->trial->address.local))
		(void)path_send(a->trial, &a->batch);
	else if (quic_addr_equal(by, &a->path->address.local))
		(void)path_send(a->path, &a->batch);
}

/* The trial has succeeded when QUIC uses it. */
static void look_at_trial(struct attempt *a)
{
	struct quic_path used;

	if (!a->trial)
		return;
	quic_conn_path(h3_conn_quic(a->h3), &used);
	if (!quic_addr_equal(&used.local, &a->trial->address.local))
		return;
	path_close(a->path);
	a->path = a->trial;
	a->trial = NULL;
	if (a->config.ops->moved && !a->closing)
		a->config.ops->moved(a, a->config.owner);
}

static void flush(struct attempt *a)
{
	struct quic_conn *quic = h3_conn_quic(a->h3);
	uint64_t deadline;
	int batches = 0;

	a->dirty = false;
	while (!is_blocked(a) && batches++ < TURN_BATCHES_MAX) {
		if (!quic_conn_write(quic, &a->batch, clock_now()))
			break;
		send_batch(a);
	}
	deadline = quic_conn_deadline(quic);
	/* Nothing can be done about it before the path has room. */
	if (is_blocked(a))
		deadline = MAX(deadline, clock_now() + BLOCKED_PAUSE);
	/* With more to send, an immediate deadline lets the loop look at the other events first. */
	timer_set(&a->timer, batches > TURN_BATCHES_MAX ? 0 : deadline);
}

static void on_turn_end(void *owner)
{
	struct attempt *a = owner;

	if (a->closing || a->told || !a->dirty)
		return;
	flush(a);
	look_at_trial(a);
	if (a->over) {
		a->told = true;
		a->config.ops->over(a, a->config.owner, &a->why);
	}
}

static const struct quic_tag *tag_or_none(const struct quic_tag *tag)
{
	static const struct quic_tag none;

	return quic_tag_equal(tag, &none) ? NULL : tag;
}

struct attempt *attempt_new(const struct attempt_config *config, struct err *err)
{
	struct attempt *a = new_zero(struct attempt);
	struct quic_client_config client = { .tls = config->tls,
					     .ticket = config->ticket,
					     .settings = config->settings,
					     .path = config->path->address,
					     .tag = tag_or_none(&config->tag),
					     .peer_tag = tag_or_none(&config->peer_tag),
					     .now = clock_now() };
	struct quic_conn *quic;

	a->config = *config;
	a->refused_since = CLOCK_NEVER;
	a->path = config->path;
	path_use(a->path, &path_ops, a);
	a->handles = 2; /* the timer and the turn; both may be closed without having been opened */
	quic = quic_conn_connect(&client, err);
	if (quic)
		a->h3 = h3_conn_new(quic, &h3_ops, a);
	if (!a->h3 || timer_open(&a->timer, config->loop, on_deadline, a, err) < 0) {
		a->turn.owner = a;
		a->timer.owner = a;
		attempt_close(a);
		return NULL;
	}
	turn_open(&a->turn, config->loop, on_turn_end, a);
	a->dirty = true;
	return a;
}

/* The goodbye is one packet; should it be lost, the peer notices by its idle timeout. */
static void say_goodbye(struct attempt *a)
{
	h3_conn_close(a->h3);
	while (!a->path->blocked && quic_conn_write(h3_conn_quic(a->h3), &a->batch, clock_now()))
		(void)path_send(a->path, &a->batch);
}

void attempt_close(struct attempt *a)
{
	if (!a || a->closing)
		return;
	a->closing = true;
	if (a->h3 && !a->over)
		say_goodbye(a);
	a->h3 = h3_conn_free(a->h3);
	attempt_end_trial(a);
	path_close(a->path);
	timer_close(&a->timer, on_closed);
	turn_close(&a->turn, on_closed);
}

void attempt_set_ops(struct attempt *a, const struct attempt_ops *ops, void *owner)
{
	a->config.ops = ops;
	a->config.owner = owner;
}

struct h3_conn *attempt_h3(struct attempt *a)
{
	return a->h3;
}

const struct path *attempt_path(const struct attempt *a)
{
	return a->path;
}

bool attempt_is_ready(const struct attempt *a)
{
	return a->ready && !a->over;
}

bool attempt_is_heard(const struct attempt *a)
{
	struct quic_stats stats;

	quic_conn_stats(h3_conn_quic(a->h3), &stats);
	return stats.received_at != 0;
}

bool attempt_is_misplaced(const struct attempt *a)
{
	return path_is_misplaced(a->path);
}

static int migrate(struct attempt *a, const struct quic_path *to, struct err *err)
{
	if (a->over)
		return err_set(err, ERR_UNAVAILABLE, "the connection is closed");
	a->dirty = true;
	return quic_conn_migrate(h3_conn_quic(a->h3), to, clock_now(), err);
}

int attempt_migrate(struct attempt *a, struct err *err)
{
	struct quic_path former = a->path->address;

	if (path_renew(a->path, err) < 0)
		return -1;
	a->dirty = true;
	if (migrate(a, &a->path->address, err) == 0) {
		attempt_end_trial(a);
		return 0;
	}
	/* The peer sees the new socket; for QUIC nothing has changed. */
	a->path->address = former;
	return -1;
}

int attempt_move(struct attempt *a, struct path *path, struct err *err)
{
	if (migrate(a, &path->address, err) < 0)
		return -1;
	attempt_end_trial(a);
	path_close(a->path);
	a->path = path;
	path_use(path, &path_ops, a);
	return 0;
}

int attempt_try(struct attempt *a, struct path *path, struct err *err)
{
	if (a->over)
		return err_set(err, ERR_UNAVAILABLE, "the connection is closed");
	if (quic_conn_try(h3_conn_quic(a->h3), &path->address, clock_now(), err) < 0)
		return -1;
	attempt_end_trial(a);
	a->trial = path;
	path_use(path, &path_ops, a);
	a->dirty = true;
	return 0;
}

bool attempt_is_trying(const struct attempt *a)
{
	return a->trial != NULL;
}

void attempt_end_trial(struct attempt *a)
{
	path_close(a->trial);
	a->trial = NULL;
}

uint64_t attempt_refused_since(const struct attempt *a)
{
	return a->refused_since;
}
