/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A way by which the datagrams of a QUIC connection leave and arrive: a connected UDP socket, a
 * punched pair of addresses, a relay over UDP or over a byte stream, a byte stream through a login
 * node. They look alike from above, so that a connection moves from one to another
 * (attempt_move(), quic_conn_migrate()).
 *
 *	struct path *path = path_udp_new(loop, &remote, err);
 *
 *	path_use(path, &ops, me);
 *	...path->address is what QUIC is told; received() passes the same
 *	if (!path->blocked && quic_conn_write(quic, &batch, now))
 *		(void)path_send(path, &batch);
 *	path_close(path);
 *
 * Addresses. ngtcp2 takes a new local address for a new path, and resets congestion control and
 * timers that were doubled when it gets one. So the local address is synthetic, fd62:7274:68LL::n
 * (RFC 4193): LL is the number of the relay or PATH_LINK_DIRECT, and n counts up in the whole
 * process, so that no two paths of a connection, and no two renewals of a path, are alike. The
 * remote address is the real one where there is one, and synthetic behind a relay or a byte stream.
 *
 * Who has a path may use it for one thing at a time. path_close() gives it back: what was made for
 * one user (a socket) goes, what belongs to somebody else (a relay's) has no user from then on.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "tunnel/net/udp.h"

/* Best first. */
#define PATH_KINDS(X)                  \
	X(PATH_DIRECT, "direct")       \
	X(PATH_PUNCHED, "punched")     \
	X(PATH_RELAY, "relay")         \
	X(PATH_RELAY_TCP, "relay-tcp") \
	X(PATH_LOGIN, "login")

#define PATH_KIND_ENUM(name, text) name,
enum path_kind { PATH_KINDS(PATH_KIND_ENUM) PATH_KIND_COUNT };
#undef PATH_KIND_ENUM

const char *path_kind_name(enum path_kind kind);
bool path_kind_parse(const char *name, enum path_kind *ret) attr_must_use;

/* LL of synthetic addresses: relays are numbered from PATH_LINK_FIRST. */
enum { PATH_LINK_DIRECT = 1, PATH_LINK_PUNCHED, PATH_LINK_LOGIN, PATH_LINK_FIRST = 16 };
#define PATH_LINK_MAX 255

struct path;

/* What a kind can do. */
struct path_ops {
	/*
	 * Takes all of the batch, whatever becomes of it. False: it is blocked, the batch must stay
	 * until writable(), and nothing else may be sent before. batch->path is what QUIC said.
	 */
	bool (*send)(struct path *path, const struct quic_batch *batch);
	/*
	 * A fresh way to the same end, as far as the kind has one: a new socket, from whatever
	 * address the kernel chooses now. The address changes even where nothing else does. 0, or
	 * -1 and all is as it was.
	 */
	int (*renew)(struct path *path, struct err *err);
	/* Optional. Whether the kernel would now send from elsewhere than this path does. */
	bool (*is_misplaced)(const struct path *path);
	void (*close)(struct path *path);
};

struct path_user_ops {
	/* Borrowed for the call; d->path is path->address. The path must not be closed in here. */
	void (*received)(struct path *path, void *user, const struct udp_datagrams *d);
	/* The batch that waited has left. */
	void (*writable)(struct path *path, void *user);
	/* A hint: nobody listens there at the moment. */
	void (*refused)(struct path *path, void *user);
	/* Gone for good; path_close() it now or later. */
	void (*over)(struct path *path, void *user, const struct err *why);
	/* Optional. All that came in this turn was handed over. */
	void (*turn)(struct path *path, void *user);
};

struct path {
	const struct path_ops *ops;
	enum path_kind kind;
	struct quic_path address; /* as QUIC sees it */
	struct quic_addr remote;  /* the real other end, for messages; all zero: name says it */
	const char *name;	  /* NULL, or what to call it beside its kind; borrowed */
	bool blocked;
	size_t datagram_max; /* the largest datagram that it carries, as far as known; 0: not */
	const struct path_user_ops *user_ops; /* NULL: nobody uses it, and what comes is dropped */
	void *user;
};

/* A local address that was never used in this process. */
struct quic_addr path_synthetic(unsigned int link);

void path_use(struct path *path, const struct path_user_ops *ops, void *user);
bool path_send(struct path *path, const struct quic_batch *batch);
int path_renew(struct path *path, struct err *err) attr_must_use;
bool path_is_misplaced(const struct path *path);
/* NULL is fine. Nothing is called back any more. */
void path_close(struct path *path);

/* "direct 10.0.0.1:4000", "relay relay.example.org". */
#define PATH_TEXT_MAX 300
void path_format(const struct path *path, char out[PATH_TEXT_MAX]);

/* A connected UDP socket of its own (path_udp.c). */
struct path *path_udp_new(uv_loop_t *loop, const struct quic_addr *remote, struct err *err)
	attr_must_use;

struct hub;

/*
 * From a hub's socket to an address that was found by checks (path_punched.c). It takes the QUIC
 * packets from there that nobody who joined the hub before wants.
 */
struct path *path_punched_new(struct hub *hub, const struct quic_addr *remote) attr_must_use;

/* For the kinds: what they tell their user, if there is one. */
void path_received(struct path *path, const struct udp_datagrams *d);
void path_turn(struct path *path);
void path_writable(struct path *path);
void path_refused(struct path *path);
void path_over(struct path *path, const struct err *why);
