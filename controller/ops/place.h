/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What operations need to know of a cluster beside what runs jobs there: where its files are, here
 * or behind a login node. Shared among the operations and with nobody else.
 */

#include "controller/ops/internal.h"
#include "controller/ops/where.h"
#include "controller/run/argv.h"

/* The site of a cluster's login node; NULL for this machine. */
int place_open_site(struct controller *c, const struct where *where, struct site **ret,
		    struct err *err) attr_must_use;

struct place {
	char *home;	 /* $BERTH_HOME there, absolute */
	char *user_home; /* the user's own there */
};

void place_finish(struct place *place);
DEFINE_CLEANUP_VALUE(struct place, place_finish)

/*
 * Where files lie. What a login node said is remembered, so that it is asked once and not with each
 * job; place_forget() makes it be asked again.
 */
int place_find(struct controller *c, const struct where *where, struct site *site,
	       struct place *ret, struct err *err) attr_must_use;
void place_forget(struct controller *c, const struct where *where);

/* The job directory of a uid there. free() it. */
char *place_job_dir(const struct place *place, const char *uid) attr_must_use;

/* bundle_install() for any site: nothing is asked when it was installed there before. */
int place_install_bundle(struct controller *c, const struct where *where, struct site *site,
			 const struct place *place, const struct bundle *bundle, char **ret_dir,
			 struct err *err) attr_must_use;

/* berth-tunnel on the login node, where it was installed last; NULL where it never was. */
int place_installed_tunnel(struct controller *c, const struct where *where, char **ret,
			   struct err *err) attr_must_use;

/* The digest that names the bundle. */
#define BUNDLE_DIGEST_SIZE 65
int bundle_digest(struct controller *c, const struct bundle *bundle, char ret[BUNDLE_DIGEST_SIZE],
		  struct err *err) attr_must_use;

/*
 * Brings it to a site that runs no commands, as images/<digest>/, unless all of it is there, which
 * checksums tell: before, and after it was brought.
 */
int bundle_bring(struct site *site, const char *images, const struct bundle *bundle,
		 const char *digest, struct err *err) attr_must_use;

/* All of it in one piece, and the script that takes that apart in the directory of images. */
int bundle_pack(const struct bundle *bundle, const char *digest, const char *part, struct buf *pack,
		struct buf *script, struct err *err) attr_must_use;

/*
 * backend_endpoint(), with the file fetched if it is elsewhere; where the login node does not
 * answer, what was fetched before. ended says that the rank has ended, or is NULL.
 */
int place_endpoint(struct controller *c, struct backend *backend, const struct job *job,
		   unsigned int rank, char **ret, bool *ended, struct err *err) attr_must_use;
/*
 * The same with what was prefetched from elsewhere, and without asking anything else. ERR_NOT_FOUND
 * when the rank has not said where it listens.
 */
int place_keep_endpoint(struct controller *c, struct backend *backend, const struct job *job,
			unsigned int rank, char **ret, struct err *err) attr_must_use;
/*
 * Where the rank's endpoint lies on this machine, in the job directory or as it was fetched last;
 * NULL: it is not known here. free() it.
 */
char *place_known_endpoint(struct controller *c, const struct site *site, const struct job *job,
			   unsigned int rank) attr_must_use;
/* As if it had been fetched. */
int place_put_endpoint(struct controller *c, const struct job *job, unsigned int rank,
		       struct span text, struct err *err) attr_must_use;
/* Removes what was fetched. */
void place_drop_endpoints(struct controller *c, const struct job *job);

/*
 * Adds the options of keygen that the cluster's settings ask for; tokens go into a file
 * (relays_file) that the caller removes.
 */
int place_add_paths(struct controller *c, const struct where *where, const char *relays_file,
		    struct argv *argv, struct err *err) attr_must_use;
