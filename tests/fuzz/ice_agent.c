/* SPDX-License-Identifier: MIT */
/*
 * An agent and whatever a peer with the key, a stranger and time can do to it: the first byte of
 * each step says which. It keeps its limits, and never sleeps past its own deadline.
 */
#include "tests/fuzz/fuzz.h"

#include "tunnel/ice/agent.h"

#define STEPS_MAX 2000

struct input {
	const uint8_t *bytes;
	size_t len;
};

static uint8_t take(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->bytes++;
}

/* Few enough that they meet again; some are of no use. */
static struct quic_addr take_addr(struct input *in)
{
	uint8_t which = take(in);
	struct quic_addr addr = { 0 };

	if (which & 1) {
		addr.len = sizeof(addr.v6);
		addr.v6.sin6_family = AF_INET6;
		addr.v6.sin6_addr.s6_addr[0] = which & 2 ? 0x20 : 0xff;
		addr.v6.sin6_addr.s6_addr[15] = which;
		addr.v6.sin6_port = htons(which >> 6);
	} else {
		addr.len = sizeof(addr.v4);
		addr.v4.sin_family = AF_INET;
		addr.v4.sin_addr.s_addr = htonl(which & 2 ? 0xc0000200U + which : 0x7f000001U);
		addr.v4.sin_port = htons(which >> 6);
	}
	return addr;
}

static struct ice_agent *open_agent(enum ice_role role, uint64_t now)
{
	const struct secret secret = { { 9 } };
	const struct ice_config config = { .role = role, .secret = &secret, .now = now };

	return ice_agent_new(&config, NULL);
}

static void hand_over(struct ice_agent *to, struct span bytes, struct input *in, uint64_t now)
{
	struct quic_path path = { .remote = take_addr(in) };
	struct stun_message message;

	if (stun_parse(bytes, &message, NULL) == 0)
		ice_agent_read(to, &path, &message, now);
}

/* What both want is done; packets go to the other end from wherever the input says. */
static void settle(struct ice_agent *agent, struct ice_agent *peer, struct input *in, uint64_t now)
{
	struct ice_packet packet;
	struct ice_event event;
	size_t count = 0;

	while (ice_agent_next_event(agent, &event)) {
		if (event.kind == ICE_TELL_ROUND)
			ice_agent_remote_round(peer, now);
		else if (event.kind == ICE_TELL_CANDIDATE)
			ice_agent_add_remote(peer, &event.candidate, now);
		count++;
		assert(count < 200);
	}
	count = 0;
	while (ice_agent_write(agent, &packet, now)) {
		assert(packet.len <= ICE_PACKET_MAX && packet.path.remote.len > 0);
		count++;
		assert(count <= ICE_BURST + 16);
		hand_over(peer, span_of(packet.bytes, packet.len), in, now);
	}
}

static void step(struct ice_agent *agent, struct ice_agent *peer, struct input *in, uint64_t *now)
{
	struct ice_candidate candidate;
	uint64_t sent = ice_agent_sent(agent);

	switch (take(in) % 7) {
	case 0:
		candidate.kind = take(in) % ICE_KINDS;
		candidate.addr = take_addr(in);
		ice_agent_add_local(agent, &candidate, *now);
		break;
	case 1:
		candidate.kind = take(in) % ICE_KINDS;
		candidate.addr = take_addr(in);
		ice_agent_add_remote(agent, &candidate, *now);
		break;
	case 2:
		ice_agent_remote_round(agent, *now);
		break;
	case 3:
		ice_agent_restart(agent, *now);
		break;
	case 4:
		ice_agent_lost(agent, *now);
		break;
	case 5:
		*now += (uint64_t)take(in) * NSEC_PER_MSEC;
		break;
	case 6:
		if (ice_agent_deadline(agent) != QUIC_NEVER)
			*now = MAX(*now, ice_agent_deadline(agent));
		break;
	}
	if (ice_agent_deadline(agent) <= *now)
		ice_agent_expire(agent, *now);
	settle(agent, peer, in, *now);
	/* Whatever was due was done, but for the pace. */
	assert(ice_agent_deadline(agent) > *now);
	assert(ice_agent_sent(agent) - sent <= ICE_BURST);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input in = { bytes, len };
	uint64_t now = 1000 * NSEC_PER_SEC;
	cleanup(ice_agent_free) struct ice_agent *client = open_agent(ICE_CONTROLLING, now);
	cleanup(ice_agent_free) struct ice_agent *job = open_agent(ICE_CONTROLLED, now);
	bool is_client = true;

	for (int steps = 0; in.len > 0 && steps < STEPS_MAX; steps++) {
		step(is_client ? client : job, is_client ? job : client, &in, &now);
		is_client = !is_client;
	}
	return 0;
}
