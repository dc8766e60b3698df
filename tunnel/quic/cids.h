/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A table from connection ids to whatever they lead to. A connection has several at a time: the one
 * that the client made up for its first packets, and each one that we issued and that was not
 * retired. The hash is keyed (SipHash), since clients choose some of them.
 */

#include <stdbool.h>
#include <stddef.h>

#include "init/base/cleanup.h"
#include "init/base/span.h"

/*
 * Every id that we issue has this length: a short header does not carry it (RFC 9000 section 17.3).
 */
#define QUIC_CID_LEN 16
#define QUIC_CID_MAX 20

struct quic_cids;

struct quic_cids *quic_cids_new(void) attr_must_use;
struct quic_cids *quic_cids_free(struct quic_cids *cids);
DEFINE_CLEANUP(struct quic_cids, quic_cids_free)

/* False when the id is there already, or is longer than QUIC_CID_MAX. */
bool quic_cids_add(struct quic_cids *cids, struct span cid, void *value) attr_must_use;
void *quic_cids_find(const struct quic_cids *cids, struct span cid);
/* An id that is not there is ignored. */
void quic_cids_remove(struct quic_cids *cids, struct span cid);
size_t quic_cids_count(const struct quic_cids *cids);
