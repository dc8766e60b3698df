/* SPDX-License-Identifier: MIT */
#pragma once

/* The key exchange of the client in memory, apart because it is written without the engine's. */

#include "tests/unit/ssh_peer.h"
#include "tunnel/ssh/exchange.h"

#define PEER_VERSION "SSH-2.0-peer_1.0 for tests"
#define PEER_HASH_MAX (128 * 1024)

void peer_kex_finish(struct peer *p);
