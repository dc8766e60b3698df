/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the operations share among themselves and with nobody else.
 */

#include "controller/backends/backend.h"
#include "controller/config/bundle.h"
#include "controller/config/config.h"
#include "controller/config/paths.h"
#include "controller/ops/controller.h"
#include "controller/run/argv.h"
#include "controller/run/child.h"
#include "controller/sshconf/sshconf.h"
#include "controller/store/store.h"

#define CONTROLLER_CLUSTERS_MAX 64

struct where;

struct controller {
	struct paths paths;
	struct sshconf ssh; /* borrows from paths */
	struct store *store;
	struct config *config;		/* NULL until it is needed */
	struct child_progress progress; /* of uploads */
	struct child_progress fetching; /* of images */
	/* The clusters that were asked for. */
	struct {
		char *name;
		struct backend *backend;
	} clusters[CONTROLLER_CLUSTERS_MAX];
	size_t clusters_len;
	/* Where their tokens come from (tokens.h); a source is NULL where there is none. */
	struct {
		char *cluster;
		struct token_source *source;
	} tokens[CONTROLLER_CLUSTERS_MAX];
	size_t tokens_len;
	struct argv spare; /* what makes the next spare keys (spare.h); empty: none are wanted */
};

/* What runs the jobs of a cluster; opened when first asked for. */
int controller_backend(struct controller *c, const char *cluster, struct backend **ret,
		       struct err *err) attr_must_use;

/* False when that cluster was not opened. */
bool controller_find_backend(struct controller *c, const char *cluster, struct backend **ret);

uint64_t controller_now_ns(void);

/* Sorts by time; random, because several workstations may share $BERTH_HOME. free() it. */
char *job_make_uid(struct err *err);

/* Whose it is: by name, or by number where the user has none. */
void job_set_user(struct job *job);

/*
 * gc_firecrest.c: bundles at such a site that are older and no job's directory links to; and what
 * transfers noted that were interrupted longer ago. dry_run: they are only counted.
 */
int gc_firecrest_bundles(struct site *site, const char *home, uint64_t before_ns, bool dry_run,
			 uint64_t *ret_count, struct err *err) attr_must_use;
size_t gc_firecrest_transfers(struct controller *c, uint64_t before_ns, bool dry_run);

/*
 * The bundle in a directory of this machine, as <sha256>/, copied there when it is not; *ret_dir is
 * that directory. A rebuild gives another directory, so that running jobs keep theirs.
 */
int bundle_install(struct controller *c, const char *images, const struct bundle *bundle,
		   char **ret_dir, struct err *err) attr_must_use;

/* Runs `berth-tunnel keygen`; what it complains of is the error. */
int keys_generate(const struct argv *argv, struct err *err) attr_must_use;

/* keygen's option that says what this workstation is called: its host name, without a domain. */
void keys_add_workstation(struct argv *argv);

/* The user's host key and known_hosts, made once. */
int keys_make_host(struct controller *c, const char *tunnel, struct err *err) attr_must_use;

/*
 * The two key files of a job: spare ones, or else made now, which takes as long as all else that is
 * done for it here. They are begun when there is a job directory, and have to have come to their
 * end before it is handed over. making_finish() stops what is still being made.
 */
struct making {
	struct site *site;
	const char *tunnel;
	const char *bundle; /* the directory that it came from, named by a digest */
	const struct job *job;
	const struct spec *spec;
	/* What follows is keys_begin_job()'s. */
	struct argv argv;
	struct running *running; /* NULL: they were there */
	char *job_file, *staged, *relays;
	bool is_staged; /* the job's file waits in `staged` to be brought to where the job is */
};

/* Words of making.argv that say where the files go; what follows says what they are like. */
enum { MAKING_JOB_FILE = 3, MAKING_CLIENT_FILE = 5, MAKING_FILES_LEN };

int keys_begin_job(struct controller *c, const struct where *where, struct making *m,
		   struct err *err) attr_must_use;
int keys_end_job(struct making *m, struct err *err) attr_must_use;
void making_finish(struct making *m);
DEFINE_CLEANUP_VALUE(struct making, making_finish)

/* session.json: what sessions in the job are to look like. */
int session_write(struct site *site, const struct job *job, const struct spec *spec,
		  struct err *err) attr_must_use;

/* What ssh has to know of this job's cluster. The texts live as long as the controller. */
struct sshconf hosts_conf(struct controller *c, const struct job *job);

/* The job's Host block; what ssh will not know, and what to do then, goes into the notes. */
void hosts_add_job(struct controller *c, const struct job *job, struct notes *notes);

/* What an ended job must not leave: its Host block, its keys, its endpoints. */
int leftovers_release(struct controller *c, const struct job *job, struct err *err) attr_must_use;

/*
 * Tells berth-tunnel how to get to a job where no address and no relay leads there: by what stands
 * before its cluster, if anything does. backend: NULL is none.
 */
void connect_add_through(const struct controller *c, const struct backend *backend,
			 const struct job *job, unsigned int rank, struct argv *ret);

/* What of that is on this machine: of a job that another one submitted and that may go on. */
int leftovers_release_here(struct controller *c, const struct job *job, struct err *err)
	attr_must_use;

/* What a rotation of its key that was interrupted left beside the client file. */
int leftovers_remove_beside(struct controller *c, const struct job *job, struct err *err)
	attr_must_use;

/*
 * What is on this machine, and the job directory with everything in it, unless another workstation
 * submitted the job: then that one keeps it for as long as it likes. The first leaves what is
 * elsewhere to the next question to that site, or a site_flush().
 */
int leftovers_begin_removing(struct controller *c, const struct job *job, struct err *err)
	attr_must_use;
int leftovers_remove(struct controller *c, const struct job *job, struct err *err) attr_must_use;

/* ERR_INVALID names the backends that there are. */
int backend_check_name(const char *name, struct err *err) attr_must_use;
