/* SPDX-License-Identifier: MIT */
/* Bubblewrap around a local job; see sandbox.h. */
#include "sandbox.h"

#include <stdio.h>

#include "controller/model/json.h"
#include "controller/run/child.h"

#define PROBE_TIMEOUT_MS 5000
#define INFO_MAX 65536

bool sandbox_works(char *why, size_t size)
{
	static const char *const probe[] = {
		"bwrap",  "--unshare-pid", "--as-pid-1", "--dev-bind", "/", "/",
		"--proc", "/proc",	   "--",	 "true",       NULL
	};
	cleanup(child_finish) struct child child = { 0 };
	struct err err;

	if (child_run(&(struct child_plan){ .argv = probe, .timeout_ms = PROBE_TIMEOUT_MS }, &child,
		      &err) < 0) {
		if (err.kind == ERR_NOT_FOUND)
			snprintf(why, size, "bubblewrap is not installed");
		else
			snprintf(why, size, "%s", err.text);
		return false;
	}
	if (child.status == 0)
		return true;
	child_complaint(&child, why, size);
	if (why[0] == '\0')
		snprintf(why, size, "bwrap ended with status %d", child.status);
	return false;
}

static void add_image(struct argv *argv, const struct submission *submission)
{
	argv_add_words(argv, "--bind", submission->spec->image, "/", NULL);
	argv_add_words(argv, "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", NULL);
	argv_add_words(argv, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf", NULL);
	argv_add_words(argv, "--ro-bind", submission->bundle, SANDBOX_BUNDLE, NULL);
	argv_add_words(argv, "--bind", submission->job->directory, SANDBOX_JOB_DIR, NULL);
}

void sandbox_add_prefix(struct argv *argv, const struct submission *submission, int info_fd)
{
	argv_add_words(argv, "bwrap", "--unshare-pid", "--as-pid-1", "--info-fd", NULL);
	argv_addf(argv, "%d", info_fd);
	if (submission->spec->image)
		add_image(argv, submission);
	else
		argv_add_words(argv, "--dev-bind", "/", "/", "--proc", "/proc", NULL);
	argv_add_words(argv, "--chdir", submission->spec->workdir, "--", NULL);
}

int sandbox_parse_info(struct span text)
{
	cleanup(json_release) json_t *info = NULL;
	json_int_t pid;

	if (json_parse(text, INFO_MAX, &info, NULL) < 0)
		return 0;
	pid = json_integer_value(json_object_get(info, "child-pid"));
	return pid > 0 && pid <= INT32_MAX ? (int)pid : 0;
}
