/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The job's TCP port, for who reaches the node by TCP only: the sshd of a login node (`ssh -W`).
 * Each connection that asks for `Upgrade: berth-datagrams` (path_stream.h) becomes a path of the
 * QUIC server; whoever asks for anything else is told so and sent away.
 *
 *	struct stream_listener *listener = stream_listener_new(&config, err);
 *
 *	accepted(owner, path)   server_add_path(server, path), or path_close(path)
 *
 * Bounded: STREAM_LISTENER_MAX connections, ten seconds for the head, STREAM_LISTENER_QUEUE bytes
 * that wait for a reader. Without it the job goes on: whoever opens it logs an error and lives
 * without.
 */

#include "tunnel/net/path.h"

#define STREAM_LISTENER_MAX 64
#define STREAM_LISTENER_QUEUE (1024 * 1024)

struct stream_listener;

struct stream_listener_config {
	uv_loop_t *loop;
	/* Where: as the UDP socket. When its port is taken, any other is used. */
	struct quic_addr listen;
	/* A path that nobody uses yet; the callee's. */
	void (*accepted)(void *owner, struct path *path);
	void *owner;
};

struct stream_listener *stream_listener_new(const struct stream_listener_config *config,
					    struct err *err) attr_must_use;
/* With the port. */
const struct quic_addr *stream_listener_local(const struct stream_listener *listener);
/*
 * Paths that were accepted may stay for longer, and are closed by who has them; the rest goes back
 * to the loop. NULL is fine.
 */
void stream_listener_close(struct stream_listener *listener);
