/* SPDX-License-Identifier: MIT */
/* The tag of any datagram: within its bytes, and that of the id which ngtcp2 sees. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include <ngtcp2/ngtcp2.h>

#include "tunnel/quic/cids.h"
#include "tunnel/quic/tag.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	ngtcp2_version_cid ids;
	struct quic_tag tag;

	if (!quic_tag_of(span_of(bytes, len), &tag))
		return 0;
	assert(bytes[0] >= 64);
	if (ngtcp2_pkt_decode_version_cid(&ids, bytes, len, QUIC_CID_LEN) != 0)
		return 0;
	assert(ids.dcidlen >= QUIC_TAG_LEN);
	assert(memcmp(ids.dcid, tag.bytes, QUIC_TAG_LEN) == 0);
	return 0;
}
