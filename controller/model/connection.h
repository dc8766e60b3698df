/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A connection of this workstation into a job, as berth-tunnel tells of it in connections/PID.json
 * (berth-tunnel-files(5)). Plain data; strings are never NULL in one that was parsed.
 */

#include <stdint.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/span.h"

#define CONNECTION_FILE_MAX 4096

struct connection {
	char *job, *path, *remote;
	uint64_t rank;
	uint64_t pid, pid_started; /* proc(5), field 22: together they are one process */
	uint64_t rtt_us;
	uint64_t packets_sent, packets_lost;
	uint64_t bytes_sent, bytes_received;
	uint64_t since_ns, heard_ns, written_ns; /* since the epoch */
};

struct connection_list {
	struct connection *items;
	size_t len;
};

void connection_finish(struct connection *connection);
DEFINE_CLEANUP_VALUE(struct connection, connection_finish)
void connection_list_finish(struct connection_list *list);
DEFINE_CLEANUP_VALUE(struct connection_list, connection_list_finish)
/* Moves it to the end of the list; *connection is all-zero afterwards. */
void connection_list_take(struct connection_list *list, struct connection *connection);

int connection_parse(struct span text, struct connection *ret, struct err *err) attr_must_use;
