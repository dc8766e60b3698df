/* SPDX-License-Identifier: MIT */
/* Passing signals on to the command; see forward.h. */
#include "forward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "proc.h"

/* pidfd_send_signal(2), Linux 6.9; the C libraries do not name it yet. */
#define SEND_TO_GROUP (1U << 2)
/* The longest way to write a signal is "SIGVTALRM". */
#define SIGNAL_TEXT_SIZE 10

struct members {
	const siginfo_t *info;
	pid_t group;
	int sent;
	int os;
};

static bool is_from_terminal(int signo)
{
	switch (signo) {
	case SIGHUP:
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGCONT:
	case SIGWINCH:
		return true;
	default:
		return false;
	}
}

void forward_rules_init(struct forward_rules *rules)
{
	for (int signo = 0; signo <= SIGNO_LAST; signo++)
		rules->becomes[signo] = (uint8_t)signo;
}

bool forward_parse_rewrite(const char *text, struct forward_rules *rules)
{
	const char *colon = strchr(text, ':');
	char from_text[SIGNAL_TEXT_SIZE];
	int from = 0, to = 0;

	if (!colon || colon - text >= SIGNAL_TEXT_SIZE)
		return false;
	snprintf(from_text, sizeof(from_text), "%.*s", (int)(colon - text), text);
	/* Those two never reach anybody. */
	if (!signo_parse(from_text, &from) || from == SIGKILL || from == SIGSTOP)
		return false;
	if (strcmp(colon + 1, "0") != 0 && !signo_parse(colon + 1, &to))
		return false;
	rules->becomes[from] = (uint8_t)to;
	return true;
}

bool forward_is_due(const siginfo_t *info)
{
	/* Codes above zero are the kernel's; zero and below say that a process called for it. */
	if (info->si_code > 0)
		return info->si_code == SI_KERNEL && is_from_terminal(info->si_signo);
	return info->si_pid != getpid();
}

static void queue_to_member(unsigned int number, void *arg)
{
	struct members *m = arg;
	struct proc_stat stat;

	if (!proc_read_stat((pid_t)number, &stat) || stat.group != m->group)
		return;
	if (syscall(SYS_rt_sigqueueinfo, stat.pid, m->info->si_signo, m->info) == 0)
		m->sent++;
	else
		m->os = errno;
}

int forward_queue_each(const siginfo_t *info, pid_t leader)
{
	struct members m = { .info = info, .group = leader, .os = ESRCH };

	if (!proc_is_usable())
		return (int)syscall(SYS_rt_sigqueueinfo, leader, info->si_signo, info);
	proc_each_number("/proc", queue_to_member, &m);
	errno = m.os;
	return m.sent > 0 ? 0 : -1;
}

static int send_plain(const siginfo_t *info, pid_t leader, bool single_child)
{
	return kill(single_child ? leader : -leader, info->si_signo);
}

static int queue(const siginfo_t *info, pid_t leader, bool single_child)
{
	cleanup_close int pidfd = -1;

	if (single_child)
		return (int)syscall(SYS_rt_sigqueueinfo, leader, info->si_signo, info);
	pidfd = (int)syscall(SYS_pidfd_open, leader, 0);
	if (pidfd >= 0 &&
	    syscall(SYS_pidfd_send_signal, pidfd, info->si_signo, info, SEND_TO_GROUP) == 0)
		return 0;
	return forward_queue_each(info, leader);
}

int forward_signal(const siginfo_t *info, pid_t leader, bool single_child)
{
	/*
	 * A sender of plain kill(2) or tgkill(2) cannot be named to the receiver; kill(2) says us.
	 */
	if (info->si_code >= 0 || info->si_code == SI_TKILL)
		return send_plain(info, leader, single_child);
	if (queue(info, leader, single_child) == 0)
		return 0;
	/*
	 * The user's limit of queued signals is reached: better without its value than not at all.
	 */
	return errno == EAGAIN ? send_plain(info, leader, single_child) : -1;
}
