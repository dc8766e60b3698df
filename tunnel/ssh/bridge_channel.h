/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Inside the bridge: one channel and its stream. bridge.c opens and ends them, bridge_request.c
 * makes the request, bridge_flow.c moves the bytes, and bridge_listener.c has what the job listens
 * on.
 *
 * A channel goes through: asked for by the client; requested (there is a stream); accepted (the job
 * said 200); down_ended (the job sends no more) and up_ended (the client sends no more), in any
 * order; and is freed when neither side knows it any more. One that begins in the job is announced
 * by a listener, opened by the client, and then requested.
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
	const struct ssh_start *start;	  /* of a session; as long as the channel */
	struct bridge_listener *listener; /* that announced it, while there is one */
	uint64_t accept_id;		  /* by that it was announced */
	bool opened;			  /* and the client opened it */
	bool requested;			  /* the stream was opened */
	bool accepted;			  /* the job said 200 */
	bool typed;			  /* a terminal: goes before the others */
	bool up_ended, down_ended, exited;
	bool failed;   /* bridge_tidy() shall end it; why says why */
	bool tidied;   /* bridge_tidy() has ended the stream */
	bool up_sent;  /* our direction of the stream was ended */
	bool finished; /* nothing is written to the stream any more */
	struct err why;
	struct buf up;	   /* for the stream: capsules or bytes */
	size_t discarded;  /* from the job, after the client had left */
	size_t up_credit;  /* bytes of the client in `up` that were not reported as consumed */
	struct buf down;   /* from the stream, as it came */
	struct buf reason; /* the body of a refusal */
	struct capsule_reader reader;
};

/* What the job listens on: a stream as long as it does. */
struct bridge_listener {
	struct bridge_listener *next, **link;
	struct bridge *bridge;
	struct ssh_listener *ssh; /* NULL once cancelled or refused */
	struct h3_stream *stream; /* NULL before it was opened and once closed */
	enum ssh_listener_type type;
	char *address;
	uint16_t port;
	bool requested, accepted, listening;
	bool ended; /* our direction of the stream; what the job says then is dropped */
	struct err why;
	struct buf reason; /* the body of a refusal */
	struct capsule_reader reader;
};

struct bridge {
	struct ssh_server *server;
	struct h3_conn *conn;
	struct bridge_channel *channels;
	size_t channels_len;
	struct bridge_listener *listeners;
	struct bridge_listener *agent; /* one of them, or NULL */
	char *agent_path;	       /* in the job, once it listens */
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

/*
 * A forward whose client said all it had to say and has left: what it said is still delivered, and
 * what the job says is thrown away.
 */
bool flow_is_left_alone(const struct bridge_channel *c);
void flow_leave(struct bridge_channel *c);

/* Ends our direction of the stream, once. */
void flow_end_up(struct bridge_channel *c);

/* Ends the channel at the end of the turn, for the reason given. */
void flow_fail(struct bridge_channel *c, const struct err *why);

/* bridge.c */
extern const struct h3_stream_ops bridge_stream_ops;
struct bridge_channel *bridge_channel_new(struct bridge *bridge, struct ssh_channel *channel,
					  enum ssh_channel_type type, const char *target);
/* What waited for a connection, or for the agent, and need not any more. */
void bridge_request_waiting(struct bridge *bridge);

/* bridge_request.c: makes the request once all is there that it needs. */
void request_when_possible(struct bridge_channel *c);

/* bridge_listener.c */
void listener_on_listen(void *owner, struct ssh_listener *listener, enum ssh_listener_type type,
			const char *address, uint16_t port);
void listener_on_unlisten(void *owner, struct ssh_listener *listener);
void listeners_connect(struct bridge *bridge);
/* The client does not want this connection. */
void listener_refuse(struct bridge_listener *l, uint64_t id);
