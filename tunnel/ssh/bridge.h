/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SSH channels on one side, HTTP/3 streams to the job on the other; no I/O of its own.
 *
 *	session             CONNECT, berth-process, /process       capsules of wire/process.h
 *	direct-tcpip        CONNECT host:port                      bytes
 *	direct-streamlocal  CONNECT, berth-unix, /unix/{path}      bytes
 *	forwarded-*, agent  CONNECT, berth-accept, /accept/{id}    bytes
 *	-R and the agent    CONNECT, berth-listen, /listen         capsules of wire/listen.h
 *
 * A session is accepted at once, and what the client sends before there is a connection to the job
 * is kept: START and the first input travel in one flight with the request. A forward is accepted
 * when the job says that it is open, and refused with the job's words.
 *
 * What the job listens on is a stream as well. It announces a connection; the client is asked to
 * open a channel for it; and only then is the connection fetched. A session that wants the agent
 * waits until the job says where that listens, once for a connection.
 *
 * Memory is bounded by flow control on both sides. What the job sends and the ssh client does not
 * read waits in `down`, and is not reported as consumed, so that the job's credit ends. What the
 * client sends and the stream does not take waits in `up`, and the channel's window does not open.
 */

#include "tunnel/h3/conn.h"
#include "tunnel/ssh/server.h"

struct bridge;

/* The key is borrowed and must outlive the bridge. */
struct bridge *bridge_new(const struct key_pair *host_key);
/* Frees the SSH server too. The connection to the job must be gone, or never have been. */
struct bridge *bridge_free(struct bridge *bridge);
DEFINE_CLEANUP(struct bridge, bridge_free)

struct ssh_server *bridge_server(struct bridge *bridge);

/* The job answers: opens what was asked for until now. */
void bridge_connect(struct bridge *bridge, struct h3_conn *conn);
/* The connection is over; its streams had their closed() before. */
void bridge_disconnect(struct bridge *bridge);

/*
 * Ends channels whose stream broke while the connection lives on. To be called at the end of a
 * turn: when the whole connection ends, its streams break first, and then the client shall hear of
 * the connection only.
 */
void bridge_tidy(struct bridge *bridge);

/* How many channels there are. */
size_t bridge_channels(const struct bridge *bridge);
