/* SPDX-License-Identifier: MIT */
/* What doctor looks at of a job; see doctor_check.h. */
#include <inttypes.h>
#include <string.h>

#include "controller/ops/doctor_check.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"

struct patient {
	struct controller *c;
	struct job job;
	unsigned int rank;
	char label[JOB_LABEL_SIZE];
};

static void patient_finish(struct patient *p)
{
	job_finish(&p->job);
	controller_close(p->c);
}
DEFINE_CLEANUP_VALUE(struct patient, patient_finish)

/* As a connection would: of an array the first task that runs, else the first. */
static unsigned int choose_rank(struct patient *p, const struct ref *ref)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	unsigned int first = 0;

	/* One that is not there is told of by who asks for its endpoint. */
	if (ref_choose_rank(ref, &p->job, &first, NULL) < 0)
		return ref->rank;
	if (ref->has_rank || !job_is_array(&p->job) ||
	    store_list_runs(p->c->store, p->job.id, true, &runs, NULL) < 0)
		return first;
	for (size_t i = 0; i < runs.len; i++) {
		if (runs.items[i].state == JOB_RUNNING)
			return (unsigned int)job_first_rank(&p->job, runs.items[i].task);
	}
	return first;
}

static bool find(struct doctor_check *check, const char *name, struct patient *p)
{
	struct err err;

	if (controller_open(&p->c, &err) < 0 || ops_find(p->c, check->ref, &p->job, &err) < 0) {
		doctor_say(check, name, FINDING_FAILURE, "%s", err.text);
		return false;
	}
	p->rank = choose_rank(p, check->ref);
	job_label(&p->job, p->label);
	check->about = p->label;
	return true;
}

static void tell_state(struct doctor_check *check, const struct patient *p, enum job_state state,
		       const char *reason, const char *by)
{
	const char *word = job_state_word(state);
	bool says = reason && reason[0];
	enum finding_level level = FINDING_WARNING;

	if (state == JOB_RUNNING)
		level = FINDING_OK;
	else if (job_state_is_ended(state))
		level = FINDING_FAILURE;
	doctor_say(check, "job", level, "%s is %s%s%s%s by %s%s", p->label, word, says ? " (" : "",
		   says ? reason : "", says ? ")" : "", by,
		   level == FINDING_OK	      ? ""
		   : level == FINDING_WARNING ? ": it can be entered when it runs"
					      : ": it cannot be entered any more; 'berth logs' "
						"has what it printed");
}

/* Asked as it is, without writing down what it says. */
void doctor_state(struct doctor_check *check)
{
	cleanup(patient_finish) struct patient p = { 0 };
	cleanup(run_list_finish) struct run_list runs = { 0 };
	struct observation seen = { .exit_code = JOB_NO_EXIT_CODE };
	const struct job *job;
	struct backend *backend;
	struct err err;

	if (!find(check, "job", &p))
		return;
	job = &p.job;
	if (job_state_is_ended(job->state)) {
		tell_state(check, &p, job->state, job->reason, "the record");
		return;
	}
	if (job_is_array(job))
		seen.runs = &runs;
	if ((seen.runs && store_list_runs(p.c->store, job->id, true, &runs, &err) < 0) ||
	    controller_backend(p.c, job->cluster, &backend, &err) < 0) {
		doctor_say(check, "job", FINDING_FAILURE, "%s", err.text);
		return;
	}
	if (seen.runs && runs.len == 0)
		run_list_init(&runs, job);
	if (backend_observe(backend, &job, 1, &seen, &err) < 0) {
		doctor_say(check, "job", FINDING_FAILURE, "%s was last known as %s: %s", p.label,
			   job_state_word(job->state), err.text);
		return;
	}
	if (seen.state == JOB_UNKNOWN)
		doctor_say(check, "job", FINDING_WARNING,
			   "%s: %s does not know it any more; it was last known as %s", p.label,
			   job->cluster, job_state_word(job->state));
	else
		tell_state(check, &p, seen.state, seen.reason, job->cluster);
}

void doctor_endpoint(struct doctor_check *check)
{
	cleanup(patient_finish) struct patient p = { 0 };
	cleanup_free char *path = NULL;
	bool has_ended = false;
	struct backend *backend;
	struct err err;

	if (!find(check, "endpoint", &p))
		return;
	if (controller_backend(p.c, p.job.cluster, &backend, &err) < 0 ||
	    place_endpoint(p.c, backend, &p.job, p.rank, &path, &has_ended, &err) < 0) {
		doctor_say(check, "endpoint", FINDING_WARNING,
			   "rank %u of %s does not say where it listens: %s; when it runs, "
			   "%s/tunnel.%u.log says why",
			   p.rank, p.label, err.text, p.job.directory, p.rank);
		return;
	}
	check->about = path;
	if (has_ended)
		doctor_say(check, "endpoint", FINDING_FAILURE, "rank %u of %s has ended", p.rank,
			   p.label);
	else
		doctor_say(check, "endpoint", FINDING_OK, "rank %u of %s says where it listens",
			   p.rank, p.label);
}

void doctor_ways(struct doctor_check *check)
{
	cleanup(patient_finish) struct patient p = { 0 };
	cleanup(argv_finish) struct argv options = { 0 };
	cleanup_free char *key = NULL;
	struct err err;

	if (!find(check, "ways", &p))
		return;
	key = paths_client_key(&p.c->paths, p.job.uid);
	argv_add_words(&options, "--client-file", key, NULL);
	if (check->file)
		argv_add_words(&options, "--endpoint", check->file, NULL);
	argv_addf(&options, "--rank=%u", p.rank);
	argv_addf(&options, "--name=%s", p.label);
	if (doctor_ask_tunnel(check, p.c, argv_words(&options), &err) < 0)
		doctor_say(check, "ways", FINDING_FAILURE, "%s", err.text);
}
