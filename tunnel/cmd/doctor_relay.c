/* SPDX-License-Identifier: MIT */
/* What doctor finds out about one relay; see doctor_relay.h. */
#include "doctor_relay.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/ice/stun.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/link.h"
#include "tunnel/net/resolve.h"

/* Who is silent for so long while the other way answers is taken for blocked. */
#define SILENT_NS (1500 * NSEC_PER_MSEC)
/* How long the second address may take, and how often it is asked meanwhile. */
#define NAT_FOR_NS (900 * NSEC_PER_MSEC)
#define NAT_AGAIN_NS (250 * NSEC_PER_MSEC)
/* That the job is there is told right after the registration. */
#define PEER_FOR_NS (300 * NSEC_PER_MSEC)

struct leg {
	struct relay_probe *probe;
	struct leg_facts *facts;
	struct link *link;
	bool is_over;
};

struct relay_probe {
	struct relay_probe_config config;
	struct relay_facts facts;
	struct leg udp, tcp;
	uint64_t began, up_at; /* up_at: the first of both legs; 0: none */
	bool has_name;
	/* The question to the relay's second address. */
	struct hub_user stun;
	uint8_t transaction[STUN_TRANSACTION_LEN];
	uint64_t asked_at, first_asked_at;
	bool has_joined;
};

/* The name */

static void on_resolved(void *owner, const struct resolve_list *list, const struct err *why)
{
	struct relay_probe *p = owner;
	size_t at = 0;

	p->has_name = true;
	p->facts.resolve_ns = clock_now() - p->began;
	if (why)
		p->facts.unresolved = *why;
	for (size_t i = 0; list && i < list->len; i++) {
		struct quic_addr addr = addr_from_sockaddr(&list->items[i].any);
		char text[ADDR_TEXT_MAX];
		int len;

		addr_format(&addr, text);
		text[strrchr(text, ':') ? (size_t)(strrchr(text, ':') - text) : strlen(text)] = 0;
		len = snprintf(p->facts.addresses + at, NAME_ADDRESSES_MAX - at, "%s%s",
			       i ? ", " : "", text);
		at = MIN(at + (size_t)MAX(len, 0), (size_t)NAME_ADDRESSES_MAX - 1);
		p->facts.is_resolved = true;
	}
}

static void look_up(struct relay_probe *p)
{
	const struct relay_site *site = p->config.site;
	struct in6_addr number;

	p->facts.is_number = inet_pton(AF_INET, site->host, &number) == 1 ||
			     inet_pton(AF_INET6, site->host, &number) == 1;
	p->has_name = p->facts.is_number;
	if (!p->has_name)
		(void)resolver_query(p->config.resolver, site->host, site->port, on_resolved, p);
}

/* The NAT */

static size_t on_stun(struct hub_user *user, const struct udp_datagrams *d)
{
	struct relay_probe *p = container_of(user, struct relay_probe, stun);
	struct span packet = span_of(d->bytes.ptr, MIN(d->segment, d->bytes.len));
	struct stun_message message;

	if (!stun_is(packet) || stun_parse(packet, &message, NULL) < 0 ||
	    message.class != STUN_SUCCESS || !addr_equal(&d->path.remote, &p->facts.nat.asked) ||
	    memcmp(message.transaction, p->transaction, sizeof(p->transaction)) != 0)
		return 0;
	if (p->facts.nat.by_that.len == 0) {
		p->facts.nat.by_that = message.mapped;
		p->facts.nat.took_ns = clock_now() - p->first_asked_at;
	}
	return packet.len;
}

/* No key is shared with the relay, which does not look at the integrity. */
static bool on_stun_write(struct hub_user *user, struct quic_batch *batch)
{
	struct relay_probe *p = container_of(user, struct relay_probe, stun);
	struct stun_message message = { .class = STUN_REQUEST };
	cleanup(buf_finish) struct buf b = BUF_INIT(STUN_MESSAGE_MAX);
	uint64_t now = clock_now();

	if (p->asked_at && now - p->asked_at < NAT_AGAIN_NS)
		return false;
	p->asked_at = now;
	memcpy(message.transaction, p->transaction, sizeof(p->transaction));
	if (!stun_format(&message, STUN_SHA256, span_of_str("doctor"), &b))
		return false;
	*batch = (struct quic_batch){ .path.remote = p->facts.nat.asked };
	batch->segment = batch->len = buf_len(&b);
	memcpy(batch->bytes, buf_span(&b).ptr, buf_len(&b));
	return true;
}

static const struct hub_user_ops stun_ops = { .received = on_stun, .write = on_stun_write };

static bool is_own_address(const struct quic_addr *addr)
{
	struct addr_list own;

	addr_list_local(AF_UNSPEC, addr_port(addr), &own);
	return addr_list_has(&own, addr);
}

static void ask_second(struct relay_probe *p, const struct link *link)
{
	struct nat_facts *nat = &p->facts.nat;
	struct secret random;

	if (!link_observed(link, &nat->seen))
		return;
	nat->is_own = is_own_address(&nat->seen);
	nat->took_ns = p->facts.udp.took_ns;
	if (!link_second(link, &nat->asked))
		return;
	/* The mapping of one family says nothing about the other. */
	if (addr_family(&nat->asked) != addr_family(&nat->seen) || nat->is_own ||
	    key_random_secret(&random, NULL) < 0) {
		nat->asked = (struct quic_addr){ 0 };
		return;
	}
	memcpy(p->transaction, random.bytes, sizeof(p->transaction));
	p->stun.ops = &stun_ops;
	p->has_joined = true;
	p->first_asked_at = clock_now();
	hub_join(p->config.hub, &p->stun);
	hub_wake(&p->stun);
}

/* The two ways to the relay */

static void on_up(struct link *link, void *owner)
{
	struct leg *leg = owner;
	struct relay_probe *p = leg->probe;

	if (leg->is_over)
		return;
	leg->is_over = leg->facts->is_up = true;
	leg->facts->took_ns = clock_now() - p->began;
	if (!p->up_at)
		p->up_at = clock_now();
	if (leg == &p->udp)
		ask_second(p, link);
}

static void on_peer(struct link *link, void *owner, const struct quic_tag *tag, bool is_here)
{
	struct leg *leg = owner;
	struct relay_facts *facts = &leg->probe->facts;

	(void)link;
	(void)tag;
	if (facts->peer != PEER_HERE)
		facts->peer = is_here ? PEER_HERE : PEER_AWAY;
}

static void on_moved(struct link *link, void *owner)
{
	(void)link;
	(void)owner;
}

/* The link goes on trying; whoever answered with a reason would answer the same again. */
static void on_down(struct link *link, void *owner, const struct err *why, bool is_final)
{
	struct leg *leg = owner;

	(void)link;
	if (leg->is_over)
		return;
	leg->facts->why = *why;
	leg->facts->took_ns = clock_now() - leg->probe->began;
	leg->is_over = is_final || why->kind != ERR_TIMEOUT;
}

static const struct link_ops link_ops = { on_up, on_peer, on_moved, on_down };

/* Nobody: an id that no job has. */
static int choose_peer(const struct relay_probe *p, struct link_config *config, struct err *err)
{
	struct secret nobody;

	if (p->config.job) {
		key_id(p->config.job, &config->id);
		key_tag(p->config.job, config->peer_tag.bytes);
		return 0;
	}
	if (key_random_secret(&nobody, err) < 0)
		return -1;
	memcpy(config->id.bytes, nobody.bytes, sizeof(config->id.bytes));
	memcpy(config->peer_tag.bytes, nobody.bytes, sizeof(config->peer_tag.bytes));
	return 0;
}

static void open_leg(struct relay_probe *p, struct leg *leg, struct leg_facts *facts)
{
	struct link_config config = {
		.loop = p->config.loop,
		.hub = p->config.hub,
		.site = p->config.site,
		.number = p->config.number * 2 + (leg == &p->tcp),
		.role = LINK_CLIENT,
		.udp = leg == &p->udp,
		.tcp = leg == &p->tcp,
		.ops = &link_ops,
		.owner = leg,
	};

	*leg = (struct leg){ .probe = p, .facts = facts };
	facts->is_tried = true;
	quic_tag_random(&config.tag);
	if (choose_peer(p, &config, &facts->why) == 0)
		leg->link = link_new(&config, &facts->why);
	leg->is_over = !leg->link;
}

struct relay_probe *relay_probe_new(const struct relay_probe_config *config, struct err *err)
{
	struct relay_probe *p = new_zero(struct relay_probe);

	(void)err;
	p->config = *config;
	p->began = clock_now();
	p->facts.site = config->site;
	p->facts.has_job = config->job != NULL;
	p->udp.is_over = p->tcp.is_over = true;
	/* A certificate of the web is for TCP (net/relay_site.h). */
	if (config->udp && !config->site->ca)
		open_leg(p, &p->udp, &p->facts.udp);
	if (config->tcp) {
		(void)!proxy_from_environment(config->site->host, &p->facts.proxy,
					      &p->facts.proxy_error);
		open_leg(p, &p->tcp, &p->facts.tcp);
	}
	look_up(p);
	return p;
}

static bool is_nat_done(const struct relay_probe *p)
{
	const struct nat_facts *nat = &p->facts.nat;

	return nat->asked.len == 0 || nat->by_that.len > 0 ||
	       clock_now() - p->first_asked_at >= NAT_FOR_NS;
}

static bool is_peer_done(const struct relay_probe *p)
{
	return !p->config.job || !p->up_at || p->facts.peer == PEER_HERE ||
	       clock_now() - p->up_at >= PEER_FOR_NS;
}

bool relay_probe_is_done(const struct relay_probe *p)
{
	bool is_late = p->up_at && clock_now() - p->began >= SILENT_NS;

	if (!p->has_name || !is_nat_done(p) || !is_peer_done(p))
		return false;
	return is_late || (p->udp.is_over && p->tcp.is_over);
}

void relay_probe_look(struct relay_probe *p)
{
	if (p->has_joined && !is_nat_done(p) && clock_now() - p->asked_at >= NAT_AGAIN_NS)
		hub_wake(&p->stun);
}

/* What a link knows beside what it told. */
static void complete(const struct leg *leg, struct leg_facts *facts)
{
	const struct err *why;

	if (!leg->link)
		return;
	facts->rtt_ns = facts->is_up ? link_rtt(leg->link) : 0;
	why = link_error(leg->link, leg == &leg->probe->tcp);
	if (!facts->is_up && facts->why.kind == ERR_NONE && why)
		facts->why = *why;
}

void relay_probe_tell(const struct relay_probe *p, struct findings *findings)
{
	struct relay_facts facts = p->facts;

	facts.limit_ns = clock_now() - p->began;
	complete(&p->udp, &facts.udp);
	complete(&p->tcp, &facts.tcp);
	diagnose_relay(&facts, findings);
}

void relay_probe_close(struct relay_probe *p)
{
	if (p->has_joined)
		hub_leave(&p->stun);
	p->has_joined = false;
	if (p->udp.link)
		link_close(p->udp.link, NULL, NULL);
	if (p->tcp.link)
		link_close(p->tcp.link, NULL, NULL);
	p->udp.link = p->tcp.link = NULL;
}

struct relay_probe *relay_probe_free(struct relay_probe *p)
{
	free(p);
	return NULL;
}
