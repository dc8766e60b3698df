/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Finding jobs, learning how they are, ending them, and reading what they printed.
 */

#include "controller/model/filter.h"
#include "controller/model/log_part.h"
#include "controller/ops/controller.h"
#include "init/base/buf.h"

/*
 * The record, as last known. ERR_NOT_FOUND says how to list jobs. Where a task of an array is
 * meant, the record's `only` says so: what is done to it is done to that task, and once it was
 * refreshed its state is that of the task. Such a record cannot be stored.
 */
int ops_find(struct controller *c, const struct ref *ref, struct job *ret, struct err *err)
	attr_must_use;

/*
 * The same for a JOB argument as the user wrote it, which may also be "job-7_[0-4,9]". One rank of
 * several is refused: nothing can be done to it alone.
 */
int ops_find_text(struct controller *c, const char *text, struct job *ret, struct err *err)
	attr_must_use;

/*
 * The same for who only looks: a rank may be meant, too, and then the record's `of_rank` says so.
 * Once it was refreshed, it tells what is known of that rank.
 */
int ops_find_to_show(struct controller *c, const char *text, struct job *ret, struct err *err)
	attr_must_use;

/* The jobs of several arguments of ops_find_text(), each once however often it was named. */
int ops_find_named(struct controller *c, char *const *names, size_t len, struct job_list *ret,
		   struct err *err) attr_must_use;

/* Jobs that have not ended, or ended less than a day ago; or all that are recorded. */
int ops_list(struct controller *c, bool all, struct job_list *ret, struct err *err) attr_must_use;

/*
 * Asks the backends, one request each, and brings the records up to date; what belongs to a job
 * that turns out to have ended is released. When a backend does not answer, its jobs stay as they
 * were last known, the others are done, and the result is -1.
 */
int ops_refresh(struct controller *c, struct job_list *jobs, struct err *err) attr_must_use;
int ops_refresh_job(struct controller *c, struct job *job, struct err *err) attr_must_use;

/*
 * For who has looked before and will again: a backend that does not answer now is no error, and is
 * told about once (controller_choice.say) until it answers.
 */
int ops_refresh_patiently(struct controller *c, struct job_list *jobs, struct err *err)
	attr_must_use;

/* The same for who only looks: a cluster whose jobs were seen a moment ago is not asked (age.h). */
int ops_refresh_aged(struct controller *c, struct job_list *jobs, struct err *err) attr_must_use;

/* Which jobs a verb is about: those that are named, or else those that ops_list() gives. */
struct selection {
	char *const *jobs; /* operands as the user wrote them, borrowed */
	size_t len;
	bool all;		     /* without operands: also those that ended long ago */
	const struct filter *filter; /* or NULL; goes for named jobs too */
	bool may_be_aged;	     /* see ops_refresh_aged() */
	bool is_to_show;	     /* see ops_find_to_show() */
};

/*
 * Finds the jobs, asks the backends about them, and drops those that the filter does not accept: by
 * what they are now. 0: done; 1: some backends did not answer, their jobs were taken as last known,
 * and *err says why; -1: *ret is not written (a name that nobody has).
 */
int ops_select(struct controller *c, const struct selection *selection, struct job_list *ret,
	       struct err *err) attr_must_use;

/* Longer than berth-init gives what is left of a job (5 s), so that it can finish its work. */
#define OPS_CANCEL_PATIENCE_MS 10000

/*
 * Ends jobs: asks each, waits so long where the backend needs that, then insists. Jobs that ended
 * already are left alone. Every job is tried; the first failure is reported.
 */
int ops_cancel(struct controller *c, struct job_list *jobs, unsigned int patience_ms,
	       struct err *err) attr_must_use;

/*
 * Appends a part of what the job printed; nothing when there is no more.
 */
int ops_read_log(struct controller *c, const struct job *job, const struct log_part *part,
		 struct buf *ret, struct err *err) attr_must_use;

/* Lets a part begin where what was printed since then does, or a few seconds before that. */
int ops_log_since(struct controller *c, const struct job *job, uint64_t since_ns,
		  struct log_part *part, struct err *err) attr_must_use;

/*
 * Says that all of these are going to be read, where since_ns is not 0 after ops_log_since(): what
 * is far away then comes in one message.
 */
int ops_expect_logs(struct controller *c, const struct job *job, const struct log_part *parts,
		    size_t len, uint64_t since_ns, struct err *err) attr_must_use;

/* How often it is worth asking about this job again. */
unsigned int ops_poll_interval_ms(struct controller *c, const struct job *job);

/*
 * Sleeps so long before the jobs are asked about again; not to the end where all that have not
 * ended are of one cluster, whose backend hears of news.
 */
void ops_await(struct controller *c, const struct job_list *jobs, unsigned int ms);

/* Whether its files are behind a login node, where each look at them is a message. */
bool ops_job_is_remote(struct controller *c, const struct job *job);

/* Whether each look at its files is a request to a server: sites allow so many a minute. */
bool ops_job_is_dear(struct controller *c, const struct job *job);
