/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * An SSH client in memory, opposite the engine: for unit tests, fuzz targets and benchmarks. It
 * shares framing and ciphers with the engine (ssh_loopback and the real client test those from
 * outside) and does key exchange and key derivation by itself.
 *
 *	struct peer peer;
 *
 *	peer_init(&peer, &PEER_DEFAULT);
 *	peer_handshake(&peer);
 *	peer_put(&peer, MSG_CHANNEL_OPEN, "sttuu", ...)
 *
 * Failures are assertions of the peer's own: it is used outside of cmocka too.
 */

#include "tunnel/ssh/engine.h"

#define PEER_CHANNELS_MAX 8
#define PEER_PORT 4321 /* that is chosen where the client asks for any */

struct peer_options {
	const char *exchange, *cipher;
	bool strict;
	const char *guess; /* offered before `exchange`, with a packet that has to be ignored */
	bool right_guess;  /* announce a guess and let it be right */
	uint64_t rekey_bytes;
};

extern const struct peer_options PEER_DEFAULT;

/* What the engine told its owner. */
struct peer_seen {
	enum { ACCEPT, REFUSE, WAIT } on_open;
	enum { START_OK, START_FAILS, START_WAITS } on_start;
	enum { LISTENS, LISTENS_NOT, LISTENS_LATER } on_listen;
	bool keep_data; /* do not call ssh_channel_consumed() from data() */
	struct ssh_channel *channels[PEER_CHANNELS_MAX]; /* in the order they were asked for */
	struct ssh_listener *listeners[PEER_CHANNELS_MAX];
	size_t listens, unlistens, openings, openings_refused;
	enum ssh_listener_type listener_type;
	uint16_t listener_port;
	size_t opened, closed, eofs, starts, size_changes, signals, writables, unwanted, writes;
	enum ssh_channel_type type;
	char target[1100];
	char signal[40];
	const struct ssh_start *start;
	struct ssh_pty size;
	struct buf input; /* data(), while it is small enough */
	uint64_t input_len;
};

struct peer {
	struct peer_options options;
	struct peer_seen seen;
	struct key_pair host_key;
	struct ssh_server *server;
	struct packet_reader reader;
	struct packet_writer writer;
	struct buf in;	/* from the server, not yet read */
	struct buf out; /* to the server, not yet sent */
	struct err err; /* of the last peer_flush() */
	bool over;	/* the server said that the connection is over */
	bool version_read;
	struct buf client_init, server_init;
	uint8_t session_id[SSH_SHA256_LEN];
	bool has_session_id;
	struct evp_pkey_st *x25519, *mlkem;
	struct buf public; /* our value in the exchange at hand */
};

void peer_init(struct peer *p, const struct peer_options *options);
void peer_finish(struct peer *p);

/* Version exchange up to the state OPEN. */
void peer_handshake(struct peer *p);
/* The steps of it. */
void peer_send_version(struct peer *p);
void peer_send_kexinit(struct peer *p);
void peer_send_kex_init(struct peer *p);
/* Reads KEX_REPLY and NEWKEYS, checks the signature, sends NEWKEYS. */
void peer_finish_exchange(struct peer *p);
/* All of them once more; the server's KEXINIT is answered or asked for. */
void peer_rekey(struct peer *p);

/* Puts the server into a state without any exchange; packets are then in the clear. */
void peer_skip_to(struct peer *p, enum ssh_state state);

/*
 * Sends a message. The format says what follows its number: b byte or bool, u uint32, t text
 * (const char *), s string (struct span), r the bytes of a struct span as they are.
 */
void peer_put(struct peer *p, uint8_t number, const char *format, ...);
/* Appends it to p->out only. */
void peer_queue(struct peer *p, uint8_t number, const char *format, ...);
/* Gives p->out to the server. */
void peer_flush(struct peer *p);

/* The next message from the server, whatever it is; false when there is none. */
bool peer_next(struct peer *p, uint8_t *ret_number, struct wire *ret);
/* The next message, which has to be this one; the rest of it. */
struct wire peer_expect(struct peer *p, uint8_t number);
/* Whether the connection ended with a DISCONNECT whose text has these words. */
bool peer_ended(struct peer *p, const char *words);

/* Opens a session and returns the server's number of it; the peer's own number is `id`. */
uint32_t peer_open_session(struct peer *p, uint32_t id);
