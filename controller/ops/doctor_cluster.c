/* SPDX-License-Identifier: MIT */
/* What doctor looks at of a cluster; see doctor_check.h. */
#include <string.h>

#include "controller/backends/local/sandbox.h"
#include "controller/ops/architecture.h"
#include "controller/ops/doctor_check.h"
#include "controller/ops/place.h"

#define SITE_MS 4000

static bool login_answers(struct doctor_check *check, struct site *site)
{
	static const char *const argv[] = { "true", NULL };
	cleanup(child_finish) struct child child = { 0 };
	const struct child_plan plan = { .argv = argv, .timeout_ms = SITE_MS };
	struct err err;

	if (site_run(site, &plan, &child, &err) == 0 && child.status == 0) {
		doctor_say(check, "login", FINDING_OK, "%s: ssh gets to %s", check->cluster,
			   site->login);
		return true;
	}
	doctor_say(check, "login", FINDING_FAILURE,
		   "%s: %s; what 'ssh %s true' says has to be mended first", check->cluster,
		   err.text, site->login);
	return false;
}

static void look_at_sandbox(struct doctor_check *check)
{
	char why[200];

	if (sandbox_works(why, sizeof(why)))
		doctor_say(check, "cluster", FINDING_OK,
			   "%s: jobs run on this machine, each in a sandbox", check->cluster);
	else
		doctor_say(check, "cluster", FINDING_NOTE,
			   "%s: jobs run on this machine, without a sandbox: %s", check->cluster,
			   why);
}

/* The clusters "slurm" and "docker" are always there, also where nobody uses them. */
static bool is_mere_possibility(const struct doctor_check *check, struct controller *c,
				const struct site *site)
{
	struct where current;

	return !check->ref && !site &&
	       (strcmp(check->cluster, "slurm") == 0 || strcmp(check->cluster, "docker") == 0) &&
	       ops_choose(c, NULL, &current, NULL) == 0 &&
	       strcmp(current.cluster, check->cluster) != 0;
}

/* What its nodes are, and whether there is something here that runs on them. */
static void look_at_programs(struct doctor_check *check, struct controller *c,
			     struct backend *backend)
{
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	char words[OPS_ARCHITECTURE_MAX];
	struct architecture found;
	struct where where;
	struct err err;

	if (ops_choose(c, check->cluster, &where, &err) < 0 ||
	    architecture_find(c, &where, backend, NULL, &found, &err) < 0 ||
	    architecture_bundle(c, &where, &found, &bundle, &err) < 0) {
		doctor_say(check, "architecture", FINDING_FAILURE, "%s: %s", check->cluster,
			   err.text);
		return;
	}
	architecture_describe(&found, words);
	doctor_say(check, "architecture", FINDING_OK, "%s: %s; its jobs get %s", check->cluster,
		   words, bundle.init);
}

static bool ask_scheduler(struct doctor_check *check, struct controller *c, struct backend *backend)
{
	cleanup(queue_list_finish) struct queue_list queues = { 0 };
	struct err err = { 0 };

	if (backend_list_queues(backend, &queues, &err) == 0)
		doctor_say(check, "cluster", FINDING_OK, "%s: %s answers, with %zu queues",
			   check->cluster, backend_name(backend), queues.len);
	else if (err.kind == ERR_UNSUPPORTED)
		doctor_say(check, "cluster", FINDING_NOTE, "%s: %s has nothing to ask",
			   check->cluster, backend_name(backend));
	else if (is_mere_possibility(check, c, backend_site(backend)))
		doctor_say(check, "cluster", FINDING_NOTE,
			   "%s: no Slurm answers on this machine, and no job is to go there by "
			   "itself",
			   check->cluster);
	else
		doctor_say(check, "cluster", FINDING_FAILURE, "%s: %s", check->cluster, err.text);
	return err.kind == ERR_NONE || err.kind == ERR_UNSUPPORTED;
}

static bool ask_health(struct doctor_check *check, struct backend *backend)
{
	char words[BACKEND_REASON_MAX];
	struct err err;
	bool is_well;

	if (backend_health(backend, &is_well, words, sizeof(words), &err) < 0) {
		doctor_say(check, "cluster", FINDING_FAILURE, "%s: %s", check->cluster, err.text);
		return false;
	}
	doctor_say(check, "cluster", is_well ? FINDING_OK : FINDING_FAILURE, "%s: %s",
		   check->cluster, words);
	return true;
}

void doctor_cluster(struct doctor_check *check)
{
	cleanup(controller_close) struct controller *c = NULL;
	struct backend *backend;
	struct err err;

	if (doctor_open(&c, &err) < 0 ||
	    controller_backend(c, check->cluster, &backend, &err) < 0) {
		doctor_say(check, "cluster", FINDING_FAILURE, "%s", err.text);
		return;
	}
	if (!site_can_run(backend_site(backend))) {
		if (ask_health(check, backend))
			look_at_programs(check, c, backend);
		return;
	}
	if (site_is_remote(backend_site(backend)) && !login_answers(check, backend_site(backend)))
		return;
	if (strcmp(backend_name(backend), "local") == 0)
		look_at_sandbox(check);
	else if (ask_scheduler(check, c, backend))
		look_at_programs(check, c, backend);
}

void doctor_relays(struct doctor_check *check)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(argv_finish) struct argv unused = { 0 };
	const char *options[] = { "--relays", check->scratch, NULL };
	struct where where;
	struct err err;

	if (doctor_open(&c, &err) < 0 || ops_choose(c, check->cluster, &where, &err) < 0 ||
	    place_add_paths(c, &where, check->scratch, &unused, &err) < 0 ||
	    doctor_ask_tunnel(check, c, options, &err) < 0)
		doctor_say(check, "relays", FINDING_FAILURE, "%s: %s", check->cluster, err.text);
}
