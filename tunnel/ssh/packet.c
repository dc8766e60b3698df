/* SPDX-License-Identifier: MIT */
/* The binary packet protocol; see packet.h. */
#include "packet.h"

#include "init/base/alloc.h"
#include "tunnel/crypto/openssl.h"
#include "wire.h"

#define PADDING_MIN 4

void packet_reader_init(struct packet_reader *r)
{
	*r = (struct packet_reader){ .partial = BUF_INIT(PACKET_WIRE_MAX) };
	r->plain = alloc_zero(PACKET_LEN_MAX, 1);
}

void packet_reader_finish(struct packet_reader *r)
{
	cipher_finish(&r->cipher);
	buf_finish(&r->partial);
	free(r->plain);
	*r = (struct packet_reader){ 0 };
}

void packet_writer_finish(struct packet_writer *w)
{
	cipher_finish(&w->cipher);
	*w = (struct packet_writer){ 0 };
}

/* Learns from its first 4 bytes how long the packet is. */
static int read_head(struct packet_reader *r, const uint8_t *head, struct err *err)
{
	size_t block = cipher_block_len(&r->cipher);
	uint32_t len;

	if (r->packets == UINT32_MAX)
		return err_set(err, ERR_PROTOCOL, "2^32 packets without new keys");
	if (!cipher_read_length(&r->cipher, r->seq, head, &len))
		return err_from_openssl(err, "cannot decrypt");
	/* The length counts towards the block only where it is part of what is encrypted: in no
	 * cipher of ours but "none" (RFC 4253 section 6, RFC 5647 section 7.2). */
	if (len < 1 + PADDING_MIN + 1 || len > PACKET_LEN_MAX ||
	    (len + (r->cipher.kind ? 0 : 4)) % block != 0)
		return err_set(err, ERR_PROTOCOL, "bad packet length %u", len);
	r->need = 4 + len + cipher_tag_len(&r->cipher);
	return 0;
}

/* Moves bytes to the partial packet until it has len. */
static bool fill(struct packet_reader *r, struct span *bytes, size_t len)
{
	size_t have = buf_len(&r->partial);
	size_t take = have < len ? MIN(len - have, bytes->len) : 0;

	/* Its maximum is the longest packet there is. */
	return buf_append_span(&r->partial, span_cut(bytes, take)) && have + take >= len;
}

/* 1: *ret is a whole packet as it was on the wire. */
static int take_packet(struct packet_reader *r, struct span *bytes, struct span *ret,
		       struct err *err)
{
	if (buf_len(&r->partial) == 0 && bytes->len >= 4) {
		if (read_head(r, bytes->ptr, err) < 0)
			return -1;
		if (bytes->len >= r->need) {
			*ret = span_cut(bytes, r->need);
			return 1;
		}
	}
	if (!fill(r, bytes, 4))
		return 0;
	if (r->need == 0 && read_head(r, buf_span(&r->partial).ptr, err) < 0)
		return -1;
	if (!fill(r, bytes, r->need))
		return 0;
	*ret = buf_span(&r->partial);
	return 1;
}

int packet_read(struct packet_reader *r, struct span *bytes, struct span *ret, struct err *err)
{
	struct span packet;
	size_t len, padding;
	int got = take_packet(r, bytes, &packet, err);

	if (got <= 0)
		return got;
	if (!cipher_open(&r->cipher, r->seq, packet, r->plain))
		return err_set(err, ERR_PROTOCOL, "a packet is damaged (message authentication)");
	len = packet.len - 4 - cipher_tag_len(&r->cipher);
	padding = r->plain[0];
	/* A payload has at least its message number. */
	if (padding < PADDING_MIN || padding + 2 > len)
		return err_set(err, ERR_PROTOCOL, "bad padding length %zu", padding);
	*ret = span_of(r->plain + 1, len - 1 - padding);
	r->bytes += packet.len;
	r->packets++;
	r->seq++;
	r->need = 0;
	buf_clear(&r->partial);
	return 1;
}

int packet_write(struct packet_writer *w, struct buf *out, struct span head, struct span body,
		 struct err *err)
{
	size_t block = cipher_block_len(&w->cipher), plain = 1 + head.len + body.len;
	size_t padding = block - (plain + (w->cipher.kind ? 0 : 4)) % block;
	size_t len, total;
	uint8_t *at;

	if (padding < PADDING_MIN)
		padding += block;
	len = plain + padding;
	total = 4 + len + cipher_tag_len(&w->cipher);
	at = buf_reserve(out, total);
	if (!at)
		return err_set(err, ERR_LIMIT, "the client reads too slowly: %zu bytes wait",
			       buf_len(out));
	wire_store_u32(at, (uint32_t)len);
	at[4] = (uint8_t)padding;
	memcpy(at + 5, head.ptr, head.len);
	/* Under an authenticated cipher the content of the padding protects nothing. */
	memset(at + 4 + plain, 0, padding);
	if (!cipher_seal(&w->cipher, w->seq, at, len, 5 + head.len, body))
		return err_from_openssl(err, "cannot encrypt");
	buf_commit(out, total);
	w->bytes += total;
	w->packets++;
	w->seq++;
	return 0;
}

void packet_reader_rekey(struct packet_reader *r, struct cipher *next, bool reset_seq)
{
	cipher_finish(&r->cipher);
	r->cipher = *next;
	*next = (struct cipher){ 0 };
	r->bytes = r->packets = 0;
	if (reset_seq)
		r->seq = 0;
}

void packet_writer_rekey(struct packet_writer *w, struct cipher *next, bool reset_seq)
{
	cipher_finish(&w->cipher);
	w->cipher = *next;
	*next = (struct cipher){ 0 };
	w->bytes = w->packets = 0;
	if (reset_seq)
		w->seq = 0;
}
