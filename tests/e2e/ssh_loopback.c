/* SPDX-License-Identifier: MIT */
/*
 * Serves the SSH engine on standard input and output, as a ProxyCommand, and runs what the client
 * asks for on this machine: the engine with the real ssh client, without a tunnel. Only for tests.
 *
 *	ssh_loopback SEED [REKEY_BYTES]     serve; SEED is the host key's, 64 hexadecimal digits
 *	ssh_loopback --public SEED          print the host key as known_hosts has it
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"
#include "tests/e2e/ssh_spawn.h"

#define POLLS_MAX 4096
#define READ_MAX (256 * 1024)
#define QUEUE_MAX (17 * 1024 * 1024)
#define PIPE_LEN (1024 * 1024)

/* One channel: a process, or a connection (then in and out are the same descriptor). */
struct link {
	struct ssh_channel *channel;
	pid_t pid; /* 0: none */
	int in, out, err, pidfd;
	struct buf queue; /* for in */
	bool eof, blocked;
	TAILQ_ENTRY(link) all;
};

struct host {
	struct ssh_server *server;
	TAILQ_HEAD(, link) links;
};

struct poll_set {
	struct pollfd fds[POLLS_MAX];
	struct link *links[POLLS_MAX];
	nfds_t len;
};

static void add_poll(struct poll_set *set, struct link *link, int fd, short events)
{
	if (fd < 0 || set->len == POLLS_MAX)
		return;
	set->fds[set->len] = (struct pollfd){ .fd = fd, .events = events };
	set->links[set->len++] = link;
}

static struct link *link_new(struct host *host, struct ssh_channel *channel)
{
	struct link *link = new_zero(struct link);

	link->channel = channel;
	link->in = link->out = link->err = link->pidfd = -1;
	link->queue = BUF_INIT(QUEUE_MAX);
	TAILQ_INSERT_TAIL(&host->links, link, all);
	ssh_channel_set_user(channel, link);
	return link;
}

static void close_in(struct link *link)
{
	if (link->in >= 0 && link->in == link->out)
		shutdown(link->in, SHUT_WR);
	else
		fd_close(link->in);
	link->in = -1;
}

static void link_free(struct host *host, struct link *link)
{
	if (link->pid > 0) {
		kill(-link->pid, SIGHUP);
		waitpid(link->pid, NULL, WNOHANG);
	}
	close_in(link);
	fd_close(link->out);
	fd_close(link->err);
	fd_close(link->pidfd);
	buf_finish(&link->queue);
	TAILQ_REMOVE(&host->links, link, all);
	free(link);
}

static int connect_to(const struct sockaddr *addr, socklen_t len, struct err *err)
{
	cleanup_close int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, addr, len) < 0)
		return err_set_errno(err, errno, "connect");
	if (fd_set_nonblock(fd, true, err) < 0)
		return -1;
	return take_fd(fd);
}

/* Only what tests use: 127.0.0.1:PORT, or a path. */
static int connect_target(enum ssh_channel_type type, const char *target, struct err *err)
{
	struct sockaddr_in tcp = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	const char *port = strrchr(target, ':');
	uint64_t number;

	if (type == SSH_CHANNEL_UNIX) {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", target);
		return connect_to((struct sockaddr *)&local, sizeof(local), err);
	}
	if (!port || !text_parse_uint(port + 1, 65535, &number))
		return err_set(err, ERR_INVALID, "no port in %s", target);
	if (strncmp(target, "127.0.0.1:", 10) != 0)
		return err_set(err, ERR_DENIED, "only 127.0.0.1 is allowed here");
	tcp.sin_port = htons((uint16_t)number);
	return connect_to((struct sockaddr *)&tcp, sizeof(tcp), err);
}

static void on_open(void *owner, struct ssh_channel *channel, enum ssh_channel_type type,
		    const char *target)
{
	struct link *link;
	struct err err;
	int fd = -1;

	if (type != SSH_CHANNEL_SESSION) {
		fd = connect_target(type, target, &err);
		if (fd < 0) {
			ssh_channel_refuse(channel, &err);
			return;
		}
	}
	link = link_new(owner, channel);
	link->in = link->out = fd;
	ssh_channel_accept(channel);
}

static void on_start(void *owner, struct ssh_channel *channel, const struct ssh_start *start)
{
	struct link *link = ssh_channel_user(channel);
	struct spawned spawned;

	(void)owner;
	if (!spawn(start, &spawned)) {
		ssh_channel_started(channel, false);
		return;
	}
	link->pid = spawned.pid;
	link->in = spawned.in;
	link->out = spawned.out;
	link->err = spawned.err;
	link->pidfd = (int)syscall(SYS_pidfd_open, link->pid, 0);
	ssh_channel_started(channel, true);
}

static void on_data(void *owner, struct ssh_channel *channel, struct span bytes)
{
	struct link *link = ssh_channel_user(channel);

	(void)owner;
	if (link->in < 0 || !buf_append_span(&link->queue, bytes))
		ssh_channel_consumed(channel, bytes.len);
}

static void on_eof(void *owner, struct ssh_channel *channel)
{
	struct link *link = ssh_channel_user(channel);

	(void)owner;
	link->eof = true;
	/* A terminal has no end of input but the character for it. */
	if (buf_len(&link->queue) == 0 && (link->err >= 0 || link->in == link->out))
		close_in(link);
}

static void on_window_change(void *owner, struct ssh_channel *channel, const struct ssh_pty *size)
{
	struct link *link = ssh_channel_user(channel);

	(void)owner;
	spawn_resize(link->in, size);
}

static void on_signal(void *owner, struct ssh_channel *channel, const char *name)
{
	struct link *link = ssh_channel_user(channel);

	(void)owner;
	if (link->pid > 0)
		kill(-link->pid, strcmp(name, "INT") == 0 ? SIGINT : SIGTERM);
}

static void on_output_unwanted(void *owner, struct ssh_channel *channel)
{
	struct link *link = ssh_channel_user(channel);

	(void)owner;
	link->out = fd_close(link->out);
}

static void on_writable(void *owner, struct ssh_channel *channel)
{
	struct link *link = ssh_channel_user(channel);

	(void)owner;
	link->blocked = false;
}

static void on_closed(void *owner, struct ssh_channel *channel)
{
	struct link *link = ssh_channel_user(channel);

	link_free(owner, link);
}

static void on_wants_write(void *owner)
{
	(void)owner; /* the loop looks each time around */
}

static const struct ssh_server_ops ops = {
	.open = on_open,
	.start = on_start,
	.data = on_data,
	.eof = on_eof,
	.window_change = on_window_change,
	.signal = on_signal,
	.output_unwanted = on_output_unwanted,
	.writable = on_writable,
	.closed = on_closed,
	.wants_write = on_wants_write,
};

/* What the process wrote, as far as there is room for it. */
static int read_output(struct link *link, int fd, enum ssh_output output)
{
	static uint8_t bytes[READ_MAX];
	size_t room = ssh_channel_room(link->channel);
	ssize_t len;

	link->blocked = room == 0;
	if (room == 0)
		return fd;
	len = read(fd, bytes, MIN(room, sizeof(bytes)));
	if (len < 0 && (errno == EINTR || errno == EAGAIN))
		return fd;
	if (len <= 0) {
		/* A connection is one descriptor: it ends both ways, which will do here. */
		link->in = link->in == fd ? -1 : link->in;
		return fd_close(fd);
	}
	ssh_channel_write(link->channel, output, span_of(bytes, (size_t)len));
	return fd;
}

static void write_input(struct link *link)
{
	struct span s = buf_span(&link->queue);
	ssize_t len = write(link->in, s.ptr, s.len);

	if (len < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (len < 0) {
		ssh_channel_stop_input(link->channel);
		len = (ssize_t)s.len;
		link->eof = true;
	}
	buf_consume(&link->queue, (size_t)len);
	ssh_channel_consumed(link->channel, (size_t)len);
	if (buf_len(&link->queue) == 0 && link->eof)
		close_in(link);
}

static void reap(struct link *link)
{
	int status;

	if (waitpid(link->pid, &status, WNOHANG) != link->pid)
		return;
	link->pid = 0;
	link->pidfd = fd_close(link->pidfd);
	if (WIFSIGNALED(status))
		ssh_channel_exit_signal(link->channel, sigabbrev_np(WTERMSIG(status)),
					WCOREDUMP(status));
	else
		ssh_channel_exit_status(link->channel, (uint32_t)WEXITSTATUS(status));
}

static void serve_link(struct link *link, const struct pollfd *fd)
{
	/* An earlier event of this round may have closed it. */
	if (fd->fd == link->in && fd->events & POLLOUT)
		write_input(link);
	else if (fd->fd == link->out)
		link->out = read_output(link, link->out, SSH_STDOUT);
	else if (fd->fd == link->err)
		link->err = read_output(link, link->err, SSH_STDERR);
	else if (fd->fd == link->pidfd)
		reap(link);
	if (link->out < 0 && link->err < 0 && link->pid == 0) {
		ssh_channel_eof(link->channel);
		ssh_channel_close(link->channel);
	}
}

static void poll_links(struct host *host, struct poll_set *set)
{
	struct link *link;

	TAILQ_FOREACH(link, &host->links, all)
	{
		if (buf_len(&link->queue) > 0)
			add_poll(set, link, link->in, POLLOUT);
		if (!link->blocked) {
			add_poll(set, link, link->out, POLLIN);
			add_poll(set, link, link->err, POLLIN);
		}
		/* The status comes after the last output. */
		if (link->out < 0 && link->err < 0)
			add_poll(set, link, link->pidfd, POLLIN);
	}
}

/* 1: go on; 0: the client is gone. */
static int serve_client(struct host *host, const struct pollfd *fd, struct err *err)
{
	static uint8_t bytes[READ_MAX];
	struct span out = ssh_server_output(host->server);
	ssize_t len;

	if (fd->fd == 0) {
		len = read(0, bytes, sizeof(bytes));
		if (len == 0)
			return 0;
		return len < 0 ? 1
			       : ssh_server_input(host->server, span_of(bytes, (size_t)len), err) +
					 1;
	}
	len = write(1, out.ptr, out.len);
	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	ssh_server_output_taken(host->server, (size_t)len);
	return 1;
}

static int serve(struct host *host, struct err *err)
{
	static struct poll_set set;
	int more = 1;

	while (more) {
		set.len = 0;
		if (ssh_server_wants_input(host->server))
			add_poll(&set, NULL, 0, POLLIN);
		if (ssh_server_output(host->server).len > 0)
			add_poll(&set, NULL, 1, POLLOUT);
		poll_links(host, &set);
		if (poll(set.fds, set.len, -1) < 0 && errno != EINTR)
			return err_set_errno(err, errno, "poll");
		/* Links first: what the client says may free them. */
		for (nfds_t i = set.len; i-- > 0 && more;) {
			if (set.fds[i].revents && set.links[i])
				serve_link(set.links[i], &set.fds[i]);
			else if (set.fds[i].revents)
				more = serve_client(host, &set.fds[i], err);
		}
	}
	return ssh_server_ended(host->server) && err->kind != ERR_NONE ? -1 : 0;
}

static bool parse_seed(const char *hex, struct secret *ret)
{
	for (size_t i = 0; i < sizeof(ret->bytes); i++)
		if (sscanf(hex + 2 * i, "%2hhx", &ret->bytes[i]) != 1)
			return false;
	return strlen(hex) == 2 * sizeof(ret->bytes);
}

static void print_public(const struct key_public *key)
{
	static const uint8_t head[] = "\0\0\0\013ssh-ed25519\0\0\0\040";
	char text[TEXT_BASE64_SIZE(51)];
	uint8_t blob[51];

	memcpy(blob, head, 19);
	memcpy(blob + 19, key->bytes, sizeof(key->bytes));
	text_base64(span_of(blob, sizeof(blob)), text, sizeof(text));
	printf("ssh-ed25519 %s\n", text);
}

int main(int argc, char **argv)
{
	struct host host = { 0 };
	cleanup(secret_finish) struct secret seed = { 0 };
	cleanup(key_pair_finish) struct key_pair key = { 0 };
	struct ssh_server_config config = { .host_key = &key, .ops = &ops, .owner = &host };
	struct err err = { 0 };
	bool print = argc > 2 && strcmp(argv[1], "--public") == 0;
	int r;

	if (argc < 2 || !parse_seed(argv[print ? 2 : 1], &seed) ||
	    key_pair_from_seed(&seed, &key, &err) < 0)
		return 64;
	if (print) {
		print_public(&key.public);
		return 0;
	}
	if (argc > 2 && !text_parse_size(argv[2], &config.rekey_bytes))
		return 64;
	signal(SIGPIPE, SIG_IGN);
	TAILQ_INIT(&host.links);
	fcntl(0, F_SETPIPE_SZ, PIPE_LEN);
	fcntl(1, F_SETPIPE_SZ, PIPE_LEN);
	if (fd_set_nonblock(1, true, &err) < 0)
		return 71;
	host.server = ssh_server_new(&config);
	r = serve(&host, &err);
	if (r < 0)
		fprintf(stderr, "ssh_loopback: %s\n", err.text);
	/* What a disconnect left to say. */
	(void)!fd_write_all(1, ssh_server_output(host.server), NULL);
	ssh_server_free(host.server);
	return r < 0 ? 76 : 0;
}
