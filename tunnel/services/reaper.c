/* SPDX-License-Identifier: MIT */
/* Waits for children; see reaper.h. */
#include "reaper.h"

#include <signal.h>
#include <sys/wait.h>

#include "init/base/macro.h"

static struct reaper_child *take_child(struct reaper *reaper, pid_t pid)
{
	for (struct reaper_child **at = &reaper->children; *at; at = &(*at)->next) {
		struct reaper_child *child = *at;

		if (child->pid == pid) {
			*at = child->next;
			return child;
		}
	}
	return NULL;
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct reaper *reaper = container_of(signal, struct reaper, signal);
	pid_t pid;
	int status;

	(void)number;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct reaper_child *child = take_child(reaper, pid);

		if (child)
			child->exited(child, status);
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct reaper *reaper = container_of((uv_signal_t *)handle, struct reaper, signal);

	reaper->closed(reaper);
}

int reaper_open(struct reaper *reaper, uv_loop_t *loop, struct err *err)
{
	sigset_t mask;
	int status;

	*reaper = (struct reaper){ 0 };
	status = uv_signal_init(loop, &reaper->signal);
	if (status < 0)
		return err_set_errno(err, -status, "watch for the end of processes");
	/* A loop that only waits for children may end. */
	uv_unref((uv_handle_t *)&reaper->signal);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
	/* Starting a signal handle that is not active does not fail but for its number. */
	uv_signal_start(&reaper->signal, on_signal, SIGCHLD);
	return 0;
}

void reaper_close(struct reaper *reaper, void (*closed)(struct reaper *reaper))
{
	reaper->closed = closed;
	uv_close((uv_handle_t *)&reaper->signal, on_closed);
}

void reaper_add(struct reaper *reaper, struct reaper_child *child, pid_t pid,
		void (*exited)(struct reaper_child *child, int status))
{
	*child = (struct reaper_child){ .pid = pid, .exited = exited, .next = reaper->children };
	reaper->children = child;
}

void reaper_remove(struct reaper *reaper, struct reaper_child *child)
{
	if (child->pid > 0)
		take_child(reaper, child->pid);
}
