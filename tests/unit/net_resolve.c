/* SPDX-License-Identifier: MIT */
/* Names by c-ares on the loop, asked from a name server of the test's own. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/base/macro.h"
#include "tunnel/net/resolve.h"

/*
 * A name server on loopback: "host.test" is 10.9.8.7, other names do not exist, "silent" gets no
 * answer.
 */
struct world {
	uv_loop_t loop;
	uv_poll_t poll;
	uv_timer_t limit;
	int fd;
	char servers[64];
	unsigned int questions;
	struct resolver *resolver;
	bool resolver_closed;
	unsigned int answers, failures;
	struct resolve_list list;
	struct err why;
};

static struct world world;

/*
 * Answers a question (RFC 1035 section 4.1): the header and question back, and one A record for it.
 */
static void on_question(uv_poll_t *poll, int status, int events)
{
	/* A pointer to the name of the question, A, IN, 60 s, 4 bytes. */
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 8, 7 };
	uint8_t packet[512 + sizeof(record)];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(world.fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
	size_t end = 12, len;
	bool known, is_a;

	(void)poll;
	(void)status;
	(void)events;
	if (n < 17)
		return;
	world.questions++;
	while (packet[end] != 0)
		end += packet[end] + 1U;
	len = end + 5;
	assert_true(len <= (size_t)n);
	if (packet[12] == 6 && memcmp(packet + 13, "silent", 6) == 0)
		return;
	known = packet[12] == 4 && memcmp(packet + 13, "host", 4) == 0;
	is_a = packet[end + 2] == 1;
	packet[2] = 0x81;
	packet[3] = known ? 0x80 : 0x83;
	memset(packet + 6, 0, 6);
	if (known && is_a) {
		packet[7] = 1;
		memcpy(packet + len, record, sizeof(record));
		len += sizeof(record);
	}
	assert_int_equal(sendto(world.fd, packet, len, 0, (struct sockaddr *)&from, from_len), len);
}

static void on_limit(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("no answer in 20 s");
}

static int open_world(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	(void)state;
	memset(&world, 0, sizeof(world));
	world.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(world.fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(world.servers, sizeof(world.servers), "127.0.0.1:%u", ntohs(addr.sin_port));
	assert_int_equal(uv_loop_init(&world.loop), 0);
	assert_int_equal(uv_poll_init(&world.loop, &world.poll, world.fd), 0);
	uv_poll_start(&world.poll, UV_READABLE, on_question);
	uv_timer_init(&world.loop, &world.limit);
	uv_timer_start(&world.limit, on_limit, 20000, 0);
	world.resolver =
		resolver_new(&world.loop, &(struct resolve_sources){ .hosts = "/dev/null",
								     .servers = world.servers });
	return 0;
}

static void on_closed(void *owner)
{
	(void)owner;
	world.resolver_closed = true;
}

static int close_world(void **state)
{
	(void)state;
	resolver_close(world.resolver, on_closed, NULL);
	uv_close((uv_handle_t *)&world.poll, NULL);
	uv_close((uv_handle_t *)&world.limit, NULL);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_true(world.resolver_closed);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	close(world.fd);
	return 0;
}

static void on_done(void *owner, const struct resolve_list *list, const struct err *why)
{
	assert_ptr_equal(owner, &world);
	if (list) {
		world.list = *list;
		world.answers++;
	} else {
		world.why = *why;
		world.failures++;
	}
}

static void a_name_is_asked_from_the_server(void **state)
{
	char text[64];

	(void)state;
	assert_non_null(resolver_query(world.resolver, "host.test", 80, on_done, &world));
	while (world.answers + world.failures == 0)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.answers, 1);
	assert_int_equal(world.list.len, 1);
	assert_int_equal(world.list.items[0].any.sa_family, AF_INET);
	assert_int_equal(ntohs(world.list.items[0].v4.sin_port), 80);
	inet_ntop(AF_INET, &world.list.items[0].v4.sin_addr, text, sizeof(text));
	assert_string_equal(text, "10.9.8.7");
}

static void a_name_that_does_not_exist_says_so(void **state)
{
	(void)state;
	assert_non_null(resolver_query(world.resolver, "nobody.test", 80, on_done, &world));
	while (world.answers + world.failures == 0)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.why.kind, ERR_PROTOCOL);
	assert_non_null(strstr(world.why.text, "cannot resolve nobody.test: "));
}

static void a_cancelled_query_is_never_answered(void **state)
{
	struct resolve_query *query;

	(void)state;
	query = resolver_query(world.resolver, "host.test", 80, on_done, &world);
	assert_non_null(query);
	resolve_cancel(query);
	assert_non_null(resolver_query(world.resolver, "host2.test", 80, on_done, &world));
	while (world.answers + world.failures == 0)
		uv_run(&world.loop, UV_RUN_ONCE);
	/* Only the other one. */
	assert_int_equal(world.answers + world.failures, 1);
	assert_true(world.questions >= 2);
}

static void a_resolver_may_be_closed_while_it_waits(void **state)
{
	(void)state;
	assert_non_null(resolver_query(world.resolver, "silent.test", 80, on_done, &world));
	while (world.questions == 0)
		uv_run(&world.loop, UV_RUN_ONCE);
	/* close_world() closes it: no callback, no handle left, no leak. */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_asked_from_the_server),
		TEST(a_name_that_does_not_exist_says_so),
		TEST(a_cancelled_query_is_never_answered),
		TEST(a_resolver_may_be_closed_while_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
