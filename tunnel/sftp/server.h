/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * An SFTP server: packets in, packets out. Files are used directly and with blocking calls: a
 * server has a process of its own (`berth-tunnel sftp`), so that a disk that hangs holds back
 * nobody else, and what a user may do is what the process may do.
 *
 *	struct sftp_server *server = sftp_server_new();
 *
 *	for (;;) {
 *		...read into in
 *		if (sftp_server_serve(server, &in, &out, &err) < 0)
 *			...the client cannot be understood any more
 *		...write out
 *	}
 *
 * Requests are answered in their order. Relative paths start at the working directory of the
 * process, which is the job's. Statuses and their meaning are those of OpenSSH's server; the text
 * beside a status is the system's own.
 *
 * Limits: a packet has at most SFTP_PACKET_MAX bytes, a path PATH_MAX, a session
 * SFTP_SERVER_HANDLES_MAX open files or as many as RLIMIT_NOFILE leaves. Memory is in, out and the
 * handles, whatever the client sends.
 */

#include "init/base/sftp/proto.h"

#define SFTP_SERVER_HANDLES_MAX 4096

/* Once out has so much in it, further requests wait; what one answer can add fits behind it. */
#define SFTP_SERVER_OUT_FULL (512 * 1024)
#define SFTP_SERVER_OUT_MAX (SFTP_SERVER_OUT_FULL + 2 * SFTP_PACKET_MAX)
#define SFTP_SERVER_IN_MAX (1024 * 1024 + SFTP_PACKET_MAX)

struct sftp_server;

struct sftp_server *sftp_server_new(void) attr_must_use;
struct sftp_server *sftp_server_free(struct sftp_server *server);
DEFINE_CLEANUP(struct sftp_server, sftp_server_free)

/*
 * Answers the requests that are complete in *in, until there are no more or *out is full: 1 if some
 * are left for later, 0 if more input is needed, -1 if what came is not SFTP. *out must have been
 * made with SFTP_SERVER_OUT_MAX and is to be emptied before the next call.
 */
int sftp_server_serve(struct sftp_server *server, struct buf *in, struct buf *out, struct err *err)
	attr_must_use;
