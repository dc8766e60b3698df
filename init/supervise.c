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
#include "witness.h"

/* After so many children it is the turn of other signals: somebody may be forking endlessly. */
#define REAP_BATCH 256
/* The final status may take so long also where the grace is shorter. */
#define STATUS_PATIENCE NSEC_PER_SEC
/* Some cannot be killed: they belong to somebody else, or hang in the kernel. */
#define KILL_PATIENCE (2 * NSEC_PER_SEC)
#define KILL_INTERVAL (50 * NSEC_PER_MSEC)
/* Between the two signals that a command gets when its time is over. */
#define LIMIT_GRACE (10 * NSEC_PER_SEC)

enum phase { PHASE_RUNNING, PHASE_HELD, PHASE_ENDING, PHASE_KILLING, PHASE_DONE };

struct supervisor {
	struct plan *plan;
	struct command command;
	struct tunnel tunnel;
	struct status status;
	struct witness witness;
	enum phase phase;
	uint64_t wake;	     /* when this phase has something to do */
	uint64_t phase_end;  /* when it is over at the latest */
	uint64_t limit;	     /* when the command has to end, or be killed */
	uint64_t status_end; /* until when the final status is waited for */
	int exit_status;     /* of the command, when it has ended */
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

/* From here on what was told to be told is. */
static int setup_log(const struct plan *plan)
{
	static const enum log_level levels[] = {
		[TALK_WARNINGS] = LOG_LEVEL_WARN,
		[TALK_EVENTS] = LOG_LEVEL_INFO,
		[TALK_SIGNALS] = LOG_LEVEL_DEBUG,
		[TALK_ALL] = LOG_LEVEL_DEBUG,
	};
	int fd = plan->talk == TALK_NONE ? -1 : descriptors_copy_unblocking(STDERR_FILENO);

	if (fd >= 0)
		log_setup(plan->personality->name, fd, levels[plan->talk],
			  plan->personality == &personality_berth ? LOG_FORMAT_AUTO
								  : LOG_FORMAT_TEXT);
	return fd;
}

static int start(struct supervisor *s, struct err *err)
{
	struct plan *plan = s->plan;
	int log_fd;

	if (plan->own_session)
		terminal_leave(&s->command.terminal);
	else
		terminal_find(&s->command.terminal);
	s->status.pid = command_start(&s->command, err);
	if (s->status.pid < 0)
		return -1;
	/* The command is on its way; from here on nothing may fail any more. */
	clock_gettime(CLOCK_REALTIME, &s->status.started);
	log_fd = setup_log(plan);
	descriptors_let_go((const int[]){ s->command.terminal.fd, log_fd }, 2);
	/* Not to keep a file system busy; the tunnel starts where the command did. */
	if (!plan->tunnel_path && chdir("/") < 0)
		log_debug("cannot change to /");
	log_info("command: started as process %d", (int)s->status.pid);
	if (plan->has_witness)
		witness_start(&s->witness);
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
	s->exit_status = s->plan->exits[command_exit_status(how)];
	witness_stop(&s->witness);
	log_info("command: ended by %s %d", how->si_code == CLD_EXITED ? "status" : "signal",
		 how->si_status);
}

static void on_orphan(const struct supervisor *s, pid_t pid)
{
	if (s->plan->warn_on_reap)
		log_warn("Reaped zombie process with pid=%d", (int)pid);
	else
		log_debug("reaped process %d", (int)pid);
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
		   !status_on_exit(&s->status, news) && !witness_on_exit(&s->witness, news)) {
		on_orphan(s, news->si_pid);
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

/* Until when the job is held is told to everybody who reads the status; 0: it is not. */
static void hold_until(struct supervisor *s, uint64_t ns)
{
	struct timespec *until = &s->status.hold_until;

	*until = (struct timespec){ 0 };
	if (ns > 0) {
		clock_gettime(CLOCK_REALTIME, until);
		until->tv_sec += (time_t)MIN(ns / NSEC_PER_SEC, (uint64_t)INT32_MAX);
	}
	s->phase_end = ns > 0 ? later(clock_now(), ns) : 0;
	s->status.tunnel_restarts = tunnel_restarts(&s->tunnel);
	s->status.tunnel_kills = s->tunnel.kills;
	status_write(&s->status);
	s->is_childless = s->is_childless && s->status.writer <= 0;
}

static void on_order(struct supervisor *s, enum hold_order order)
{
	if (order == HOLD_GO_ON)
		return;
	log_info("hold: %s", order == HOLD_ANEW ? "starts anew" : "is over");
	hold_until(s, order == HOLD_ANEW ? s->plan->hold.ns : 0);
}

static void pass_on(struct supervisor *s, siginfo_t *info)
{
	const struct forward_rules *rules = &s->plan->rules;
	int signo = info->si_signo;

	if (s->plan->talk == TALK_ALL)
		log_debug("signal %d: code %d, from process %d of user %u, value %d", signo,
			  info->si_code, (int)info->si_pid, (unsigned int)info->si_uid,
			  info->si_value.sival_int);
	if (signo == SIGCONT && terminal_is_foreground(&s->command.terminal))
		terminal_give(&s->command.terminal, s->status.pid);
	info->si_signo = rules->becomes[signo];
	if (info->si_signo == 0)
		log_debug("signal %d: dropped, as told", signo);
	else if (info->si_code == SI_USER && witness_was_told(&s->witness, signo))
		log_debug("signal %d: everybody was told", signo);
	else if (forward_signal(info, s->status.pid, rules->single_child) < 0)
		log_warn("signal %d: cannot be passed on: %s", signo, strerror(errno));
	else
		log_debug("signal %d: passed on as %d", signo, info->si_signo);
	if (info->si_signo > 0)
		hold_note(&s->plan->hold, info->si_signo);
	if (s->plan->stops_too && (signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU))
		kill(getpid(), SIGSTOP);
}

static void on_signal(struct supervisor *s, siginfo_t *info)
{
	int signo = info->si_signo;

	/* Signals of one number merge: this one may stand for several children too. */
	if (signo == SIGCHLD)
		s->has_news = true;
	if (!forward_is_due(info))
		return;
	if (command_lives(s))
		pass_on(s, info);
	else if (s->phase == PHASE_HELD)
		on_order(s, hold_order_of(signo));
}

static bool is_reaper(const struct supervisor *s)
{
	return s->plan->subreaper || s->status.init_pid == 1;
}

/* Nobody is left who is ours to wait for: of orphans that are not adopted nobody knows whose. */
static bool is_alone(const struct supervisor *s)
{
	return s->is_childless || (!is_reaper(s) && s->status.writer <= 0 && s->tunnel.pid == 0);
}

static void end_all(const struct supervisor *s, int signo)
{
	/* The process groups that are known without looking. */
	const pid_t groups[] = { s->status.pid, s->tunnel.pid };

	if (is_reaper(s))
		descendants_signal(signo, groups, ARRAY_LEN(groups));
	else if (s->tunnel.pid > 0)
		kill(-s->tunnel.pid, signo);
}

static void keep_tunnel(struct supervisor *s, uint64_t now)
{
	if (tunnel_due(&s->tunnel) <= now)
		tunnel_start(&s->tunnel, now);
	s->is_childless = s->is_childless && s->tunnel.pid == 0;
}

/* Its whole group, also where it stopped; politely, then not. */
static void keep_limit(struct supervisor *s, uint64_t now)
{
	if (now < s->limit)
		return;
	log_info("command: its time is over");
	kill(-s->status.pid, s->status.timed_out ? SIGKILL : SIGTERM);
	kill(-s->status.pid, SIGCONT);
	s->limit = s->status.timed_out ? CLOCK_NEVER : later(now, LIMIT_GRACE);
	s->status.timed_out = true;
	hold_note(&s->plan->hold, SIGTERM);
}

static void run_phase(struct supervisor *s, uint64_t now)
{
	if (command_lives(s)) {
		keep_tunnel(s, now);
		keep_limit(s, now);
		s->wake = MIN(s->limit, tunnel_due(&s->tunnel));
		return;
	}
	s->phase = PHASE_HELD;
	hold_until(s, hold_is_due(&s->plan->hold, s->exit_status) ? s->plan->hold.ns : 0);
	if (s->phase_end > 0)
		log_info("hold: begins");
}

static void hold_phase(struct supervisor *s, uint64_t now)
{
	if (now < s->phase_end) {
		keep_tunnel(s, now);
		s->wake = MIN(s->phase_end, tunnel_due(&s->tunnel));
		return;
	}
	if (s->phase_end > 0)
		hold_until(s, 0);
	s->phase = PHASE_ENDING;
	s->phase_end = later(now, s->plan->grace_ns);
	s->status_end = now + STATUS_PATIENCE;
	s->wake = s->phase_end;
	if (!is_alone(s))
		end_all(s, SIGTERM);
}

static void end_phase(struct supervisor *s, uint64_t now)
{
	if (is_alone(s)) {
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
	if (is_alone(s) || now >= s->phase_end) {
		s->phase = PHASE_DONE;
		return;
	}
	if (now < s->wake)
		return;
	end_all(s, SIGKILL);
	s->wake = now + KILL_INTERVAL;
}

static void advance(struct supervisor *s)
{
	uint64_t now = clock_now();

	if (s->phase == PHASE_RUNNING)
		run_phase(s, now);
	if (s->phase == PHASE_HELD)
		hold_phase(s, now);
	if (s->phase == PHASE_ENDING)
		end_phase(s, now);
	if (s->phase == PHASE_KILLING)
		kill_phase(s, now);
}

static void setup(struct supervisor *s, struct plan *plan, const struct signals_inherited *signals)
{
	s->plan = plan;
	s->command = (struct command){
		.argv = plan->command,
		.signals = *signals,
		.failure = &plan->personality->failure,
		.own_session = plan->own_session,
	};
	s->tunnel = (struct tunnel){
		.argv = plan->tunnel_path ? plan->tunnel_argv : NULL,
		.log = plan->tunnel_log,
		.endpoint = plan->endpoint_path,
		.failure = &plan->personality->failure,
	};
	s->limit = plan->limit_ns > 0 ? later(clock_now(), plan->limit_ns) : CLOCK_NEVER;
	s->status = (struct status){ .path = plan->status_path,
				     .rank = plan->rank,
				     .init_pid = getpid() };
	status_init(&s->status);
	/* As PID 1 orphans come to us anyway. */
	if (getpid() != 1 && plan->subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (plan->parent_death > 0)
		prctl(PR_SET_PDEATHSIG, plan->parent_death);
	/* Whoever executed us may have left us children, and news of them. */
	s->has_news = true;
}

int supervise(struct plan *plan, const struct signals_inherited *signals, struct err *err)
{
	static struct supervisor s;

	setup(&s, plan, signals);
	if (start(&s, err) < 0)
		return -1;
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
	return s.exit_status;
}
