/* SPDX-License-Identifier: MIT */
/* A program whose standard input and output are one socket; see stream_child.h. */
#include "stream_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define WORDS_MAX 300
#define SOCKET_BUFFER (512 * 1024)
#define KILL_MS 1000

struct stream_child {
	uv_process_t process;
	uv_poll_t poll; /* of its standard error */
	uv_timer_t timer;
	int said;		   /* -1 once nothing more comes */
	char words[WORDS_MAX + 1]; /* the last ones */
	size_t words_len;
	char *name;
	int64_t status;
	int signal;
	bool gone, closing;
	stream_child_ended *ended;
	void *owner;
	unsigned int handles;
};

static void keep_words(struct stream_child *child, const char *bytes, size_t len)
{
	size_t kept;

	if (len > WORDS_MAX) {
		bytes += len - WORDS_MAX;
		len = WORDS_MAX;
	}
	kept = MIN(child->words_len, WORDS_MAX - len);
	memmove(child->words, child->words + child->words_len - kept, kept);
	memcpy(child->words + kept, bytes, len);
	child->words_len = kept + len;
	child->words[child->words_len] = '\0';
}

/* Whoever holds the pipe open (a ControlMaster in the background) does not keep us waiting. */
static void hear(struct stream_child *child)
{
	char bytes[1024];
	ssize_t len;

	while (child->said >= 0 && (len = read(child->said, bytes, sizeof(bytes))) != 0) {
		if (len < 0)
			return;
		keep_words(child, bytes, (size_t)len);
	}
	if (child->said >= 0)
		uv_poll_stop(&child->poll);
}

static void on_said(uv_poll_t *poll, int status, int events)
{
	struct stream_child *child = poll->data;

	(void)events;
	if (status < 0)
		uv_poll_stop(poll);
	else
		hear(child);
}

static void on_closed(uv_handle_t *handle)
{
	struct stream_child *child = handle->data;

	if (--child->handles > 0)
		return;
	fd_close(child->said);
	free(child->name);
	free(child);
}

static void close_handles(struct stream_child *child)
{
	uv_close((uv_handle_t *)&child->poll, on_closed);
	uv_close((uv_handle_t *)&child->timer, on_closed);
	uv_close((uv_handle_t *)&child->process, on_closed);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
	struct stream_child *child = process->data;

	child->gone = true;
	child->status = status;
	child->signal = signal;
	hear(child);
	if (child->closing)
		close_handles(child);
	else
		child->ended(child->owner);
}

static void on_timer(uv_timer_t *timer)
{
	struct stream_child *child = timer->data;

	uv_process_kill(&child->process, SIGKILL);
}

void stream_child_close(struct stream_child *child)
{
	if (!child || child->closing)
		return;
	child->closing = true;
	if (child->gone) {
		close_handles(child);
		return;
	}
	uv_process_kill(&child->process, SIGTERM);
	uv_timer_start(&child->timer, on_timer, KILL_MS, 0);
}

/* The last line that says something, as others may be banners. */
static void last_line(const char *words, char *out, size_t size)
{
	size_t end = strlen(words), start;

	while (end > 0 && (words[end - 1] == '\n' || words[end - 1] == '\r'))
		end--;
	for (start = end; start > 0 && words[start - 1] != '\n';)
		start--;
	snprintf(out, size, "%.*s", (int)(end - start), words + start);
	text_make_printable(out);
}

int stream_child_error(const struct stream_child *child, struct err *err)
{
	char line[WORDS_MAX + 1];

	last_line(child->words, line, sizeof(line));
	if (line[0])
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", child->name, line);
	if (child->signal)
		return err_set(err, ERR_UNAVAILABLE, "%s was ended by signal %d", child->name,
			       child->signal);
	return err_set(err, ERR_UNAVAILABLE, "%s ended with status %d", child->name,
		       (int)child->status);
}

static int spawn(struct stream_child *child, uv_loop_t *loop, const char *const *argv,
		 const int fds[2])
{
	uv_stdio_container_t stdio[] = {
		{ .flags = UV_INHERIT_FD, .data.fd = fds[0] },
		{ .flags = UV_INHERIT_FD, .data.fd = fds[0] },
		{ .flags = UV_INHERIT_FD, .data.fd = fds[1] },
	};
	uv_process_options_t options = {
		.file = argv[0],
		.args = (char **)(uintptr_t)argv, /* only read */
		.exit_cb = on_exit_of,
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = ARRAY_LEN(stdio),
	};

	child->process.data = child;
	return uv_spawn(loop, &child->process, &options);
}

static void open_handles(struct stream_child *child, uv_loop_t *loop)
{
	uv_timer_init(loop, &child->timer);
	child->timer.data = child;
	uv_poll_init(loop, &child->poll, child->said);
	child->poll.data = child;
	uv_poll_start(&child->poll, UV_READABLE, on_said);
	child->handles = 3;
}

struct stream_child *stream_child_new(uv_loop_t *loop, const char *const *argv,
				      stream_child_ended *ended, void *owner, int *ret_fd,
				      struct err *err)
{
	struct stream_child *child;
	int pair[2], words[2], result;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err_set_errno(err, errno, "socketpair");
		return NULL;
	}
	if (pipe2(words, O_CLOEXEC) < 0 || fd_set_nonblock(words[0], true, NULL) < 0 ||
	    fd_set_nonblock(pair[0], true, NULL) < 0) {
		err_set_errno(err, errno, "pipe");
		fd_close(pair[0]);
		fd_close(pair[1]);
		return NULL;
	}
	for (int i = 0; i < 2; i++)
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &(int){ SOCKET_BUFFER },
				 sizeof(int));
	child = new_zero(struct stream_child);
	child->said = words[0];
	child->name = str_dup(argv[0]);
	child->ended = ended;
	child->owner = owner;
	open_handles(child, loop);
	result = spawn(child, loop, argv, (const int[]){ pair[1], words[1] });
	fd_close(pair[1]);
	fd_close(words[1]);
	if (result < 0) {
		err_set(err, ERR_UNAVAILABLE, "cannot start %s: %s", argv[0], uv_strerror(result));
		fd_close(pair[0]);
		close_handles(child);
		return NULL;
	}
	*ret_fd = pair[0];
	return child;
}
