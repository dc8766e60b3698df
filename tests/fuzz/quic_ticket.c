/* SPDX-License-Identifier: MIT */
/*
 * A ticket from a file that is broken, or of another making, and a client that resumes with it. The
 * input is a list of changes to a real one, each a byte and what it needs:
 *
 *	0 AT(2) XOR      one byte of the session is changed
 *	1 AT(2) XOR      one byte of the server's limits is changed
 *	2 LEN(2)         the session is cut to that length
 *	3 LEN(2)         the limits are cut to that length
 *	4 LEN(2) BYTES   the session is this
 *	5 LEN(2) BYTES   the limits are this
 *
 * Whatever it is, the client gets its answer or hears that it gets none, what it gets is right, and
 * one without a ticket is served afterwards.
 */
#include "tests/fuzz/fuzz.h"

#include "init/base/log.h"
#include "tests/sim/peer.h"

#define LONG (100 * NSEC_PER_SEC)

static size_t take_number(struct span *s)
{
	struct span two;

	if (s->len < 2)
		return 0;
	two = span_cut(s, 2);
	return (size_t)two.ptr[0] << 8 | two.ptr[1];
}

static void change_part(uint8_t op, struct span *s, uint8_t *bytes, size_t max, struct span *part)
{
	size_t number = take_number(s);

	if (op / 2 == 0 && s->len > 0 && part->len > 0)
		bytes[number % part->len] ^= *span_cut(s, 1).ptr;
	if (op / 2 == 1)
		part->len = MIN(part->len, number);
	if (op / 2 == 2) {
		struct span raw = span_cut(s, MIN(MIN(number, s->len), max));

		if (raw.len > 0)
			memcpy(bytes, raw.ptr, raw.len);
		part->len = raw.len;
	}
}

static void change(struct world_ticket *kept, struct span *s)
{
	uint8_t op = (uint8_t)(*span_cut(s, 1).ptr % 6);

	if (op % 2 == 0)
		change_part(op, s, kept->session, sizeof(kept->session), &kept->ticket.session);
	else
		change_part(op, s, kept->params, sizeof(kept->params), &kept->ticket.params);
}

static struct world_client *ask(struct world *w, struct peer_client *owner,
				const struct quic_ticket *ticket, struct peer_stream *stream)
{
	struct world_client *client = world_resume(w, &peer_client_ops, owner, ticket);

	*stream = (struct peer_stream){ .to_send = 3000, .checks = true };
	peer_request(client, w, "/echo", stream);
	return client;
}

struct end {
	const struct peer_client *client;
	const struct peer_stream *stream;
};

static bool is_over(const void *arg)
{
	const struct end *end = arg;

	return end->client->is_closed || end->stream->closed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(world_free) struct world *w = NULL;
	static struct world_ticket kept;
	static struct peer_stream with, without;
	struct peer_client first = { 0 }, second = { 0 };
	struct span s = span_of(bytes, len);

	log_setup("fuzz", 2, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	kept.count = 0;
	w = world_new(&(struct world_config){ .seed = 1 });
	peer_get_ticket(w, &kept);
	while (s.len > 0)
		change(&kept, &s);
	ask(w, &first, &kept.ticket, &with);
	assert(world_run(w, is_over, &(struct end){ &first, &with }, LONG));
	assert(!with.is_wrong);
	assert(len > 0 || (with.status == 200 && with.received == 3000));
	ask(w, &second, NULL, &without);
	assert(world_run(w, peer_is_closed, &without, LONG));
	assert(without.received == 3000 && !without.is_wrong);
	return 0;
}
