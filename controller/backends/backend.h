/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A backend is what runs jobs: this machine, Slurm, later others. It is one vtable; users call the
 * backend_ functions, which check what the implementation may rely on, and add the backend's name
 * to its errors. A backend keeps nothing: the record is the store's, and what belongs to the job
 * lies in the job directory.
 *
 * To add one: a folder here with `const struct backend_ops NAME_backend_ops` and an open function,
 * one line in ops/registry.c, one in meson.build, and tests.
 */

#include "controller/backends/site.h"
#include "controller/model/act.h"
#include "controller/model/architecture.h"
#include "controller/model/batch_script.h"
#include "controller/model/cluster.h"
#include "controller/model/job.h"
#include "controller/model/log_part.h"
#include "controller/model/queued.h"
#include "controller/model/report.h"
#include "controller/model/reservation.h"
#include "controller/model/run.h"
#include "controller/model/spec.h"
#include "controller/model/use.h"
#include "controller/run/terminal.h"
#include "init/base/buf.h"
#include "init/base/err.h"

#define BACKEND_ID_MAX 200
#define BACKEND_WORD_MAX 48
#define BACKEND_REASON_MAX 240
#define BACKEND_QUEUE_MAX 64
#define BACKEND_NODES_MAX 256

/*
 * What submit gets. The job directory exists and holds spec.json and tunnel.json. What prepare gets
 * is a job without a number, an empty directory, and no bundle.
 */
struct submission {
	const struct spec *spec;
	const struct job *job;
	const char *bundle;   /* directory with berth-init and berth-tunnel that the job can read */
	bool has_squashfs;    /* and with berth.sqsh, which holds the same */
	const char *home;     /* the user's, on the cluster; NULL: as here */
	const char *template; /* of the batch script (mustache.h); NULL: ours */
	/* Who hears how far an image is that has to be fetched; or NULL. */
	const struct child_progress *fetching;
};

struct submitted {
	char native_id[BACKEND_ID_MAX];
	enum job_state state;
	char degraded[BACKEND_REASON_MAX]; /* what the job has to do without, or "" */
};

/* What a backend knows about a job now. */
struct observation {
	enum job_state state; /* UNKNOWN: nobody can tell */
	char native_state[BACKEND_WORD_MAX];
	char reason[BACKEND_REASON_MAX];
	int exit_code; /* JOB_NO_EXIT_CODE */
	int signal;
	uint64_t started_ns; /* 0: not known */
	uint64_t ended_ns;
	char queue[BACKEND_QUEUE_MAX];	   /* "": not known */
	char node_list[BACKEND_NODES_MAX]; /* the same; cut at a comma when it is longer */
	uint64_t attempts;		   /* how often it was started; 0: not known */
	/*
	 * Of an array, else NULL: what was known about each of its tasks, and then is. A run that
	 * has ended is left alone; from the others the rest of the observation is made.
	 */
	struct run_list *runs;
};

/* A program that the engine itself starts in a container, without our tunnel. */
struct backend_exec {
	const char *const *argv; /* NULL-terminated, as are the others */
	const char *const *env;	 /* "NAME=VALUE", added to the container's; or NULL */
	const char *workdir;	 /* or NULL: the container's */
	bool tty;		 /* it gets a terminal: all that it writes goes to `out` */
	int in;			 /* -1: it has no standard input */
	int out, err_fd;
	/* Raw and followed (terminal.h); NULL: that of nobody, whose size stays. */
	struct terminal *terminal;
};

/* A TCP port of a rank, and descriptors that lead to whoever wants it. */
struct backend_carry {
	uint16_t port;
	int in, out;
};

/* Gives a task of an array what was seen of it; one that has ended keeps what it has. */
void observation_to_run(const struct observation *seen, struct run *run);

/*
 * Makes what is known of an array from its tasks: it is what they are, and the words are those of
 * the scheduler for the first of them.
 */
void observation_fold(struct observation *ret);

struct backend;

struct backend_ops {
	const char *name;

	/*
	 * Gets ready to ask what stands behind it: finds its address and whatever else lasts. Done
	 * before each of the operations below, of which the first finds it closed; not before
	 * prepare, render, expect and log_since, which ask nobody. NULL: there is nothing to open.
	 */
	int (*reach)(struct backend *backend, struct err *err);

	/* Mandatory. Starts or enqueues the job. When it fails, nothing runs. */
	int (*submit)(struct backend *backend, const struct submission *submission,
		      struct submitted *ret, struct err *err);

	/*
	 * Says that submit is going to be called for this job: what takes its time begins, and
	 * nobody waits for it yet. The job does not start before submit, also not when we are
	 * killed meanwhile; what goes wrong is found out by submit. Called only where files are
	 * here; what it leaves in the directory of a job that is never recorded is known to
	 * jobdir_remove_left(). NULL: there is nothing to begin.
	 */
	void (*prepare)(struct backend *backend, const struct submission *submission);

	/*
	 * Appends what submit would hand over, for people to read; the job directory need not
	 * exist. NULL: there is nothing to read.
	 */
	int (*render)(struct backend *backend, const struct submission *submission, struct buf *ret,
		      struct err *err);

	/*
	 * Mandatory. Tells about all of these jobs, in one request: ret[i] is about jobs[i], which
	 * is a job of this backend that has not ended. Fails only when nothing could be found out
	 * about any; a job that the scheduler forgot is UNKNOWN, unless its status files tell.
	 */
	int (*observe)(struct backend *backend, const struct job *const *jobs, size_t len,
		       struct observation *ret, struct err *err);

	/*
	 * Says that observe is going to be called, about jobs that the backend has now: a request
	 * that takes its time begins, and nobody waits for it yet. NULL: there is nothing to begin.
	 */
	void (*expect)(struct backend *backend);

	/*
	 * Waits until there may be news of jobs, at most so long; observe then costs little. false:
	 * it cannot, and has not waited. NULL: there is nothing to hear, look again after a while.
	 */
	bool (*await)(struct backend *backend, unsigned int timeout_ms);

	/*
	 * Finds a job that was handed over by a berth that died before it could record that. 1:
	 * ret_id is its native id; 0: there is none. NULL: such jobs cannot be found.
	 */
	int (*find)(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		    struct err *err);

	/*
	 * Appends the user's jobs that have a directory of ours, whichever workstation submitted
	 * them: records as jobdir_add_located() makes them. jobs_dir is
	 * where such directories are, or NULL when that is not on this machine. NULL: has no list
	 * that tells.
	 */
	int (*locate)(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		      struct err *err);

	/*
	 * Mandatory. Asks jobs to end, in one request; they may take their time. A job that is gone
	 * is success. Every job is tried, the first failure is reported.
	 */
	int (*cancel)(struct backend *backend, const struct job *const *jobs, size_t len,
		      struct err *err);

	/*
	 * Does this to jobs that have not ended, in as few requests as it can; act_check() has let
	 * it pass. Every job is tried, the first failure is reported. NULL: can nothing of it.
	 */
	int (*act)(struct backend *backend, const struct act *act, const struct job *const *jobs,
		   size_t len, struct err *err);

	/* For each kind of act: NULL when it can, else why not and what to do instead. */
	const char *cannot[ACT_KINDS_LEN];

	/*
	 * Ends a job that did not listen to cancel, at once. NULL: the scheduler insists by itself.
	 */
	int (*kill)(struct backend *backend, const struct job *job, struct err *err);

	/*
	 * Ends the hold of a job whose command has ended (SIGURG to berth-init of every rank; where
	 * a command still runs that changes nothing). NULL: cannot.
	 */
	int (*release)(struct backend *backend, const struct job *job, struct err *err);

	/*
	 * Mandatory. Appends what a log holds from the part's offset on, at most its max bytes
	 * (nothing: no more yet), or its last bytes (LOG_END). A log that is not there yet is
	 * empty.
	 */
	int (*read_log)(struct backend *backend, const struct job *job, const struct log_part *part,
			struct buf *ret, struct err *err);

	/*
	 * Lets the part begin with what was printed since then, or a few seconds before that: by
	 * its offset, or by since_ns, which only such a backend's read_log ever sees.
	 * ERR_UNSUPPORTED where nobody noted when it grew. NULL: nobody ever does.
	 */
	int (*log_since)(struct backend *backend, const struct job *job, uint64_t since_ns,
			 struct log_part *part, struct err *err);

	/*
	 * Says that read_log is going to be called for these parts of the job's logs, after
	 * log_since where since_ns is not 0: one round trip instead of many. NULL: each is as
	 * cheap.
	 */
	int (*expect_logs)(struct backend *backend, const struct job *job,
			   const struct log_part *parts, size_t len, uint64_t since_ns,
			   struct err *err);

	/*
	 * Mandatory. A local file with the endpoint of this rank, for berth-tunnel; ERR_NOT_FOUND
	 * when the rank has not said yet where it listens. free() it.
	 */
	int (*endpoint)(struct backend *backend, const struct job *job, unsigned int rank,
			char **ret, struct err *err);

	/* Appends what jobs run on, and the queues that lead there. NULL: has neither. */
	int (*list_nodes)(struct backend *backend, struct node_list *ret, struct err *err);
	int (*list_queues)(struct backend *backend, struct queue_list *ret, struct err *err);

	/*
	 * Adds the architectures of the nodes of a queue, or of all (NULL); none where it cannot be
	 * known. NULL: list_nodes tells.
	 */
	int (*architectures)(struct backend *backend, const char *queue, struct architectures *ret,
			     struct err *err);

	/* Appends what is reserved, for whomever. NULL: it knows of no reservations. */
	int (*list_reservations)(struct backend *backend, struct reservation_list *ret,
				 struct err *err);

	/*
	 * What the scheduler tells about its own work; and the jobs of all users that wait or run.
	 * NULL: it has no queue.
	 */
	int (*report)(struct backend *backend, struct scheduler_report *ret, struct err *err);
	int (*list_queued)(struct backend *backend, struct queued_list *ret, struct err *err);

	/*
	 * What the priorities of waiting jobs are made of, in one request: ret[i] is about jobs[i],
	 * and empty when nothing is known. NULL: it does not tell.
	 */
	int (*list_priorities)(struct backend *backend, const struct job *const *jobs, size_t len,
			       struct priority *ret, struct err *err);

	/*
	 * Appends the attempts of a job, and of an array its tasks, as far as the scheduler keeps
	 * them, in the order in which they were made. NULL: it keeps none.
	 */
	int (*list_runs)(struct backend *backend, const struct job *job, struct run_list *ret,
			 struct err *err);

	/*
	 * The batch script that the scheduler keeps of a job, and where its standard streams go.
	 * NULL: it cannot be asked for them.
	 */
	int (*batch_script)(struct backend *backend, const struct job *job,
			    struct batch_script *ret, struct err *err);

	/* What a running job uses, as the scheduler measures it. NULL: it does not. */
	int (*stat)(struct backend *backend, const struct job *job, struct use *ret,
		    struct err *err);

	/*
	 * How what stands behind it is: whether all of it is well, and in words who we are there
	 * and how its services are. NULL: that it answers is all there is to know.
	 */
	int (*health)(struct backend *backend, bool *ret_is_well, char *out, size_t size,
		      struct err *err);

	/* Observing costs no request to anybody: done before every connection. */
	bool observes_at_once;

	/* What endpoint found is worth keeping: later connections go there without asking. */
	bool keeps_endpoints;

	/* Jobs are containers: it takes SPEC_CONTAINER_OPTIONS, and others are refused those. */
	bool runs_containers;

	/*
	 * Removes what the backend itself keeps of a job that has ended, or that was never handed
	 * over; what is gone is success. Where nothing can be reached, a job that was never handed
	 * over is nowhere, and it is not called. NULL: it keeps nothing.
	 */
	int (*forget)(struct backend *backend, const struct job *job, struct err *err);

	/* Removes what is there for many jobs and none needs any more. NULL: there is no such. */
	int (*collect)(struct backend *backend, struct err *err);

	/*
	 * Brings this file of the job directory, which was changed, to where a running job sees it.
	 * NULL: it sees the directory itself.
	 */
	int (*deliver)(struct backend *backend, const struct job *job, const char *name,
		       struct err *err);

	/*
	 * Brings what berth-init says of a rank that runs (status.RANK.json) into the job directory
	 * here. NULL: it is there already.
	 */
	int (*fetch_status)(struct backend *backend, const struct job *job, unsigned int rank,
			    struct err *err);

	/*
	 * Runs a program in a container until it ends, by the engine's own means; *ret_status is 0
	 * to 255, 128+N for signal N. NULL: there is no such.
	 */
	int (*exec)(struct backend *backend, const struct job *job, unsigned int rank,
		    const struct backend_exec *exec, int *ret_status, struct err *err);

	/*
	 * Carries bytes to and from a port of a rank where nothing else may lead to it, until
	 * either end is at its end. Asks nobody where the rank is: endpoint has. NULL: cannot.
	 */
	int (*carry)(struct backend *backend, const struct job *job, unsigned int rank,
		     const struct backend_carry *carry, struct err *err);

	/*
	 * Containers that berth did not start ("adopted": job_is_adopted()), all three or none.
	 *
	 * find_foreign sets native_id, name and command of one that runs, by what the user calls
	 * it. adopt copies the bundle and the files of the job directory here into it and starts
	 * the tunnel there, beside what runs; a tunnel of this job that is there already is started
	 * anew. From then on observe, endpoint, deliver, exec and read_log are asked about it as
	 * about any job, cancel, kill and forget never. abandon ends the tunnel and removes what
	 * was copied, where it still can: a container that is gone or has ended is success.
	 */
	int (*find_foreign)(struct backend *backend, const char *name, struct job *ret,
			    struct err *err);
	int (*adopt)(struct backend *backend, const struct submission *submission, struct err *err);
	int (*abandon)(struct backend *backend, const struct job *job, struct err *err);

	/* Optional: frees what embeds the backend. */
	void (*close)(struct backend *backend);
};

/* The base of every backend: implementations embed it first. */
struct backend {
	const struct backend_ops *ops;
	struct site *site; /* where its commands run and its files are; NULL: here */
};

struct backend *backend_close(struct backend *backend);
DEFINE_CLEANUP(struct backend, backend_close)

/* A bug otherwise: a job of another backend. */
void backend_assert_own(const struct backend *backend, const struct job *job);

const char *backend_name(const struct backend *backend);
bool backend_observes_at_once(const struct backend *backend);
bool backend_keeps_endpoints(const struct backend *backend);
bool backend_can_kill(const struct backend *backend);
struct site *backend_site(const struct backend *backend);

int backend_submit(struct backend *backend, const struct submission *submission,
		   struct submitted *ret, struct err *err) attr_must_use;
bool backend_prepares(const struct backend *backend); /* never where files are elsewhere */
void backend_prepare(struct backend *backend, const struct submission *submission);
int backend_render(struct backend *backend, const struct submission *submission, struct buf *ret,
		   struct err *err) attr_must_use;
int backend_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		    struct observation *ret, struct err *err) attr_must_use;
void backend_expect(struct backend *backend);
/* false: nobody waited. */
bool backend_await(struct backend *backend, unsigned int timeout_ms);
/* ERR_UNSUPPORTED where such jobs cannot be found. */
int backend_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		 struct err *err) attr_must_use;
/* ERR_UNSUPPORTED where jobs of other workstations cannot be found. */
int backend_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		   struct err *err) attr_must_use;
bool backend_can_find(const struct backend *backend);
int backend_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct err *err) attr_must_use;
/* ERR_UNSUPPORTED, with the alternative, for what the backend cannot do. */
int backend_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
		size_t len, struct err *err) attr_must_use;
int backend_check_act(const struct backend *backend, enum act_kind kind, struct err *err)
	attr_must_use;
int backend_kill(struct backend *backend, const struct job *job, struct err *err) attr_must_use;
int backend_release(struct backend *backend, const struct job *job, struct err *err) attr_must_use;
int backend_read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		     struct buf *ret, struct err *err) attr_must_use;
int backend_log_since(struct backend *backend, const struct job *job, uint64_t since_ns,
		      struct log_part *part, struct err *err) attr_must_use;
int backend_expect_logs(struct backend *backend, const struct job *job,
			const struct log_part *parts, size_t len, uint64_t since_ns,
			struct err *err) attr_must_use;
int backend_endpoint(struct backend *backend, const struct job *job, unsigned int rank, char **ret,
		     struct err *err) attr_must_use;
/* Success, and nothing done, where the backend has no such. */
int backend_forget(struct backend *backend, const struct job *job, struct err *err) attr_must_use;
int backend_collect(struct backend *backend, struct err *err) attr_must_use;
int backend_deliver(struct backend *backend, const struct job *job, const char *name,
		    struct err *err) attr_must_use;
/* Success, and nothing done, where the job directory is the job's own. */
int backend_fetch_status(struct backend *backend, const struct job *job, unsigned int rank,
			 struct err *err) attr_must_use;
bool backend_runs_containers(const struct backend *backend);

bool backend_can_carry(const struct backend *backend);
int backend_carry(struct backend *backend, const struct job *job, unsigned int rank,
		  const struct backend_carry *carry, struct err *err) attr_must_use;
bool backend_can_exec(const struct backend *backend);
/* ERR_UNSUPPORTED where the backend cannot. */
int backend_exec(struct backend *backend, const struct job *job, unsigned int rank,
		 const struct backend_exec *exec, int *ret_status, struct err *err) attr_must_use;
int backend_find_foreign(struct backend *backend, const char *name, struct job *ret,
			 struct err *err) attr_must_use;
int backend_adopt(struct backend *backend, const struct submission *submission, struct err *err)
	attr_must_use;
int backend_abandon(struct backend *backend, const struct job *job, struct err *err) attr_must_use;

int backend_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
		      struct err *err) attr_must_use;
int backend_batch_script(struct backend *backend, const struct job *job, struct batch_script *ret,
			 struct err *err) attr_must_use;
int backend_stat(struct backend *backend, const struct job *job, struct use *ret, struct err *err)
	attr_must_use;
/* ERR_UNSUPPORTED where there is nothing to know. */
int backend_health(struct backend *backend, bool *ret_is_well, char *out, size_t size,
		   struct err *err) attr_must_use;
int backend_list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
	attr_must_use;
int backend_list_queues(struct backend *backend, struct queue_list *ret, struct err *err)
	attr_must_use;
/* Those of nodes in this queue, or of all (NULL); none: it does not tell. */
int backend_architectures(struct backend *backend, const char *queue, struct architectures *ret,
			  struct err *err) attr_must_use;
int backend_list_reservations(struct backend *backend, struct reservation_list *ret,
			      struct err *err) attr_must_use;
bool backend_has_queue(const struct backend *backend);
int backend_report(struct backend *backend, struct scheduler_report *ret, struct err *err)
	attr_must_use;
int backend_list_queued(struct backend *backend, struct queued_list *ret, struct err *err)
	attr_must_use;
int backend_list_priorities(struct backend *backend, const struct job *const *jobs, size_t len,
			    struct priority *ret, struct err *err) attr_must_use;

struct token_source;

/* Settings of a cluster that backends with a server want; NULL where there is none. */
struct backend_settings {
	const char *url;
	struct token_source *tokens; /* outlives the backend */
	const char *user;	     /* there */
	const char *api;	     /* version of the interface */
	const char *tls_dir;	     /* directory with certificates */
	const char *kubeconfig, *kube_context, *namespace;
	const char *bundle_image, *bundle_volume; /* images that have berth's programs */
};

/*
 * Opens the backend of this name at a site (NULL: this machine), and takes that over on success.
 * ERR_INVALID names those that there are, or the setting that is missing; ERR_UNSUPPORTED: it works
 * on this machine only.
 */
int backend_open(const char *name, const struct backend_settings *settings, struct site *site,
		 struct backend **ret, struct err *err) attr_must_use;
