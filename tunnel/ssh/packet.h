/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The binary packet protocol (RFC 4253 section 6): payloads in, framed and encrypted bytes out, and
 * back. One struct for each direction; neither knows what a payload means or whose side it is on.
 *
 * Speed. The reader decrypts straight from the caller's bytes and copies only a packet that is cut
 * in two; the writer encrypts straight from the caller's body into the output.
 */

#include "init/base/buf.h"
#include "init/base/err.h"

#include "cipher.h"

/* Longest packet_length, as in OpenSSH: a long command line is one packet. */
#define PACKET_LEN_MAX (256 * 1024)
#define PACKET_PAYLOAD_MAX (PACKET_LEN_MAX - 64)
#define PACKET_WIRE_MAX (4 + PACKET_LEN_MAX + CIPHER_TAG_LEN)

struct packet_reader {
	struct cipher cipher;
	uint32_t seq;		 /* of the next packet */
	uint64_t bytes, packets; /* under the current keys */
	struct buf partial;	 /* the front of a packet that has not arrived whole */
	size_t need;		 /* bytes of the packet at hand on the wire; 0: not known yet */
	uint8_t *plain;		 /* the encrypted part of the current packet, decrypted */
};

void packet_reader_init(struct packet_reader *r);
void packet_reader_finish(struct packet_reader *r);

/*
 * Takes the next packet from the front of *bytes. 1: *ret is its payload (at least 1 byte), valid
 * until the next call, and *bytes begins after it; 0: all bytes are taken and more are needed;
 * -1: not a packet, the connection has to end.
 */
int packet_read(struct packet_reader *r, struct span *bytes, struct span *ret, struct err *err)
	attr_must_use;

struct packet_writer {
	struct cipher cipher;
	uint32_t seq;
	uint64_t bytes, packets;
};

void packet_writer_finish(struct packet_writer *w);

/* Appends a packet whose payload is head and then body; out's maximum is the only limit. */
int packet_write(struct packet_writer *w, struct buf *out, struct span head, struct span body,
		 struct err *err) attr_must_use;

/* New keys: takes the cipher over, which is zero afterwards. */
void packet_reader_rekey(struct packet_reader *r, struct cipher *next, bool reset_seq);
void packet_writer_rekey(struct packet_writer *w, struct cipher *next, bool reset_seq);
