/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One end of a copy: an SFTP client and the server it talks to. Here that is a server in this very
 * process, whose file operations block, which is nobody's concern but the copy's. In a job it is
 * behind `berth-tunnel ssh --subsystem sftp`, started as a child: the encryption has a core of its
 * own, and a second job is a second child. Elsewhere it is behind a command that the caller knows
 * (ssh to a login node), which begins with the line CP_SIDE_MARK: login shells print things.
 *
 *	cp_side_open(&side, &args, &err);
 *	for (;;) {
 *		...ask side.client
 *		if (cp_side_turn(&side, &err) < 0)
 *			...
 *		...poll() what cp_side_wants(), unless something is busy
 *	}
 */

#include <poll.h>
#include <sys/types.h>

#include "init/base/sftp/client.h"
#include "init/base/opt.h"
#include "tunnel/sftp/server.h"

#define CP_SIDE_MARK "berth-begins-here"
/* More than that before the mark has no end. */
#define CP_SIDE_PREAMBLE_MAX (1024 * 1024)

/* As those of `berth-tunnel ssh`, or a command; without either it is here. */
struct cp_side_args {
	const char *client_file, *endpoint, *name;
	uint64_t rank;
	struct opt_list refresh, through;
	struct opt_list command;
};

struct cp_side {
	const struct cp_side_args *args;
	struct sftp_client client;
	struct sftp_server *server; /* NULL: elsewhere */
	struct buf in;
	pid_t pid;
	int read_fd, write_fd;
	size_t preamble; /* bytes that came before the mark */
	bool is_marked;	 /* the mark has not come yet */
	bool busy;	 /* turn() has more to do at once */
	bool lost;	 /* turn() failed; from now on it answers every request with a failure */
};

int cp_side_open(struct cp_side *side, const struct cp_side_args *args, bool verbose,
		 struct err *err) attr_must_use;
/* Ends the child; its exit status if it had failed by itself, else 0. */
int cp_side_close(struct cp_side *side);

/*
 * Reads, answers and writes what can be without waiting. -1: the other end is gone or no server; if
 * *err stays ERR_NONE the child has said why.
 */
int cp_side_turn(struct cp_side *side, struct err *err) attr_must_use;

/* What is to be waited for; returns how many of ret were filled. */
size_t cp_side_wants(const struct cp_side *side, struct pollfd ret[2]);

/* Whether both are one place, so that one connection does for both. */
bool cp_side_is_same(const struct cp_side_args *a, const struct cp_side_args *b);

static inline bool cp_side_is_here(const struct cp_side_args *args)
{
	return !args->client_file && args->command.len == 0;
}
