/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Notices that tunnel.json names other peers: the workstation's key is replaced, or was revoked.
 * The file is read whenever somebody asks, because a client came, and from then on every few
 * seconds until there are no clients, since nothing else tells of changes on a network file system.
 * Without clients nobody is woken, and a tunnel at rest stays at rest (rest.h).
 *
 *	serial = job_watch_look(&watch);
 *	if (serial == 0)
 *		...the file system does not answer: what is known has to do
 *	...looked(&watch, n) is called for some n >= serial: the file was read after the question
 *
 * A thread reads, since such a file system may hang, which must not stop the loop: then there is
 * one thread that waits, and no second, and after JOB_WATCH_PATIENCE_MS whoever asked is told to go
 * on without. A file that is missing or broken changes nothing.
 */

#include <uv.h>

#include "tunnel/crypto/key.h"

#define JOB_WATCH_INTERVAL_MS 2000
#define JOB_WATCH_PATIENCE_MS 200
/* Strangers make us look no more often than that. */
#define JOB_WATCH_STRANGER_MS 50

struct job_watch;

struct job_watch_ops {
	/* The keys that may connect from now on, and no others. */
	void (*changed)(struct job_watch *watch, const struct key_set *peers);
	/* What was asked for up to this serial is answered; after changed(). */
	void (*looked)(struct job_watch *watch, uint64_t serial);
	/* Whether somebody is there whom a change concerns before the next client comes. */
	bool (*has_clients)(struct job_watch *watch);
};

struct job_watch {
	uv_work_t work;
	uv_timer_t timer, patience;
	const char *path; /* of tunnel.json; borrowed */
	struct key_set peers, found;
	uint64_t begun;	       /* serial of the last look */
	uint64_t strangers_at; /* when a stranger may make us look again: ms of the loop */
	bool reading, has_found;
	bool again;   /* somebody asked after the look under way had begun */
	bool is_hung; /* the look under way takes longer than our patience */
	const struct job_watch_ops *ops;
};

/* peers are those that are known already. */
void job_watch_open(struct job_watch *watch, uv_loop_t *loop, const char *path,
		    const struct key_set *peers, const struct job_watch_ops *ops);
/* Nothing is told any more. A thread that waits for a file system may still do so. */
void job_watch_close(struct job_watch *watch);

/* Reads the file soon. 0: it does not answer at present. */
uint64_t job_watch_look(struct job_watch *watch) attr_must_use;
/* Somebody showed a key that is not known: it may be the next one. Nothing is answered. */
void job_watch_stranger(struct job_watch *watch);
