/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One link to a relay in virtual time, and what it told. The relay is scripted: a QUIC server that
 * answers HELLO, and a byte stream that is no more than a delay.
 *
 *	struct party *p = party_new(RELAY_JOB, true, false);
 *
 *	assert_true(party_run(p, 1, NSEC_PER_SEC));     until it is registered
 *	party_free(p);
 */

#include "tests/sim/link.h"
#include "tunnel/h3/conn.h"
#include "tunnel/net/link_core.h"
#include "tunnel/quic/server.h"
#include "tunnel/wire/capsule.h"

#define PARTY_RTT (40 * NSEC_PER_MSEC)
#define PARTY_TCP_RTTS 3 /* connect, TLS, Upgrade */

/* A control connection as the relay sees it. */
struct relay_conn {
	struct party *party;
	struct h3_conn *h3;
	struct h3_stream *stream;
	struct capsule_reader reader;
};

/* Both ends, and what the link told. */
struct party {
	uint64_t now;
	struct link *up, *down;
	struct link_settings settings;
	struct quic_batch batch;
	/* The relay. */
	struct key_pair relay_key;
	struct secret reset_key;
	struct tls_context *relay_tls, *tls;
	struct quic_tag relay_tag;
	struct quic_server *server;
	struct relay_conn conns[64];
	size_t conn_count;
	unsigned int hellos; /* over UDP, that were valid */
	enum relay_code refuses;
	uint32_t refuses_for_ms;
	struct quic_path hello_path;
	/* The byte stream. */
	bool tcp_works;
	uint64_t tcp_ready_at, tcp_welcome_at;
	unsigned int tcp_hellos, tcp_dials, tcp_probes;
	/* The link. */
	struct key_pair job_key;
	struct enrol enrol;
	struct link_core *core;
	uint16_t port; /* that a NAT shows of us */
	unsigned int ups, downs, moves;
	bool is_final, is_here;
	struct err why;
	uint64_t up_at, down_at;
	enum link_way way;
};

/* Which ways the link may use; tcp: also whether the byte stream works. */
struct party *party_new(enum relay_role role, bool udp, bool tcp);
void party_free(struct party *party);

/* Until the link was up so many times (0: never), at most for that long. Returns whether it was. */
bool party_run(struct party *party, unsigned int ups, uint64_t limit);

/* The relay vanishes without a word, and comes back with the same keys. */
void party_stop_relay(struct party *party);
void party_start_relay(struct party *party);
/* Nothing gets through over UDP. */
void party_cut(struct party *party, bool is_cut);
/* Where the relay sees the link: party->port is the NAT's. */
struct quic_addr party_addr(const struct party *party);
