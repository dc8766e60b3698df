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

#define SITE_CHECKSUM_SIZE 65 /* SHA-256 in hexadecimal digits, and a NUL */

struct site;

/* The time limit of a plan for what may work for long; behind a login node none is shorter than a
   minute. */
#define SITE_PATIENT_MS (4 * 3600 * 1000)

/* A part of a file that is going to be read. */
struct site_part {
	const char *path;
	uint64_t offset; /* LOG_END: its last max bytes, without notes */
	size_t max;
	/*
	 * Not 0: PATH.times is going to be read as well (log_times.h), and the part that begins
	 * where the file was at this second, as that says.
	 */
	uint64_t since;
};

struct site_ops {
	/*
	 * As child_run(); ERR_UNAVAILABLE when the site itself cannot be reached. NULL: it runs no
	 * commands of ours, and answers the questions at the end itself.
	 */
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

	/*
	 * Compares and swaps: writes a file that several workstations change, at once, if it holds
	 * what is expected. 1: it holds something else, and is as it was. Whoever changes it in
	 * another way has to be done by then. NULL: it is read, compared, written, and read again.
	 */
	int (*replace)(struct site *site, const char *path, struct span expected, struct span bytes,
		       mode_t mode, struct err *err);

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

	/*
	 * NULL where that gains nothing. Reads these parts of files in one round trip; site_read()
	 * then finds each of them once, or that there is no such file, until the next call.
	 */
	int (*expect)(struct site *site, const struct site_part *parts, size_t len,
		      struct err *err);

	/*
	 * Of a site that runs no commands: where $BERTH_HOME is, as the setting `home` says or the
	 * site has it (NULL), and the user's own directory, both absolute, to free().
	 */
	int (*find_home)(struct site *site, const char *home, char **ret_home, char **ret_user_home,
			 struct err *err);

	/* Of the same: checksums of files, after what was put off; "" of one that is not there. */
	int (*checksums)(struct site *site, const char *const *paths, size_t len,
			 char (*ret)[SITE_CHECKSUM_SIZE], struct err *err);

	/* Optional: frees what embeds the site. */
	void (*close)(struct site *site);
};

/* The base of every site: implementations embed it first. */
struct site {
	const struct site_ops *ops;
	/* Destination of ssh, or what else it is called; borrowed from the implementation. */
	const char *login;
};

struct site *site_close(struct site *site);
DEFINE_CLEANUP(struct site, site_close)

/* Whether files and commands are elsewhere; then each question costs a round trip. */
static inline bool site_is_remote(const struct site *site)
{
	return site != NULL;
}

/* Whether commands run there, and scripts (site_ssh.h). */
static inline bool site_can_run(const struct site *site)
{
	return site == NULL || site->ops->run != NULL;
}

/* ERR_UNSUPPORTED where no commands run. */
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
/* 1: it holds something else than what was expected; see the member, and site_lock.h. */
int site_replace(struct site *site, const char *path, struct span expected, struct span bytes,
		 mode_t mode, struct err *err) attr_must_use;

int site_need(struct site *site, const char *path, struct err *err) attr_must_use;
int site_flush(struct site *site, struct err *err) attr_must_use;
int site_prefetch(struct site *site, const char *const *dirs, size_t len, const char *prefixes,
		  struct err *err) attr_must_use;
void site_forget(struct site *site);
bool site_expects(const struct site *site);
int site_expect(struct site *site, const struct site_part *parts, size_t len, struct err *err)
	attr_must_use;

/* Only where no commands run: see the members. */
int site_find_home(struct site *site, const char *home, char **ret_home, char **ret_user_home,
		   struct err *err) attr_must_use;
int site_checksums(struct site *site, const char *const *paths, size_t len,
		   char (*ret)[SITE_CHECKSUM_SIZE], struct err *err) attr_must_use;
