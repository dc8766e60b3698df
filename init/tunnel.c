/* SPDX-License-Identifier: MIT */
/* Running `berth-tunnel serve`; see tunnel.h. */
#include "tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "init/base/fd.h"
#include "init/base/log.h"
#include "signals.h"

#define LOG_MODE 0600
/* A log that has grown beyond this starts anew with the next start of the tunnel. */
#define LOG_SIZE_MAX (16 * 1024 * 1024)
/*
 * Its memory but for mapped files; stacks of threads count in full. Idle it uses 2 MB, with eight
 * bulk transfers 50 MB. An address space is no measure: it is reserved by far more than is used.
 */
#ifdef __SANITIZE_ADDRESS__
#define DATA_MAX RLIM_INFINITY /* what AddressSanitizer reserves counts in full */
#else
#define DATA_MAX (UINT64_C(1) << 30)
#endif
/* Half-way to "always first", whatever the command's own value is. */
#define OOM_SCORE "500"

uint64_t tunnel_due(const struct tunnel *t)
{
	return t->argv && t->pid == 0 ? t->due : CLOCK_NEVER;
}

/* Makes fd the given number; a failure leaves that number as it is, which is /dev/null. */
static void put(int fd, int number)
{
	if (fd >= 0 && dup2(fd, number) < 0)
		return;
}

static void prefer_as_victim(void)
{
	cleanup_close int fd = fd_open("/proc/self/oom_score_adj", O_WRONLY);

	/* Raising it is always allowed; without /proc the kernel chooses by size alone. */
	if (fd >= 0 && write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
		return;
}

/* Less than the soft limit in any case; the hard one stays, so that users' processes get theirs. */
static void limit(int resource, rlim_t most)
{
	struct rlimit value;

	/* By system call: what type a resource has is each C library's own affair. */
	if (syscall(SYS_prlimit64, 0, resource, NULL, &value) < 0 || value.rlim_cur <= most)
		return;
	value.rlim_cur = most;
	if (syscall(SYS_prlimit64, 0, resource, &value, NULL) < 0)
		return;
}

static int open_log(const char *path)
{
	int fd =
		fd_open_mode(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY, LOG_MODE);

	if (fd >= 0 && lseek(fd, 0, SEEK_END) > LOG_SIZE_MAX && ftruncate(fd, 0) < 0)
		return fd;
	return fd;
}

static void attr_noreturn run(const struct tunnel *t, pid_t parent)
{
	int log;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signals_unblock();
	if (getppid() != parent)
		_exit(0);
	prefer_as_victim();
	limit(RLIMIT_DATA, DATA_MAX);
	limit(RLIMIT_CORE, 0);
	/* Where the tunnel of an earlier run of the same job listened, nobody does. */
	if (t->starts == 0 && t->endpoint)
		unlink(t->endpoint);
	log = open_log(t->log);
	put(log, STDOUT_FILENO);
	put(log, STDERR_FILENO);
	execv(t->argv[0], t->argv);
	command_report(t->failure, t->argv[0], errno);
	_exit(COMMAND_NOT_FOUND);
}

void tunnel_start(struct tunnel *t, uint64_t now)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		run(t, parent);
	t->starts++;
	t->started = now;
	if (pid < 0) {
		t->due = now + backoff_next(&t->backoff, 0);
		log_warn("tunnel: cannot be started: %s", strerror(errno));
		return;
	}
	t->pid = pid;
	log_info("tunnel: started as process %d (start %u)", (int)pid, t->starts);
}

bool tunnel_on_exit(struct tunnel *t, const siginfo_t *ended, uint64_t now)
{
	if (t->pid == 0 || ended->si_pid != t->pid)
		return false;
	t->pid = 0;
	t->kills += ended->si_code == CLD_KILLED && ended->si_status == SIGKILL;
	t->due = now + backoff_next(&t->backoff, now - t->started);
	log_info("tunnel: ended by %s %d", ended->si_code == CLD_EXITED ? "status" : "signal",
		 ended->si_status);
	return true;
}

unsigned int tunnel_restarts(const struct tunnel *t)
{
	return t->starts > 0 ? t->starts - 1 : 0;
}
