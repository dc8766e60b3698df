/* SPDX-License-Identifier: MIT */
/* The identity of a process; see process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define STAT_MAX 2048
#define FIELD_STATE 3
#define FIELD_PARENT 4
#define FIELD_START 22

/*
 * The nth field of proc(5)'s stat, n > 2. The second is a name in parentheses that may hold
 * anything.
 */
static bool find_field(char *stat, int n, const char **ret)
{
	char *p = strrchr(stat, ')');

	for (int field = 2; p && field < n; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	*ret = p;
	return p;
}

static bool read_stat(pid_t pid, char *out, size_t size)
{
	char path[64];
	cleanup_close int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = fd_open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, out, size - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

static bool parse_number(const char *field, uint64_t max, uint64_t *ret)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%.*s", (int)MIN(strcspn(field, " \n"), sizeof(digits)),
		 field);
	return text_parse_uint(digits, max, ret);
}

static bool read_start(pid_t pid, uint64_t *ret)
{
	char stat[STAT_MAX];
	const char *state, *start;

	if (!read_stat(pid, stat, sizeof(stat)) || !find_field(stat, FIELD_STATE, &state) ||
	    !find_field(stat, FIELD_START, &start))
		return false;
	if (*state == 'Z' || *state == 'X')
		return false;
	return parse_number(start, UINT64_MAX, ret);
}

bool process_parent(pid_t pid, pid_t *ret)
{
	char stat[STAT_MAX];
	const char *parent;
	uint64_t number;

	if (!read_stat(pid, stat, sizeof(stat)) || !find_field(stat, FIELD_PARENT, &parent) ||
	    !parse_number(parent, INT32_MAX, &number))
		return false;
	*ret = (pid_t)number;
	return true;
}

bool process_identify(pid_t pid, struct process *ret)
{
	struct process process = { .pid = pid };

	if (!read_start(pid, &process.start))
		return false;
	if (gethostname(process.host, sizeof(process.host) - 1) < 0)
		return false;
	*ret = process;
	return true;
}

void process_format(const struct process *process, char *out, size_t size)
{
	snprintf(out, size, "%d.%" PRIu64 "@%s", (int)process->pid, process->start, process->host);
}

bool process_parse(const char *text, struct process *ret)
{
	struct process process = { 0 };
	const char *dot = strchr(text, '.'), *at = dot ? strchr(dot, '@') : NULL;
	char pid[16], start[24];
	uint64_t number;

	if (!at || (size_t)(dot - text) >= sizeof(pid) || (size_t)(at - dot) > sizeof(start) ||
	    strlen(at + 1) >= sizeof(process.host))
		return false;
	snprintf(pid, sizeof(pid), "%.*s", (int)(dot - text), text);
	snprintf(start, sizeof(start), "%.*s", (int)(at - dot - 1), dot + 1);
	if (!text_parse_uint(pid, INT32_MAX, &number) || number == 0 ||
	    !text_parse_uint(start, UINT64_MAX, &process.start))
		return false;
	process.pid = (pid_t)number;
	memcpy(process.host, at + 1, strlen(at + 1));
	*ret = process;
	return true;
}

bool process_is_here(const struct process *process)
{
	char host[PROCESS_HOST_MAX] = "";

	return gethostname(host, sizeof(host) - 1) == 0 && strcmp(host, process->host) == 0;
}

bool process_is_alive(const struct process *process)
{
	uint64_t start;

	return read_start(process->pid, &start) && start == process->start;
}

int process_signal(const struct process *process, int signal, struct err *err)
{
	/*
	 * The descriptor holds the process: it cannot become another one between check and signal.
	 */
	cleanup_close int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);

	if (fd < 0 && errno != ESRCH)
		return err_set_errno(err, errno, "process %d", (int)process->pid);
	if (fd < 0 || !process_is_alive(process))
		return 0;
	if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 && errno != ESRCH)
		return err_set_errno(err, errno, "signal process %d", (int)process->pid);
	return 0;
}
