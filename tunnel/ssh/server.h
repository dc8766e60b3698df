/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * An SSH server (RFC 4251-4254) for exactly one client on a private pipe: the ssh process that started us as its
 * ProxyCommand. It does no I/O: bytes go in and come out, and what the client asks for is told through
 * ssh_server_ops. bridge.c gives each channel an HTTP/3 stream to the job.
 *
 * One role and few algorithms: kex mlkem768x25519-sha256 and curve25519-sha256 with strict kex, host key
 * ssh-ed25519, ciphers aes128-gcm@, aes256-gcm@ and chacha20-poly1305@openssh.com, no compression, authentication
 * "none". A table says which message is legal in which state; anything else ends the connection.
 *
 * Flow control. From the client: data() hands bytes over and ssh_channel_consumed() opens the window again. To the
 * client: ssh_channel_room() is what its window and our output buffer take; writable() follows when there is room
 * again.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/crypto/key.h"

struct ssh_server;
struct ssh_channel;

enum ssh_channel_type {
	SSH_CHANNEL_SESSION,
	SSH_CHANNEL_TCP,  /* direct-tcpip: target is "host:port", "[v6]:port" */
	SSH_CHANNEL_UNIX, /* direct-streamlocal@openssh.com: target is a path */
};

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
	const char *command;       /* the command line, or the subsystem's name; NULL for a shell */
	const struct ssh_pty *pty; /* NULL: none asked for */
	const struct ssh_env *env; /* the accepted env requests, env_len of them */
	size_t env_len;
};

struct ssh_server_ops {
	/* A channel is asked for. Answer, now or later, with ssh_channel_accept() or ssh_channel_refuse(). */
	void (*open)(void *owner, struct ssh_channel *channel, enum ssh_channel_type type,
		     const char *target);
	/* A session's command. Answer, now or later, with ssh_channel_started(channel, ok). */
	void (*start)(void *owner, struct ssh_channel *channel, const struct ssh_start *start);
	void (*data)(void *owner, struct ssh_channel *channel, struct span bytes);
	void (*eof)(void *owner, struct ssh_channel *channel);
	void (*window_change)(void *owner, struct ssh_channel *channel, const struct ssh_pty *size);
	void (*signal)(void *owner, struct ssh_channel *channel, const char *name); /* "TERM", no SIG */
	void (*writable)(void *owner, struct ssh_channel *channel);
	/* The channel is over, whichever side began it; it is freed after this returns. */
	void (*closed)(void *owner, struct ssh_channel *channel);
	/* Bytes wait in ssh_server_output(). */
	void (*wants_write)(void *owner);
};

struct ssh_server_config {
	const struct key_pair *host_key; /* borrowed; must outlive the server */
	const struct ssh_server_ops *ops;
	void *owner;
};

struct ssh_server *ssh_server_new(const struct ssh_server_config *config);
struct ssh_server *ssh_server_free(struct ssh_server *server);
DEFINE_CLEANUP(struct ssh_server, ssh_server_free)

/* Bytes from the client. -1: the connection is over, send what ssh_server_output() still holds and stop. */
int ssh_server_input(struct ssh_server *server, struct span bytes, struct err *err) attr_must_use;

/* Bytes for the client, borrowed until the next call into the server; then tell how many were taken. */
struct span ssh_server_output(struct ssh_server *server);
void ssh_server_output_taken(struct ssh_server *server, size_t len);

/* Whether input should be read: false while too much output waits. */
bool ssh_server_wants_input(const struct ssh_server *server);

/* Sends SSH_MSG_DISCONNECT with a text that ssh prints. */
void ssh_server_disconnect(struct ssh_server *server, const char *text);

void *ssh_channel_user(struct ssh_channel *channel);
void ssh_channel_set_user(struct ssh_channel *channel, void *user);

void ssh_channel_accept(struct ssh_channel *channel);
/* The reason code of RFC 4254 section 5.1 follows from the error's kind; the text is shown by ssh. */
void ssh_channel_refuse(struct ssh_channel *channel, const struct err *why);
void ssh_channel_started(struct ssh_channel *channel, bool ok);

enum ssh_output { SSH_STDOUT, SSH_STDERR };

size_t ssh_channel_room(const struct ssh_channel *channel);
/* Takes at most ssh_channel_room() bytes; more is a bug. */
void ssh_channel_write(struct ssh_channel *channel, enum ssh_output output, struct span bytes);
void ssh_channel_eof(struct ssh_channel *channel);
void ssh_channel_exit_status(struct ssh_channel *channel, uint32_t status);
void ssh_channel_exit_signal(struct ssh_channel *channel, const char *name, bool core_dumped);
void ssh_channel_consumed(struct ssh_channel *channel, size_t len);
/* Sends close; closed() follows when the client's close arrived. */
void ssh_channel_close(struct ssh_channel *channel);
