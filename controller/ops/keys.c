/* SPDX-License-Identifier: MIT */
/* Key files, made by `berth-tunnel keygen`: the controller itself never sees a key. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "controller/ops/connect.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/run/argv.h"
#include "controller/run/child.h"
#include "init/base/fs.h"

#define KEYGEN_TIMEOUT_MS 30000

static int keygen(const struct argv *argv, struct err *err)
{
	const struct child_plan plan = { .argv = argv_words(argv),
					 .timeout_ms = KEYGEN_TIMEOUT_MS };
	cleanup(child_finish) struct child child = { 0 };
	char why[256];

	if (child_run(&plan, &child, err) < 0)
		return err_wrap(err, "cannot make keys");
	if (child.status == 0)
		return 0;
	child_complaint(&child, why, sizeof(why));
	return err_set(err, ERR_SYSTEM, "cannot make keys: %s ended with status %d: %s",
		       argv->items[0], child.status, why);
}

int keys_make_host(struct controller *c, const char *tunnel, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };

	if (fs_exists(c->paths.host_key) && fs_exists(c->paths.known_hosts))
		return 0;
	argv_add_words(&argv, tunnel, "keygen", "--host-key", c->paths.host_key, "--known-hosts",
		       c->paths.known_hosts, "--alias", "berth", NULL);
	return keygen(&argv, err);
}

int keys_make_job(struct controller *c, const char *tunnel, const struct job *job,
		  const struct spec *spec, struct err *err)
{
	cleanup_free char *job_file = fs_join(job->directory, "tunnel.json");
	cleanup_free char *client_file = paths_client_key(&c->paths, job->uid);
	cleanup(argv_finish) struct argv argv = { 0 };

	argv_add_words(&argv, tunnel, "keygen", "--job-file", job_file, "--client-file",
		       client_file, NULL);
	for (size_t i = 0; i < spec->allow.len; i++)
		argv_add_words(&argv, "--allow", spec->allow.items[i], NULL);
	return keygen(&argv, err);
}

int ops_replace_keys(struct controller *c, const struct job *job, bool revoke, struct err *err)
{
	cleanup_free char *job_file = fs_join(job->directory, "tunnel.json");
	cleanup_free char *client_file = paths_client_key(&c->paths, job->uid);
	cleanup_free char *tickets = paths_client_tickets(&c->paths, job->uid);
	cleanup(bundle_finish) struct bundle bundle = { 0 };
	cleanup(argv_finish) struct argv argv = { 0 };

	if (ops_check_not_ended(job, err) < 0 || bundle_find(c->paths.program, &bundle, err) < 0)
		return -1;
	argv_add_words(&argv, bundle.tunnel, "keygen", "--job-file", job_file, NULL);
	if (revoke)
		argv_add(&argv, "--revoke");
	else
		argv_add_words(&argv, "--rotate", "--client-file", client_file, NULL);
	if (keygen(&argv, err) < 0)
		return -1;
	/* Of no use any more; and of none to a thief. */
	if (fs_remove_tree(tickets, err) < 0)
		return -1;
	if (revoke && unlink(client_file) < 0 && errno != ENOENT)
		return err_set_errno(err, errno, "remove %s", client_file);
	return 0;
}
