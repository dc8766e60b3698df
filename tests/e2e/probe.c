/* SPDX-License-Identifier: MIT */
/*
 * What runs in images that have nothing else, and what records signals in jobs: one program that
 * needs no files, no libraries and no shell.
 *
 *	probe signals COUNT	prints "ready", then a line of JSON for each of COUNT signals, whatever
 *				they are, and exits with 0
 *	probe exit STATUS
 *	probe raise SIGNAL
 *	probe eat		uses memory until something ends it
 *	probe linger MS		prints its process id; on SIGTERM prints "told", and MS milliseconds
 *				later "done" and exits; MS below 0: never
 *	probe orphans COUNT	makes orphans that end all at once, prints "ready", and stays
 *	probe run PROGRAM...	executes it, to see who may execute what
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EAT_STEP ((size_t)1 << 20)

/* One write a line: several of us may share a pipe, and a job may be killed in between. */
static void print_line(const char *text)
{
	size_t len = strlen(text);

	if (write(STDOUT_FILENO, text, len) != (ssize_t)len)
		_exit(1);
}

/*
 * The system calls themselves: the C library keeps signals 32 to 34 from its callers.
 */
static int record_signals(long count)
{
	const uint64_t every = UINT64_MAX;
	char line[256];

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, NULL, sizeof(every));
	print_line("ready\n");
	while (count > 0) {
		siginfo_t info;
		long number = syscall(SYS_rt_sigtimedwait, &every, &info, NULL, sizeof(every));

		if (number < 0 && errno == EINTR)
			continue;
		if (number < 0)
			return 1;
		snprintf(
			line, sizeof(line),
			"{\"signal\": %ld, \"code\": %d, \"pid\": %d, \"uid\": %u, \"value\": %llu}\n",
			number, info.si_code, (int)info.si_pid, (unsigned int)info.si_uid,
			(unsigned long long)(uintptr_t)info.si_value.sival_ptr);
		print_line(line);
		count--;
	}
	return 0;
}

static int eat(void)
{
	for (;;) {
		void *piece = mmap(NULL, EAT_STEP, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (piece == MAP_FAILED)
			return 1;
		memset(piece, 1, EAT_STEP);
	}
}

static int linger(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	char line[32];
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	snprintf(line, sizeof(line), "%d\n", (int)getpid());
	print_line(line);
	do {
		if (sigwait(&set, &number) != 0)
			return 1;
		print_line("told\n");
	} while (ms < 0);
	nanosleep(&time, NULL);
	print_line("done\n");
	return 0;
}

static int make_orphans(long count)
{
	int held[2];
	char byte;

	if (pipe(held) < 0)
		return 1;
	for (long i = 0; i < count; i++) {
		pid_t parent = fork();

		if (parent < 0)
			return 1;
		if (parent == 0) {
			if (fork() == 0) {
				close(held[1]);
				while (read(held[0], &byte, 1) < 0 && errno == EINTR)
					;
			}
			_exit(0);
		}
		waitpid(parent, NULL, 0);
	}
	close(held[1]);
	print_line("ready\n");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long number = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

	if (strcmp(what, "signals") == 0)
		return record_signals(number);
	if (strcmp(what, "exit") == 0)
		return (int)number;
	if (strcmp(what, "raise") == 0)
		return raise((int)number);
	if (strcmp(what, "eat") == 0)
		return eat();
	if (strcmp(what, "linger") == 0)
		return linger(number);
	if (strcmp(what, "orphans") == 0)
		return make_orphans(number);
	if (strcmp(what, "run") == 0 && argc > 2)
		execv(argv[2], argv + 2);
	perror("probe");
	return 64;
}
