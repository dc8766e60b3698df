/* SPDX-License-Identifier: MIT */
/* Tags in connection ids; see tag.h. */
#include "tunnel/quic/tag.h"

#include "tunnel/quic/internal.h"

#define HEADER_LONG 0x80
#define FIXED_BIT 0x40
/* Before the destination id: the first byte; in a long header the version and a length, too. */
#define SHORT_ID_AT 1
#define LONG_ID_LEN_AT 5
#define LONG_ID_AT 6

void quic_tag_random(struct quic_tag *ret)
{
	quic_random(ret->bytes, sizeof(ret->bytes));
}

bool quic_tag_equal(const struct quic_tag *a, const struct quic_tag *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool quic_tag_of(struct span packet, struct quic_tag *ret)
{
	size_t at = SHORT_ID_AT, len = QUIC_CID_LEN;

	if (packet.len < SHORT_ID_AT + QUIC_CID_LEN || !(packet.ptr[0] & FIXED_BIT))
		return false;
	if (packet.ptr[0] & HEADER_LONG) {
		at = LONG_ID_AT;
		len = packet.ptr[LONG_ID_LEN_AT];
	}
	if (len < QUIC_TAG_LEN || at + len > packet.len)
		return false;
	memcpy(ret->bytes, packet.ptr + at, QUIC_TAG_LEN);
	return true;
}

void quic_cid_make(ngtcp2_cid *cid, const struct quic_tag *tag)
{
	cid->datalen = QUIC_CID_LEN;
	quic_random(cid->data, QUIC_CID_LEN);
	if (tag)
		memcpy(cid->data, tag->bytes, QUIC_TAG_LEN);
}
