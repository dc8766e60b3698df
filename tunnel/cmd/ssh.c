/* SPDX-License-Identifier: MIT */
/* berth-tunnel ssh: what ssh runs as its ProxyCommand to reach a job. */
#include "cmd.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "tunnel/cmd/face.h"
#include "tunnel/cmd/pipes.h"
#include "tunnel/cmd/remote.h"
#include "tunnel/net/host_key.h"

struct args {
	struct remote_args remote;
	const char *host_key, *subsystem;
	uint64_t ssh_port;
};

static const struct opt opts[] = {
	REMOTE_OPTS(struct args, remote),
	OPT_STR(0, "host-key", struct args, host_key, "FILE", "the SSH host key to show (keygen)"),
	OPT_UINT(0, "ssh-port", struct args, ssh_port, "PORT",
		 "pass everything on to this port in the job: its own sshd"),
	OPT_STR(0, "subsystem", struct args, subsystem, "NAME",
		"pass everything on to this subsystem of the job: sftp"),
	OPT_END,
};

struct session {
	struct remote remote;
	struct pipes pipes;
	struct face *face;
	bool ended; /* whoever talked to us has left */
};

static void write_output(struct session *s)
{
	struct span bytes;
	size_t len;

	while (!s->ended && (bytes = s->face->ops->output(s->face)).len > 0) {
		len = pipes_write(&s->pipes, bytes);
		if (len == 0)
			return;
		s->face->ops->output_taken(s->face, len);
	}
}

static void on_turn(void *owner)
{
	struct session *s = owner;
	struct err why = { 0 };
	bool over;

	s->face->ops->turn(s->face);
	write_output(s);
	over = s->face->ops->is_over(s->face, &why);
	if (s->ended || (over && s->face->ops->output(s->face).len == 0)) {
		if (why.kind == ERR_NONE)
			remote_end(&s->remote, 0);
		else
			remote_fail(&s->remote, &why);
		return;
	}
	pipes_want_input(&s->pipes, !over && s->face->ops->wants_input(s->face));
}

static void on_input(void *owner, struct span bytes)
{
	struct session *s = owner;

	s->face->ops->input(s->face, bytes);
}

static void on_ended(void *owner)
{
	struct session *s = owner;

	s->ended = true;
}

static void on_signal(void *owner, int number)
{
	(void)number;
	on_ended(owner);
}

static void on_writable(void *owner)
{
	(void)owner; /* the turn writes */
}

static const struct pipes_ops pipes_ops = { on_input, on_ended, on_writable };

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct session *s = owner;

	s->face->ops->connected(s->face, conn);
}

static void on_moved(void *owner, struct h3_conn *conn)
{
	struct session *s = owner;

	s->face->ops->moved(s->face, conn);
}

static bool on_lost(void *owner, const struct err *why)
{
	struct session *s = owner;

	(void)why;
	s->face->ops->lost(s->face);
	return true;
}

/*
 * ssh has left, and whoever started it may wait for the end of what it wrote to: nothing of that is
 * kept open while the connection waits for the ticket of the next one.
 */
static void on_pipes_closed(void *owner)
{
	const struct session *s = owner;
	cleanup_close int nowhere = fd_open("/dev/null", O_RDWR);

	if (nowhere < 0)
		return;
	(void)dup2(nowhere, STDIN_FILENO);
	(void)dup2(nowhere, STDOUT_FILENO);
	if (s->remote.why.kind == ERR_NONE)
		(void)dup2(nowhere, STDERR_FILENO);
}

static void on_close(void *owner)
{
	struct session *s = owner;

	/* The signal handlers are gone, and ssh ends us with SIGHUP while we wait for a ticket. */
	signal(SIGHUP, SIG_IGN);
	pipes_close(&s->pipes, on_pipes_closed);
}

static const struct remote_ops remote_ops = {
	.connected = on_connected,
	.moved = on_moved,
	.lost = on_lost,
	.turn = on_turn,
	.signal = on_signal,
	.close = on_close,
};

static int check(const struct args *args, struct err *err)
{
	if (!args->host_key && !args->ssh_port && !args->subsystem)
		return err_set(err, ERR_INVALID, "--host-key, --ssh-port or --subsystem is needed");
	if (args->ssh_port > UINT16_MAX)
		return err_set(err, ERR_INVALID, "--ssh-port: not a port");
	return 0;
}

static int open_face(const struct args *args, struct key_pair *host_key, struct face **ret,
		     struct err *err)
{
	if (args->subsystem) {
		*ret = face_subsystem_new(args->subsystem, args->remote.name);
		return 0;
	}
	if (args->ssh_port) {
		*ret = face_plain_new((unsigned int)args->ssh_port);
		return 0;
	}
	if (host_key_read(args->host_key, host_key, err) < 0)
		return -1;
	*ret = face_ssh_new(host_key);
	return 0;
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	cleanup(key_pair_finish) struct key_pair host_key = { 0 };
	static struct session s;
	const struct args *args = user;
	struct err why = { 0 };
	int result;

	(void)argc;
	(void)argv;
	if (check(args, err) < 0 || open_face(args, &host_key, &s.face, err) < 0 ||
	    remote_open(&s.remote, &args->remote, &remote_ops, &s, err) < 0)
		return -1;
	s.remote.lingers = true;
	result = pipes_open(&s.pipes, &s.remote.loop, &pipes_ops, &s, &why);
	if (result == 0) {
		/* ssh begins its key exchange while we make ours. */
		write_output(&s);
		result = remote_connect(&s.remote, &why);
	}
	if (result < 0)
		remote_fail(&s.remote, &why);
	result = remote_loop(&s.remote, err);
	s.face->ops->free(s.face);
	return result;
}

const struct verb cmd_ssh = {
	.name = "ssh",
	.operands = "",
	.summary = "connect ssh to a job: its ProxyCommand",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
