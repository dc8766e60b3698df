/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What doctor finds out about one way to a job: a connection of its own (net/client.h) to which all
 * other kinds of paths are forbidden, up to the proof of the job's key.
 */

#include "tunnel/cmd/diagnose.h"
#include "tunnel/net/client.h"

struct way_probe {
	struct way_facts facts;
	struct client *client;
	struct h3_conn *conn; /* while it is up */
	uint64_t began, up_at;
	bool is_over;
};

/*
 * config as for a client of all ways; paths and what belongs to other kinds is set here. missing:
 * why the way cannot be tried, or NULL.
 */
void way_probe_open(struct way_probe *probe, enum path_kind kind,
		    const struct client_config *config, const char *missing);
/* Notes what the connection knows by now. */
bool way_probe_is_done(struct way_probe *probe);
/* Fills in probe->facts; the connection says goodbye. */
void way_probe_close(struct way_probe *probe);
