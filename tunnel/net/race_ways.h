/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The ways of a race (race.h) beside the addresses of the endpoint file: through a relay, as soon
 * as the job is at one, and through the login node. Addresses get a head start. A way is one
 * attempt at a time; race_ways_look() starts what may start now.
 */

#include "tunnel/net/race.h"

/* Timers; before anything else. */
void race_ways_open(struct race *race);
/* Something has changed: a relay, an address that failed, the time. */
void race_ways_look(struct race *race);
/* Whether something may still come of them. */
bool race_ways_are_trying(const struct race *race);
/* One that is ready; NULL: none. */
struct attempt *race_ways_ready(const struct race *race);
/* Whether it was one of these; its reason is kept, and it is closed. */
bool race_ways_over(struct race *race, struct attempt *attempt, const struct err *why);
/* All but the winner, who is let go. */
void race_ways_close(struct race *race, const struct attempt *winner);
/* Adds to why nobody won what these ways said. */
void race_ways_tell(const struct race *race, struct err *why);

/* race.c: an attempt by this path, which is taken; ticket is NULL, or for early requests. */
struct attempt *race_attempt(struct race *race, struct path *path, const struct quic_ticket *ticket,
			     uint64_t rtt_us, struct err *err);
/* The race fails if nobody is left in it. */
void race_check(struct race *race);
