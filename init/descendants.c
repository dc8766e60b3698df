/* SPDX-License-Identifier: MIT */
/* Ending everything below us; see descendants.h. */
#include "descendants.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "proc.h"

/*
 * All processes of a machine but the kernel's threads. Memory that is never touched costs nothing.
 */
#define TABLE_MAX 16384
#define ROUNDS_MAX 8
#define KERNEL_THREADS_PARENT 2

enum place { PLACE_UNKNOWN, PLACE_BELOW, PLACE_OUTSIDE };

struct process {
	uint64_t start;
	pid_t pid, parent;
	enum place place;
	bool signalled;
};

/* Sorted by pid, as /proc lists them. */
struct table {
	struct process items[TABLE_MAX];
	size_t len;
	pid_t self;
};

static struct process *find(struct table *t, pid_t pid)
{
	size_t low = 0, high = t->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->items[middle].pid == pid)
			return &t->items[middle];
		if (t->items[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void add(unsigned int number, void *arg)
{
	struct table *t = arg;
	struct proc_stat stat;

	if ((pid_t)number == t->self || t->len == TABLE_MAX ||
	    (t->len > 0 && t->items[t->len - 1].pid >= (pid_t)number) ||
	    !proc_read_stat((pid_t)number, &stat) || stat.parent == KERNEL_THREADS_PARENT)
		return;
	t->items[t->len++] =
		(struct process){ .start = stat.start, .pid = stat.pid, .parent = stat.parent };
}

/* Follows the parents up to one whose place is known, and tells it to all on the way. */
static void place(struct table *t, struct process *p)
{
	enum place found = PLACE_UNKNOWN;
	struct process *at = p;

	/* Processes come and go while they are listed; no chain is longer than the list. */
	for (size_t steps = 0; found == PLACE_UNKNOWN; steps++) {
		if (!at || steps > t->len)
			found = PLACE_OUTSIDE;
		else if (at->place != PLACE_UNKNOWN)
			found = at->place;
		else if (at->parent == t->self)
			found = PLACE_BELOW;
		else
			at = find(t, at->parent);
	}
	for (at = p; at && at->place == PLACE_UNKNOWN; at = find(t, at->parent))
		at->place = found;
}

/* Sends to the process that was listed, never to another that has got its number since. */
static void send(const struct process *p, int signo)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	struct proc_stat now;

	if (!proc_read_stat(p->pid, &now) || now.start != p->start)
		return;
	if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) == 0)
		return;
	if (pidfd < 0 || errno != ESRCH)
		kill(p->pid, signo);
}

/* One look at all processes; returns how many got the signal that had not got it before. */
static size_t sweep(struct table *now, struct table *before, int signo)
{
	size_t sent = 0;

	now->len = 0;
	now->self = getpid();
	proc_each_number("/proc", add, now);
	for (size_t i = 0; i < now->len; i++) {
		struct process *p = &now->items[i], *old = find(before, p->pid);

		place(now, p);
		p->signalled = old && old->start == p->start && old->signalled;
		if (p->place != PLACE_BELOW || p->signalled)
			continue;
		send(p, signo);
		if (signo != SIGKILL)
			send(p, SIGCONT);
		p->signalled = true;
		sent++;
	}
	return sent;
}

void descendants_signal(int signo, const pid_t *groups, size_t len)
{
	static struct table tables[2];

	if (getpid() == 1) {
		kill(-1, signo);
		if (signo != SIGKILL)
			kill(-1, SIGCONT);
		return;
	}
	if (!proc_is_usable()) {
		for (size_t i = 0; i < len; i++) {
			if (groups[i] > 0)
				kill(-groups[i], signo);
		}
		return;
	}
	tables[1].len = 0;
	/* Whoever was forked behind our back is found in the next round. */
	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (sweep(&tables[round % 2], &tables[(round + 1) % 2], signo) == 0)
			break;
	}
}
