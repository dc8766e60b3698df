/* SPDX-License-Identifier: MIT */
/* The loop; see supervise.h. */
#include "supervise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "descendants.h"
#include "descriptors.h"
#include "forward.h"
#include "init/base/log.h"
#include "reap.h"
#include "status.h"
#include "tunnel.h"

/* After so many children it is the turn of other signals: somebody may be forking endlessly. */
#define REAP_BATCH 256
/* The final status may take so long also where the grace is shorter. */
#define STATUS_PATIENCE NSEC_PER_SEC
/* Some cannot be killed: they belong to somebody else, or hang in the kernel. */
#define KILL_PATIENCE (2 * NSEC_PER_SEC)
#define KILL_INTERVAL (50 * NSEC_PER_MSEC)

enum phase { PHASE_RUNNING, PHASE_ENDING, PHASE_KILLING, PHASE_DONE };

struct supervisor {
	struct plan *plan;
	struct command command;
	struct tunnel tunnel;
	struct status status;
	enum phase phase;
	uint64_t wake;	     /* when this phase has something to do */
	uint64_t phase_end;  /* when it is over at the latest */
	uint64_t status_end; /* until when the final status is waited for */
	bool has_news;	     /* there may be news of children */
	bool is_childless;
};

static uint64_t later(uint64_t now, uint64_t ns)
{
	return ns < CLOCK_NEVER - now ? now + ns : CLOCK_NEVER;
}

static bool command_lives(const struct supervisor *s)
{
	return !s->status.has_ended;
}

static int start(struct supervisor *s, struct err *err)
{
	struct plan *plan = s->plan;
	int log_fd = -1;

	terminal_find(&s->command.terminal);
	s->status.pid = command_start(&s->command, err);
	if (s->status.pid < 0)
		return -1;
	/* The command is on its way; from here on nothing may fail any more. */
	clock_gettime(CLOCK_REALTIME, &s->status.started);
	if (plan->verbose)
		log_fd = descriptors_copy_unblocking(STDERR_FILENO);
	if (log_fd >= 0)
		log_setup("berth-init", log_fd, LOG_LEVEL_DEBUG, LOG_FORMAT_AUTO);
	descriptors_let_go((const int[]){ s->command.terminal.fd, log_fd }, 2);
	log_info("command: started as process %d", (int)s->status.pid);
	snprintf(plan->pid_arg, sizeof(plan->pid_arg), "%d", (int)s->status.pid);
	status_write(&s->status);
	return 0;
}

static void on_command_stopped(struct supervisor *s, int signo)
{
	log_debug("command: stopped by signal %d", signo);
	terminal_follow_stop(&s->command.terminal, s->status.pid, signo);
}

static void on_command_ended(struct supervisor *s, const siginfo_t *how, const struct rusage *usage)
{
	clock_gettime(CLOCK_REALTIME, &s->status.ended);
	s->status.has_ended = true;
	s->status.how = *how;
	s->status.usage = *usage;
	s->status.tunnel_restarts = tunnel_restarts(&s->tunnel);
	log_info("command: ended by %s %d", how->si_code == CLD_EXITED ? "status" : "signal",
		 how->si_status);
	status_write(&s->status);
}

static void on_child(struct supervisor *s, const siginfo_t *news, const struct rusage *usage)
{
	bool is_command = command_lives(s) && news->si_pid == s->status.pid;

	if (news->si_code == CLD_STOPPED || news->si_code == CLD_TRAPPED) {
		if (is_command)
			on_command_stopped(s, news->si_status);
	} else if (is_command) {
		on_command_ended(s, news, usage);
	} else if (!tunnel_on_exit(&s->tunnel, news, clock_now()) &&
		   !status_on_exit(&s->status, news)) {
		log_debug("reaped process %d", (int)news->si_pid);
	}
}

static void look_after_children(struct supervisor *s)
{
	struct rusage usage = { 0 };
	siginfo_t news;

	s->is_childless = false;
	for (int i = 0; i < REAP_BATCH; i++) {
		enum reap_result result = reap_next(&news, &usage);

		if (result == REAP_CHILD) {
			on_child(s, &news, &usage);
			continue;
		}
		s->is_childless = result == REAP_CHILDLESS;
		s->has_news = false;
		return;
	}
}

static void on_signal(struct supervisor *s, const siginfo_t *info)
{
	int signo = info->si_signo;

	/* Signals of one number merge: this one may stand for several children too. */
	if (signo == SIGCHLD)
		s->has_news = true;
	if (!command_lives(s) || !forward_is_due(info))
		return;
	if (signo == SIGCONT && terminal_is_foreground(&s->command.terminal))
		terminal_give(&s->command.terminal, s->status.pid);
	if (forward_signal(info, s->status.pid) < 0)
		log_warn("signal %d: cannot be passed on: %s", signo, strerror(errno));
	else
		log_debug("signal %d: passed on", signo);
}

/* The process groups that are known without looking. */
static void end_all(const struct supervisor *s, void (*end)(const pid_t *groups, size_t len))
{
	const pid_t groups[] = { s->status.pid, s->tunnel.pid };

	end(groups, ARRAY_LEN(groups));
}

static void run_phase(struct supervisor *s, uint64_t now)
{
	if (command_lives(s)) {
		if (tunnel_due(&s->tunnel) <= now)
			tunnel_start(&s->tunnel, now);
		s->wake = tunnel_due(&s->tunnel);
		return;
	}
	if (s->is_childless) {
		s->phase = PHASE_DONE;
		return;
	}
	end_all(s, descendants_terminate);
	s->phase = PHASE_ENDING;
	s->phase_end = later(now, s->plan->grace_ns);
	s->status_end = now + STATUS_PATIENCE;
	s->wake = s->phase_end;
}

static void end_phase(struct supervisor *s, uint64_t now)
{
	if (s->is_childless) {
		s->phase = PHASE_DONE;
		return;
	}
	s->wake = s->status.writer > 0 ? MAX(s->phase_end, s->status_end) : s->phase_end;
	if (now < s->wake)
		return;
	log_info("the grace is over, killing what is left");
	s->phase = PHASE_KILLING;
	s->phase_end = now + KILL_PATIENCE;
	s->wake = now;
}

static void kill_phase(struct supervisor *s, uint64_t now)
{
	if (s->is_childless || now >= s->phase_end) {
		s->phase = PHASE_DONE;
		return;
	}
	if (now < s->wake)
		return;
	end_all(s, descendants_kill);
	s->wake = now + KILL_INTERVAL;
}

static void advance(struct supervisor *s)
{
	uint64_t now = clock_now();

	if (s->phase == PHASE_RUNNING)
		run_phase(s, now);
	if (s->phase == PHASE_ENDING)
		end_phase(s, now);
	if (s->phase == PHASE_KILLING)
		kill_phase(s, now);
}

int supervise(struct plan *plan, const struct signals_inherited *signals, struct err *err)
{
	static struct supervisor s;

	s.plan = plan;
	s.command = (struct command){
		.argv = plan->command,
		.signals = *signals,
	};
	s.tunnel = (struct tunnel){
		.argv = plan->tunnel_path ? plan->tunnel_argv : NULL,
		.log = plan->tunnel_log,
	};
	s.status = (struct status){ .path = plan->status_path,
				    .rank = plan->rank,
				    .init_pid = getpid() };
	/* As PID 1 orphans come to us anyway. */
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (start(&s, err) < 0)
		return -1;
	/* Whoever executed us may have left us children, and news of them. */
	s.has_news = true;
	for (;;) {
		siginfo_t info;

		if (s.has_news)
			look_after_children(&s);
		advance(&s);
		if (s.phase == PHASE_DONE)
			break;
		if (signals_wait(&info, s.has_news ? 0 : s.wake) > 0)
			on_signal(&s, &info);
	}
	terminal_take_back(&s.command.terminal);
	return command_exit_status(&s.status.how);
}
