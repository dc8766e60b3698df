/* SPDX-License-Identifier: MIT */
/* One end of a copy; see cp_side.h. */
#include "cp_side.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "tunnel/services/spawn.h"
#include "tunnel/services/subsystem.h"

#define READ_STEP (256 * 1024)
#define PIPE_SIZE (1024 * 1024)
#define WORDS_OF_JOB 8
#define END_MS 2000
#define END_STEP_MS 5
#define IN_MAX (READ_STEP + SFTP_PACKET_MAX + SFTP_HEAD_LEN)

extern char **environ;

/* Two pipes; ours do not block. */
static int open_pipes(struct cp_side *side, int theirs[2], struct err *err)
{
	int up[2], down[2];

	if (pipe2(up, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	side->write_fd = up[1];
	theirs[0] = up[0];
	if (pipe2(down, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	side->read_fd = down[0];
	theirs[1] = down[1];
	(void)fcntl(up[1], F_SETPIPE_SZ, PIPE_SIZE);
	(void)fcntl(down[1], F_SETPIPE_SZ, PIPE_SIZE);
	if (fd_set_nonblock(side->write_fd, true, err) < 0)
		return -1;
	return fd_set_nonblock(side->read_fd, true, err);
}

/* Runs it with its standard input and output being ours to talk to it. */
static int start_child(struct cp_side *side, struct spawn *spawn, struct err *err)
{
	int theirs[2] = { -1, -1 };

	if (open_pipes(side, theirs, err) == 0) {
		spawn->in = theirs[0];
		spawn->out = theirs[1];
		side->pid = spawn_run(spawn, err);
	}
	fd_close(theirs[0]);
	fd_close(theirs[1]);
	return side->pid > 0 ? 0 : -1;
}

/* The words of a command line, which are its own. */
struct words {
	char *items[2 * OPT_LIST_MAX + WORDS_OF_JOB + 1];
	size_t len;
};

static void words_finish(struct words *words)
{
	for (size_t i = 0; i < words->len; i++)
		free(words->items[i]);
}
DEFINE_CLEANUP_VALUE(struct words, words_finish)

static void add_word(struct words *words, const char *option, const char *value)
{
	if (value)
		words->items[words->len++] = str_printf("%s%s", option, value);
}

static void add_list(struct words *words, const char *option, const struct opt_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		add_word(words, option, list->items[i]);
}

static int start_job(struct cp_side *side, bool verbose, struct err *err)
{
	const struct cp_side_args *args = side->args;
	cleanup_free char *rank = str_printf("%llu", (unsigned long long)args->rank);
	cleanup(words_finish) struct words words = { 0 };
	struct spawn spawn = { .file = subsystem_program(),
			       .argv = words.items,
			       .environment = environ,
			       .err = STDERR_FILENO };

	add_word(&words, "berth-tunnel", "");
	add_word(&words, "ssh", "");
	add_word(&words, "--subsystem=", "sftp");
	add_word(&words, "--client-file=", args->client_file);
	add_word(&words, "--name=", args->name ? args->name : "job");
	add_word(&words, "--rank=", rank);
	add_word(&words, "--endpoint=", args->endpoint);
	add_word(&words, "--verbose", verbose ? "" : NULL);
	add_list(&words, "--refresh=", &args->refresh);
	add_list(&words, "--through=", &args->through);
	return start_child(side, &spawn, err);
}

static int start_command(struct cp_side *side, struct err *err)
{
	const struct opt_list *command = &side->args->command;
	cleanup_free char **argv = new_array(char *, command->len + 1);
	struct spawn spawn = { .file = command->items[0],
			       .path = getenv("PATH"),
			       .argv = argv,
			       .environment = environ,
			       .err = STDERR_FILENO };

	for (size_t i = 0; i < command->len; i++)
		argv[i] = (char *)(uintptr_t)command->items[i];
	side->is_marked = true;
	return start_child(side, &spawn, err);
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool cp_side_is_same(const struct cp_side_args *a, const struct cp_side_args *b)
{
	if (!is_same_text(a->client_file, b->client_file) ||
	    !is_same_text(a->endpoint, b->endpoint) || a->rank != b->rank ||
	    a->command.len != b->command.len)
		return false;
	for (size_t i = 0; i < a->command.len; i++) {
		if (!is_same_text(a->command.items[i], b->command.items[i]))
			return false;
	}
	return true;
}

int cp_side_open(struct cp_side *side, const struct cp_side_args *args, bool verbose,
		 struct err *err)
{
	*side = (struct cp_side){ .args = args, .read_fd = -1, .write_fd = -1 };
	sftp_client_init(&side->client);
	if (!cp_side_is_here(args)) {
		buf_init(&side->in, IN_MAX);
		return args->client_file ? start_job(side, verbose, err) : start_command(side, err);
	}
	buf_init(&side->in, SFTP_SERVER_OUT_MAX);
	side->server = sftp_server_new();
	return 0;
}

/*
 * One that has closed its output is about to end, and its status is the reason: a signal would take
 * the place of that. It is not waited for long.
 */
static int reap(struct cp_side *side)
{
	const struct timespec step = { .tv_nsec = 1000000L * END_STEP_MS };
	pid_t ended = 0;
	int status = 0;

	for (int ms = 0; side->lost && ended == 0 && ms < END_MS; ms += END_STEP_MS) {
		ended = waitpid(side->pid, &status, WNOHANG);
		if (ended == 0)
			nanosleep(&step, NULL);
	}
	if (ended == 0 && (kill(side->pid, SIGTERM) < 0 || waitpid(side->pid, &status, 0) < 0))
		return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

int cp_side_close(struct cp_side *side)
{
	int status = 0;

	side->read_fd = fd_close(side->read_fd);
	side->write_fd = fd_close(side->write_fd);
	if (side->pid > 0)
		status = reap(side);
	side->pid = 0;
	side->server = sftp_server_free(side->server);
	sftp_client_finish(&side->client);
	buf_finish(&side->in);
	return status;
}

static int turn_here(struct cp_side *side, struct err *err)
{
	int more = sftp_server_serve(side->server, &side->client.out, &side->in, err);

	if (more < 0 || sftp_client_feed(&side->client, &side->in, err) < 0)
		return -1;
	side->busy = more > 0 || buf_len(&side->client.out) > 0;
	return 0;
}

/* 1: something was read; 0: nothing is there; -1: it is over. */
static int read_some(struct cp_side *side, struct err *err)
{
	uint8_t *room = buf_reserve(&side->in, READ_STEP);
	ssize_t len;

	if (!room)
		return err_set(err, ERR_INTERNAL, "an answer does not fit");
	len = read(side->read_fd, room, READ_STEP);
	if (len > 0) {
		buf_commit(&side->in, (size_t)len);
		return 1;
	}
	return len < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* 1: the mark has come; 0: not yet; -1: it never will. */
static int drop_preamble(struct cp_side *side, struct err *err)
{
	static const char mark[] = CP_SIDE_MARK "\n";
	struct span text = buf_span(&side->in);
	const uint8_t *at = text.len ? memmem(text.ptr, text.len, mark, strlen(mark)) : NULL;
	size_t spare = at ? (size_t)(at - text.ptr) + strlen(mark)
			  : text.len - MIN(text.len, strlen(mark));

	side->is_marked = !at;
	side->preamble += spare;
	buf_consume(&side->in, spare);
	if (side->is_marked && side->preamble > CP_SIDE_PREAMBLE_MAX)
		return err_set(err, ERR_PROTOCOL, "start-up files there print without end");
	return !side->is_marked;
}

static int turn_child(struct cp_side *side, struct err *err)
{
	struct buf *out = &side->client.out;
	int got = read_some(side, err);
	int ready = got < 0 || !side->is_marked ? 1 : drop_preamble(side, err);

	if (got < 0 || ready < 0 ||
	    (ready > 0 && sftp_client_feed(&side->client, &side->in, err) < 0))
		return -1;
	side->busy = got > 0;
	while (buf_len(out) > 0) {
		ssize_t len = write(side->write_fd, buf_span(out).ptr, buf_len(out));

		if (len < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		buf_consume(out, (size_t)len);
	}
	return 0;
}

int cp_side_turn(struct cp_side *side, struct err *err)
{
	int result = 0;

	if (side->lost)
		sftp_client_drop(&side->client);
	else
		result = side->server ? turn_here(side, err) : turn_child(side, err);
	if (result < 0) {
		side->lost = true;
		side->busy = false;
	}
	return result;
}

size_t cp_side_wants(const struct cp_side *side, struct pollfd ret[2])
{
	if (side->server || side->lost)
		return 0;
	ret[0] = (struct pollfd){ .fd = side->read_fd, .events = POLLIN };
	ret[1] = (struct pollfd){ .fd = side->write_fd, .events = POLLOUT };
	return buf_len(&side->client.out) > 0 ? 2 : 1;
}
