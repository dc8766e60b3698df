/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Several streams of a pod over one WebSocket, as API servers and kubelets have them: the first
 * byte of each message is the number of the stream that the rest of it belongs to (subprotocols
 * v4.channel.k8s.io and v5.channel.k8s.io).
 *
 *		exec		port-forward
 *	0	input		what goes both ways
 *	1	output		why it failed
 *	2	errors
 *	3	how it ended, a Status object
 *	4	the terminal's size, {"Width": 80, "Height": 24}
 *	255	(v5) the stream whose number follows is at its end
 *
 * Both streams of a port-forward begin with the port, two bytes in little endian.
 */

#include "controller/http/websocket.h"
#include "controller/run/terminal.h"

#define CHANNELS_MAX 5
#define CHANNELS_WORDS_MAX 65536
/* Half of what the most impatient proxies wait for. */
#define CHANNELS_PING_MS 30000

struct channels {
	struct http_websocket *ws;
	int in;			   /* goes to stream 0; -1: nothing does */
	int out[CHANNELS_MAX];	   /* where a stream goes; -1: it is passed over */
	unsigned int told;	   /* this one is kept in `words` */
	unsigned int head_len;	   /* bytes at the beginning of each that are passed over */
	bool can_tell_end;	   /* the end of the input */
	bool ends_with_input;	   /* all is over then */
	struct terminal *terminal; /* or NULL */
	int ping_ms;		   /* how long it may be idle; 0: CHANNELS_PING_MS */

	struct buf words; /* for the caller to finish */
	/* Set by channels_run(). */
	bool in_message;
	uint8_t channel;
	unsigned int passed[CHANNELS_MAX];
};

/*
 * Carries until the server ends it, or the input does. What the streams go to may block; then so
 * does all of it.
 */
int channels_run(struct channels *c, struct err *err) attr_must_use;

/*
 * How a program ended: its exit status. -1: it was not started, or nobody can tell. Pure. status: a
 * Status object, or anything.
 */
int channels_exit_status(struct span status, struct err *err);
