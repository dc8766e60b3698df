/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The job's side of the network: one UDP socket, all connections of the workstation on it. It sends
 * for all of them at the end of each turn of the loop and hands every request over.
 */

#include <uv.h>

#include "tunnel/h3/conn.h"
#include "tunnel/quic/conn.h"

struct server;

struct server_ops {
	/* See h3_conn_ops.request. */
	void (*request)(void *owner, struct h3_stream *stream, const struct h3_request *request);
	/*
	 * Optional. A client proved its key: the requests of its connection wait until
	 * server_admit() is called with at least the number that this returns. 0: they need not.
	 */
	uint64_t (*arrived)(void *owner);
	/* Optional. A client showed a key that is not accepted. */
	void (*stranger)(void *owner);
};

struct server_config {
	uv_loop_t *loop;
	const struct tls_context *tls; /* borrowed; must outlive the server */
	const struct secret *reset_key;
	struct quic_settings settings;
	struct quic_addr listen; /* all zero: every address and any port */
	/*
	 * So many connections at once. When an eighth of them is left, and another client has
	 * proven its key, one that was silent for silent_ns ends, the most silent first. 0:
	 * sensible values.
	 */
	size_t connections;
	uint64_t silent_ns;
	const struct server_ops *ops;
	void *owner;
};

/* ERR_EXISTS when the port is taken. */
struct server *server_new(const struct server_config *config, struct err *err) attr_must_use;

/* Where it listens: a wildcard address with the port, or the one address that was asked for. */
const struct quic_addr *server_local(const struct server *server);

/* How many connections there are; 0 while it closes. */
size_t server_count(const struct server *server);

/* The connections whose arrival got this number, or a lower one, may ask for things. */
void server_admit(struct server *server, uint64_t serial);

/* Ends the connections whose key is accepted no more; new ones may come. */
void server_drop(struct server *server);

/*
 * Ends all connections politely, with a reason if there is one; the callback comes once no stream
 * is left, and the server frees itself after it.
 */
void server_close(struct server *server, const char *reason, void (*closed)(void *owner));
