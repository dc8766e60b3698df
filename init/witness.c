/* SPDX-License-Identifier: MIT */
/* A process that notes what everybody is told; see witness.h. */
#include "witness.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "descriptors.h"
#include "signals.h"

#define LOOK_INTERVAL NSEC_PER_MSEC

static void attr_noreturn note(struct witness_notes *notes, pid_t parent)
{
	/* Who signals a process group means others than us. */
	setpgid(0, 0);
	prctl(PR_SET_NAME, "berth-witness");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	descriptors_let_go(NULL, 0);
	for (;;) {
		siginfo_t info;
		int signo = signals_wait(&info, CLOCK_NEVER);

		if (signo > 0)
			atomic_store(&notes->told[signo], clock_now());
	}
}

void witness_start(struct witness *w)
{
	pid_t parent = getpid();
	void *page = mmap(NULL, sizeof(*w->notes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (page == MAP_FAILED)
		return;
	w->notes = page;
	pid = fork();
	if (pid == 0)
		note(w->notes, parent);
	if (pid < 0)
		return;
	w->pid = pid;
	/* Here too, so that it is out of our group at once; whoever is second fails. */
	setpgid(pid, pid);
}

void witness_stop(struct witness *w)
{
	if (w->pid > 0) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	if (w->notes)
		munmap(w->notes, sizeof(*w->notes));
	*w = (struct witness){ 0 };
}

bool witness_was_told(struct witness *w, int signo)
{
	const struct timespec interval = { .tv_nsec = LOOK_INTERVAL };
	uint64_t start = clock_now();

	while (w->pid > 0) {
		uint64_t told = atomic_load(&w->notes->told[signo]);

		if (told > 0 && told + WITNESS_MEMORY > start) {
			atomic_store(&w->notes->told[signo], 0);
			return true;
		}
		if (clock_now() - start >= WITNESS_PATIENCE)
			break;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &interval, NULL);
	}
	return false;
}

bool witness_on_exit(struct witness *w, const siginfo_t *ended)
{
	if (w->pid == 0 || ended->si_pid != w->pid)
		return false;
	w->pid = 0;
	return true;
}
