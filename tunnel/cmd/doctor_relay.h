/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What doctor finds out about one relay: its name, UDP and TCP by themselves, each by a link as
 * jobs and workstations use it (net/link.h), and the NAT in between by the relay's second address.
 * All begin at once; is_done() says that nothing more is worth waiting for.
 */

#include <uv.h>

#include "tunnel/cmd/diagnose.h"
#include "tunnel/crypto/key.h"

struct hub;
struct resolver;
struct relay_probe;

struct relay_probe_config {
	uv_loop_t *loop;
	struct hub *hub;
	struct resolver *resolver;
	const struct relay_site *site;
	unsigned int number;	      /* of the relay, from 0 */
	const struct key_public *job; /* whom we ask for there; NULL: nobody. All are borrowed */
	bool udp, tcp;		      /* what is allowed */
};

struct relay_probe *relay_probe_new(const struct relay_probe_config *config, struct err *err)
	attr_must_use;
/* now: CLOCK_MONOTONIC, since the probe began. */
bool relay_probe_is_done(const struct relay_probe *probe);
/* Asks the relay's second address again while there is no answer; call it every now and then. */
void relay_probe_look(struct relay_probe *probe);
void relay_probe_tell(const struct relay_probe *probe, struct findings *findings);
/* Says goodbye; the memory is needed until the loop has run for the last time. */
void relay_probe_close(struct relay_probe *probe);
/* NULL is fine. */
struct relay_probe *relay_probe_free(struct relay_probe *probe);
