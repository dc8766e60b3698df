/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/cmd/diagnose.h"

static struct relay_site site = { .host = (char *)(uintptr_t) "relay.example.org", .port = 443 };

static const struct leg_facts up = { .is_tried = true, .is_up = true, .took_ns = 1, .rtt_ns = 1 };
static const struct leg_facts silent = { .is_tried = true };

static struct leg_facts failed(enum err_kind kind, const char *text)
{
	struct leg_facts leg = { .is_tried = true, .took_ns = 1 };

	err_set(&leg.why, kind, "%s", text);
	return leg;
}

static struct quic_addr address(const char *text)
{
	struct quic_addr addr;

	assert_true(addr_parse(text, &addr));
	return addr;
}

static const struct finding *find(const struct findings *findings, const char *check)
{
	for (size_t i = 0; i < findings->len; i++) {
		if (strcmp(findings->items[i].check, check) == 0)
			return &findings->items[i];
	}
	return NULL;
}

/* Borrowed until the next call. */
static const struct finding *look(const struct relay_facts *facts, const char *check)
{
	static struct findings findings;
	struct relay_facts own = *facts;

	findings.len = 0;
	own.site = &site;
	own.is_number = true;
	diagnose_relay(&own, &findings);
	return find(&findings, check);
}

static void assert_says(const struct finding *finding, enum finding_level level, const char *words)
{
	assert_non_null(finding);
	assert_int_equal(finding->level, level);
	if (!strstr(finding->text, words))
		fail_msg("'%s' does not say '%s'", finding->text, words);
}

static void udp_is_blamed_only_if_the_relay_answers_by_tcp(void **state)
{
	const struct relay_facts blocked = { .udp = silent, .tcp = up };
	const struct relay_facts dark = { .udp = silent, .tcp = silent };

	(void)state;
	assert_says(look(&blocked, "udp"), FINDING_WARNING,
		    "UDP to relay.example.org:443 gets no answer: this network drops UDP; berth "
		    "uses TCP there, which is slower");
	assert_says(look(&blocked, "tcp"), FINDING_OK, "works");
	assert_says(look(&dark, "udp"), FINDING_FAILURE, "the relay is down");
	assert_says(look(&dark, "tcp"), FINDING_FAILURE, "the relay is down");
	assert_null(look(&dark, "token"));
}

static void who_refuses_was_reached(void **state)
{
	const struct err refused = { ERR_DENIED, 0, "the relay does not know this token" };
	struct relay_facts facts = { .udp = failed(refused.kind, refused.text),
				     .tcp = failed(refused.kind, refused.text) };

	(void)state;
	assert_says(look(&facts, "udp"), FINDING_OK, "works");
	assert_says(look(&facts, "tcp"), FINDING_OK, "works");
	assert_says(look(&facts, "token"), FINDING_FAILURE, "ask whoever runs it");
	facts.udp = facts.tcp = failed(ERR_LIMIT, "the relay is full");
	assert_says(look(&facts, "token"), FINDING_FAILURE, "try again later");
	facts.udp = up;
	assert_says(look(&facts, "token"), FINDING_OK, "admits us");
}

static void what_a_proxy_wants_is_not_taken_for_the_relay(void **state)
{
	struct relay_facts facts = {
		.udp = silent,
		.tcp = failed(ERR_DENIED, "the proxy p:3128 wants a user and a password"),
		.proxy = { .host = "p", .port = 3128, .variable = "https_proxy" },
	};

	(void)state;
	assert_says(look(&facts, "proxy"), FINDING_FAILURE, "wants a user and a password");
	assert_null(look(&facts, "token"));
	facts.udp = up;
	assert_says(look(&facts, "proxy"), FINDING_WARNING, "https_proxy");
	facts.tcp = up;
	assert_says(look(&facts, "proxy"), FINDING_OK, "which works");
	facts.tcp = silent;
	assert_says(look(&facts, "proxy"), FINDING_WARNING, "no_proxy");
	facts.proxy.host[0] = '\0';
	assert_null(look(&facts, "proxy"));
	err_set(&facts.proxy_error, ERR_UNSUPPORTED, "https_proxy: SOCKS is not supported");
	assert_says(look(&facts, "proxy"), FINDING_FAILURE, "SOCKS");
}

static void a_nat_is_known_by_two_mappings(void **state)
{
	struct relay_facts facts = { .udp = up, .nat.seen = address("203.0.113.9:4000") };

	(void)state;
	assert_says(look(&facts, "nat"), FINDING_NOTE, "--listen2");
	facts.nat.asked = address("203.0.113.51:443");
	assert_says(look(&facts, "nat"), FINDING_NOTE, "gives no answer");
	facts.nat.by_that = address("203.0.113.9:4000");
	assert_says(look(&facts, "nat"), FINDING_OK, "to everybody");
	facts.nat.by_that = address("203.0.113.9:4001");
	assert_says(look(&facts, "nat"), FINDING_NOTE, "symmetric");
	facts.nat.is_own = true;
	assert_says(look(&facts, "nat"), FINDING_OK, "no NAT");
	facts.nat = (struct nat_facts){ 0 };
	assert_null(look(&facts, "nat"));
}

static void names_say_what_is_wrong_with_them(void **state)
{
	struct relay_facts facts = { .site = &site, .limit_ns = 4000000000 };
	struct findings findings = { 0 };

	(void)state;
	diagnose_relay(&facts, &findings);
	assert_says(find(&findings, "name"), FINDING_FAILURE, "no answer within 4.0 s");
	findings.len = 0;
	err_set(&facts.unresolved, ERR_NOT_FOUND, "there is no relay.example.org");
	diagnose_relay(&facts, &findings);
	assert_says(find(&findings, "name"), FINDING_FAILURE, "check the name");
	findings.len = 0;
	facts.is_resolved = true;
	snprintf(facts.addresses, sizeof(facts.addresses), "203.0.113.50");
	diagnose_relay(&facts, &findings);
	assert_says(find(&findings, "name"), FINDING_OK, "is 203.0.113.50");
}

static void a_job_that_is_not_at_the_relay_is_a_warning(void **state)
{
	struct relay_facts facts = { .udp = up, .tcp = up, .has_job = true, .peer = PEER_AWAY };

	(void)state;
	assert_says(look(&facts, "meeting"), FINDING_WARNING, "not registered");
	facts.peer = PEER_HERE;
	assert_says(look(&facts, "meeting"), FINDING_OK, "registered");
	facts.has_job = false;
	assert_null(look(&facts, "meeting"));
}

static void a_way_that_fails_is_worse_where_no_other_works(void **state)
{
	struct way_facts ways[] = { { .kind = PATH_DIRECT }, { .kind = PATH_RELAY } };
	struct findings findings = { 0 };

	(void)state;
	err_set(&ways[0].why, ERR_UNAVAILABLE, "nobody listens");
	diagnose_ways(ways, 2, &findings);
	assert_says(find(&findings, "direct"), FINDING_FAILURE, "nobody listens");
	assert_says(find(&findings, "relay"), FINDING_FAILURE, "no answer");
	assert_null(find(&findings, "mtu"));
	assert_int_equal(findings_status(&findings), 2);
	findings.len = 0;
	ways[1].is_up = true;
	ways[1].datagram = 1200;
	diagnose_ways(ways, 2, &findings);
	assert_says(find(&findings, "direct"), FINDING_WARNING, "nobody listens");
	assert_says(find(&findings, "relay"), FINDING_OK, "proves its key");
	assert_says(find(&findings, "mtu"), FINDING_NOTE, "1200");
	assert_int_equal(findings_status(&findings), 1);
	findings.len = 0;
	ways[0].missing = "not allowed";
	ways[1].datagram = 1452;
	diagnose_ways(ways, 2, &findings);
	assert_says(find(&findings, "direct"), FINDING_NOTE, "not allowed");
	assert_says(find(&findings, "mtu"), FINDING_OK, "1452");
	assert_int_equal(findings_status(&findings), 0);
}

static void what_others_sent_cannot_act_on_a_terminal(void **state)
{
	const struct relay_facts facts = { .udp = up,
					   .tcp = failed(ERR_UNAVAILABLE, "\033[2Jgone\n") };
	const struct finding *finding = look(&facts, "tcp");

	(void)state;
	assert_says(finding, FINDING_WARNING, "gone");
	assert_null(strchr(finding->text, '\033'));
	assert_null(strchr(finding->text, '\n'));
}

static void too_many_findings_overwrite_the_last(void **state)
{
	static struct findings findings;

	(void)state;
	for (size_t i = 0; i < FINDINGS_MAX + 3; i++)
		finding_say(findings_add(&findings, "udp", ""), FINDING_OK, "%zu", i);
	assert_int_equal(findings.len, FINDINGS_MAX);
	assert_string_equal(findings.items[FINDINGS_MAX - 1].text, "162");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_is_blamed_only_if_the_relay_answers_by_tcp),
		cmocka_unit_test(who_refuses_was_reached),
		cmocka_unit_test(what_a_proxy_wants_is_not_taken_for_the_relay),
		cmocka_unit_test(a_nat_is_known_by_two_mappings),
		cmocka_unit_test(names_say_what_is_wrong_with_them),
		cmocka_unit_test(a_job_that_is_not_at_the_relay_is_a_warning),
		cmocka_unit_test(a_way_that_fails_is_worse_where_no_other_works),
		cmocka_unit_test(what_others_sent_cannot_act_on_a_terminal),
		cmocka_unit_test(too_many_findings_overwrite_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
