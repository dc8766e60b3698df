/* SPDX-License-Identifier: MIT */
/* Choosing the jobs that a verb changes; see many.h. */
#include "many.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/ops/jobs.h"

static bool fits(const struct many *many, const struct job *job)
{
	return many->fits ? many->fits(many->arg, job) : !job_state_is_ended(job->state);
}

static void keep_fitting(const struct many *many, struct job_list *jobs)
{
	size_t kept = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		if (!fits(many, &jobs->items[i])) {
			job_finish(&jobs->items[i]);
			continue;
		}
		if (kept != i)
			jobs->items[kept] = jobs->items[i];
		kept++;
	}
	jobs->len = kept;
}

/* 1: yes; 0: no. Without a terminal nobody can be asked. */
static int ask(const struct many *many, const struct job_list *jobs, struct err *err)
{
	char answer[8] = "";

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return err_set(err, ERR_INVALID,
			       "this would %s %zu jobs: --dry-run lists them, --yes does it",
			       many->what, jobs->len);
	for (size_t i = 0; i < jobs->len && i < 10; i++)
		fprintf(stderr, "job-%" PRIu64 "  %s  %s\n", jobs->items[i].id,
			job_state_word(jobs->items[i].state), jobs->items[i].command);
	if (jobs->len > 10)
		fprintf(stderr, "... and %zu more\n", jobs->len - 10);
	fprintf(stderr, "%s %zu jobs? [y/N] ", many->what, jobs->len);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return 1;
	fprintf(stderr, "berth: no job was touched\n");
	return 0;
}

static int confirm(const struct many *many, const struct job_list *jobs, bool named,
		   struct err *err)
{
	if (jobs->len == 0) {
		fprintf(stderr, "berth: there is no such job to %s\n", many->what);
		return 0;
	}
	if (many->args->dry_run) {
		for (size_t i = 0; i < jobs->len; i++) {
			char label[JOB_LABEL_SIZE];

			job_label(&jobs->items[i], label);
			printf("%s (%s): %s\n", label, job_state_word(jobs->items[i].state),
			       many->what);
		}
		return 0;
	}
	return named || many->args->yes || jobs->len == 1 ? 1 : ask(many, jobs, err);
}

/* "berth cancel jobs --state queued" reads as well as "berth cancel --state queued". */
static int skip_resource(const struct many *many)
{
	return many->argc > 0 &&
	       (strcmp(many->argv[0], "jobs") == 0 || strcmp(many->argv[0], "job") == 0);
}

int many_choose(struct controller *c, const struct many *many, struct job_list *ret,
		struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	int skipped = skip_resource(many), named = many->argc - skipped, selected, chosen;
	struct filter filter;
	const struct selection selection = { .jobs = many->argv + skipped,
					     .len = (size_t)named,
					     .filter = &filter };

	if (filter_parse(&many->args->filter, &filter, err) < 0)
		return -1;
	if (named > 0 && many->args->all)
		return err_set(err, ERR_INVALID, "--all and names of jobs exclude each other");
	if (named == 0 && !many->args->all && filter_is_empty(&filter))
		return err_set(err, ERR_INVALID,
			       "%s which jobs? name them, say what they have in common "
			       "(--state queued, --name 'train*'), or --all",
			       many->what);
	selected = ops_select(c, &selection, &jobs, err);
	/* Named jobs are tried: a backend that does not answer will say so when it is asked. */
	if (selected < 0 || (selected == 1 && named == 0))
		return -1;
	if (named == 0)
		keep_fitting(many, &jobs);
	chosen = confirm(many, &jobs, named > 0, err);
	if (chosen == 1) {
		*ret = jobs;
		jobs = (struct job_list){ 0 };
	}
	return chosen;
}
