/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of the engine share; everybody else uses server.h.
 *
 *	server.c    version exchange, the loop over packets, output, the end
 *	message.c   which message is legal when
 *	kex.c       key exchange, first and later; the messages that wait for its end
 *	auth.c      service request, authentication
 *	channel.c   channels: their table, what the client sends on them
 *	output.c    channels: what we send on them, windows
 *	request.c   channel requests
 *	global.c    global requests, and their answers in order
 *	listener.c  where the job listens for the client; channels that we open
 */

#include <sys/queue.h>

#include "cipher.h"
#include "message.h"
#include "packet.h"
#include "proposal.h"
#include "server.h"
#include "wire.h"

#define SSH_SHA256_LEN 32

/* ssh_channel_room() is 0 while this much output waits; a pipe takes at most 1 MiB at a time. */
#define OUTPUT_SOFT_MAX (1024 * 1024)
/* Control messages may exceed it, but not without limit. */
#define OUTPUT_MAX (32 * 1024 * 1024)
/*
 * No input is read while this much waits, so that a client that only asks ends up waiting itself.
 */
#define OUTPUT_INPUT_MAX (4 * 1024 * 1024)
/* Messages that wait for the end of a key exchange. */
#define HELD_MAX (32 * 1024 * 1024)

#define CHANNELS_MAX 65535
#define CHANNEL_DATA_MAX (32 * 1024) /* bytes in one data message, in both directions */
#define CHANNEL_PACKET_MIN 256	     /* a client that takes less at a time is refused */
/*
 * As sshd has it. The client sits at the other end of a pipe, where no round trip asks for more,
 * and ssh keeps a whole window of input in memory: at 16 MiB that alone made an upload three times
 * slower.
 */
#define CHANNEL_WINDOW (2 * 1024 * 1024)
#define CHANNEL_WINDOW_SMALL (64 * 1024) /* of further channels, once the budget is given away */
#define CHANNEL_WINDOW_BUDGET (UINT64_C(512) * 1024 * 1024)
#define CHANNEL_REPLIES_MAX 64	  /* requests that may wait behind an unanswered start */
#define CHANNELS_OPENING_MAX 1024 /* that we opened and the client has not answered */
#define LISTENERS_MAX 256
#define GLOBAL_REPLIES_MAX 256 /* that may wait behind one that is not known yet */

struct kex {
	struct buf client_version, server_version; /* without CR LF */
	struct buf client_init, server_init; /* the KEXINIT payloads of the exchange at hand */
	struct proposal chosen;
	struct cipher next_in;
	uint8_t session_id[SSH_SHA256_LEN];
	bool has_session_id;
	bool strict;	       /* decided by the first exchange, for good */
	bool announced;	       /* our KEXINIT is out and our NEWKEYS is not */
	bool skip_next;	       /* the client's wrong guess is still to come */
	enum ssh_state resume; /* where a later exchange leads back to */
};

TAILQ_HEAD(channel_list, ssh_channel);
TAILQ_HEAD(listener_list, ssh_listener);

/* How a request is answered. MALFORMED ends the connection. */
enum answer { ANSWER_NO, ANSWER_YES, ANSWER_LATER, ANSWER_MALFORMED };

/*
 * Answers to global requests, which have neither a name nor a number: they go out in the order of
 * the requests (RFC 4254 section 4). Only the first one can be unknown for long.
 */
struct global_reply {
	enum answer answer; /* LATER: not known yet */
	bool has_port;
	uint32_t port;
	uint32_t count; /* so many refusals in a row, such as answers to keepalives */
};

struct global_replies {
	struct global_reply items[GLOBAL_REPLIES_MAX]; /* a ring */
	uint64_t first; /* the number of the oldest; its place is that modulo the ring */
	size_t len;
};

struct ssh_server {
	struct ssh_server_config config;
	enum ssh_state state;
	struct err ended; /* valid in STATE_OVER */
	struct packet_reader reader;
	struct packet_writer writer;
	struct kex kex;
	struct buf line; /* the client's version line, as far as it has arrived */
	struct buf out;
	struct buf message;  /* the payload that is being written */
	struct buf held;     /* messages that wait for the end of a key exchange: length, payload */
	struct buf gathered; /* data of one channel that becomes one message; see output.c */
	struct ssh_channel *gathering;
	enum ssh_output gathered_output;
	bool authenticated;
	unsigned int auth_attempts;
	bool no_more_sessions;
	struct ssh_channel **channels; /* by our number; NULL where there is none */
	uint32_t channels_size;
	uint32_t *free_ids; /* a stack of the numbers below channels_size that are free */
	uint32_t free_len;
	uint64_t windows;	     /* sum of the channels' windows */
	struct channel_list waiting; /* channels that found too little room, oldest first */
	size_t waiting_len;
	struct global_replies replies;
	struct listener_list listeners;
	size_t listeners_len;
	struct ssh_listener *agent; /* one of them, or NULL */
	size_t opening_len;	    /* channels that wait for the client's answer */
};

struct ssh_listener {
	TAILQ_ENTRY(ssh_listener) entry;
	struct ssh_server *server;
	void *user;
	enum ssh_listener_type type;
	char *address;
	uint16_t port;		  /* as it was asked for; then the one that was chosen */
	const char *channel_type; /* of the channels that are opened for it */
	bool started, wants_reply;
	uint64_t reply; /* the number of the answer */
};

/* What a session channel was told before and by its start. */
struct session {
	struct ssh_start start;
	struct ssh_pty pty;
	struct ssh_env *env;
	size_t env_size; /* allocated */
	size_t env_bytes;
};

struct ssh_channel {
	struct ssh_server *server;
	void *user;
	enum ssh_channel_type type;
	uint32_t id, remote_id;
	uint32_t remote_window, remote_packet_max;
	uint32_t window;   /* how much we want the client to be able to send */
	uint32_t credit;   /* how much of it it may send now */
	uint32_t consumed; /* what was passed on and is not yet given back as credit */
	bool opening;	   /* we opened it, and the client has not answered */
	bool accepted, eof_received, eof_sent, close_sent, input_stopped;
	bool start_asked, start_answered, start_wants_reply, start_failed;
	bool is_waiting;
	TAILQ_ENTRY(ssh_channel) waiting;
	struct session *session;	      /* NULL for forwards */
	uint8_t replies[CHANNEL_REPLIES_MAX]; /* answers that wait for that of the start */
	size_t replies_len;
};

/* server.c */

/* Begins a message in s->message; what is put there is sent by message_send(). */
struct buf *message_begin(struct ssh_server *s, enum message_number number);
void message_send(struct ssh_server *s);
/*
 * A message whose payload is head and then body, or holds it back while keys are exchanged. Data
 * that was gathered before goes first; message_send_data() is how it goes.
 */
void message_send_parts(struct ssh_server *s, struct span head, struct span body);
void message_send_data(struct ssh_server *s, struct span head, struct span body);
/* Ends the connection; err's text goes to the client when it has to know. */
void server_end(struct ssh_server *s, const struct err *err);
/* For a client that may wait long for an answer, and takes silence for the end. */
void send_sign_of_life(struct ssh_server *s);
message_handler on_disconnect, on_ignored;

/* kex.c */
void kex_init(struct kex *k);
void kex_finish(struct kex *k);
/* Sends our KEXINIT. */
int kex_announce(struct ssh_server *s, struct err *err) attr_must_use;
/* Asks for new keys when the old ones have done enough. */
void kex_announce_when_due(struct ssh_server *s);
/* Whether this message, the client's wrong guess, is to be dropped. */
bool kex_skips(struct ssh_server *s, uint8_t number);
/* Whether a message of this number has to wait for our NEWKEYS. */
bool kex_holds(const struct ssh_server *s, uint8_t number);
message_handler on_kexinit, on_kex_init, on_newkeys;

/* auth.c */
message_handler on_service_request, on_userauth_request;

/* channel.c */
void channels_finish(struct ssh_server *s);
struct ssh_channel *channel_new(struct ssh_server *s); /* NULL: there are too many */
void channel_free(struct ssh_channel *c);
/* The channel that a message names first; NULL and *err when the client may not name it. */
struct ssh_channel *channel_find(struct ssh_server *s, struct wire *r, const char *message,
				 struct err *err);
message_handler on_channel_open, on_channel_window_adjust, on_channel_data,
	on_channel_extended_data, on_channel_eof, on_channel_close;

/* output.c */
/* Makes a message of the data that was gathered: before any other message, and before output. */
void gathered_flush(struct ssh_server *s);
void channel_begin(struct ssh_channel *c, enum message_number number);
/* Calls writable() for channels that wait, as long as there is room. */
void channels_resume(struct ssh_server *s);
void channel_resume(struct ssh_channel *c);

/* request.c */
struct session *session_free(struct session *session);
message_handler on_channel_request;

/* global.c */
message_handler on_global_request;
/* An answer that follows later: its number. False when too many wait. */
bool global_reply_later(struct ssh_server *s, uint64_t *ret);
/* The answer of that number is known; port is sent with it if it has one. */
void global_reply_settle(struct ssh_server *s, uint64_t number, const struct global_reply *reply);

/* listener.c */
void listeners_finish(struct ssh_server *s);
/* The channel's type that the client knows. False when there are too many listeners. */
bool listener_want_agent(struct ssh_server *s, const char *channel_type);
/* Global requests; the answer of the first comes later if it is wanted. */
struct global_request_in {
	struct wire *r;
	bool wants_reply;
};
enum answer run_tcpip_forward(struct ssh_server *s, struct global_request_in *in);
enum answer run_streamlocal_forward(struct ssh_server *s, struct global_request_in *in);
enum answer run_cancel_tcpip_forward(struct ssh_server *s, struct global_request_in *in);
enum answer run_cancel_streamlocal_forward(struct ssh_server *s, struct global_request_in *in);
message_handler on_channel_open_confirmation, on_channel_open_failure;

static inline int malformed(struct err *err, const char *message)
{
	return err_set(err, ERR_PROTOCOL, "malformed %s", message);
}
