/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which path a keeper's connection uses (keeper.h): the one it has, renewed, while that is as good
 * as any; a relay's when a direct one is dead; a direct one as soon as one answers.
 *
 * A path counts as dead when packets under way were not answered for three probe timeouts and two
 * seconds, and otherwise 6.5 s after a heartbeat was due, if there is another one to go to; without
 * that it is only renewed, ever less often. While the one in use is not direct, the job's addresses
 * are tried beside it, one at a time: after a second, 30 s, 2, 5 and 10 minutes, and on each change
 * of the network, and before them, as soon as it is found, a way through NATs. The connection moves
 * once the job has answered by one of them.
 */

#include "tunnel/net/keeper.h"

void keeper_paths_open(struct keeper *keeper, uint64_t now);

/* A fresh way of the path in use. */
void keeper_paths_renew(struct keeper *keeper, const char *why);
/*
 * The same after our own network changed, or may have: NATs in between do not know us there, so
 * that a way through them is left.
 */
void keeper_paths_refresh(struct keeper *keeper, const char *why);
/* To another path, or if there is none, as above. */
void keeper_paths_leave(struct keeper *keeper, const char *why);
/* Whether so long a silence means that there is something better than to wait. */
bool keeper_paths_is_dead(const struct keeper *keeper, const struct quic_stats *stats,
			  uint64_t silent);
/* What keeper_punch.h has found is tried at once. */
void keeper_paths_try_found(struct keeper *keeper);
/* The network may have changed: better paths may be there. */
void keeper_paths_hope(struct keeper *keeper, uint64_t now);
/* What is due: a path that went, a trial that ends, one that begins. */
void keeper_paths_tick(struct keeper *keeper, uint64_t now);
