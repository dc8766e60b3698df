/* SPDX-License-Identifier: MIT */
/* Runs another program to its end; see child.h. */
#include "child.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"

#define READ_CHUNK 65536

/* The ends that we keep (read) and that the child gets (write). */
struct pipes {
	int output[2], errors[2];
	int input[2]; /* a socket pair, or a pipe: ours to write is input[1]; -1 without input */
};

static void pipes_close(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		fd_close(p->output[i]);
		fd_close(p->errors[i]);
		fd_close(p->input[i]);
	}
}

struct running {
	struct child_plan plan;
	struct pipes pipes;
	struct child child; /* what it has said so far */
	struct span input;  /* what is left to give */
	uint64_t deadline;  /* 0: none */
	pid_t pid;	    /* 0: there is none, or it was waited for */
};

static int pipes_open(struct pipes *p, const struct child_plan *plan, struct err *err)
{
	bool has_input = plan->talks || plan->input.len > 0;

	if (pipe2(p->output, O_CLOEXEC) < 0 || pipe2(p->errors, O_CLOEXEC) < 0 ||
	    (plan->waits && pipe2(p->input, O_CLOEXEC) < 0))
		return err_set_errno(err, errno, "pipe");
	/* Writing to a socket that nobody reads any more can be told not to raise SIGPIPE. */
	if (has_input && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->input) < 0)
		return err_set_errno(err, errno, "socketpair");
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_among(const char *const *assignments, const char *entry)
{
	size_t len = strcspn(entry, "=") + 1;

	for (; assignments && *assignments; assignments++) {
		if (strncmp(*assignments, entry, len) == 0)
			return true;
	}
	return false;
}

/* Ours with those assignments; borrows the strings. */
static const char **make_environment(const char *const *assignments)
{
	size_t len = 0, at = 0;
	const char **ret;

	for (char **e = environ; *e; e++)
		len++;
	for (const char *const *a = assignments; a && *a; a++)
		len++;
	ret = new_array(const char *, len + 1);
	for (char **e = environ; *e; e++) {
		if (!is_among(assignments, *e))
			ret[at++] = *e;
	}
	for (const char *const *a = assignments; a && *a; a++)
		ret[at++] = *a;
	return ret;
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct child_plan *plan,
		       const struct pipes *p)
{
	int os = p->input[0] >= 0
			 ? posix_spawn_file_actions_adddup2(actions, p->input[0], 0)
			 : posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

	if (os == 0)
		os = posix_spawn_file_actions_adddup2(actions, p->output[1], 1);
	if (os == 0)
		os = posix_spawn_file_actions_adddup2(actions, p->errors[1], 2);
	if (os == 0 && plan->dir)
		os = posix_spawn_file_actions_addchdir_np(actions, plan->dir);
	return os;
}

/*
 * posix_spawnp(3) starts a program without copying our page tables first, which takes longer than
 * all else here. Returns an errno; that of a program that cannot be run as well.
 */
static int spawn(const struct child_plan *plan, const struct pipes *p, pid_t *ret)
{
	cleanup_free const char **env = make_environment(plan->env);
	posix_spawn_file_actions_t actions;
	int os = posix_spawn_file_actions_init(&actions);

	if (os != 0)
		return os;
	os = add_actions(&actions, plan, p);
	if (os == 0)
		os = posix_spawnp(ret, plan->argv[0], &actions, NULL,
				  (char *const *)(uintptr_t)plan->argv,
				  (char *const *)(uintptr_t)env);
	posix_spawn_file_actions_destroy(&actions);
	return os;
}

/*
 * Reads what is there; false at the end. Beyond the maximum, bytes are dropped when `drop` says so.
 */
static bool take(int fd, struct buf *b, bool drop, bool *ret_overflow)
{
	char dropped[4096];
	bool is_full = buf_room(b) == 0;
	size_t size = is_full ? sizeof(dropped) : MIN(buf_room(b), (size_t)READ_CHUNK);
	ssize_t n = read(fd, is_full ? (void *)dropped : buf_reserve(b, size), size);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	if (!is_full)
		buf_commit(b, (size_t)n);
	else if (!drop)
		*ret_overflow = true;
	return true;
}

/* Hands on what fits; closes the input when all is given, or nobody wants the rest. */
static bool give(struct pipes *p, struct span *left)
{
	ssize_t n = send(p->input[1], left->ptr, left->len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		span_cut(left, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		left->len = 0;
	if (left->len == 0)
		p->input[1] = fd_close(p->input[1]);
	return n > 0;
}

static void feed(struct running *r, struct span *left)
{
	const struct child_progress *progress = r->plan.progress;
	size_t total = r->plan.input.len;

	if (give(&r->pipes, left) && progress)
		progress->tell(progress->arg, total - left->len, total);
}

static void read_along(const struct child_reader *reader, struct buf *output)
{
	if (buf_len(output) > 0)
		buf_consume(output, reader->take(reader->owner, buf_span(output)));
}

static bool has_line(const struct running *r)
{
	struct span printed = buf_span(&r->child.output);

	return printed.len > 0 && memchr(printed.ptr, '\n', printed.len);
}

/* What poll(2) said; false when the output is too large. */
static bool serve(struct running *r, const struct pollfd fds[3], const struct child_reader *reader)
{
	struct child *child = &r->child;
	struct pipes *p = &r->pipes;
	bool overflow = false;

	if (fds[2].revents)
		feed(r, &r->input);
	if (fds[1].revents && !take(p->errors[0], &child->errors, true, &overflow))
		p->errors[0] = fd_close(p->errors[0]);
	if (fds[0].revents && !take(p->output[0], &child->output, false, &overflow))
		p->output[0] = fd_close(p->output[0]);
	if (overflow)
		return false;
	if (fds[0].revents && reader)
		read_along(reader, &child->output);
	return true;
}

enum collected { COLLECTED, TOO_LATE, TOO_MUCH };

/* Collects both streams until both end, or until there is a line. */
static enum collected collect(struct running *r, const struct child_reader *reader, bool until_line)
{
	while ((r->pipes.output[0] >= 0 || r->pipes.errors[0] >= 0) &&
	       !(until_line && has_line(r))) {
		struct pollfd fds[3] = {
			{ .fd = r->pipes.output[0], .events = POLLIN },
			{ .fd = r->pipes.errors[0], .events = POLLIN },
			{ .fd = r->plan.input.len > 0 ? r->pipes.input[1] : -1, .events = POLLOUT },
		};
		uint64_t now = now_ms();
		int wait = r->deadline ? (int)(r->deadline - MIN(r->deadline, now)) : -1;

		if (r->deadline && now >= r->deadline)
			return TOO_LATE;
		if (poll(fds, 3, wait) < 0) {
			if (errno != EINTR)
				return TOO_LATE;
			continue;
		}
		if (!serve(r, fds, reader))
			return TOO_MUCH;
	}
	return COLLECTED;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int explain_exec(const struct child_plan *plan, int os, struct err *err)
{
	if (os == ENOENT && (!plan->dir || access(plan->dir, X_OK) == 0))
		return err_set(err, ERR_NOT_FOUND, "no program '%s'", plan->argv[0]);
	return err_set_errno(err, os, "run '%s'", plan->argv[0]);
}

struct running *running_stop(struct running *r)
{
	if (r) {
		if (r->pid > 0) {
			kill(r->pid, SIGKILL);
			wait_for(r->pid);
		}
		pipes_close(&r->pipes);
		child_finish(&r->child);
		free(r);
	}
	return NULL;
}

int child_start(const struct child_plan *plan, struct running **ret, struct err *err)
{
	cleanup(running_stop) struct running *r = new_zero(struct running);
	struct pipes *p = &r->pipes;
	int os;

	r->plan = *plan;
	r->input = plan->input;
	r->child = (struct child){ BUF_INIT(CHILD_OUTPUT_MAX), BUF_INIT(CHILD_ERRORS_MAX), 0 };
	r->pipes = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	r->deadline = plan->timeout_ms ? now_ms() + plan->timeout_ms : 0;
	if (pipes_open(p, plan, err) < 0)
		return -1;
	os = spawn(plan, p, &r->pid);
	if (os != 0) {
		r->pid = 0;
		return explain_exec(plan, os, err);
	}
	p->output[1] = fd_close(p->output[1]);
	p->errors[1] = fd_close(p->errors[1]);
	/* As long as we could read ourselves what we write into a pipe, no SIGPIPE is raised. */
	if (!plan->waits)
		p->input[0] = fd_close(p->input[0]);
	*ret = take_ptr(r);
	return 0;
}

static void close_input(struct pipes *p)
{
	p->input[1] = fd_close(p->input[1]);
	p->input[0] = fd_close(p->input[0]);
}

void child_give(struct running *r, struct span input)
{
	static_assert(CHILD_PIECE_MAX <= PIPE_BUF, "more is not written at once");
	ssize_t n;

	assert(r->plan.waits && input.len <= CHILD_PIECE_MAX);
	do
		n = write(r->pipes.input[1], input.ptr, input.len);
	while (n < 0 && errno == EINTR);
	close_input(&r->pipes);
}

int child_detach(const struct child_plan *plan, struct err *err)
{
	cleanup_free const char **env = make_environment(plan->env);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int os = posix_spawn_file_actions_init(&actions);
	pid_t pid;

	if (os != 0)
		return err_set_errno(err, os, "run '%s'", plan->argv[0]);
	os = posix_spawnattr_init(&attributes);
	for (int fd = 0; os == 0 && fd <= 2; fd++)
		os = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	if (os == 0 && plan->dir)
		os = posix_spawn_file_actions_addchdir_np(&actions, plan->dir);
	if (os == 0)
		os = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	if (os == 0)
		os = posix_spawnp(&pid, plan->argv[0], &actions, &attributes,
				  (char *const *)(uintptr_t)plan->argv,
				  (char *const *)(uintptr_t)env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return os == 0 ? 0 : explain_exec(plan, os, err);
}

int child_end(struct running *r, struct child *ret, struct err *err)
{
	return child_follow(r, NULL, ret, err);
}

int child_await_line(struct running *r, struct span *ret)
{
	if (collect(r, NULL, true) != COLLECTED || !has_line(r))
		return 0;
	*ret = buf_span(&r->child.output);
	return 1;
}

int child_follow(struct running *r, const struct child_reader *reader, struct child *ret,
		 struct err *err)
{
	enum collected collected;

	if (r->plan.waits)
		close_input(&r->pipes);
	collected = collect(r, reader, false);
	if (collected != COLLECTED)
		kill(r->pid, SIGKILL);
	r->child.status = wait_for(r->pid);
	r->pid = 0;
	if (collected == TOO_MUCH)
		return err_set(err, ERR_LIMIT, "'%s' wrote more than %d MiB", r->plan.argv[0],
			       CHILD_OUTPUT_MAX >> 20);
	if (collected == TOO_LATE)
		return err_set(err, ERR_TIMEOUT, "'%s' did not end within %u s", r->plan.argv[0],
			       r->plan.timeout_ms / 1000);
	*ret = r->child;
	r->child = (struct child){ 0 };
	return 0;
}

int child_run(const struct child_plan *plan, struct child *ret, struct err *err)
{
	cleanup(running_stop) struct running *running = NULL;

	if (child_start(plan, &running, err) < 0)
		return -1;
	return child_end(running, ret, err);
}

static int talk_write(struct pipes *p, struct buf *out)
{
	struct span left = buf_span(out);
	ssize_t n = send(p->input[1], left.ptr, left.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		buf_consume(out, (size_t)n);
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* 1: there may be more; 0: it printed its last. */
static int talk_read(struct pipes *p, struct buf *in, struct err *err)
{
	uint8_t *room = buf_reserve(in, READ_CHUNK);
	ssize_t n;

	if (!room)
		return err_set(err, ERR_LIMIT, "an answer is too long");
	n = read(p->output[0], room, READ_CHUNK);
	if (n > 0)
		buf_commit(in, (size_t)n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

int child_talk(struct running *r, struct buf *out, struct buf *in, struct buf *errors,
	       struct err *err)
{
	struct pipes *p = &r->pipes;
	struct pollfd fds[3] = {
		{ .fd = p->output[0], .events = POLLIN },
		{ .fd = p->errors[0], .events = POLLIN },
		{ .fd = buf_len(out) > 0 ? p->input[1] : -1, .events = POLLOUT },
	};
	bool dropped = false;

	if (poll(fds, 3, -1) < 0)
		return errno == EINTR ? 1 : err_set_errno(err, errno, "poll");
	if (fds[1].revents && !take(p->errors[0], errors, true, &dropped))
		p->errors[0] = fd_close(p->errors[0]);
	if (fds[0].revents)
		return talk_read(p, in, err);
	/* Who reads no more may still have something to say. */
	if (fds[2].revents && !talk_write(p, out))
		buf_clear(out);
	return 1;
}

void child_finish(struct child *child)
{
	buf_wipe(&child->output);
	buf_wipe(&child->errors);
}

void child_complaint(struct child *child, char *out, size_t size)
{
	const char *line = buf_str(&child->errors);
	size_t len;

	line += strspn(line, " \t\r\n");
	len = strcspn(line, "\n");
	snprintf(out, size, "%.*s", (int)MIN(len, size), line);
	for (char *p = out; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}
