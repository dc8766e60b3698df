/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A registration at one relay, kept up for as long as the link lives: by a job, so that whoever has
 * its key finds it, and by a workstation that wants to reach that job. Packets of the inner
 * connection travel by link_path(), whose kind is PATH_RELAY or PATH_RELAY_TCP as things are.
 *
 *	struct link *link = link_new(&config);
 *	...up(): registered; peer(): who is at the other end
 *	attempt_config.path = link_path(link);
 *	link_close(link, closed, me);
 *
 * Over UDP, the link keeps an HTTP/3 control connection to the relay, and the inner packets go
 * beside it on the same socket, unchanged; the relay knows them by their tags (quic/tag.h). Over
 * TCP, control and inner packets share one byte stream. What is said on the control stream is in
 * wire/relay.h.
 *
 * UDP starts at once and TCP 250 ms later, or at once where UDP failed on this network a
 * moment ago; the first to be welcomed is used. While that is TCP, UDP is tried again after 30
 * seconds, 2, 5 and 10 minutes, and on each change of the network.
 *
 * A relay that does not answer, refuses or goes is tried again after 100 ms, doubled up to 5 s, at
 * a random part of that, so that all jobs of a relay do not come back at once; a change of network
 * begins anew. A restarted relay is noticed by its stateless reset in one round trip. When the
 * machine slept, its address changed, or the relay is silent, the control connection moves at once.
 *
 * Nothing here ends a job or a session: at worst a link is never up.
 */

#include <uv.h>

#include "tunnel/crypto/key.h"
#include "tunnel/net/path.h"
#include "tunnel/quic/tag.h"

struct hub;
struct link;
struct relay_site;

enum link_role { LINK_JOB, LINK_CLIENT };

struct link_ops {
	/* Registered, also again; link_observed() says where the relay sees us. */
	void (*up)(struct link *link, void *owner);
	/*
	 * A job: a client came or went. A client: the job is there, or is not; told once after each
	 * up(), and when it changes.
	 */
	void (*peer)(struct link *link, void *owner, const struct quic_tag *tag, bool is_here);
	/*
	 * Another way to the relay from now on: UDP instead of TCP or the other way round, another
	 * address of ours, or a restarted relay. Connections that use link_path() should migrate.
	 */
	void (*moved)(struct link *link, void *owner);
	/* Not registered any more, or could not. Not final: it goes on trying. */
	void (*down)(struct link *link, void *owner, const struct err *why, bool is_final);
};

struct link_config {
	uv_loop_t *loop;
	struct hub *hub;	       /* for UDP; these are borrowed */
	const struct relay_site *site; /* whose, and with which token */
	unsigned int number;	       /* of this link in the process, from 0 */
	enum link_role role;
	const struct key_pair *key; /* a job's, proves the endpoint id; a client: NULL */
	struct relay_id id;	    /* endpoint id: a job's own, or whom a client wants */
	struct quic_tag tag, peer_tag;
	bool udp, tcp; /* what is allowed */
	const struct link_ops *ops;
	void *owner;
};

/* Starts at once. */
struct link *link_new(const struct link_config *config, struct err *err) attr_must_use;
/* closed (or NULL) is called once all was given back to the loop; nothing else is any more. */
void link_close(struct link *link, void (*closed)(void *owner), void *owner);

/* Lives as long as the link; path_close() of it only ends its use. Usable when the link is up. */
struct path *link_path(struct link *link);

bool link_is_up(const struct link *link);
/* A client's: the relay said that the job is there. */
bool link_peer_is_here(const struct link *link);
/* Where the relay sees us, over UDP; false: not known. */
bool link_observed(const struct link *link, struct quic_addr *ret) attr_must_use;
/* A second UDP address of the relay, for telling what kind of NAT is in between; false: none. */
bool link_second(const struct link *link, struct quic_addr *ret) attr_must_use;
/* When the relay was heard last, by CLOCK_MONOTONIC; 0: never. A byte stream counts as heard. */
uint64_t link_heard_at(const struct link *link);
/* A round trip to the relay; 0: not known. */
uint64_t link_rtt(const struct link *link);
/* Why it is not up over UDP, or TCP; ERR_NONE when there is nothing to say. */
const struct err *link_error(const struct link *link, bool tcp);

/*
 * The network changed, or the machine was asleep (has_changed), or nobody answers: act at once
 * instead of waiting for timers. What netlink tells a link notices by itself.
 */
void link_wake(struct link *link, bool has_changed);
