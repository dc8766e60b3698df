/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * An SSH server (RFC 4251-4254) for exactly one client on a private pipe: the ssh process that
 * started us as its ProxyCommand. It does no I/O: bytes go in and come out, and what the client
 * asks for is told through ssh_server_ops. bridge.c gives each channel an HTTP/3 stream to the job.
 *
 * One role and few algorithms: kex mlkem768x25519-sha256 and curve25519-sha256 with strict kex,
 * host key ssh-ed25519, ciphers aes128-gcm@, aes256-gcm@ and chacha20-poly1305@openssh.com, no
 * compression, authentication "none". A table (message.c) says which message is legal in which
 * state; anything else ends the connection.
 *
 * Flow control. From the client: data() hands bytes over and ssh_channel_consumed() opens the
 * window again. To the client: ssh_channel_room() is what its window and our output buffer take;
 * writable() follows when there is room again.
 *
 * Use. After ssh_server_new() the banner waits in ssh_server_output(). Then, until input() returns
 * -1 or the pipe ends: read bytes into ssh_server_input() while ssh_server_wants_input(), and write
 * ssh_server_output() out whenever it is not empty.
 *
 * Callbacks run inside input(), output_taken() and free(), wants_write() inside any call that
 * sends. They may call anything here but input(), output_taken() and free() on the same server.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/crypto/key.h"

struct ssh_server;
struct ssh_channel;
struct ssh_listener;

enum ssh_channel_type {
	SSH_CHANNEL_SESSION,
	SSH_CHANNEL_TCP,       /* direct-tcpip: target is "host:port", "[v6]:port" */
	SSH_CHANNEL_UNIX,      /* direct-streamlocal@openssh.com: target is a path */
	SSH_CHANNEL_FORWARDED, /* from a listener in the job: ssh_listener_open() */
};

/*
 * Where the client wants the job to listen: tcpip-forward, streamlocal-forward@openssh.com, and one
 * for the connection where sessions reach the client's agent.
 */
enum ssh_listener_type { SSH_LISTENER_TCP, SSH_LISTENER_UNIX, SSH_LISTENER_AGENT };

/* pty-req (RFC 4254 section 6.2); modes are the encoded terminal modes of section 8. */
struct ssh_pty {
	const char *term;
	uint32_t columns, rows, width_px, height_px;
	struct span modes;
};

struct ssh_env {
	const char *name, *value;
};

/* What a session channel shall run, once it is known (shell, exec or subsystem request). */
struct ssh_start {
	enum { SSH_START_SHELL, SSH_START_EXEC, SSH_START_SUBSYSTEM } kind;
	const char *command;	   /* the command line, or the subsystem's name; NULL for a shell */
	const struct ssh_pty *pty; /* NULL: none asked for */
	const struct ssh_env *env; /* the accepted env requests, env_len of them */
	size_t env_len;
	bool wants_agent; /* its environment shall say where the agent listens */
};

/* Members marked optional may be NULL: the event is then dropped. */
struct ssh_server_ops {
	/*
	 * A channel is asked for. Answer, now or later, with ssh_channel_accept() or
	 * ssh_channel_refuse(). target is NULL for a session, and borrowed.
	 */
	void (*open)(void *owner, struct ssh_channel *channel, enum ssh_channel_type type,
		     const char *target);
	/*
	 * A session's command, at most once a channel. Answer, now or later, with
	 * ssh_channel_started(channel, ok); data() may come before the answer. *start stays valid
	 * as long as the channel.
	 */
	void (*start)(void *owner, struct ssh_channel *channel, const struct ssh_start *start);
	/* Borrowed for the call. */
	void (*data)(void *owner, struct ssh_channel *channel, struct span bytes);
	/* The client sends no more data. */
	void (*eof)(void *owner, struct ssh_channel *channel);
	/* The terminal's size changed; only after a pty was asked for. */
	void (*window_change)(void *owner, struct ssh_channel *channel, const struct ssh_pty *size);
	void (*signal)(void *owner, struct ssh_channel *channel,
		       const char *name); /* "TERM", no SIG */
	/* Optional. The client takes no more output (eow@openssh.com): its own reader is gone. */
	void (*output_unwanted)(void *owner, struct ssh_channel *channel);
	/* There is room again, after ssh_channel_room() had found little. */
	void (*writable)(void *owner, struct ssh_channel *channel);
	/*
	 * The channel is over: both sides closed it, or the server is being freed. It is freed
	 * after this returns. Not called for a channel that was refused.
	 */
	void (*closed)(void *owner, struct ssh_channel *channel);
	/*
	 * Optional; without it nobody listens. The job shall listen: on an address ("" for every
	 * one) and a port (0 for any), on a path, or for the agent, which has neither. Answer, now
	 * or later, with ssh_listener_started(). The address is borrowed.
	 */
	void (*listen)(void *owner, struct ssh_listener *listener, enum ssh_listener_type type,
		       const char *address, uint16_t port);
	/*
	 * The listener is over: cancelled by the client, or the server is being freed. It is freed
	 * after this returns. Not called for one that did not start. This and the next go with
	 * listen().
	 */
	void (*unlisten)(void *owner, struct ssh_listener *listener);
	/*
	 * The client answered ssh_listener_open(). If not ok, the channel is freed after this
	 * returns, and closed() is not called.
	 */
	void (*opened)(void *owner, struct ssh_channel *channel, bool ok);
	/* Bytes wait in ssh_server_output(), which was empty before. */
	void (*wants_write)(void *owner);
};

struct ssh_server_config {
	const struct key_pair *host_key; /* borrowed; must outlive the server */
	const struct ssh_server_ops *ops;
	void *owner;
	/*
	 * Bytes in one direction after which we ask for new keys; 0: a sensible number. Tests lower
	 * it.
	 */
	uint64_t rekey_bytes;
};

struct ssh_server *ssh_server_new(const struct ssh_server_config *config);
/* Calls closed() for every channel that is left. */
struct ssh_server *ssh_server_free(struct ssh_server *server);
DEFINE_CLEANUP(struct ssh_server, ssh_server_free)

/*
 * Bytes from the client. -1: the connection is over, send what ssh_server_output() still holds and
 * stop. The error's kind is ERR_NONE when the client said goodbye (SSH_MSG_DISCONNECT).
 */
int ssh_server_input(struct ssh_server *server, struct span bytes, struct err *err) attr_must_use;

/*
 * Bytes for the client, borrowed until the next call into the server; then tell how many were
 * taken.
 */
struct span ssh_server_output(struct ssh_server *server);
void ssh_server_output_taken(struct ssh_server *server, size_t len);

/* Whether input should be read: false while too much output waits, and after the end. */
bool ssh_server_wants_input(const struct ssh_server *server);

/* Why the connection is over, or NULL while it is not: as ssh_server_input() said, or would say. */
const struct err *ssh_server_ended(const struct ssh_server *server);

/* Sends SSH_MSG_DISCONNECT with a text that ssh prints; the connection is over. */
void ssh_server_disconnect(struct ssh_server *server, const char *text);

void *ssh_channel_user(struct ssh_channel *channel);
void ssh_channel_set_user(struct ssh_channel *channel, void *user);

void ssh_channel_accept(struct ssh_channel *channel);
/*
 * The reason code of RFC 4254 section 5.1 follows from the error's kind; the text is shown by ssh.
 * The channel is freed; closed() is not called.
 */
void ssh_channel_refuse(struct ssh_channel *channel, const struct err *why);
/* After false the channel stays open without a process; ssh closes it. */
void ssh_channel_started(struct ssh_channel *channel, bool ok);

enum ssh_output { SSH_STDOUT, SSH_STDERR };

/* 0 before the channel was accepted and after eof or close. */
size_t ssh_channel_room(struct ssh_channel *channel);
/* Takes at most ssh_channel_room() bytes; more is a bug. */
void ssh_channel_write(struct ssh_channel *channel, enum ssh_output output, struct span bytes);
void ssh_channel_eof(struct ssh_channel *channel);
void ssh_channel_exit_status(struct ssh_channel *channel, uint32_t status);
void ssh_channel_exit_signal(struct ssh_channel *channel, const char *name, bool core_dumped);
/* len more of the bytes that data() gave are passed on. */
void ssh_channel_consumed(struct ssh_channel *channel, size_t len);
/*
 * Nobody reads the client's data any more, for example because the process closed its standard
 * input (eow@openssh.com): ssh is told, and what still comes is dropped here; data() is not called
 * again.
 */
void ssh_channel_stop_input(struct ssh_channel *channel);
/* Sends close; closed() follows when the client's close arrived. */
void ssh_channel_close(struct ssh_channel *channel);

void *ssh_listener_user(struct ssh_listener *listener);
void ssh_listener_set_user(struct ssh_listener *listener, void *user);
/* The job listens, at this port if it has one. After false the listener is gone. */
void ssh_listener_started(struct ssh_listener *listener, bool ok, uint16_t port);
/*
 * A connection came in; originator is where from ("" for a Unix socket). The channel may be used
 * after opened(). NULL: there are too many channels, or too many that the client did not answer.
 */
struct ssh_channel *ssh_listener_open(struct ssh_listener *listener, const char *originator,
				      uint16_t port);
