/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What `berth-tunnel ssh` is to the program on its standard input and output: an SSH server
 * (face_ssh.c), or nothing but a pipe: with --ssh-port to a port in the job (face_plain.c), with
 * --subsystem to a program of ours there (face_subsystem.c). ssh.c owns the descriptors and the
 * connection; a face gets bytes and events, and is asked for output at the end of each turn.
 */

#include "tunnel/crypto/key.h"
#include "tunnel/h3/conn.h"

struct face;

struct face_ops {
	void (*input)(struct face *face, struct span bytes);
	bool (*wants_input)(struct face *face);
	/* Borrowed until the next call; output_taken() says how much was written. */
	struct span (*output)(struct face *face);
	void (*output_taken)(struct face *face, size_t len);
	void (*connected)(struct face *face, struct h3_conn *conn);
	/* Further requests are made on this one, which has taken over the others. */
	void (*moved)(struct face *face, struct h3_conn *conn);
	/*
	 * The connection is over, or there never was one. The face ends once its output is taken;
	 * the program says why, once, on standard error.
	 */
	void (*lost)(struct face *face);
	/* The end of a turn: outside of all callbacks. */
	void (*turn)(struct face *face);
	/* Nothing more will happen. *why is ERR_NONE when all went well. */
	bool (*is_over)(struct face *face, struct err *why);
	/* After the connection was closed. */
	void (*free)(struct face *face);
};

struct face {
	const struct face_ops *ops;
};

struct face *face_ssh_new(const struct key_pair *host_key); /* borrowed */
struct face *face_plain_new(unsigned int port);
/* Borrowed; job is what to call it in messages, or NULL. */
struct face *face_subsystem_new(const char *name, const char *job);
