/* SPDX-License-Identifier: MIT */
/* Everything before the first keys: the bytes a client sends, cut as the first byte says. */
#include "tests/fuzz/fuzz.h"

#include "tests/unit/ssh_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct peer p;
	struct err err;
	size_t step;

	if (len < 1)
		return 0;
	step = bytes[0] ? bytes[0] : len;
	peer_init(&p, &PEER_DEFAULT);
	for (size_t at = 1; at < len && !p.over; at += step) {
		struct span piece = span_of(bytes + at, MIN(step, len - at));

		p.over = ssh_server_input(p.server, piece, &err) < 0;
		assert(p.over == (ssh_server_ended(p.server) != NULL));
		assert(!p.over || !ssh_server_wants_input(p.server));
	}
	/* Without keys nobody is let in. */
	assert(p.server->state <= STATE_NEWKEYS || p.server->state == STATE_OVER ||
	       p.server->reader.cipher.kind != NULL);
	assert(!p.server->authenticated && p.seen.opened == 0 && p.seen.starts == 0);
	assert(ssh_server_output(p.server).len < 256 * 1024);
	peer_finish(&p);
	return 0;
}
