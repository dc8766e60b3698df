/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Inside the bridge: one channel and its stream. bridge.c opens and ends them, bridge_flow.c moves
 * the bytes.
 *
 * A channel goes through: asked for by the client; requested (there is a stream); accepted (the job
 * said 200); down_ended (the job sends no more) and up_ended (the client sends no more), in any
 * order; and is freed when neither side knows it any more.
 */

#include "init/base/buf.h"
#include "tunnel/ssh/bridge.h"
#include "tunnel/wire/capsule.h"

/* What sshd and ssh use for "the command did not end by itself". */
#define BRIDGE_EXIT_LOST 255

struct bridge_channel {
	struct bridge_channel *next, **link;
	struct bridge *bridge;
	struct ssh_channel *ssh;  /* NULL once closed or refused */
	struct h3_stream *stream; /* NULL before it was opened and once closed */
	enum ssh_channel_type type;
	char *target;
	bool requested; /* the stream was opened */
	bool accepted;	/* the job said 200 */
	bool typed;	/* a terminal: goes before the others */
	bool up_ended, down_ended, exited;
	bool failed;   /* bridge_tidy() shall end it; why says why */
	bool tidied;   /* bridge_tidy() has ended the stream */
	bool up_sent;  /* our direction of the stream was ended */
	bool finished; /* nothing is written to the stream any more */
	struct err why;
	struct buf up;	   /* for the stream: capsules or bytes */
	size_t up_credit;  /* bytes of the client in `up` that were not reported as consumed */
	struct buf down;   /* from the stream, as it came */
	struct buf reason; /* the body of a refusal */
	struct capsule_reader reader;
};

struct bridge {
	struct ssh_server *server;
	struct h3_conn *conn;
	struct bridge_channel *channels;
	size_t channels_len;
	bool needs_tidying;
	bool is_over; /* the connection ended, and its streams with it */
};

/* Callbacks of the SSH server. */
void flow_on_data(void *owner, struct ssh_channel *channel, struct span bytes);
void flow_on_eof(void *owner, struct ssh_channel *channel);
void flow_on_window_change(void *owner, struct ssh_channel *channel, const struct ssh_pty *size);
void flow_on_signal(void *owner, struct ssh_channel *channel, const char *name);
void flow_on_output_unwanted(void *owner, struct ssh_channel *channel);
void flow_on_writable(void *owner, struct ssh_channel *channel);

/* Callback of the stream. */
void flow_on_body(struct h3_stream *stream, void *user, struct span bytes);

extern const struct capsule_ops flow_capsule_ops;

/* Moves what waits, as far as the other side takes it. */
void flow_up(struct bridge_channel *c);
void flow_down(struct bridge_channel *c);

/* Ends our direction of the stream, once. */
void flow_end_up(struct bridge_channel *c);

/* Ends the channel at the end of the turn, for the reason given. */
void flow_fail(struct bridge_channel *c, const struct err *why);
