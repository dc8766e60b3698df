/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The relays of a workstation's connection to a job: one socket, and a link (link.h) at each relay
 * that is configured. All of them are kept while the connection lives, since the one in use may be
 * gone the next moment; inner connections use the nearest at which the job is.
 */

#include <uv.h>

#include "init/base/buf.h"
#include "tunnel/net/link.h"
#include "tunnel/net/punch.h"
#include "tunnel/net/relay_site.h"

struct relays;

struct relays_ops {
	/* The job is at another relay now, or at one less; or one has failed. */
	void (*changed)(void *owner);
	/* Connections that use this path should migrate: it leads another way than before. */
	void (*moved)(void *owner, struct path *path);
};

struct relays_config {
	uv_loop_t *loop;
	const struct relay_sites *sites; /* borrowed, also the next */
	const struct key_public *job;	 /* the rank's key: whom we want */
	struct quic_tag tag;		 /* of our connections' ids */
	bool udp, tcp, punched;
	const struct relays_ops *ops;
	void *owner;
};

/* NULL: no socket, or no relay that could be tried. */
struct relays *relays_new(const struct relays_config *config, struct err *err) attr_must_use;
/* Paths must not be used any more. closed (or NULL) is called once all is given back. */
void relays_close(struct relays *relays, void (*closed)(void *owner), void *owner);

/*
 * The path of the nearest relay at which the job is, but for this one (or NULL); NULL: there is
 * none. It stays the relays'.
 */
struct path *relays_path(const struct relays *relays, const struct path *but);
/* Whether it leads to a relay at which the job is. */
bool relays_is_open(const struct relays *relays, const struct path *path);
/* When that relay was heard last; 0: never. */
uint64_t relays_heard_at(const struct relays *relays, const struct path *path);
/* Nothing more will come of them: each has refused us for good. */
bool relays_are_over(const struct relays *relays);
/* Each of them answers, or has refused us: there is nothing to wait for but the job. */
bool relays_have_answered(const struct relays *relays);
/* Of the socket that the relays see; NULL: no ways through NATs. */
struct punches *relays_punches(const struct relays *relays);
struct hub *relays_hub(const struct relays *relays);
/* See link_wake(). */
void relays_wake(struct relays *relays, bool has_changed);

/* Why the job cannot be reached by each of them: "; relay HOST: REASON" for each. */
bool relays_tell(const struct relays *relays, struct buf *b) attr_must_use;
/* The kind of error that says most among their reasons. */
enum err_kind relays_error_kind(const struct relays *relays);
