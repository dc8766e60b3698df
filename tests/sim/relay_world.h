/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A relay and its endpoints in virtual time: the real front and core (tunnel/relay), endpoints with
 * a real control connection each, and real QUIC connections between them through it.
 *
 *	struct relay_world *w = relay_world_new(links);
 *	struct relay_end *job = relay_world_end(w, RELAY_JOB, NULL), ...;
 *
 *	relay_end_dial(job);
 *	assert_true(relay_world_run(w, relay_end_is_welcome, job, NSEC_PER_SEC));
 */

#include "tests/sim/link.h"
#include "tunnel/h3/conn.h"
#include "tunnel/quic/server.h"
#include "tunnel/quic/tag.h"
#include "tunnel/relay/front.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/relay.h"

#define RELAY_ENDS_MAX 64
#define RELAY_STRANGERS_MAX 50 /* connections without a registration */
#define RELAY_TOKEN "the-token-of-alice"
#define RELAY_TOKEN_BOB "the-token-of-bob"

struct relay_world;

struct relay_end {
	struct relay_world *world;
	enum relay_role role;
	struct relay_end *job; /* a client's: whom it asks for */
	struct key_pair key;
	struct quic_addr address, relay; /* ours as the relay sees it, and the relay's */
	struct link *up, *down;		 /* up: to the relay */
	struct quic_tag tag, control_tag;
	const char *token;

	/* The control connection. */
	struct h3_conn *control;
	struct h3_stream *stream;
	struct capsule_reader reader;
	struct quic_path path;
	bool is_welcome, is_refused, is_drained, is_over, was_reset;
	uint64_t code;
	size_t here, gone; /* PEERs that came */
	struct relay_address observed;
	/* What it says instead of the truth. */
	bool is_deaf; /* gives no credit for what it was told */
	bool lies_key, lies_id, lies_binding, lies_tag;
	uint8_t last_hello[RELAY_VALUE_MAX];
	size_t last_hello_len;
	const struct relay_end *replays; /* its HELLO is said, not our own */

	/* The inner connections: of a job a server, of a client one connection. */
	struct tls_context *tls;
	struct secret reset_key;
	struct quic_server *server;
	struct h3_conn *inner, *accepted[RELAY_ENDS_MAX];
	size_t accepted_count;
	struct h3_stream *echo;
	struct quic_path inner_path;
	uint64_t to_send, sent, received;
	bool is_wrong, inner_over;
	struct err inner_why;
};

struct relay_world {
	uint64_t now;
	struct link_settings links;
	struct relay_keys keys;
	struct tls_context *tls; /* of those who dial the relay */
	struct core *core;
	struct front *front;
	struct quic_batch *batch;
	struct relay_end ends[RELAY_ENDS_MAX];
	size_t end_count;
	uint64_t strangers; /* datagrams to addresses where nobody is */
	uint64_t in_bytes[RELAY_ENDS_MAX], out_bytes[RELAY_ENDS_MAX]; /* to and from the relay */
	const char *tokens;
};

struct relay_world *relay_world_new(const struct link_settings *links);
struct relay_world *relay_world_free(struct relay_world *world);
DEFINE_CLEANUP(struct relay_world, relay_world_free)

/* The relay is killed and started again, with the same key file. */
void relay_world_restart(struct relay_world *world);

/* A job, or a client of a job. Nothing is sent yet. */
struct relay_end *relay_world_end(struct relay_world *world, enum relay_role role,
				  struct relay_end *job);
/* Another socket, and so another address; the old one is gone. */
void relay_end_rebind(struct relay_end *end);
/* A control connection with a HELLO; an old one is forgotten without a word. */
void relay_end_dial(struct relay_end *end);
/* A client: connects to its job through the relay and has so many bytes echoed. */
void relay_end_connect(struct relay_end *end, uint64_t to_send);
/* to_send was raised: goes on sending. */
void relay_end_go_on(struct relay_end *end);
/* Any bytes, from the end's address. */
void relay_end_send(struct relay_end *end, struct span bytes);

/* relay_end.c: a job's server, which lets this key in; the addresses that stand for the relay. */
void relay_end_start_job(struct relay_end *end, const struct key_public *client);
struct quic_path relay_inner_path(uint16_t number);

bool relay_world_run(struct relay_world *world, bool (*done)(const void *arg), const void *arg,
		     uint64_t limit_ns);
/* An end that the relay has welcomed; within five seconds, or the test ends. */
struct relay_end *relay_world_welcome(struct relay_world *world, enum relay_role role,
				      struct relay_end *job);
/* A job and a client that has had 100 kB echoed through the relay. */
void relay_world_join(struct relay_world *world, struct relay_end **ret_job,
		      struct relay_end **ret_client);
/* For relay_world_run(). */
bool relay_end_is_welcome(const void *end);
bool relay_end_is_refused(const void *end);
bool relay_end_has_all(const void *end);
bool relay_end_is_over(const void *end);
