/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of punch.h share: punch.c has one connection's agent and what the ends tell each
 * other, punches.c the socket, the clock and the addresses of all, punch_request.c the
 * workstation's beginning.
 */

#include "tunnel/net/addr.h"
#include "tunnel/net/punch.h"
#include "tunnel/net/route.h"
#include "tunnel/net/timer.h"
#include "tunnel/wire/capsule.h"

#define PUNCH_STREAM_PATH "/punch"
#define PUNCH_EXPORT_LABEL "ice"

struct punch {
	struct punches *punches;
	struct punch *next;
	struct ice_agent *agent;
	struct h3_stream *stream; /* NULL once closed */
	struct capsule_reader reader;
	struct buf tell;	     /* capsules that wait for room */
	const struct punch_ops *ops; /* NULL: the job's, or given up */
	void *owner;
	bool is_broken;
};

struct punches {
	uv_loop_t *loop;
	struct hub *hub;
	struct hub_user user;
	struct timer timer;
	struct route route;
	uint64_t settled_at; /* when to look at the addresses; QUIC_NEVER: no need */
	struct addr_list hosts;
	struct quic_addr seen[PUNCHES_OBSERVED_MAX];
	size_t seen_count;
	struct punch *first;
	unsigned int handles;
	void (*closed)(void *owner);
	void *owner;
};

/* punch.c: an agent that is among those of the hub, and has its candidates, but no stream yet. */
struct punch *punch_new(struct punches *punches, enum ice_role role, const struct secret *secret,
			struct err *err) attr_must_use;
void punch_free(struct punch *punch);
extern const struct h3_stream_ops punch_stream_ops;
/* After anything happened to the agent. */
void punch_settle(struct punch *punch);

/* punches.c */
void punches_add(struct punches *punches, struct punch *punch);
void punches_remove(struct punches *punches, struct punch *punch);
