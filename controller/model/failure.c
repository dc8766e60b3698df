/* SPDX-License-Identifier: MIT */
/* Why jobs failed; see failure.h. */
#include "failure.h"

#include <signal.h>
#include <string.h>

#define SHELL_NOT_EXECUTABLE 126
#define SHELL_NOT_FOUND 127

/* What is in the scheduler's word for the state, or in its reason; the first that is, counts. */
static const struct {
	const char *word, *text;
} words[] = {
	{ "OUT_OF_MEMORY", "it needed more memory than it had: ask for more with --mem" },
	{ "OutOfMemory", "it needed more memory than it had: ask for more with --mem" },
	{ "out of memory", "it needed more memory than it had: ask for more with --mem" },
	{ "NODE_FAIL", "its node failed: submit it again, with --requeue that is done for you" },
	{ "BOOT_FAIL", "its node did not start: submit it again" },
	{ "DEADLINE", "it could not have ended before its deadline" },
	{ "LAUNCH_FAILED", "the scheduler could not start it on its node: ask the site" },
	{ "launch failed", "the scheduler could not start it on its node: ask the site" },
	{ "DependencyNeverSatisfied", "a job that it was to wait for failed" },
};

/* The states, where no word says more. */
static const char *const states[] = {
	[JOB_TIMEOUT] = "it ran into its time limit: ask for more with --time",
	[JOB_PREEMPTED] = "a more important job took its place: submit it again",
};

void failure_list_finish(struct failure_list *list)
{
	for (size_t i = 0; i < list->len; i++) {
		job_finish(&list->items[i].job);
		free(list->items[i].log);
	}
	free(list->items);
	*list = (struct failure_list){ 0 };
}

struct failure *failure_list_add(struct failure_list *list)
{
	struct failure *added;

	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	added = &list->items[list->len++];
	*added = (struct failure){ .log = str_dup("") };
	job_init(&added->job);
	return added;
}

bool failure_is_one(enum job_state state)
{
	return job_state_is_ended(state) && state != JOB_SUCCEEDED;
}

static void explain_exit(int code, char *out, size_t size)
{
	if (code == SHELL_NOT_FOUND)
		snprintf(out, size, "exit status 127: a command was not found in the job");
	else if (code == SHELL_NOT_EXECUTABLE)
		snprintf(out, size,
			 "exit status 126: a command could not be executed: is it a program, and "
			 "for machines like its node?");
	else
		snprintf(out, size, "the command ended with exit status %d", code);
}

void failure_explain(const struct job *job, char *out, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strstr(job->native_state, words[i].word) ||
		    strstr(job->reason, words[i].word)) {
			snprintf(out, size, "%s", words[i].text);
			return;
		}
	}
	if (job->state == JOB_CANCELLED)
		snprintf(out, size, "%s",
			 job->cancel_requested ? "it was cancelled with berth"
					       : "it was cancelled, not with this berth");
	else if ((size_t)job->state < ARRAY_LEN(states) && states[job->state])
		snprintf(out, size, "%s", states[job->state]);
	else if (job->signal == SIGKILL)
		snprintf(out, size, "killed by signal 9 (Killed), as for memory or by somebody");
	else if (job->signal > 0)
		snprintf(out, size, "killed by signal %d (%s)", job->signal,
			 strsignal(job->signal));
	else if (job->exit_code > 0)
		explain_exit(job->exit_code, out, size);
	else
		snprintf(out, size, "%s", job->reason[0] ? job->reason : "it is not known why");
}
