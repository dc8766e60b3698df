/* SPDX-License-Identifier: MIT */
/* One client connection to one address; see attempt.h. */
#include "attempt.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/timer.h"
#include "tunnel/net/turn.h"
#include "tunnel/net/udp.h"

/* Batches a turn may send before others get their turn. */
#define TURN_BATCHES_MAX 16

struct attempt {
	struct attempt_config config;
	struct udp *udp;
	struct timer timer;
	struct turn turn;
	struct h3_conn *h3;
	struct quic_path path; /* its local address is synthetic */
	bool dirty, ready, over, told, closing;
	struct err why;
	uint64_t refused_since;
	unsigned int handles;
};

/* fd62:7274:68::n, a unique local address (RFC 4193) that never meets a real network. */
static struct quic_addr synthetic(uint32_t n)
{
	struct quic_addr addr = addr_any(AF_INET6, 1);

	memcpy(addr.v6.sin6_addr.s6_addr, "\xfd\x62\x72\x74\x68", 5);
	memcpy(addr.v6.sin6_addr.s6_addr + 12, &n, sizeof(n));
	return addr;
}

static void on_handle_closed(struct attempt *a)
{
	if (--a->handles == 0)
		free(a);
}

static void on_udp_closed(struct udp *udp, void *owner)
{
	free(udp);
	on_handle_closed(owner);
}

static void on_closed(void *owner)
{
	on_handle_closed(owner);
}

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	struct attempt *a = owner;
	struct span rest = d->bytes;
	uint64_t now = clock_now();

	if (udp != a->udp || a->closing || a->told)
		return;
	a->refused_since = CLOCK_NEVER;
	while (rest.len > 0)
		quic_conn_read(h3_conn_quic(a->h3), &a->path, d->ecn,
			       span_cut(&rest, MIN(rest.len, d->segment)), now);
	a->dirty = true;
}

static void on_turn(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static void on_writable(struct udp *udp, void *owner)
{
	struct attempt *a = owner;

	(void)udp;
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

static void on_refused(struct udp *udp, void *owner)
{
	struct attempt *a = owner;

	if (udp != a->udp)
		return;
	if (!a->ready)
		end(a, &(struct err){ ERR_UNAVAILABLE, ECONNREFUSED, "nobody listens there" });
	if (a->refused_since == CLOCK_NEVER)
		a->refused_since = clock_now();
}

static const struct udp_ops udp_ops = { on_received, on_turn, on_writable, on_refused };

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

static void flush(struct attempt *a)
{
	struct quic_conn *quic = h3_conn_quic(a->h3);
	int batches = 0;

	a->dirty = false;
	while (!udp_is_blocked(a->udp) && batches++ < TURN_BATCHES_MAX) {
		if (!quic_conn_write(quic, udp_batch(a->udp), clock_now()))
			break;
		(void)udp_send(a->udp);
	}
	/* With more to send, an immediate deadline lets the loop look at the other events first. */
	timer_set(&a->timer, batches > TURN_BATCHES_MAX ? 0 : quic_conn_deadline(quic));
}

static void on_turn_end(void *owner)
{
	struct attempt *a = owner;

	if (a->closing || a->told || !a->dirty)
		return;
	flush(a);
	if (a->over) {
		a->told = true;
		a->config.ops->over(a, a->config.owner, &a->why);
	}
}

static struct udp *open_udp(struct attempt *a, struct err *err)
{
	struct udp_config config = { .remote = a->config.remote, .ops = &udp_ops, .owner = a };
	cleanup_free struct udp *udp = new_zero(struct udp);

	if (udp_open(udp, a->config.loop, &config, err) < 0)
		return NULL;
	a->handles++;
	return take_ptr(udp);
}

struct attempt *attempt_new(const struct attempt_config *config, struct err *err)
{
	struct attempt *a = new_zero(struct attempt);
	struct quic_client_config client = { .tls = config->tls,
					     .ticket = config->ticket,
					     .settings = config->settings };
	struct quic_conn *quic;

	a->config = *config;
	a->refused_since = CLOCK_NEVER;
	a->path = (struct quic_path){ .local = synthetic(1), .remote = config->remote };
	client.path = a->path;
	client.now = clock_now();
	a->udp = open_udp(a, err);
	if (!a->udp) {
		free(a);
		return NULL;
	}
	a->handles += 2; /* the timer and the turn; both may be closed without having been opened */
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
	while (!udp_is_blocked(a->udp) &&
	       quic_conn_write(h3_conn_quic(a->h3), udp_batch(a->udp), clock_now()))
		(void)udp_send(a->udp);
}

void attempt_close(struct attempt *a)
{
	if (!a || a->closing)
		return;
	a->closing = true;
	if (a->h3 && !a->over)
		say_goodbye(a);
	a->h3 = h3_conn_free(a->h3);
	udp_close(a->udp, on_udp_closed);
	timer_close(&a->timer, on_closed);
	turn_close(&a->turn, on_closed);
}

struct h3_conn *attempt_h3(struct attempt *a)
{
	return a->h3;
}

const struct quic_addr *attempt_remote(const struct attempt *a)
{
	return &a->config.remote;
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
	struct quic_addr now = udp_source(&a->config.remote), then = a->udp->local;

	addr_set_port(&then, 0);
	return now.len > 0 && !addr_equal(&now, &then);
}

int attempt_migrate(struct attempt *a, struct err *err)
{
	struct quic_path path = a->path;
	struct udp *udp;
	uint32_t n;

	memcpy(&n, path.local.v6.sin6_addr.s6_addr + 12, sizeof(n));
	path.local = synthetic(n + 1);
	udp = open_udp(a, err);
	if (!udp)
		return -1;
	if (quic_conn_migrate(h3_conn_quic(a->h3), &path, clock_now(), err) < 0) {
		udp_close(udp, on_udp_closed);
		return -1;
	}
	udp_close(a->udp, on_udp_closed);
	a->udp = udp;
	a->path = path;
	a->dirty = true;
	return 0;
}

uint64_t attempt_refused_since(const struct attempt *a)
{
	return a->refused_since;
}
