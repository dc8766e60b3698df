/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Paths over a byte stream (PATH_LOGIN): QUIC packets as DATAGRAM capsules, after
 * `GET /datagrams` with `Upgrade: berth-datagrams` on plain TCP. What is inside is QUIC with both
 * keys, so that it needs no other protection; that an HTTP head comes first tells apart who reached
 * the wrong port.
 *
 * The workstation's end is the standard output of `ssh -W HOST:PORT LOGIN`, for nodes that only a
 * login node reaches, or of another program that leads there (an API server's port-forward):
 *
 *	struct path_stream_config config = { .loop = loop, .login = "user@login1", .to = &list };
 *	struct path *path = path_stream_new(&config);
 *
 * It is blocked until the stream is up, which writable() tells. Addresses are tried one after the
 * other, a little apart, and the first that answers is it. A stream that is lost later is dialled
 * again, with pauses that grow, and each time in vain is told (refused); so the path is over only
 * when it never was up. path_renew() dials afresh and uses the old stream until the new one is
 * there.
 *
 * The job's end is a stream that stream_listener.h accepted; it is over when the stream is.
 *
 * What ssh may ask the user for (a password) it cannot: it has no terminal. Keys, an agent,
 * certificates, a ControlMaster and SSH_ASKPASS work as the user has set them up; ssh's last words
 * are in the error.
 */

#include "tunnel/net/addr.h"
#include "tunnel/net/path.h"
#include "tunnel/net/stream.h"

#define PATH_STREAM_PATH "/datagrams"
#define PATH_STREAM_PROTOCOL "berth-datagrams"
#define PATH_STREAM_WORDS 16

struct path_stream_config {
	uv_loop_t *loop;
	/*
	 * A program and its words, NULL-terminated, at most PATH_STREAM_WORDS: HOST:PORT is added
	 * to them, and its standard input and output are the stream. Borrowed. Or NULL.
	 */
	const char *const *through;
	const char *login;	    /* as ssh takes it: [user@]host, or a Host of its configuration;
				       without either TCP to the job itself */
	const struct addr_list *to; /* where the job listens; copied */
};

struct path *path_stream_new(const struct path_stream_config *config);

/*
 * The path of an accepted stream, which it takes; closed() is called when it is given back, with
 * the owner. The name of the path is where the stream comes from.
 */
struct path *path_stream_accepted(struct stream *stream, uv_loop_t *loop,
				  void (*closed)(void *owner, const struct quic_addr *from),
				  void *owner);
