/* SPDX-License-Identifier: MIT */
/* What doctor finds out about one way to a job; see doctor_way.h. */
#include "doctor_way.h"

#include "tunnel/net/clock.h"

/* How long a connection is watched finding out what packets get through. */
#define MTU_FOR_NS (500 * NSEC_PER_MSEC)
#define DATAGRAM_GOOD 1400

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct way_probe *p = owner;

	p->conn = conn;
	p->facts.is_up = true;
	p->up_at = clock_now();
	p->facts.took_ns = p->up_at - p->began;
}

static void on_closed(void *owner, const struct err *why)
{
	struct way_probe *p = owner;

	p->conn = NULL;
	p->is_over = true;
	if (p->facts.is_up)
		return;
	p->facts.why = *why;
	p->facts.took_ns = clock_now() - p->began;
}

static const struct client_ops ops = { .connected = on_connected, .closed = on_closed };

void way_probe_open(struct way_probe *p, enum path_kind kind, const struct client_config *config,
		    const char *missing)
{
	struct client_config own = *config;
	bool is_relayed = kind == PATH_RELAY || kind == PATH_RELAY_TCP;

	*p = (struct way_probe){ .facts = { .kind = kind, .missing = missing } };
	p->is_over = missing != NULL;
	p->began = clock_now();
	if (missing)
		return;
	own.paths = PATH_MASK(kind);
	own.ops = &ops;
	own.owner = p;
	if (!is_relayed)
		own.relays = NULL;
	if (kind != PATH_LOGIN)
		own.login = NULL;
	p->client = client_new(&own);
}

static void look(struct way_probe *p)
{
	struct quic_stats stats;

	if (!p->conn)
		return;
	quic_conn_stats(h3_conn_quic(p->conn), &stats);
	p->facts.rtt_ns = stats.rtt_min_ns ? stats.rtt_min_ns : stats.rtt_ns;
	p->facts.datagram = stats.datagram;
}

bool way_probe_is_done(struct way_probe *p)
{
	look(p);
	return p->is_over || (p->facts.is_up && (p->facts.datagram >= DATAGRAM_GOOD ||
						 clock_now() - p->up_at >= MTU_FOR_NS));
}

void way_probe_close(struct way_probe *p)
{
	look(p);
	p->conn = NULL;
	p->facts.limit_ns = clock_now() - p->began;
	client_close(p->client);
	p->client = NULL;
}
