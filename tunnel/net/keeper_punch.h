/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The way through NATs of a keeper's connection (punch.h): asked for as soon as the connection goes
 * through a relay, tried when the checks have found it, and left when it is dead or our own network
 * changes, since then the NATs in between know nothing of it. What the checks find is believed once
 * QUIC has validated it: its packets are larger than theirs.
 */

#include "tunnel/net/keeper.h"

/* The path in use may have changed: asks if it is a relay's. */
void keeper_punch_look(struct keeper *keeper);
/* A path to what was found, to be tried; NULL: nothing was. */
struct path *keeper_punch_path(struct keeper *keeper);
/* The path in use is dead; if it is a punched one, that is known here. */
void keeper_punch_leave(struct keeper *keeper);
/* No more of it; before the connection is closed. */
void keeper_punch_stop(struct keeper *keeper);
