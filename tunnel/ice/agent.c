/* SPDX-License-Identifier: MIT */
/* Rounds, what is told, and which way is used; see agent.h. */
#include "tunnel/ice/agent.h"

#include "init/base/alloc.h"
#include "tunnel/ice/internal.h"
#include "tunnel/quic/app.h"

const char *ice_kind_name(enum ice_kind kind)
{
	static const char *const names[ICE_KINDS] = {
		[ICE_HOST] = "host",
		[ICE_REFLEXIVE] = "reflexive",
		[ICE_PEER_REFLEXIVE] = "peer-reflexive",
	};

	return names[kind];
}

bool ice_is_loopback(const struct quic_addr *addr)
{
	if (addr->any.sa_family == AF_INET)
		return ntohl(addr->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
}

bool ice_is_usable(const struct quic_addr *addr, bool loopback)
{
	if (addr->len == 0 || (ice_is_loopback(addr) && !loopback))
		return false;
	if (addr->any.sa_family == AF_INET) {
		uint32_t host = ntohl(addr->v4.sin_addr.s_addr);

		/* 0/8, link-local, multicast and all above, which has broadcast. */
		return host >> 24 != 0 && host >> 16 != 0xa9fe && host >> 28 < 0xe &&
		       addr->v4.sin_port != 0;
	}
	return addr->any.sa_family == AF_INET6 && addr->v6.sin6_port != 0 &&
	       !IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr) &&
	       !IN6_IS_ADDR_MULTICAST(&addr->v6.sin6_addr) &&
	       !IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr) &&
	       !IN6_IS_ADDR_V4MAPPED(&addr->v6.sin6_addr);
}

static void fill_budget(struct ice_agent *agent, uint64_t now)
{
	agent->budget = ICE_ROUND_PACKETS;
	agent->budget_at = now;
}

static void check_all(struct ice_agent *agent, uint64_t now)
{
	for (size_t i = 0; i < agent->pair_count; i++)
		ice_pair_check(agent, &agent->pairs[i], now);
}

static void begin_round(struct ice_agent *agent, uint64_t now)
{
	agent->round++;
	agent->round_is_due = true;
	for (size_t i = 0; i < agent->local_count; i++)
		agent->locals[i].is_told = false;
	fill_budget(agent, now);
	check_all(agent, now);
	if (agent->role == ICE_CONTROLLING && agent->chosen == ICE_NONE) {
		agent->round_at = now + (agent->fruitless < ICE_ROUNDS_EAGER ? ICE_ROUND_NS
									     : ICE_ROUND_SLOW_NS);
		agent->fruitless++;
	}
}

struct ice_agent *ice_agent_new(const struct ice_config *config, struct err *err)
{
	cleanup(ice_agent_free) struct ice_agent *agent = new_zero(struct ice_agent);

	agent->role = config->role;
	agent->chosen = ICE_NONE;
	agent->round_at = agent->keep_at = QUIC_NEVER;
	quic_random((uint8_t *)&agent->tie_breaker, sizeof(agent->tie_breaker));
	if (ice_keys_derive(agent, config->secret, err) < 0)
		return NULL;
	begin_round(agent, config->now);
	return take_ptr(agent);
}

struct ice_agent *ice_agent_free(struct ice_agent *agent)
{
	if (!agent)
		return NULL;
	explicit_bzero(&agent->ours, sizeof(agent->ours));
	explicit_bzero(&agent->theirs, sizeof(agent->theirs));
	free(agent->pairs);
	free(agent);
	return NULL;
}

bool ice_agent_add_local(struct ice_agent *agent, const struct ice_candidate *candidate,
			 uint64_t now)
{
	(void)now;
	if (!ice_is_usable(&candidate->addr, true))
		return false;
	for (size_t i = 0; i < agent->local_count; i++) {
		if (quic_addr_equal(&agent->locals[i].candidate.addr, &candidate->addr))
			return true;
	}
	if (agent->local_count == ICE_CANDIDATES_MAX)
		return false;
	agent->locals[agent->local_count++] = (struct ice_local){ .candidate = *candidate };
	if (ice_is_loopback(&candidate->addr))
		agent->allows_loopback = true;
	return true;
}

void ice_agent_restart(struct ice_agent *agent, uint64_t now)
{
	agent->local_count = 0;
	agent->allows_loopback = false;
	agent->fruitless = 0;
	begin_round(agent, now);
}

bool ice_agent_add_remote(struct ice_agent *agent, const struct ice_candidate *candidate,
			  uint64_t now)
{
	struct ice_pair *pair;

	if (!ice_is_usable(&candidate->addr, agent->allows_loopback))
		return false;
	pair = ice_pair_find(agent, &candidate->addr);
	if (pair && pair->is_told)
		return true;
	if (!pair)
		pair = ice_pair_add(agent, candidate, true);
	if (!pair)
		return false;
	/* One that was found turns out to be one that the peer knows of. */
	pair->is_told = true;
	pair->kind = candidate->kind;
	if (!pair->is_checking && !pair->is_valid)
		ice_pair_check(agent, pair, now);
	return true;
}

void ice_agent_remote_round(struct ice_agent *agent, uint64_t now)
{
	for (size_t i = agent->pair_count; i-- > 0;) {
		struct ice_pair *pair = &agent->pairs[i];
		/* What was found a moment ago may have overtaken the word that a round begins. */
		bool is_new = !pair->is_told && pair->is_checking;

		pair->is_told = false;
		if (!pair->is_valid && !is_new)
			ice_pair_remove(agent, i);
		else if (!pair->is_checking)
			ice_pair_check(agent, pair, now);
	}
	agent->order = 0;
	/* A peer that begins rounds all the time does not make us send more for it. */
	if (now - agent->budget_at >= ICE_GIVE_UP_NS)
		fill_budget(agent, now);
}

static void lose(struct ice_agent *agent, uint64_t now)
{
	const struct ice_pair *pair = &agent->pairs[agent->chosen];

	agent->lost = (struct ice_candidate){ .kind = pair->kind, .addr = pair->remote };
	agent->lost_is_due = true;
	agent->chosen_is_due = false;
	agent->chosen = ICE_NONE;
	agent->keep_at = QUIC_NEVER;
	for (size_t i = 0; i < agent->pair_count; i++)
		agent->pairs[i].is_valid = agent->pairs[i].valid_is_due = false;
	if (agent->role == ICE_CONTROLLING)
		begin_round(agent, now);
}

void ice_agent_lost(struct ice_agent *agent, uint64_t now)
{
	if (agent->chosen != ICE_NONE)
		lose(agent, now);
}

void ice_agent_gave_up(struct ice_agent *agent, struct ice_pair *pair, uint64_t now)
{
	pair->is_valid = pair->valid_is_due = false;
	if (agent->chosen != ICE_NONE && pair == &agent->pairs[agent->chosen])
		lose(agent, now);
}

/* How long a way takes, in favour of IPv6. */
static uint64_t cost_of(const struct ice_pair *pair)
{
	uint64_t bonus = pair->remote.any.sa_family == AF_INET6 ? ICE_V6_BONUS_NS : 0;

	return pair->rtt_ns + ICE_V6_BONUS_NS - bonus;
}

static void choose(struct ice_agent *agent, uint64_t now)
{
	size_t best = agent->chosen;

	for (size_t i = 0; i < agent->pair_count; i++) {
		const struct ice_pair *pair = &agent->pairs[i];

		if (!pair->is_valid || i == best)
			continue;
		if (best == ICE_NONE ||
		    cost_of(pair) + (best == agent->chosen ? ICE_HYSTERESIS_NS : 0) <=
			    cost_of(&agent->pairs[best]))
			best = i;
	}
	if (best == agent->chosen)
		return;
	agent->chosen = best;
	agent->chosen_is_due = true;
	agent->fruitless = 0;
	agent->round_at = QUIC_NEVER;
	/* The next check says so to the peer. */
	ice_pair_check(agent, &agent->pairs[best], now);
}

void ice_agent_answered(struct ice_agent *agent, struct ice_pair *pair, uint64_t rtt_ns,
			uint64_t now)
{
	pair->rtt_ns = pair->is_valid && pair->rtt_ns ? (3 * pair->rtt_ns + rtt_ns) / 4 : rtt_ns;
	if (!pair->is_valid)
		pair->valid_is_due = true;
	pair->is_valid = true;
	if (agent->role != ICE_CONTROLLING)
		return;
	choose(agent, now);
	agent->keep_at = now + ICE_KEEP_ALIVE_NS;
}

void ice_agent_asked(struct ice_agent *agent, const struct quic_addr *from, bool nominates,
		     uint64_t now)
{
	const struct ice_candidate found = { .kind = ICE_PEER_REFLEXIVE, .addr = *from };
	struct ice_pair *pair = ice_pair_find(agent, from);
	size_t index;

	if (!pair && ice_is_usable(from, agent->allows_loopback))
		pair = ice_pair_add(agent, &found, false);
	if (!pair)
		return;
	if (!pair->is_valid)
		ice_pair_trigger(agent, pair, now);
	index = (size_t)(pair - agent->pairs);
	if (nominates && agent->role == ICE_CONTROLLED && agent->chosen != index) {
		agent->chosen = index;
		agent->chosen_is_due = true;
	}
}

bool ice_agent_write(struct ice_agent *agent, struct ice_packet *ret, uint64_t now)
{
	struct ice_pair *pair;

	if (ice_packet_write_answer(agent, ret))
		return true;
	pair = ice_pair_next(agent, now);
	if (!pair)
		return false;
	ice_pair_note_sent(agent, pair, now);
	ice_packet_write_check(agent, pair,
			       agent->role == ICE_CONTROLLING && agent->chosen != ICE_NONE &&
				       pair == &agent->pairs[agent->chosen],
			       ret);
	return true;
}

uint64_t ice_agent_deadline(const struct ice_agent *agent)
{
	return MIN(ice_pair_deadline(agent), MIN(agent->round_at, agent->keep_at));
}

void ice_agent_expire(struct ice_agent *agent, uint64_t now)
{
	ice_pair_give_up(agent, now);
	if (now >= agent->keep_at) {
		agent->keep_at = QUIC_NEVER;
		if (agent->chosen != ICE_NONE && !agent->pairs[agent->chosen].is_checking)
			ice_pair_check(agent, &agent->pairs[agent->chosen], now);
	}
	if (now >= agent->round_at)
		begin_round(agent, now);
}

static bool take_flag(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

static bool next_told(struct ice_agent *agent, struct ice_event *ret)
{
	if (take_flag(&agent->round_is_due)) {
		*ret = (struct ice_event){ .kind = ICE_TELL_ROUND, .round = agent->round };
		return true;
	}
	for (size_t i = 0; i < agent->local_count; i++) {
		struct ice_local *local = &agent->locals[i];

		if (local->is_told)
			continue;
		local->is_told = true;
		*ret = (struct ice_event){ .kind = ICE_TELL_CANDIDATE,
					   .candidate = local->candidate };
		return true;
	}
	return false;
}

static void fill_event(const struct ice_pair *pair, enum ice_event_kind kind, struct ice_event *ret)
{
	*ret = (struct ice_event){
		.kind = kind,
		.candidate = { .kind = pair->kind, .addr = pair->remote },
		.rtt_ns = pair->rtt_ns,
	};
}

bool ice_agent_next_event(struct ice_agent *agent, struct ice_event *ret)
{
	if (next_told(agent, ret))
		return true;
	for (size_t i = 0; i < agent->pair_count; i++) {
		if (take_flag(&agent->pairs[i].valid_is_due)) {
			fill_event(&agent->pairs[i], ICE_VALID, ret);
			return true;
		}
	}
	if (take_flag(&agent->lost_is_due)) {
		*ret = (struct ice_event){ .kind = ICE_LOST, .candidate = agent->lost };
		return true;
	}
	if (agent->chosen != ICE_NONE && take_flag(&agent->chosen_is_due)) {
		fill_event(&agent->pairs[agent->chosen], ICE_CHOSEN, ret);
		return true;
	}
	return false;
}

bool ice_agent_chosen(const struct ice_agent *agent, struct ice_candidate *ret)
{
	const struct ice_pair *pair;

	if (agent->chosen == ICE_NONE)
		return false;
	pair = &agent->pairs[agent->chosen];
	*ret = (struct ice_candidate){ .kind = pair->kind, .addr = pair->remote };
	return true;
}

bool ice_agent_is_same(const struct ice_agent *a, const struct ice_agent *b)
{
	return memcmp(&a->ours, &b->ours, sizeof(a->ours)) == 0;
}

uint64_t ice_agent_sent(const struct ice_agent *agent)
{
	return agent->sent;
}
