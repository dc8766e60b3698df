/* SPDX-License-Identifier: MIT */
/* From what was measured to sentences; see diagnose.h. */
#include "diagnose.h"

#include <stdio.h>
#include <string.h>

#include "tunnel/wire/relay.h"

#define NS_PER_MS 1e6
/* Below this a tunnel or a VPN takes more of each packet than is usual. */
#define DATAGRAM_GOOD 1350

#define AT_MAX (FINDING_TARGET_MAX + 8)

static void format_at(const struct relay_site *site, char out[AT_MAX])
{
	bool is_v6 = strchr(site->host, ':') != NULL;

	snprintf(out, AT_MAX, "%s%s%s:%u", is_v6 ? "[" : "", site->host, is_v6 ? "]" : "",
		 site->port);
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static bool is_silent(const struct leg_facts *leg)
{
	return !leg->is_up && (leg->why.kind == ERR_NONE || leg->why.kind == ERR_TIMEOUT);
}

/* What the relay itself said no with; its words are the protocol's (wire/relay.h). */
static bool is_refusal(const struct err *why)
{
	for (unsigned int code = RELAY_CODE_TOKEN; code <= RELAY_CODE_TOO_OFTEN; code++) {
		if (why->kind != ERR_NONE &&
		    strstr(why->text, relay_code_text((enum relay_code)code)))
			return true;
	}
	return false;
}

/* Whoever refuses was reached. */
static bool is_reached(const struct leg_facts *leg)
{
	return leg->is_up || is_refusal(&leg->why);
}

static void tell_name(const struct relay_facts *facts, struct findings *findings)
{
	const struct relay_site *site = facts->site;
	struct finding *f;

	if (facts->is_number)
		return;
	f = findings_add(findings, "name", site->host);
	f->took_ns = facts->resolve_ns;
	if (facts->is_resolved)
		finding_say(f, FINDING_OK, "%s is %s", site->host, facts->addresses);
	else if (facts->unresolved.kind != ERR_NONE)
		finding_say(f, FINDING_FAILURE, "%s: check the name, and /etc/resolv.conf",
			    facts->unresolved.text);
	else
		finding_say(f, FINDING_FAILURE,
			    "%s: the name server gives no answer within %.1f s: look at "
			    "/etc/resolv.conf, or whether this network wants to be logged in to",
			    site->host, seconds(facts->limit_ns));
}

static void tell_silent_udp(const struct relay_facts *facts, struct finding *f)
{
	if (is_reached(&facts->tcp))
		finding_say(f, FINDING_WARNING,
			    "UDP to %s gets no answer: this network drops UDP; berth uses TCP "
			    "there, which is slower",
			    f->target);
	else
		finding_say(f, FINDING_FAILURE,
			    "UDP to %s gets no answer: the relay is down, has another key, or "
			    "this network lets nothing through to it",
			    f->target);
}

static void tell_udp(const struct relay_facts *facts, struct findings *findings)
{
	const struct leg_facts *udp = &facts->udp;
	char at[AT_MAX];
	struct finding *f;

	if (!udp->is_tried)
		return;
	format_at(facts->site, at);
	f = findings_add(findings, "udp", at);
	f->took_ns = udp->took_ns;
	if (udp->is_up && udp->rtt_ns)
		finding_say(f, FINDING_OK,
			    "UDP to %s works, and the relay proves its key; a round trip takes "
			    "%.1f ms",
			    at, (double)udp->rtt_ns / NS_PER_MS);
	else if (is_reached(udp))
		finding_say(f, FINDING_OK, "UDP to %s works, and the relay proves its key", at);
	else if (is_silent(udp))
		tell_silent_udp(facts, f);
	else
		finding_say(f, is_reached(&facts->tcp) ? FINDING_WARNING : FINDING_FAILURE,
			    "UDP to %s does not work: %s", at, udp->why.text);
}

static void tell_silent_tcp(const struct relay_facts *facts, struct finding *f)
{
	const char *through = facts->proxy.host[0] ? " through the proxy" : "";

	if (is_reached(&facts->udp))
		finding_say(f, FINDING_WARNING,
			    "TCP to %s%s gets no answer: a firewall drops it; berth uses UDP, and "
			    "has nothing to fall back on where that is blocked",
			    f->target, through);
	else
		finding_say(f, FINDING_FAILURE,
			    "TCP to %s%s gets no answer: the relay is down, or this network lets "
			    "nothing through to it",
			    f->target, through);
}

static void tell_tcp(const struct relay_facts *facts, struct findings *findings)
{
	const struct leg_facts *tcp = &facts->tcp;
	char at[AT_MAX];
	struct finding *f;

	if (!tcp->is_tried)
		return;
	format_at(facts->site, at);
	f = findings_add(findings, "tcp", at);
	f->took_ns = tcp->took_ns;
	if (is_reached(tcp))
		finding_say(f, FINDING_OK, "TCP to %s works%s", at,
			    facts->proxy.host[0] ? ", through the proxy" : "");
	else if (is_silent(tcp) && tcp->why.kind == ERR_NONE)
		tell_silent_tcp(facts, f);
	else
		finding_say(f, is_reached(&facts->udp) ? FINDING_WARNING : FINDING_FAILURE,
			    "TCP to %s does not work: %s", at, tcp->why.text);
}

static void tell_proxy(const struct relay_facts *facts, struct findings *findings)
{
	const struct proxy *proxy = &facts->proxy;
	const struct leg_facts *tcp = &facts->tcp;
	struct finding *f;

	if (facts->proxy_error.kind != ERR_NONE) {
		f = findings_add(findings, "proxy", facts->site->host);
		finding_say(f, FINDING_FAILURE, "%s", facts->proxy_error.text);
	}
	if (!proxy->host[0] || !tcp->is_tried)
		return;
	f = findings_add(findings, "proxy", proxy->host);
	f->took_ns = tcp->took_ns;
	if (is_reached(tcp))
		finding_say(f, FINDING_OK, "%s leads through the proxy %s:%u, which works",
			    proxy->variable, proxy->host, proxy->port);
	else if (tcp->why.kind != ERR_NONE)
		finding_say(f, is_reached(&facts->udp) ? FINDING_WARNING : FINDING_FAILURE,
			    "%s leads through the proxy %s:%u: %s", proxy->variable, proxy->host,
			    proxy->port, tcp->why.text);
	else
		finding_say(f, is_reached(&facts->udp) ? FINDING_WARNING : FINDING_FAILURE,
			    "%s leads through the proxy %s:%u, which does not answer: correct the "
			    "variable, or put %s into no_proxy",
			    proxy->variable, proxy->host, proxy->port, facts->site->host);
}

static void tell_token(const struct relay_facts *facts, struct findings *findings)
{
	const struct leg_facts *udp = &facts->udp, *tcp = &facts->tcp;
	const struct err *why = is_refusal(&udp->why) ? &udp->why : &tcp->why;
	struct finding *f;

	if (!is_reached(udp) && !is_reached(tcp))
		return;
	f = findings_add(findings, "token", facts->site->host);
	f->took_ns = is_reached(udp) ? udp->took_ns : tcp->took_ns;
	if (udp->is_up || tcp->is_up)
		finding_say(f, FINDING_OK, "%s admits us by its token", facts->site->host);
	else if (why->kind == ERR_DENIED)
		finding_say(f, FINDING_FAILURE,
			    "%s does not admit us: %s; ask whoever runs it for another token "
			    "('berth-tunnel relay token' makes one)",
			    facts->site->host, why->text);
	else
		finding_say(f, FINDING_FAILURE, "%s does not admit us now: %s; try again later",
			    facts->site->host, why->text);
}

static void tell_mappings(const struct nat_facts *nat, struct finding *f)
{
	char seen[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];

	addr_format(&nat->seen, seen);
	if (nat->by_that.len == 0) {
		finding_say(f, FINDING_NOTE,
			    "behind a NAT that shows us as %s; what kind it is, the relay cannot "
			    "tell%s",
			    seen,
			    nat->asked.len ? ": its second address gives no answer"
					   : " without a second address (--listen2)");
		return;
	}
	addr_format(&nat->by_that, other);
	if (addr_equal(&nat->seen, &nat->by_that))
		finding_say(f, FINDING_OK,
			    "behind a NAT that shows us as %s to everybody: direct connections "
			    "are mostly possible",
			    seen);
	else
		finding_say(f, FINDING_NOTE,
			    "behind a symmetric NAT: one peer sees us as %s, another as %s; "
			    "direct connections work only if the other side's network is easier, "
			    "else berth goes by the relay",
			    seen, other);
}

static void tell_nat(const struct relay_facts *facts, struct findings *findings)
{
	const struct nat_facts *nat = &facts->nat;
	char seen[ADDR_TEXT_MAX];
	struct finding *f;

	if (nat->seen.len == 0)
		return;
	f = findings_add(findings, "nat", facts->site->host);
	f->took_ns = nat->took_ns;
	addr_format(&nat->seen, seen);
	if (nat->is_own)
		finding_say(f, FINDING_OK, "no NAT: %s sees us at our own address %s",
			    facts->site->host, seen);
	else
		tell_mappings(nat, f);
}

static void tell_peer(const struct relay_facts *facts, struct findings *findings)
{
	struct finding *f;

	if (!facts->has_job || facts->peer == PEER_UNKNOWN)
		return;
	f = findings_add(findings, "meeting", facts->site->host);
	if (facts->peer == PEER_HERE)
		finding_say(f, FINDING_OK, "the job is registered at %s", facts->site->host);
	else
		finding_say(f, FINDING_WARNING,
			    "the job is not registered at %s: it has ended, has only just "
			    "started, or its node does not get there (its tunnel.RANK.log says "
			    "why)",
			    facts->site->host);
}

void diagnose_relay(const struct relay_facts *facts, struct findings *findings)
{
	tell_name(facts, findings);
	tell_udp(facts, findings);
	tell_tcp(facts, findings);
	tell_proxy(facts, findings);
	tell_token(facts, findings);
	tell_nat(facts, findings);
	tell_peer(facts, findings);
}

/* The ways to the job */

static void tell_way(const struct way_facts *way, bool another_works, struct findings *findings)
{
	const char *name = path_kind_name(way->kind);
	enum finding_level bad = another_works ? FINDING_WARNING : FINDING_FAILURE;
	struct finding *f = findings_add(findings, name, "");

	f->took_ns = way->took_ns;
	if (way->missing)
		finding_say(f, FINDING_NOTE, "%s: %s", name, way->missing);
	else if (way->is_up)
		finding_say(f, FINDING_OK, "%s: the job proves its key; a round trip takes %.1f ms",
			    name, (double)way->rtt_ns / NS_PER_MS);
	else if (way->why.kind != ERR_NONE)
		finding_say(f, bad, "%s: %s", name, way->why.text);
	else
		finding_say(f, bad, "%s: no answer from the job within %.1f s", name,
			    seconds(way->limit_ns));
}

/* The first that works is what berth would take: the caller has them best first. */
static void tell_mtu(const struct way_facts *way, struct findings *findings)
{
	const char *name = path_kind_name(way->kind);
	struct finding *f = findings_add(findings, "mtu", name);

	if (way->datagram >= DATAGRAM_GOOD)
		finding_say(f, FINDING_OK, "packets of %zu bytes get through (%s)", way->datagram,
			    name);
	else
		finding_say(f, FINDING_NOTE,
			    "packets of %zu bytes get through (%s), larger ones did not in this "
			    "time: a tunnel or a VPN on the way makes them smaller, which costs "
			    "some speed",
			    way->datagram, name);
}

void diagnose_ways(const struct way_facts *ways, size_t len, struct findings *findings)
{
	const struct way_facts *best = NULL;

	for (size_t i = 0; i < len; i++) {
		if (!best && ways[i].is_up)
			best = &ways[i];
	}
	for (size_t i = 0; i < len; i++)
		tell_way(&ways[i], best != NULL, findings);
	if (best)
		tell_mtu(best, findings);
}
