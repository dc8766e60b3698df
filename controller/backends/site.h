/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A site is where the commands of a cluster run and its files lie: this machine, or what is behind
 * a login node. Backends and operations say what is to be done; whether that is a call of the
 * kernel or a part of one message through ssh is the site's affair.
 *
 * A round trip to a login node costs more than all else, so changes may be put off:
 * site_make_dir(), site_write(), site_link() and site_remove() do at once what costs nothing, or
 * are kept, in order, for the next site_run() or site_flush(), which does them first, and fails
 * when one of them fails.
 *
 *	if (site_make_dir(site, dir, err) < 0 || site_write(site, path, bytes, 0600, err) < 0 ||
 *	    site_run(site, &plan, &child, err) < 0)	(one round trip)
 *		return -1;
 *
 * NULL is this machine. Paths are absolute.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "controller/model/log_part.h"
#include "controller/run/child.h"

struct site;

/* The time limit of a plan for what may work for long; behind a login node none is shorter than a
   minute. */
#define SITE_PATIENT_MS (4 * 3600 * 1000)

struct site_ops {
	/* Mandatory. As child_run(); ERR_UNAVAILABLE when the site itself cannot be reached. */
	int (*run)(struct site *site, const struct child_plan *plan, struct child *ret,
		   struct err *err);

	/*
	 * Mandatory. Appends what a file holds from this offset on, at most max bytes (nothing: it
	 * ends there); its last max bytes when the offset is LOG_END. ERR_NOT_FOUND: there is none.
	 */
	int (*read)(struct site *site, const char *path, uint64_t offset, size_t max,
		    struct buf *ret, struct err *err);

	/* Mandatory: mkdir -p with mode 0700; a whole file, atomically; a symbolic link; rm -rf. */
	int (*make_dir)(struct site *site, const char *path, struct err *err);
	int (*write)(struct site *site, const char *path, struct span bytes, mode_t mode,
		     struct err *err);
	int (*link)(struct site *site, const char *target, const char *path, struct err *err);
	int (*remove)(struct site *site, const char *path, struct err *err);

	/* NULL where nothing is put off: what follows is done only if there is this file. */
	int (*need)(struct site *site, const char *path, struct err *err);

	/* NULL where nothing is put off. */
	int (*flush)(struct site *site, struct err *err);

	/*
	 * NULL where reading is cheap. Reads all files whose names begin with one of the prefixes
	 * (separated by spaces), in these directories, in one round trip; site_read() then finds
	 * them, or that they are not there, until site_forget().
	 */
	int (*prefetch)(struct site *site, const char *const *dirs, size_t len,
			const char *prefixes, struct err *err);
	void (*forget)(struct site *site);

	/* Optional: frees what embeds the site. */
	void (*close)(struct site *site);
};

/* The base of every site: implementations embed it first. */
struct site {
	const struct site_ops *ops;
	const char *login; /* destination of ssh; borrowed from the implementation */
};

struct site *site_close(struct site *site);
DEFINE_CLEANUP(struct site, site_close)

/* Whether files and commands are elsewhere; then each question costs a round trip. */
static inline bool site_is_remote(const struct site *site)
{
	return site != NULL;
}

int site_run(struct site *site, const struct child_plan *plan, struct child *ret, struct err *err)
	attr_must_use;
int site_read(struct site *site, const char *path, uint64_t offset, size_t max, struct buf *ret,
	      struct err *err) attr_must_use;
int site_make_dir(struct site *site, const char *path, struct err *err) attr_must_use;
int site_write(struct site *site, const char *path, struct span bytes, mode_t mode, struct err *err)
	attr_must_use;
int site_link(struct site *site, const char *target, const char *path, struct err *err)
	attr_must_use;
int site_remove(struct site *site, const char *path, struct err *err) attr_must_use;
int site_need(struct site *site, const char *path, struct err *err) attr_must_use;
int site_flush(struct site *site, struct err *err) attr_must_use;
int site_prefetch(struct site *site, const char *const *dirs, size_t len, const char *prefixes,
		  struct err *err) attr_must_use;
void site_forget(struct site *site);
