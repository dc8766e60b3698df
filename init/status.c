/* SPDX-License-Identifier: MIT */
/* The status file; see status.h. */
#include "status.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "init/base/fs.h"
#include "init/base/log.h"
#include "oom.h"

#define STATUS_MODE 0600
#define MEMBER_MAX 32

/* Of all writers; written by them alone. */
struct status_memory {
	bool knows_kills;
	uint64_t kills_before;
};

void status_init(struct status *s)
{
	void *memory = MAP_FAILED;

	if (s->path)
		memory = mmap(NULL, sizeof(*s->memory), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s->memory = memory == MAP_FAILED ? NULL : memory;
}

static void format_int(char *out, bool known, int value)
{
	if (known)
		snprintf(out, MEMBER_MAX, "%d", value);
	else
		memcpy(out, "null", sizeof("null"));
}

static void format_time(char *out, bool known, const struct timespec *value)
{
	if (known)
		snprintf(out, MEMBER_MAX, "%lld.%03ld", (long long)value->tv_sec,
			 value->tv_nsec / 1000000);
	else
		format_int(out, false, 0);
}

static bool is_held(const struct status *s)
{
	return s->has_ended && s->hold_until.tv_sec != 0;
}

static const char *state_of(const struct status *s)
{
	if (!s->has_ended)
		return "running";
	return is_held(s) ? "held" : "exited";
}

size_t status_format(const struct status *s, char *ret, size_t size)
{
	char ended[MEMBER_MAX], hold[MEMBER_MAX], exit_code[MEMBER_MAX], signo[MEMBER_MAX];
	bool has_exited = s->has_ended && s->how.si_code == CLD_EXITED;
	int len;

	format_time(ended, s->has_ended, &s->ended);
	format_time(hold, is_held(s), &s->hold_until);
	format_int(exit_code, has_exited, s->how.si_status);
	format_int(signo, s->has_ended && !has_exited, s->how.si_status);
	len = snprintf(
		ret, size,
		"{\"version\":1,\"rank\":%u,\"state\":\"%s\",\"pid\":%d,\"init_pid\":%d,"
		"\"started\":%lld.%03ld,\"ended\":%s,\"hold_until\":%s,\"exit_code\":%s,\"signal\":%s,"
		"\"core_dumped\":%s,\"timed_out\":%s,\"oom_killed\":%s,\"peak_rss_kib\":%ld,\"user_s\":%lld.%06ld,"
		"\"system_s\":%lld.%06ld,\"tunnel_restarts\":%u}\n",
		s->rank, state_of(s), (int)s->pid, (int)s->init_pid, (long long)s->started.tv_sec,
		s->started.tv_nsec / 1000000, ended, hold, exit_code, signo,
		s->has_ended && s->how.si_code == CLD_DUMPED ? "true" : "false",
		s->has_ended && s->timed_out ? "true" : "false",
		s->has_ended && s->oom_killed ? "true" : "false", s->usage.ru_maxrss,
		(long long)s->usage.ru_utime.tv_sec, (long)s->usage.ru_utime.tv_usec,
		(long long)s->usage.ru_stime.tv_sec, (long)s->usage.ru_stime.tv_usec,
		s->tunnel_restarts);
	assert(len > 0 && (size_t)len < size);
	return (size_t)len;
}

static void look_for_kills(struct status *s)
{
	struct status_memory *memory = s->memory;
	uint64_t kills = 0;

	if (!memory || !oom_count(&kills))
		return;
	if (!memory->knows_kills)
		memory->kills_before = kills;
	memory->knows_kills = true;
	s->oom_killed = kills > memory->kills_before + s->tunnel_kills;
}

static void attr_noreturn run(struct status *s)
{
	char text[STATUS_TEXT_MAX];
	size_t len;

	look_for_kills(s);
	len = status_format(s, text, sizeof(text));
	_exit(fs_write_file(s->path, span_of(text, len), STATUS_MODE, NULL) < 0 ? 1 : 0);
}

void status_write(struct status *s)
{
	s->is_stale = s->path && s->writer > 0;
	if (!s->path || s->writer > 0)
		return;
	s->writer = fork();
	/* All signals stay blocked in the child, so that what ends the others lets it finish. */
	if (s->writer == 0)
		run(s);
	if (s->writer > 0)
		return;
	s->writer = 0;
	log_warn("status: cannot be written: no process to be had");
}

bool status_on_exit(struct status *s, const siginfo_t *ended)
{
	if (s->writer <= 0 || ended->si_pid != s->writer)
		return false;
	if (ended->si_code != CLD_EXITED || ended->si_status != 0)
		log_warn("status: %s could not be written", s->path);
	s->writer = 0;
	if (s->is_stale)
		status_write(s);
	return true;
}
