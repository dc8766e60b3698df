/* SPDX-License-Identifier: MIT */
/* berth wait: until jobs have ended, or are in a state. */
#include <string.h>
#include <time.h>

#include "controller/cmd/cmd.h"
#include "controller/model/filter.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "init/base/text.h"

/* What the exit status of `berth wait` is for jobs that have neither exit status nor signal. */
#define STATUS_TIMEOUT 124   /* as timeout(1) */
#define STATUS_SIGNAL 128    /* and the signal's number, as a shell */
#define STATUS_CANCELLED 143 /* 128 and SIGTERM, which is how jobs are cancelled */
#define STATUS_FAILED 1

struct args {
	struct opt_list states;
	const char *timeout; /* 0 is one, too: then nobody waits */
};

static const struct opt opts[] = {
	OPT_LIST(0, "for", struct args, states, "STATE", "until they are in this state (ended)"),
	OPT_STR(0, "timeout", struct args, timeout, "DURATION", "wait at most so long"),
	OPT_END,
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* As the command ended, as far as there is an exit status for it. */
static int status_of(const struct job *job)
{
	if (!job_state_is_ended(job->state) || job->state == JOB_SUCCEEDED)
		return 0;
	if (job->state == JOB_TIMEOUT)
		return STATUS_TIMEOUT;
	if (job->state == JOB_CANCELLED || job->state == JOB_PREEMPTED)
		return STATUS_CANCELLED;
	if (job->signal > 0 && job->signal < 128)
		return STATUS_SIGNAL + job->signal;
	return job->exit_code > 0 ? job->exit_code : STATUS_FAILED;
}

static void tell(const struct job *job)
{
	char why[160], label[JOB_LABEL_SIZE];

	job_explain_end(job, why, sizeof(why));
	job_label(job, label);
	printf("%s %s%s%s\n", label, job_state_word(job->state), why[0] ? ": " : "", why);
}

/* What is being waited for. */
struct wait {
	struct controller *c;
	struct job_list jobs;
	struct filter filter; /* of a state that is enough */
	bool for_the_end;
	bool *told;
	int status; /* of the first job that gave one that is not 0 */
};

static void wait_finish(struct wait *wait)
{
	job_list_finish(&wait->jobs);
	free(wait->told);
}
DEFINE_CLEANUP_VALUE(struct wait, wait_finish)

static bool is_over(const struct wait *wait, const struct job *job)
{
	return job_state_is_ended(job->state) || filter_accepts(&wait->filter, 0, job);
}

/* Whether a state before the end is enough: then a job that succeeded meanwhile was there. */
static bool is_for_open(const struct wait *wait)
{
	const struct job running = { .state = JOB_RUNNING }, queued = { .state = JOB_QUEUED },
			 starting = { .state = JOB_STARTING };

	return filter_accepts(&wait->filter, 0, &running) ||
	       filter_accepts(&wait->filter, 0, &queued) ||
	       filter_accepts(&wait->filter, 0, &starting);
}

/* Whether the job ended without having been in a state that was waited for. */
static bool has_missed(const struct wait *wait, const struct job *job)
{
	return !filter_accepts(&wait->filter, 0, job) &&
	       !(job->state == JOB_SUCCEEDED && is_for_open(wait));
}

/*
 * Tells about jobs that have arrived; returns how many have not. A job that ends in another state
 * than those that were waited for will never be there: then its end decides the status, and that
 * is a failure in any case.
 */
static size_t take_stock(struct wait *wait)
{
	size_t left = 0;

	for (size_t i = 0; i < wait->jobs.len; i++) {
		const struct job *job = &wait->jobs.items[i];
		bool missed = has_missed(wait, job);
		int status = wait->for_the_end || missed ? status_of(job) : 0;

		if (!is_over(wait, job)) {
			left++;
			continue;
		}
		if (wait->told[i])
			continue;
		wait->told[i] = true;
		tell(job);
		if (wait->status == 0)
			wait->status = missed && status == 0 ? STATUS_FAILED : status;
	}
	fflush(stdout);
	return left;
}

/* The shortest interval that any backend of the jobs is worth asking again after. */
static unsigned int interval_ms(const struct wait *wait)
{
	unsigned int shortest = UINT32_MAX;

	for (size_t i = 0; i < wait->jobs.len; i++) {
		if (!wait->told[i])
			shortest =
				MIN(shortest, ops_poll_interval_ms(wait->c, &wait->jobs.items[i]));
	}
	return shortest;
}

static int wait_for_all(struct wait *wait, uint64_t timeout_ns, struct err *err)
{
	uint64_t start = monotonic_ns();
	bool is_first = true;
	size_t left;

	for (;; is_first = false) {
		/* Who asks about a cluster that cannot be asked hears it; later it may be busy. */
		if ((is_first ? ops_refresh : ops_refresh_patiently)(wait->c, &wait->jobs, err) < 0)
			return -1;
		left = take_stock(wait);
		if (left == 0)
			return wait->status;
		if (monotonic_ns() - start >= timeout_ns)
			return err_set(err, ERR_TIMEOUT, "%zu of %zu jobs are not there yet", left,
				       wait->jobs.len);
		ops_await(wait->c, &wait->jobs, interval_ms(wait));
	}
}

static int parse_timeout(const char *text, uint64_t *ret_ns, struct err *err)
{
	*ret_ns = UINT64_MAX;
	if (text && !text_parse_duration(text, ret_ns))
		return err_set(err, ERR_INVALID,
			       "--timeout: '%.40s' is not a duration: write it like 90s, 30m or 2h",
			       text);
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	struct filter_args wanted = { .states = args->states };
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(wait_finish) struct wait wait = { .for_the_end = args->states.len == 0 };
	uint64_t timeout_ns;
	int result;

	if (wait.for_the_end)
		wanted.states.items[wanted.states.len++] = "ended";
	if (parse_timeout(args->timeout, &timeout_ns, err) < 0 ||
	    filter_parse(&wanted, &wait.filter, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	if (ops_find_named(c, argv, (size_t)argc, &wait.jobs, err) < 0)
		return -1;
	wait.c = c;
	wait.told = new_array(bool, wait.jobs.len);
	result = wait_for_all(&wait, timeout_ns, err);
	ops_collect_in_passing(c);
	return result;
}

const struct verb cmd_wait = {
	.name = "wait",
	.operands = "JOB...",
	.summary = "wait until jobs have ended",
	.details = "Ends as the first job that did not succeed: with its exit status, 128+N for "
		   "signal N,\n124 for a time limit, 143 when it was cancelled or preempted; 75 "
		   "when --timeout is over.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
