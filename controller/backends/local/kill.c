/* SPDX-License-Identifier: MIT */
/* Ends a local job at once; see kill.h. */
#include "kill.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/jobdir.h"

static bool read_namespace(pid_t pid, char *out, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	len = readlink(path, out, size - 1);
	if (len < 0)
		return false;
	out[len] = '\0';
	return true;
}

static bool has_own_namespace(pid_t init)
{
	char ours[128], theirs[128];

	return read_namespace(getpid(), ours, sizeof(ours)) &&
	       read_namespace(init, theirs, sizeof(theirs)) && strcmp(ours, theirs) != 0;
}

int localkill(const char *job_dir, const struct process *init, struct err *err)
{
	struct status status;
	pid_t parent = 0;

	if (!has_own_namespace(init->pid) &&
	    jobdir_read_status(NULL, job_dir, 0, &status, NULL) == 1 && !status.exited &&
	    !status.held && status.pid > 1 && process_parent(status.pid, &parent) &&
	    parent == init->pid) {
		/* The parent was checked, because the job can write any number into its status. */
		if (kill(-status.pid, SIGKILL) < 0 && errno != ESRCH)
			return err_set_errno(err, errno, "kill process group %d", status.pid);
		return 0;
	}
	return process_signal(init, SIGKILL, err);
}
