/* SPDX-License-Identifier: MIT */
/* A user for tests of operations; see ctl_user.h. */
#include "tests/unit/unit.h"

#include "tests/unit/ctl_user.h"

#include <stdlib.h>
#include <unistd.h>

#include "controller/ops/submit.h"
#include "init/base/fs.h"

#define TUNNEL                                                                           \
	"#!/bin/sh\n"                                                                    \
	"while [ $# -gt 0 ]; do case $1 in\n"                                            \
	"--job-file|--client-file|--host-key|--known-hosts) echo key >\"$2\"; shift;;\n" \
	"esac; shift; done\n"

struct user user;

void user_put(const char *name, const char *text, mode_t mode)
{
	cleanup_free char *path = fs_join(user.home, name);

	assert_int_equal(fs_write_file(path, span_of_str(text), mode, NULL), 0);
}

bool user_has(const char *name)
{
	cleanup_free char *path = fs_join(user.home, name);

	return fs_exists(path);
}

static void set_env(const char *variable, const char *name)
{
	cleanup_free char *path = fs_join(user.home, name);

	assert_int_equal(setenv(variable, path, 1), 0);
}

int user_set_up(void **state)
{
	cleanup_free char *bundle = NULL;
	struct err err;

	(void)state;
	user = (struct user){ 0 };
	snprintf(user.home, sizeof(user.home), "/tmp/berth-ops-XXXXXX");
	if (!mkdtemp(user.home))
		return -1;
	set_env("HOME", ".");
	set_env("XDG_STATE_HOME", "state");
	set_env("XDG_CONFIG_HOME", "config");
	set_env("BERTH_HOME", "cluster");
	set_env("BERTH_BUNDLE", "bundle");
	bundle = fs_join(user.home, "bundle");
	if (fs_make_dirs(bundle, 0700, NULL) < 0)
		return -1;
	user_put("bundle/berth-init", "#!/bin/sh\n", 0700);
	user_put("bundle/berth-tunnel", TUNNEL, 0700);
	if (controller_open(&user.c, &err) < 0)
		fail_msg("%s", err.text);
	/* ~/.ssh is found by the passwd entry, and these tests must not touch it. */
	user.ssh_config = fs_join(user.home, "ssh/config");
	user.ssh_jobs = fs_join(user.home, "ssh/berth");
	user.c->ssh.config = user.ssh_config;
	user.c->ssh.jobs_dir = user.ssh_jobs;
	user.fake = fake_new();
	controller_use_backend(user.c, fake_backend(user.fake));
	return 0;
}

int user_tear_down(void **state)
{
	(void)state;
	user.c = controller_close(user.c);
	free(user.ssh_config);
	free(user.ssh_jobs);
	return fs_remove_tree(user.home, NULL);
}

int user_submit(const char *name, struct job *ret, struct notes *notes, struct err *err)
{
	static const char *const command[] = { "true", NULL };
	const struct spec spec = { .name = name, .command = command, .workdir = "/" };

	return ops_submit(user.c, "fake", &spec, ret, notes, err);
}

struct job user_submitted(const char *name)
{
	cleanup(notes_finish) struct notes notes = { 0 };
	struct job job;
	struct err err;

	if (user_submit(name, &job, &notes, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < notes.len; i++)
		fail_msg("%s", notes.items[i]);
	return job;
}

int user_collect(uint64_t retention_ns, struct gc_report *ret, struct err *err)
{
	cleanup(gc_report_finish) struct gc_report report = { 0 };
	int result = ops_collect(user.c, &(struct gc_plan){ .retention_ns = retention_ns }, &report,
				 err);

	*ret = report;
	ret->items = NULL;
	return result;
}

bool user_job_has(const struct job *job, const char *name)
{
	cleanup_free char *path = fs_join(job->directory, name);

	return fs_exists(path);
}

bool user_has_key(const struct job *job)
{
	cleanup_free char *path = paths_client_key(&user.c->paths, job->uid);

	return fs_exists(path);
}
