/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A server and some clients on simulated links, in virtual time: what net/ is to the real programs.
 * Nothing here waits; a day passes in a few milliseconds.
 *
 *	struct world_config config = { .link = { .delay_ns = 25 * NSEC_PER_MSEC } };
 *	struct world *w = world_new(&config);
 *	struct h3_conn *client = world_connect(w, &h3_ops, owner);
 *
 *	assert_true(world_run(w, is_done, &done, 10 * NSEC_PER_SEC));
 *
 * Addresses are synthetic: fd00::CLIENT:PATH on the client's side, so that a migration is a new
 * PATH, and the link that a datagram of the server takes follows from its destination.
 */

#include "tests/sim/link.h"
#include "tunnel/h3/conn.h"
#include "tunnel/h3/once.h"
#include "tunnel/quic/server.h"

#define WORLD_CLIENTS_MAX 300
#define WORLD_START (1000 * NSEC_PER_SEC)

struct world_config {
	struct link_settings link;	      /* both directions of every client */
	struct quic_settings client, server;  /* all-zero: QUIC_SETTINGS_DEFAULT */
	const struct h3_conn_ops *server_ops; /* NULL: those of peer.h */
	void *server_owner;
	uint64_t seed;
	/* Who pins a key that the other side does not have. */
	bool client_expects_other, server_expects_other;
	bool defers; /* the server's connections wait for h3_conn_admit() */
	/* A relay is in between: it forwards by tags, and the server sees it and no client. */
	bool is_relayed;
};

/* A client's copy of the last ticket that came. */
struct world_ticket {
	size_t count; /* how many came */
	uint8_t session[TLS_TICKET_MAX], params[QUIC_TICKET_PARAMS_MAX];
	struct quic_ticket ticket; /* into these */
};

struct world_client {
	struct h3_conn *h3;
	struct link *up, *down; /* up: to the server */
	struct quic_tag tag;
	struct quic_path path;
	uint16_t path_number;
	bool is_over;
	struct err why;
	uint64_t over_at;
};

struct world {
	struct world_config config;
	uint64_t now;
	struct key_pair client_key, server_key;
	struct key_public other_key;
	struct secret reset_key;
	struct quic_tag server_tag;
	bool is_blocked; /* the way back to the clients takes nothing */
	struct tls_context *client_tls, *server_tls;
	struct h3_once once;
	struct quic_server *server;
	uint8_t nat_shift; /* a NAT in between adds this to the clients' ports */
	struct quic_batch *batch;
	struct world_client clients[WORLD_CLIENTS_MAX];
	size_t client_count;
	/* The server's connections, newest last; NULL once freed. */
	struct h3_conn *accepted[2 * WORLD_CLIENTS_MAX];
	size_t accepted_count;
	size_t requests;       /* that reached the server's peer_server_ops */
	struct err server_why; /* of the last connection that ended there */
	size_t server_closed;
};

struct world *world_new(const struct world_config *config);
struct world *world_free(struct world *world);
DEFINE_CLEANUP(struct world, world_free)

/* A client that starts its handshake at the next run. ops->closed may be NULL. */
struct world_client *world_connect(struct world *world, const struct h3_conn_ops *ops, void *owner);

/* The same with a ticket (struct quic_ticket), which is used up. */
struct world_client *world_resume(struct world *world, const struct h3_conn_ops *ops, void *owner,
				  const struct quic_ticket *ticket);
void world_keep_ticket(struct world_ticket *kept, const struct quic_ticket *ticket);

/* Runs until done(arg) is true, or for that long; NULL: for that long. Returns whether done. */
bool world_run(struct world *world, bool (*done)(const void *arg), const void *arg,
	       uint64_t limit_ns);

/*
 * All connections of the server vanish without a word, and a new one with the same keys takes its
 * place.
 */
void world_restart_server(struct world *world);

/* Moves the client to a fresh local address; 0 or -1 as quic_conn_migrate(). */
int world_migrate(struct world *world, struct world_client *client, struct err *err);

/* Cuts or mends both directions; a cut drops what is under way, too. */
void world_cut(struct world_client *client, bool is_cut);
