/* SPDX-License-Identifier: MIT */
/*
 * Streams of capsules as a relay gets them from anybody: three at a time, two of them over TCP. The
 * input is pieces of a stream, each a byte that says whose and how long, and the bytes. Whatever
 * comes, a registration belongs to a stream, counts are right, and what a stream is told is whole
 * capsules.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "init/base/macro.h"
#include "tunnel/relay/control.h"

#define STREAMS 3
#define NOW (5 * NSEC_PER_SEC)
#define TOKEN "token"

struct party {
	struct control control;
	struct capsule_reader told;
	bool ended;
};

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	(void)user;
	(void)type;
	(void)bytes;
}

static int on_told(void *user, uint64_t type, struct span value, struct err *err)
{
	(void)user;
	(void)value;
	(void)err;
	assert(type >= RELAY_WELCOME && type <= RELAY_PONG);
	return 0;
}

static const struct capsule_ops told_ops = { is_stream, on_piece, on_told };

static bool on_send(void *transport, struct span bytes)
{
	struct party *party = transport;
	struct err err;

	if (party->ended || capsule_reader_feed(&party->told, bytes, &err) < 0 ||
	    !capsule_reader_at_boundary(&party->told))
		assert(false);
	return true;
}

static void on_end(void *transport)
{
	struct party *party = transport;

	party->ended = true;
}

static int on_binding(void *transport, uint8_t ret[RELAY_BINDING_LEN], struct err *err)
{
	(void)transport;
	(void)err;
	memset(ret, 7, RELAY_BINDING_LEN);
	return 0;
}

static size_t on_forward(void *transport, size_t segment, struct span bytes)
{
	const struct party *party = transport;

	assert(party->control.leg && segment > 0 && bytes.len > 0);
	return 0;
}

static const struct control_ops control_ops = { on_send, on_end, on_binding, on_forward };

static void on_datagrams(void *owner, const struct quic_path *path, uint8_t ecn, size_t segment,
			 struct span bytes)
{
	(void)owner;
	(void)ecn;
	assert(path->remote.len > 0 && segment > 0 && bytes.len > 0);
}

static const struct core_ops core_ops = { on_datagrams };

static uint64_t wall(void)
{
	return 1;
}

static void load_tokens(struct core *core)
{
	char line[ADMIT_HASH_TEXT_MAX + 32] = "alice ";
	struct err err;

	admit_hash_text(span_of_str(TOKEN), line + strlen(line));
	if (core_load(core, span_of_str(line), &err) < 0)
		assert(false);
}

static void check(const struct core *core, const struct party *parties)
{
	size_t registered = 0;

	for (size_t i = 0; i < STREAMS; i++) {
		registered += parties[i].control.leg != NULL;
		assert(!parties[i].ended || !parties[i].control.leg);
	}
	assert(registered ==
	       legs_count(core->legs, RELAY_JOB) + legs_count(core->legs, RELAY_CLIENT));
	assert(registered == admit_first(core->admit)->count[RELAY_JOB] +
				     admit_first(core->admit)->count[RELAY_CLIENT]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct core_config config = { .ops = &core_ops, .wall = wall };
	cleanup(core_free) struct core *core = core_new(&config);
	struct party parties[STREAMS] = { 0 };
	struct span input = span_of(bytes, len);

	load_tokens(core);
	for (size_t i = 0; i < STREAMS; i++) {
		struct control_config control = { .core = core,
						  .ops = &control_ops,
						  .transport = &parties[i],
						  .is_stream = i > 0,
						  .now = NOW };

		control.path.remote.len = sizeof(control.path.remote.v4);
		control.path.remote.v4.sin_family = AF_INET;
		control.path.remote.v4.sin_port = (in_port_t)(i + 1);
		capsule_reader_init(&parties[i].told, &told_ops, NULL, 1024);
		control_open(&parties[i].control, &control);
	}
	while (input.len > 1) {
		uint8_t head = span_cut(&input, 1).ptr[0];
		size_t count = MIN(input.len, (size_t)(head >> 2) * 4 + 1);

		control_feed(&parties[head % STREAMS].control, span_cut(&input, count), NOW);
		core_turn(core);
		check(core, parties);
	}
	core_expire(core, NOW + 2 * CORE_HELLO_NS);
	check(core, parties);
	for (size_t i = 0; i < STREAMS; i++) {
		control_close(&parties[i].control);
		capsule_reader_finish(&parties[i].told);
	}
	return 0;
}
