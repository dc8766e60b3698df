/* SPDX-License-Identifier: MIT */
/* Pairs and the checks that they get, and when; see agent.h, "What goes out". */
#include "tunnel/ice/internal.h"

#include "init/base/alloc.h"
#include "tunnel/quic/app.h"

struct ice_pair *ice_pair_find(struct ice_agent *agent, const struct quic_addr *remote)
{
	for (size_t i = 0; i < agent->pair_count; i++) {
		if (quic_addr_equal(&agent->pairs[i].remote, remote))
			return &agent->pairs[i];
	}
	return NULL;
}

static size_t count(const struct ice_agent *agent, bool is_told)
{
	size_t n = 0;

	for (size_t i = 0; i < agent->pair_count; i++)
		n += agent->pairs[i].is_told == is_told;
	return n;
}

struct ice_pair *ice_pair_add(struct ice_agent *agent, const struct ice_candidate *remote,
			      bool is_told)
{
	struct ice_pair *pair;

	if (count(agent, is_told) >= (is_told ? ICE_CANDIDATES_MAX : ICE_FOUND_MAX))
		return NULL;
	if (agent->pair_count == agent->pair_size) {
		agent->pair_size = agent->pair_size ? 2 * agent->pair_size : 4;
		agent->pairs = alloc_grow(agent->pairs, agent->pair_size, sizeof(*agent->pairs));
	}
	pair = &agent->pairs[agent->pair_count++];
	*pair = (struct ice_pair){
		.remote = remote->addr,
		.kind = remote->kind,
		.is_told = is_told,
		.order = agent->order++,
	};
	return pair;
}

void ice_pair_remove(struct ice_agent *agent, size_t index)
{
	agent->pairs[index] = agent->pairs[--agent->pair_count];
	if (agent->chosen == index)
		agent->chosen = ICE_NONE;
	else if (agent->chosen == agent->pair_count)
		agent->chosen = index;
}

void ice_pair_check(struct ice_agent *agent, struct ice_pair *pair, uint64_t now)
{
	(void)agent;
	pair->is_checking = true;
	pair->is_triggered = false;
	pair->sent = 0;
	pair->due_at = now;
	pair->give_up_at = now + ICE_GIVE_UP_NS;
	quic_random(pair->transaction, sizeof(pair->transaction));
}

void ice_pair_trigger(struct ice_agent *agent, struct ice_pair *pair, uint64_t now)
{
	if (!pair->is_checking)
		ice_pair_check(agent, pair, now);
	if (pair->sent == ICE_SERIES_MAX)
		return;
	/* What left a moment ago will have passed the NAT that the peer's check has opened. */
	if (pair->sent > 0 && now - pair->sent_at[pair->sent - 1] < ICE_PACE_NS / 2)
		return;
	pair->is_triggered = true;
	pair->due_at = MIN(pair->due_at, now);
}

static bool is_chosen(const struct ice_agent *agent, const struct ice_pair *pair)
{
	return agent->chosen != ICE_NONE && pair == &agent->pairs[agent->chosen];
}

/* When its next check may leave, but for the pace; QUIC_NEVER: not in this series. */
static uint64_t due_of(const struct ice_agent *agent, const struct ice_pair *pair)
{
	if (!pair->is_checking || pair->sent == ICE_SERIES_MAX ||
	    (agent->budget == 0 && !is_chosen(agent, pair)))
		return QUIC_NEVER;
	return pair->due_at;
}

static uint64_t pace_of(const struct ice_agent *agent)
{
	uint64_t burst = (ICE_BURST - 1) * ICE_PACE_NS;

	return agent->full_at > burst ? agent->full_at - burst : 0;
}

/* Those that the peer is checking, then those that wait longest, then the best. */
static bool is_before(const struct ice_pair *a, const struct ice_pair *b)
{
	if (a->is_triggered != b->is_triggered)
		return a->is_triggered;
	if (a->due_at != b->due_at)
		return a->due_at < b->due_at;
	if (a->kind != b->kind)
		return a->kind < b->kind;
	return a->order < b->order;
}

struct ice_pair *ice_pair_next(struct ice_agent *agent, uint64_t now)
{
	struct ice_pair *next = NULL;

	if (now < pace_of(agent))
		return NULL;
	for (size_t i = 0; i < agent->pair_count; i++) {
		struct ice_pair *pair = &agent->pairs[i];

		if (due_of(agent, pair) <= now && (!next || is_before(pair, next)))
			next = pair;
	}
	return next;
}

/* Where an answer came before, it gets the time that it took, and half as much again. */
static uint64_t first_wait(const struct ice_pair *pair)
{
	return pair->is_valid ? MAX(ICE_PACE_NS, pair->rtt_ns * 3 / 2) : ICE_PACE_NS;
}

void ice_pair_note_sent(struct ice_agent *agent, struct ice_pair *pair, uint64_t now)
{
	pair->transaction[STUN_TRANSACTION_LEN - 1] = (uint8_t)pair->sent;
	pair->sent_at[pair->sent] = now;
	pair->due_at = now + (first_wait(pair) << MIN(pair->sent, 8U));
	pair->sent++;
	pair->is_triggered = false;
	agent->full_at = MAX(agent->full_at, now) + ICE_PACE_NS;
	agent->sent++;
	if (agent->budget > 0)
		agent->budget--;
}

void ice_pair_give_up(struct ice_agent *agent, uint64_t now)
{
	for (size_t i = agent->pair_count; i-- > 0;) {
		struct ice_pair *pair = &agent->pairs[i];

		if (!pair->is_checking || now < pair->give_up_at)
			continue;
		pair->is_checking = false;
		ice_agent_gave_up(agent, pair, now);
		/* One that was only found may have been anything. */
		if (!agent->pairs[i].is_told && !agent->pairs[i].is_checking)
			ice_pair_remove(agent, i);
	}
}

uint64_t ice_pair_deadline(const struct ice_agent *agent)
{
	uint64_t deadline = QUIC_NEVER;

	for (size_t i = 0; i < agent->pair_count; i++) {
		const struct ice_pair *pair = &agent->pairs[i];
		uint64_t due = due_of(agent, pair);

		if (!pair->is_checking)
			continue;
		if (due != QUIC_NEVER)
			deadline = MIN(deadline, MAX(due, pace_of(agent)));
		deadline = MIN(deadline, pair->give_up_at);
	}
	return deadline;
}
