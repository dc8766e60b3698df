/* SPDX-License-Identifier: MIT */
/* The way into a job; see connect.h. */
#include "connect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/backends/jobdir.h"
#include "init/base/indices.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"

/* A job that runs has its tunnel within milliseconds; after this long it has none. */
#define TUNNEL_WAIT_NS (20 * NSEC_PER_SEC)
#define OTHER_WAIT_NS (2 * NSEC_PER_SEC)
#define POLL_MS 20
#define POLL_REMOTE_MS 500
#define POLL_DEAR_MS 2000
/* The scheduler may learn of a job's end some seconds after us. */
#define KNOCK_TIMEOUT_MS 10000
#define LOCATE_WAIT_NS (8 * NSEC_PER_SEC)
#define LINE_SIZE 256
#define CLIENT_FILE_MAX 65536
/* Relays know of a job that runs before its directory shows that to others. */
#define RELAY_AFTER_NS (2 * NSEC_PER_SEC)

int ops_check_not_ended(const struct job *job, struct err *err)
{
	char why[160], label[JOB_LABEL_SIZE];

	if (!job_state_is_ended(job->state))
		return 0;
	job_explain_end(job, why, sizeof(why));
	job_label(job, label);
	return err_set(err, ERR_UNAVAILABLE, "%s ended: %s%s%s", label, job_state_word(job->state),
		       why[0] ? ", " : "", why);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* What the waiting is for. */
struct visit {
	struct controller *c;
	struct backend *backend;
	unsigned int rank;
	const struct progress *progress;
	const char *verb;
	struct job job;
	char label[JOB_LABEL_SIZE];
	uint64_t deadline;	/* monotonic */
	uint64_t ask_at;	/* when the backend may be asked next */
	uint64_t running_since; /* monotonic, 0 before */
	enum job_state said;
	bool has_relays; /* the job can be met without knowing where it listens */
	bool was_said;	 /* that nobody answers who knows whether it runs */
};

static void visit_finish(struct visit *v)
{
	job_finish(&v->job);
}
DEFINE_CLEANUP_VALUE(struct visit, visit_finish)

/* Of an array, who names no task means the first that runs; else the first. */
static int choose_task(struct visit *v, struct err *err)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	uint64_t chosen = 0;
	char text[24];

	struct err why;

	if (ops_refresh_job(v->c, &v->job, &why) < 0)
		log_debug("%s: what was last known has to do", why.text);
	if (store_list_runs(v->c->store, v->job.id, true, &runs, err) < 0 ||
	    !indices_next(v->job.array, 0, &chosen))
		return -1;
	for (size_t i = 0; i < runs.len; i++) {
		if (runs.items[i].state == JOB_RUNNING) {
			chosen = runs.items[i].task;
			break;
		}
	}
	v->rank = (unsigned int)job_first_rank(&v->job, chosen);
	snprintf(text, sizeof(text), "%" PRIu64, chosen);
	job_set(&v->job, only, text);
	return 0;
}

/* Whether the client file has relays; it is berth-tunnel's to understand, and nobody else's. */
static bool has_relays(const struct controller *c, const struct job *job)
{
	cleanup_free char *path = paths_client_key(&c->paths, job->uid);
	cleanup(buf_wipe) struct buf text = BUF_INIT(CLIENT_FILE_MAX);

	return fs_read_file(path, CLIENT_FILE_MAX, &text, NULL) == 0 &&
	       strstr(buf_str(&text), "\"relays\"");
}

static int open_visit(struct controller *c, const struct ref *ref, struct visit *v, struct err *err)
{
	v->c = c;
	v->said = JOB_RUNNING; /* about which nothing is said */
	if (ops_find(c, ref, &v->job, err) < 0 ||
	    ref_choose_rank(ref, &v->job, &v->rank, err) < 0 ||
	    (job_is_array(&v->job) && !ref->has_rank && choose_task(v, err) < 0))
		return -1;
	if (job_is_array(&v->job))
		job_rank_label(&v->job, v->rank, v->label);
	else
		job_label(&v->job, v->label);
	v->has_relays = has_relays(c, &v->job);
	if (job_is_imported(&v->job))
		return ops_refresh_job(c, &v->job, err);
	return controller_backend(c, v->job.cluster, &v->backend, err);
}

static int refresh(struct visit *v, uint64_t now, struct err *err)
{
	struct job_list one = { .items = &v->job, .len = 1 };
	bool is_first = v->ask_at == 0;

	if (now < v->ask_at)
		return 0;
	v->ask_at = now + ops_poll_interval_ms(v->c, &v->job) * NSEC_PER_MSEC;
	return (is_first ? ops_refresh : ops_refresh_patiently)(v->c, &one, err);
}

static void say_waiting(struct visit *v)
{
	char line[LINE_SIZE];

	if (v->job.state == v->said || !v->progress->say)
		return;
	v->said = v->job.state;
	snprintf(line, sizeof(line), "%s is %s%s%s%s: waiting for it to run", v->label,
		 job_state_word(v->job.state), v->job.reason[0] ? " (" : "", v->job.reason,
		 v->job.reason[0] ? ")" : "");
	v->progress->say(v->progress->arg, line);
}

/* Where a program can be run without it, nobody waits long for a tunnel that does not come. */
static uint64_t tunnel_wait_ns(const struct visit *v)
{
	bool has_other = strcmp(v->verb, "exec") == 0 && backend_can_exec(v->backend);

	return has_other ? OTHER_WAIT_NS : TUNNEL_WAIT_NS;
}

static int check_patience(struct visit *v, uint64_t now, struct err *err)
{
	if (v->job.state == JOB_RUNNING && v->running_since == 0)
		v->running_since = now;
	if (v->running_since && now - v->running_since > tunnel_wait_ns(v))
		return err_set(err, ERR_UNAVAILABLE,
			       "%s runs, but its tunnel does not: see %s/tunnel.%u.log", v->label,
			       v->job.directory, v->rank);
	if (now < v->deadline)
		return 0;
	return err_set(err, ERR_TIMEOUT, "%s is still %s%s%s%s: try again later", v->label,
		       job_state_word(v->job.state), v->job.reason[0] ? " (" : "", v->job.reason,
		       v->job.reason[0] ? ")" : "");
}

static int refuse_ended(const struct visit *v, struct err *err)
{
	char label[JOB_LABEL_SIZE];

	job_rank_label(&v->job, v->rank, label);
	return err_set(err, ERR_UNAVAILABLE, "%s has ended", label);
}

/* 1: *ret_endpoint is where the rank listens. 0: not yet. */
static int look(struct visit *v, uint64_t now, char **ret_endpoint, struct err *err)
{
	bool has_ended = false;
	struct err own;
	int found;

	if (backend_observes_at_once(v->backend) && refresh(v, now, err) < 0)
		return -1;
	if (ops_check_not_ended(&v->job, err) < 0)
		return -1;
	found = place_endpoint(v->c, v->backend, &v->job, v->rank, ret_endpoint, &has_ended, &own);
	if (found == 0 && !has_ended)
		return 1;
	if (found < 0 && (own.kind != ERR_NOT_FOUND || !job_has_rank(&v->job, v->rank)))
		return err_set(err, own.kind, "%s", own.text);
	free(take_ptr(*ret_endpoint));
	if (refresh(v, now, err) < 0 || ops_check_not_ended(&v->job, err) < 0)
		return -1;
	if (found == 0)
		return refuse_ended(v, err);
	return 0;
}

/* What came in the file is all that there is. */
static int take_imported(const struct visit *v, char **ret_endpoint, struct err *err)
{
	if (ops_check_not_ended(&v->job, err) < 0)
		return -1;
	*ret_endpoint = place_known_endpoint(v->c, NULL, &v->job, v->rank);
	if (*ret_endpoint || v->has_relays)
		return 0;
	return err_set(err, ERR_UNAVAILABLE,
		       "%s did not run when it was exported, and has no relay: export it again",
		       v->label);
}

/* Whether a job of which nothing is known now runs by now: then it is at its relays. */
static bool answers_at_relays(const struct visit *v)
{
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	cleanup_free char *key = paths_client_key(&v->c->paths, v->job.uid);
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	struct child_plan plan = { .timeout_ms = KNOCK_TIMEOUT_MS };

	if (bundle_find(v->c->paths.program, &bundle, NULL) < 0)
		return false;
	argv_add_words(&argv, bundle.tunnel, "knock", "--client-file", key, "--wait=0s", NULL);
	argv_addf(&argv, "--rank=%u", v->rank);
	argv_addf(&argv, "--name=%s", v->label);
	plan.argv = argv_words(&argv);
	return child_run(&plan, &child, NULL) == 0 && child.status == 0;
}

static void say_of_site(struct visit *v, const struct err *why, const char *what)
{
	char line[LINE_SIZE];

	if (v->was_said || !v->progress->say)
		return;
	v->was_said = true;
	snprintf(line, sizeof(line), "%.200s: %s", why->text, what);
	v->progress->say(v->progress->arg, line);
}

/*
 * Without an endpoint, by the relays: when nobody can be asked for it, or it does not show. 1: they
 * lead to it. 0: it depends on what was found. -1: who knows does not answer, and the job waited
 * when it was seen last: it goes on being waited for.
 */
static int try_relays(struct visit *v, uint64_t now, int found, const struct err *why)
{
	if (!v->has_relays)
		return 0;
	if (found == 0)
		return v->running_since && now - v->running_since > RELAY_AFTER_NS;
	if (why->kind != ERR_UNAVAILABLE && why->kind != ERR_TIMEOUT)
		return 0;
	if (v->job.state == JOB_RUNNING || now >= v->deadline) {
		v->was_said = false;
		say_of_site(v, why, "asking the relays");
		return 1;
	}
	say_of_site(v, why, "waiting for it, or for the job at its relays");
	return answers_at_relays(v) ? 1 : -1;
}

static int wait_for_endpoint(struct visit *v, char **ret_endpoint, struct err *err)
{
	long poll_ms = ops_job_is_dear(v->c, &v->job)		  ? POLL_DEAR_MS
		       : site_is_remote(backend_site(v->backend)) ? POLL_REMOTE_MS
								  : POLL_MS;

	for (;;) {
		uint64_t now = monotonic_ns();
		int found = look(v, now, ret_endpoint, err);
		int relays = found <= 0 ? try_relays(v, now, found, err) : 0;

		if (relays > 0)
			return 0;
		if (relays == 0 && found != 0)
			return found < 0 ? -1 : 0;
		if (relays == 0) {
			if (check_patience(v, now, err) < 0)
				return -1;
			say_waiting(v);
		}
		nanosleep(&(struct timespec){ .tv_sec = poll_ms / 1000,
					      .tv_nsec = poll_ms % 1000 * 1000000L },
			  NULL);
	}
}

/* 1: it cannot be entered now, and *err says why. 0: that may change. */
static int explain_absence(const struct visit *v, struct err *err)
{
	char why[160];

	if (v->job.state == JOB_RUNNING)
		return 0;
	job_explain_end(&v->job, why, sizeof(why));
	if (job_state_is_ended(v->job.state))
		err_set(err, ERR_UNAVAILABLE, "it ended: %s%s%s", job_state_word(v->job.state),
			why[0] ? ", " : "", why);
	else if (v->job.state == JOB_UNKNOWN && why[0])
		err_set(err, ERR_UNAVAILABLE, "nothing is known of it any more: %s", why);
	else
		err_set(err, ERR_UNAVAILABLE, "it is %s now: connect again to wait for it",
			job_state_word(v->job.state));
	return 1;
}

/* One look; 2: it runs, and has no tunnel, as for a moment when it ends or starts anew. */
static int locate(struct visit *v, struct err *err)
{
	cleanup_free char *endpoint = NULL;
	bool has_ended = false;
	struct err own;

	if (place_endpoint(v->c, v->backend, &v->job, v->rank, &endpoint, &has_ended, &own) == 0 &&
	    !has_ended)
		return 0;
	if (!has_ended && own.kind != ERR_NOT_FOUND)
		return err_set(err, own.kind, "%s", own.text);
	if (ops_refresh_job(v->c, &v->job, err) < 0)
		return -1;
	return explain_absence(v, err) ? 1 : 2;
}

int ops_locate(struct controller *c, const struct ref *ref, struct err *err)
{
	static const struct progress quiet = { 0 };
	cleanup(visit_finish) struct visit v = { .progress = &quiet, .verb = "" };
	uint64_t deadline = monotonic_ns() + LOCATE_WAIT_NS;
	int result;

	if (open_visit(c, ref, &v, err) < 0)
		return -1;
	while ((result = locate(&v, err)) == 2 && monotonic_ns() < deadline)
		nanosleep(&(struct timespec){ .tv_nsec = POLL_REMOTE_MS * 1000000L }, NULL);
	if (result == 2)
		err_set(err, ERR_UNAVAILABLE, "its tunnel has ended, and it still runs: see %s",
			v.job.directory);
	if (result > 0)
		place_drop_endpoints(c, &v.job);
	return MIN(result, 1);
}

/* Where it was last, which costs nobody a question: the tunnel asks when nobody answers there. */
static bool take_known(const struct visit *v, char **ret_endpoint)
{
	if (!v->backend ||
	    !(site_is_remote(backend_site(v->backend)) || backend_keeps_endpoints(v->backend)) ||
	    v->job.state != JOB_RUNNING)
		return false;
	*ret_endpoint = place_known_endpoint(v->c, backend_site(v->backend), &v->job, v->rank);
	return *ret_endpoint;
}

static void add_job(const struct job *job, unsigned int rank, const char *option, struct argv *ret)
{
	char label[JOB_LABEL_SIZE];

	job_rank_label(job, rank, label);
	argv_addf(ret, "%s=%s", option, label);
}

void connect_add_through(const struct controller *c, const struct backend *backend,
			 const struct job *job, unsigned int rank, struct argv *ret)
{
	if (!backend || !backend_can_carry(backend))
		return;
	argv_addf(ret, "--through=%s", c->paths.program);
	argv_add_words(ret, "--through=proxy", "--through=--stream", NULL);
	add_job(job, rank, "--through", ret);
}

int ops_carry(struct controller *c, const struct ref *ref, const char *to, struct err *err)
{
	const char *colon = strrchr(to, ':');
	struct backend_carry carry = { .in = STDIN_FILENO, .out = STDOUT_FILENO };
	cleanup(job_finish) struct job job = { 0 };
	struct backend *backend;
	unsigned int rank;
	uint64_t port;

	if (!colon || !text_parse_uint(colon + 1, UINT16_MAX, &port) || port == 0)
		return err_set(err, ERR_INVALID, "'%s' is not HOST:PORT", to);
	carry.port = (uint16_t)port;
	if (ops_find(c, ref, &job, err) < 0 || ref_choose_rank(ref, &job, &rank, err) < 0 ||
	    controller_backend(c, job.cluster, &backend, err) < 0)
		return -1;
	return backend_carry(backend, &job, rank, &carry, err);
}

/* What the tunnel asks when nobody answers, now or later. */
static void add_refresh(const struct visit *v, struct argv *ret)
{
	if (!v->backend)
		return;
	argv_addf(ret, "--refresh=%s", v->c->paths.program);
	argv_add_words(ret, "--refresh=proxy", "--refresh=--locate", NULL);
	add_job(&v->job, v->rank, "--refresh", ret);
}

int ops_connect(struct controller *c, const struct connect_plan *plan, struct argv *ret,
		struct err *err)
{
	cleanup(visit_finish) struct visit v = { .progress = plan->progress, .verb = plan->verb };
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	cleanup_free char *endpoint = NULL, *key = NULL;
	bool is_known;

	if (open_visit(c, plan->ref, &v, err) < 0 ||
	    bundle_find(c->paths.program, &bundle, err) < 0)
		return -1;
	v.deadline = monotonic_ns() + plan->wait_ns;
	is_known = take_known(&v, &endpoint);
	if (!is_known && (job_is_imported(&v.job) ? take_imported(&v, &endpoint, err)
						  : wait_for_endpoint(&v, &endpoint, err)) < 0)
		return -1;
	key = paths_client_key(&c->paths, v.job.uid);
	if (access(key, R_OK) < 0)
		return err_set_errno(err, errno, "the key of job-%" PRIu64 ": %s", v.job.id, key);
	argv_add_words(ret, bundle.tunnel, plan->verb, "--client-file", key, NULL);
	if (endpoint)
		argv_add_words(ret, "--endpoint", endpoint, NULL);
	add_refresh(&v, ret);
	connect_add_through(c, v.backend, &v.job, v.rank, ret);
	if (strcmp(plan->verb, "ssh") == 0)
		argv_add_words(ret, "--host-key", c->paths.host_key, NULL);
	argv_addf(ret, "--rank=%u", v.rank);
	argv_addf(ret, "--name=%s", v.label);
	return 0;
}

int ops_choose_path(struct controller *c, const char *path, struct err *err)
{
	if (path && config_check_path_kind(path, err) < 0)
		return err_wrap(err, "--path");
	c->ssh.path = path;
	return 0;
}

int ops_choose_ssh_port(struct controller *c, const char *port, struct err *err)
{
	if (port && config_check_port(port, err) < 0)
		return err_wrap(err, "--ssh-port");
	c->ssh.port = port;
	return 0;
}

int ops_ssh_command(struct controller *c, const struct job *job, const struct ref *ref,
		    const char *const *command, struct argv *ret, struct err *err)
{
	const struct sshconf sc = hosts_conf(c, job);
	char *option, label[JOB_LABEL_SIZE];
	unsigned int rank;

	if (ref_choose_rank(ref, job, &rank, err) < 0)
		return -1;
	job_rank_label(job, rank, label);
	argv_add(ret, "ssh");
	for (size_t i = 0; (option = sshconf_option(&sc, i)); i++) {
		argv_add_words(ret, "-o", option, NULL);
		free(option);
	}
	if (ref->has_rank)
		argv_add(ret, label);
	else
		argv_addf(ret, "job-%" PRIu64, job->id);
	argv_add_all(ret, command);
	return 0;
}
