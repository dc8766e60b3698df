/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One stream of capsules between an endpoint and the relay (wire/relay.h), whatever carries it: an
 * HTTP/3 stream, or TLS on TCP. It is part of whoever owns the stream.
 *
 *	control_open(&conn->control, &config);
 *	...bytes came:        control_feed(&conn->control, bytes, now);
 *	...the stream is gone: control_close(&conn->control);
 *
 * The first capsule is HELLO; until it came and was accepted the stream may do nothing else. What
 * is refused hears why (REFUSED), and the stream ends. After end() was called bytes that still come
 * are ignored.
 */

#include "tunnel/relay/core.h"
#include "tunnel/wire/capsule.h"

struct control;

struct control_ops {
	/* Whole capsules, in order; false: they do not fit, and the stream is to end. */
	bool (*send)(void *transport, struct span bytes);
	/* Nothing more will be sent: ends the stream once what was sent is delivered. */
	void (*end)(void *transport);
	/*
	 * What a HELLO on this stream is signed over: the exporter of its TLS, or what was sent as
	 * CHALLENGE.
	 */
	int (*binding)(void *transport, uint8_t ret[RELAY_BINDING_LEN], struct err *err);
	/*
	 * Streams over TCP only: packets for the endpoint, of `segment` bytes each but the last, as
	 * DATAGRAM capsules. Those that do not fit are dropped; returns how many were.
	 */
	size_t (*forward)(void *transport, size_t segment, struct span bytes);
};

struct control_config {
	struct core *core;
	const struct control_ops *ops;
	void *transport;
	struct quic_path path; /* where the endpoint is, as far as is known */
	bool is_stream;	       /* packets come and go as capsules; else by UDP, at this path */
	bool is_proxied;       /* the address is that of a proxy, which many share */
	uint64_t now;
};

/* Of its core: those that wait for a HELLO, those that are registered; none when it is over. */
enum control_list { CONTROL_NO_LIST, CONTROL_WAITING, CONTROL_REGISTERED };

struct control {
	struct control *prev, *next;
	struct core *core;
	const struct control_ops *ops;
	void *transport;
	struct quic_path path;
	struct capsule_reader reader;
	struct leg *leg; /* NULL: not registered */
	struct admit_user *user;
	uint64_t since, heard_at, now;
	char name[9]; /* of the endpoint id, for the log */
	enum control_list list;
	bool is_open, is_stream, is_proxied, is_over, is_broken;
};

/* As capsules have it; none is none. */
struct relay_address control_address(const struct quic_addr *from);

void control_open(struct control *control, const struct control_config *config);
/* Takes it off the table; nothing is sent. May be called twice, or for one that is all zero. */
void control_close(struct control *control);

void control_feed(struct control *control, struct span bytes, uint64_t now);
/*
 * Streams over TCP: DATAGRAM capsules whose values were put together already, `segment` bytes each
 * but the last. Those for one leg leave together.
 */
void control_datagrams(struct control *control, size_t segment, struct span bytes, uint64_t now);
/* UDP: the control connection has another validated path. */
void control_moved(struct control *control, const struct quic_path *path);

/* REFUSED, and the end. text NULL: the words of the code. */
void control_refuse(struct control *control, enum relay_code code, uint32_t retry_ms,
		    const char *text);
/* Its leg has left already, because another took its place. */
void control_replaced(struct control *control);
void control_peer(struct control *control, uint64_t tag, bool is_here);
void control_drain(struct control *control, uint32_t retry_ms);
