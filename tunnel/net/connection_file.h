/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a client's connection is doing, for `berth get connections`: connections/PID.json in
 * $XDG_RUNTIME_DIR/berth, or in $XDG_STATE_HOME/berth (~/.local/state/berth) where there is no such
 * directory. Written 0600 a second after the connection is there, every five seconds while it is in
 * use and every minute while it is not, and removed at the end. What a killed client leaves is told
 * from the living by pid and start time (proc(5), field 22).
 *
 *	{"version": 1, "pid": 123, "pid_started": 4567, "job": "job-7", "rank": 0,
 *	 "path": "relay", "remote": "relay.example.org", "rtt_us": 20000, "packets_sent": 10,
 *	 "packets_lost": 0, "bytes_sent": 1000, "bytes_received": 2000, "heard": SECONDS,
 *	 "since": SECONDS, "written": SECONDS}
 *
 * It is a convenience: who cannot write it does without, and the log says why.
 */

#include <uv.h>

#include "init/base/buf.h"
#include "tunnel/net/attempt.h"

struct connection_state {
	const char *job;
	unsigned int rank;
	enum path_kind kind;
	const char *remote;
	struct quic_stats stats;
	double heard, since, written; /* seconds since the epoch */
	uint64_t pid, pid_started;
};

bool connection_state_format(const struct connection_state *state, struct buf *b) attr_must_use;

struct connection_file_config {
	uv_loop_t *loop;
	const char *job; /* borrowed, as is the attempt */
	unsigned int rank;
	struct attempt *attempt;
};

struct connection_file {
	struct connection_file_config config;
	uv_timer_t timer;
	char *path; /* NULL: nowhere */
	bool open, is_written;
	double since, written;
	uint64_t bytes, pid_started;
	struct quic_addr address; /* of the path that was told */
	void (*closed)(void *owner);
	void *owner;
};

void connection_file_open(struct connection_file *file,
			  const struct connection_file_config *config);
/* closed is called once the memory is the owner's again; at once when it was never opened. */
void connection_file_close(struct connection_file *file, void (*closed)(void *owner), void *owner);
