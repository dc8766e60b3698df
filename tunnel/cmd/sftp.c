/* SPDX-License-Identifier: MIT */
/* berth-tunnel sftp: the files of the job, for whoever asked `serve` for the subsystem sftp. */
#include "cmd.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "tunnel/sftp/server.h"

/* So much is asked for in one read: the pipe's size once it carries bulk. */
#define READ_STEP (512 * 1024)

struct args {
	bool unused;
};

static const struct opt opts[] = { OPT_END };

/* 1: bytes came; 0: the client is done. */
static int read_some(struct buf *in, struct err *err)
{
	uint8_t *room = buf_reserve(in, READ_STEP);
	ssize_t len;

	if (!room)
		return err_set(err, ERR_INTERNAL, "a packet does not fit");
	do
		len = read(STDIN_FILENO, room, READ_STEP);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return err_set_errno(err, errno, "read the client's requests");
	buf_commit(in, (size_t)len);
	return len > 0;
}

/* Answers all that came; blocking, since there is nothing else to do. */
static int serve_all(struct sftp_server *server, struct buf *in, struct buf *out, struct err *err)
{
	int more = 1;

	while (more > 0) {
		more = sftp_server_serve(server, in, out, err);
		if (fd_write_all(STDOUT_FILENO, buf_span(out), more < 0 ? NULL : err) < 0)
			return -1;
		buf_clear(out);
	}
	return more;
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	cleanup(sftp_server_free) struct sftp_server *server = sftp_server_new();
	cleanup(buf_finish) struct buf in = BUF_INIT(SFTP_SERVER_IN_MAX);
	cleanup(buf_finish) struct buf out = BUF_INIT(SFTP_SERVER_OUT_MAX);
	int result;

	(void)user;
	(void)argc;
	(void)argv;
	/* Started through a link of /proc it would be called "exe" in a list of processes. */
	prctl(PR_SET_NAME, "berth-sftp");
	signal(SIGPIPE, SIG_IGN);
	while ((result = read_some(&in, err)) > 0) {
		if (serve_all(server, &in, &out, err) < 0)
			return -1;
	}
	return result;
}

const struct verb cmd_sftp = {
	.name = "sftp",
	.operands = "",
	.summary = "serve files on standard input and output (SFTP)",
	.details =
		"Started by serve for each session of sftp, scp or sshfs. Needs nothing of the image.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
