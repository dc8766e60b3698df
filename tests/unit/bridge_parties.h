/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Both parties of the bridge, played by the test: an SSH server with one channel and an HTTP/3
 * connection with one stream. They note what the bridge does to them and check that it is allowed.
 */

#include "init/base/buf.h"
#include "tunnel/ssh/bridge.h"

#define BRIDGE_STREAM_ROOM (1024 * 1024)

struct ssh_channel {
	void *user;
	bool accepted, refused, started, started_ok, eof, closed;
	size_t room, consumed;
	struct buf out, err;
	int status;
	char signal[16], refusal[ERR_TEXT_MAX];
	enum err_kind refusal_kind;
};

struct ssh_server {
	struct ssh_server_config config;
	struct ssh_channel *channel;   /* closed when the server is freed */
	struct ssh_listener *listener; /* ended when the server is freed */
};

struct ssh_listener {
	void *user;
	bool answered, ok;
	uint16_t port;
	struct ssh_channel *next; /* that ssh_listener_open() gives; NULL: none is left */
	char originator[64];
};

struct h3_stream {
	const struct h3_stream_ops *ops;
	void *user;
	char method[16], protocol[32], authority[64], path[128];
	size_t room, consumed;
	struct buf sent;
	bool starved; /* writable() is called only after room was found small, as in h3/ */
	bool ended, reset;
};

extern struct ssh_server bridge_server_party;
extern struct h3_stream bridge_stream;
extern struct h3_stream *bridge_next; /* that the next request gets; NULL: it fails */
extern size_t bridge_streams;	      /* how many requests were made */
