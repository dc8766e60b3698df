/* SPDX-License-Identifier: MIT */
/* Two ends behind NATs; see yard.h. */
#include "tests/sim/yard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "init/base/alloc.h"

#define PORT 40000

struct quic_addr yard_addr(const char *text, uint16_t port)
{
	struct quic_addr addr = { 0 };

	if (inet_pton(AF_INET, text, &addr.v4.sin_addr) == 1) {
		addr.len = sizeof(addr.v4);
		addr.v4.sin_family = AF_INET;
		addr.v4.sin_port = htons(port);
	} else {
		if (inet_pton(AF_INET6, text, &addr.v6.sin6_addr) != 1)
			abort();
		addr.len = sizeof(addr.v6);
		addr.v6.sin6_family = AF_INET6;
		addr.v6.sin6_port = htons(port);
	}
	return addr;
}

/* By end and family: outside, and inside where there is a NAT. */
static const char *const outsides[YARD_ENDS][2] = { { "198.51.100.1", "2001:db8:1::1" },
						    { "203.0.113.1", "2001:db8:2::1" } };
static const char *const insides[YARD_ENDS][2] = { { "192.168.1.10", "fd01::10" },
						   { "10.2.0.20", "fd02::20" } };
static const char *const relays[2] = { "192.0.2.1", "2001:db8:ffff::1" };

static bool has_family(const struct yard *yard, int family)
{
	return family ? yard->config.v6 : yard->config.v4 || !yard->config.v6;
}

static void open_agent(struct yard *yard, enum yard_who who)
{
	const struct secret secret = { { 1, 2, 3 } };
	const struct ice_config config = {
		.role = who == YARD_CLIENT ? ICE_CONTROLLING : ICE_CONTROLLED,
		.secret = &secret,
		.now = yard->now,
	};

	yard->ends[who].agent = ice_agent_new(&config, NULL);
	assert(yard->ends[who].agent);
}

/* The addresses of the interface, and what the relay says that it sees. */
static void gather(struct yard *yard, enum yard_who who)
{
	struct yard_end *end = &yard->ends[who];

	for (int family = 0; family < 2; family++) {
		struct ice_candidate host = { ICE_HOST, end->host[family] };

		if (has_family(yard, family))
			ice_agent_add_local(end->agent, &host, yard->now);
	}
	for (int family = 0; family < 2; family++) {
		struct ice_candidate seen = { ICE_REFLEXIVE, end->host[family] };
		struct quic_addr relay = yard_addr(relays[family], 443);

		if (!has_family(yard, family))
			continue;
		nat_leave(end->nat, &seen.addr, &relay, yard->now);
		if (yard->config.lie.len > 0)
			seen.addr = yard->config.lie;
		ice_agent_add_local(end->agent, &seen, yard->now);
	}
}

static void open_end(struct yard *yard, enum yard_who who, const struct nat_kind *kind)
{
	struct yard_end *end = &yard->ends[who];
	struct quic_addr outside[2];

	for (int family = 0; family < 2; family++) {
		const char *const *host = kind->is_absent ? outsides[who] : insides[who];

		outside[family] = yard_addr(outsides[who][family], 0);
		end->host[family] = yard_addr(host[family], PORT);
	}
	end->nat = nat_new(kind, outside, yard->config.seed + who);
	end->out = link_new(&yard->config.way, 2 * yard->config.seed + who);
	end->closest_ns = QUIC_NEVER;
	yard->lan[who] =
		link_new(&(struct link_settings){ .delay_ns = yard->config.lan_delay_ns }, who);
}

struct yard *yard_new(const struct yard_config *config)
{
	struct yard *yard = new_zero(struct yard);

	yard->config = *config;
	yard->now = YARD_START;
	if (!yard->config.relay_delay_ns)
		yard->config.relay_delay_ns = config->way.delay_ns;
	open_end(yard, YARD_CLIENT, config->client);
	open_end(yard, YARD_JOB, config->job);
	open_agent(yard, YARD_CLIENT);
	gather(yard, YARD_CLIENT);
	return yard;
}

struct yard *yard_free(struct yard *yard)
{
	if (!yard)
		return NULL;
	for (size_t i = 0; i < YARD_ENDS; i++) {
		ice_agent_free(yard->ends[i].agent);
		nat_free(yard->ends[i].nat);
		link_free(yard->ends[i].out);
		link_free(yard->lan[i]);
	}
	free(yard);
	return NULL;
}

void yard_cut(struct yard *yard, bool is_cut)
{
	for (size_t i = 0; i < YARD_ENDS; i++) {
		link_settings(yard->ends[i].out)->is_cut = is_cut;
		link_settings(yard->lan[i])->is_cut = is_cut;
		if (is_cut)
			link_clear(yard->ends[i].out);
	}
}

void yard_move(struct yard *yard, enum yard_who who)
{
	struct yard_end *end = &yard->ends[who];

	for (int family = 0; family < 2; family++) {
		in_port_t *port =
			family ? &end->host[family].v6.sin6_port : &end->host[family].v4.sin_port;

		*port = htons((uint16_t)(ntohs(*port) + 1));
	}
	nat_forget(end->nat);
	ice_agent_restart(end->agent, yard->now);
	gather(yard, who);
}

bool yard_deliver(struct yard *yard, enum yard_who to, const struct quic_addr *from,
		  struct span bytes)
{
	struct yard_end *end = &yard->ends[to];
	struct quic_path path = { .local = end->host[from->any.sa_family == AF_INET6],
				  .remote = *from };
	struct stun_message message;

	return end->agent && stun_parse(bytes, &message, NULL) == 0 &&
	       ice_agent_read(end->agent, &path, &message, yard->now);
}

/* By the LAN, by the Internet, or nowhere. */
static void send_packet(struct yard *yard, enum yard_who from, const struct ice_packet *packet)
{
	struct yard_end *end = &yard->ends[from];
	enum yard_who to = from == YARD_CLIENT ? YARD_JOB : YARD_CLIENT;
	bool is_v6 = packet->path.remote.any.sa_family == AF_INET6;
	struct quic_addr source = end->host[is_v6];
	struct link_head head = { .path = { .local = packet->path.remote } };
	struct span bytes = span_of(packet->bytes, packet->len);
	struct link *link = end->out;

	end->sent++;
	if (end->last_sent_at)
		end->closest_ns = MIN(end->closest_ns, yard->now - end->last_sent_at);
	end->last_sent_at = yard->now;
	if (yard->tap && !yard->tap(yard, from, packet))
		return;
	if (yard->config.lan_delay_ns &&
	    quic_addr_equal(&packet->path.remote, &yard->ends[to].host[is_v6])) {
		link = yard->lan[from];
	} else {
		nat_leave(end->nat, &source, &packet->path.remote, yard->now);
		if (!nat_is_outside(yard->ends[to].nat, &packet->path.remote)) {
			end->answered_to_others++;
			return;
		}
	}
	head.path.remote = source;
	if (is_v6)
		link_settings(link)->delay_ns += yard->config.v6_extra_ns;
	link_send(link, yard->now, &head, bytes);
	if (is_v6)
		link_settings(link)->delay_ns -= yard->config.v6_extra_ns;
}

static void receive_packets(struct yard *yard, enum yard_who to)
{
	enum yard_who from = to == YARD_CLIENT ? YARD_JOB : YARD_CLIENT;
	struct link_head head;
	struct span bytes;

	while (link_receive(yard->lan[from], yard->now, &head, &bytes))
		yard_deliver(yard, to, &head.path.remote, bytes);
	while (link_receive(yard->ends[from].out, yard->now, &head, &bytes)) {
		if (nat_enter(yard->ends[to].nat, &head.path.remote, &head.path.local, yard->now))
			yard_deliver(yard, to, &head.path.remote, bytes);
	}
}

static void note_event(struct yard *yard, enum yard_who who, const struct ice_event *event)
{
	struct yard_end *end = &yard->ends[who];

	switch (event->kind) {
	case ICE_TELL_ROUND:
		end->rounds++;
		/* fall through */
	case ICE_TELL_CANDIDATE:
		assert(yard->word_count < YARD_WORDS_MAX);
		yard->words[yard->word_count++] = (struct yard_word){
			.at = yard->now + yard->config.relay_delay_ns,
			.to = who == YARD_CLIENT ? YARD_JOB : YARD_CLIENT,
			.event = *event,
		};
		break;
	case ICE_CHOSEN:
		end->chosen = event->candidate;
		end->rtt_ns = event->rtt_ns;
		end->chosen_at = yard->now;
		end->choices++;
		break;
	case ICE_LOST:
		end->lost_at = yard->now;
		end->chosen_at = 0;
		end->losses++;
		break;
	case ICE_VALID:
		break;
	}
}

static void run_agent(struct yard *yard, enum yard_who who)
{
	struct ice_agent *agent = yard->ends[who].agent;
	struct ice_packet packet;
	struct ice_event event;

	if (!agent)
		return;
	if (ice_agent_deadline(agent) <= yard->now)
		ice_agent_expire(agent, yard->now);
	while (ice_agent_next_event(agent, &event))
		note_event(yard, who, &event);
	while (ice_agent_write(agent, &packet, yard->now))
		send_packet(yard, who, &packet);
}

/* Words come in order and are never lost. */
static void hear(struct yard *yard)
{
	while (yard->word_count > 0 && yard->words[0].at <= yard->now) {
		struct yard_word word = yard->words[0];

		memmove(&yard->words[0], &yard->words[1],
			--yard->word_count * sizeof(yard->words[0]));
		if (!yard->ends[word.to].agent) {
			open_agent(yard, word.to);
			gather(yard, word.to);
		}
		if (word.event.kind == ICE_TELL_ROUND)
			ice_agent_remote_round(yard->ends[word.to].agent, yard->now);
		else
			ice_agent_add_remote(yard->ends[word.to].agent, &word.event.candidate,
					     yard->now);
	}
}

static uint64_t next_deadline(const struct yard *yard)
{
	uint64_t deadline = yard->word_count ? yard->words[0].at : QUIC_NEVER;

	for (size_t i = 0; i < YARD_ENDS; i++) {
		deadline = MIN(deadline, link_deadline(yard->ends[i].out));
		deadline = MIN(deadline, link_deadline(yard->lan[i]));
		if (yard->ends[i].agent)
			deadline = MIN(deadline, ice_agent_deadline(yard->ends[i].agent));
	}
	return deadline;
}

bool yard_run(struct yard *yard, bool (*done)(const struct yard *yard), uint64_t limit_ns)
{
	uint64_t end = yard->now + limit_ns, last = 0;
	size_t turns = 0;

	for (;;) {
		hear(yard);
		for (enum yard_who who = 0; who < YARD_ENDS; who++) {
			receive_packets(yard, who);
			run_agent(yard, who);
		}
		if (done && done(yard))
			return true;
		/* An agent whose deadline has passed and that does nothing about it would spin. */
		turns = yard->now == last ? turns + 1 : 0;
		last = yard->now;
		assert(turns < 100);
		if (next_deadline(yard) > end) {
			yard->now = end;
			return !done;
		}
		yard->now = MAX(yard->now, next_deadline(yard));
	}
}

bool yard_is_direct(const struct yard *yard)
{
	return yard->ends[YARD_CLIENT].chosen_at > 0;
}

bool yard_is_lost(const struct yard *yard)
{
	return yard->ends[YARD_CLIENT].losses > 0;
}
