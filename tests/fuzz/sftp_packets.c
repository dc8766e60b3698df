/* SPDX-License-Identifier: MIT */
/* SFTP packets of both directions: a request that is accepted survives formatting. */
#include "tests/fuzz/fuzz.h"

#include "init/base/sftp/proto.h"

static void try_request(struct span packet)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * SFTP_PACKET_MAX);
	cleanup(buf_finish) struct buf c = BUF_INIT(2 * SFTP_PACKET_MAX);
	struct sftp_request request, again;
	struct span bytes, inner;
	struct err err;
	bool ok;

	if (sftp_request_parse(packet, &request, &err) < 0)
		return;
	ok = sftp_request_append(&b, &request);
	assert(ok);
	bytes = buf_span(&b);
	/* Extended attributes are dropped, so that it can only have become shorter. */
	ok = sftp_packet_cut(&bytes, &inner) == 1 && bytes.len == 0 && inner.len <= packet.len;
	assert(ok);
	ok = sftp_request_parse(inner, &again, &err) == 0 && again.op == request.op &&
	     sftp_request_append(&c, &again) && span_equal(buf_span(&b), buf_span(&c));
	assert(ok);
}

static void try_answer(struct span packet)
{
	struct sftp_answer answer;
	struct sftp_name name;
	struct span first, second;
	struct err err;

	if (sftp_answer_parse(packet, &answer, &err) < 0)
		return;
	for (uint32_t i = 0; i < answer.count; i++) {
		bool ok = sftp_name_cut(&answer.body, &name);

		assert(ok);
	}
	while (sftp_extension_cut(&answer.body, &first, &second))
		;
	assert(sftp_status_word(answer.code) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span rest = span_of(bytes, len), packet;

	while (sftp_packet_cut(&rest, &packet) > 0) {
		try_request(packet);
		try_answer(packet);
	}
	return 0;
}
