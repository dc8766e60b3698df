/* SPDX-License-Identifier: MIT */
/* Paths over byte streams: the job's listener and the workstation's end, in one loop. */
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/stream_parties.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/path_stream.h"
#include "tunnel/net/stream_listener.h"

static struct end {
	struct path *path;
	bool is_over;
	size_t bytes, writable;
	struct quic_path seen;
	struct err why;
} client, server;
static struct stream_listener *listener;
static size_t accepted;

static void on_received(struct path *path, void *user, const struct udp_datagrams *d)
{
	struct end *end = user;

	(void)path;
	end->bytes += d->bytes.len;
	end->seen = d->path;
}

static void on_writable(struct path *path, void *user)
{
	struct end *end = user;

	(void)path;
	end->writable++;
}

static void on_refused(struct path *path, void *user)
{
	(void)path;
	(void)user;
}

static void on_over(struct path *path, void *user, const struct err *why)
{
	struct end *end = user;

	(void)path;
	end->is_over = true;
	end->why = *why;
}

static const struct path_user_ops ops = {
	.received = on_received,
	.writable = on_writable,
	.refused = on_refused,
	.over = on_over,
};

static void on_accepted(void *owner, struct path *path)
{
	(void)owner;
	accepted++;
	path_close(server.path);
	server = (struct end){ .path = path };
	path_use(path, &ops, &server);
}

static void listen_at(const char *text)
{
	struct stream_listener_config config = { .loop = &parties_loop, .accepted = on_accepted };
	struct err err;

	assert_true(addr_parse_listen(text, &config.listen));
	listener = stream_listener_new(&config, &err);
	assert_non_null(listener);
}

static void add_port(struct addr_list *list, uint16_t port)
{
	struct quic_addr to = addr_any(AF_INET, port);

	to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(addr_list_add(list, &to));
}

static uint16_t our_port(void)
{
	return addr_port(stream_listener_local(listener));
}

static void dial(const struct addr_list *list)
{
	struct path_stream_config config = { .loop = &parties_loop, .to = list };

	client = (struct end){ .path = path_stream_new(&config) };
	assert_true(client.path->blocked);
	path_use(client.path, &ops, &client);
}

static int set_up(void **state)
{
	(void)state;
	parties_open();
	client = server = (struct end){ 0 };
	accepted = 0;
	listen_at("127.0.0.1:0");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	path_close(client.path);
	path_close(server.path);
	stream_listener_close(listener);
	parties_close();
	return 0;
}

static bool both_up(void)
{
	return client.writable > 0 && server.path && !client.path->blocked;
}

static bool both_heard(void)
{
	return client.bytes >= 12000 && server.bytes >= 12000;
}

static bool client_over(void)
{
	return client.is_over;
}

static bool server_over(void)
{
	return server.is_over;
}

static void exchange(void)
{
	static struct quic_batch batch = { .segment = 1200, .len = 12000 };

	parties_until(both_up);
	client.bytes = server.bytes = 0;
	assert_true(path_send(client.path, &batch));
	assert_true(path_send(server.path, &batch));
	parties_until(both_heard);
	assert_true(quic_addr_equal(&client.seen.local, &client.path->address.local));
	assert_true(quic_addr_equal(&server.seen.remote, &server.path->address.remote));
}

static void datagrams_go_both_ways(void **state)
{
	struct addr_list list = { 0 };

	(void)state;
	add_port(&list, our_port());
	dial(&list);
	exchange();
	assert_int_equal(client.path->kind, PATH_LOGIN);
	assert_int_equal(server.path->kind, PATH_LOGIN);
	/* Each path has addresses of its own, which no other has. */
	assert_false(quic_addr_equal(&client.path->address.remote, &server.path->address.remote));
	assert_int_equal(quic_addr_link(&server.path->address.remote), PATH_LINK_LOGIN);
}

static void a_program_leads_there_in_place_of_tcp(void **state)
{
	/* HOST:PORT is its last word, and here what bash connects to. */
	static const char *const through[] = {
		"bash", "-c", "exec 3<>/dev/tcp/${1%:*}/${1##*:}; cat <&3 >&1 & exec cat >&3",
		"stream", NULL
	};
	struct addr_list list = { 0 };
	struct path_stream_config config = { .loop = &parties_loop,
					     .through = through,
					     .to = &list };

	(void)state;
	add_port(&list, our_port());
	client = (struct end){ .path = path_stream_new(&config) };
	path_use(client.path, &ops, &client);
	exchange();
}

static void an_address_where_nobody_listens_costs_nothing(void **state)
{
	struct addr_list list = { 0 };

	(void)state;
	add_port(&list, 1);
	add_port(&list, our_port());
	dial(&list);
	exchange();
}

static void where_nobody_listens_at_all_it_is_over(void **state)
{
	struct addr_list list = { 0 }, none = { 0 };

	(void)state;
	add_port(&list, 1);
	add_port(&list, 2);
	dial(&list);
	parties_until(client_over);
	assert_non_null(strstr(client.why.text, "Connection refused"));
	path_close(client.path);
	dial(&none);
	parties_until(client_over);
	assert_string_equal(client.why.text, "the job does not listen on TCP");
}

static bool accepted_twice(void)
{
	return accepted == 2;
}

static void a_lost_stream_is_dialled_again(void **state)
{
	struct addr_list list = { 0 };

	(void)state;
	add_port(&list, our_port());
	dial(&list);
	exchange();
	client.writable = 0;
	path_close(server.path);
	server.path = NULL;
	parties_until(accepted_twice);
	exchange();
	assert_false(client.is_over);
}

static void renewing_changes_the_address_and_the_stream(void **state)
{
	struct addr_list list = { 0 };
	struct quic_addr before;
	struct err err;

	(void)state;
	add_port(&list, our_port());
	dial(&list);
	exchange();
	before = client.path->address.local;
	assert_int_equal(path_renew(client.path, &err), 0);
	assert_false(quic_addr_equal(&before, &client.path->address.local));
	/* The old stream carries on until the new one is there. */
	assert_false(client.path->blocked);
	client.writable = 0;
	parties_until(accepted_twice);
	exchange();
}

static void the_job_hears_that_the_stream_is_gone(void **state)
{
	struct addr_list list = { 0 };

	(void)state;
	add_port(&list, our_port());
	dial(&list);
	exchange();
	path_close(client.path);
	client.path = NULL;
	parties_until(server_over);
	assert_int_equal(path_renew(server.path, &server.why), -1);
}

static void a_port_that_is_taken_is_replaced(void **state)
{
	struct stream_listener *first = listener;
	char text[ADDR_TEXT_MAX];

	(void)state;
	addr_format(stream_listener_local(first), text);
	listen_at(text);
	assert_int_not_equal(our_port(), addr_port(stream_listener_local(first)));
	stream_listener_close(first);
}

static void as_many_streams_as_there_may_be(void **state)
{
	struct quic_addr to = *stream_listener_local(listener);
	int fds[STREAM_LISTENER_MAX + 8];
	size_t open = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(fds[i], &to.any, to.len), 0);
	}
	/* The last one is closed at once. */
	while (recv(fds[ARRAY_LEN(fds) - 1], &(char){ 0 }, 1, MSG_DONTWAIT) != 0)
		uv_run(&parties_loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		open += recv(fds[i], &(char){ 0 }, 1, MSG_DONTWAIT) < 0;
		close(fds[i]);
	}
	assert_int_equal(open, STREAM_LISTENER_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(datagrams_go_both_ways),
		TEST(a_program_leads_there_in_place_of_tcp),
		TEST(an_address_where_nobody_listens_costs_nothing),
		TEST(where_nobody_listens_at_all_it_is_over),
		TEST(a_lost_stream_is_dialled_again),
		TEST(renewing_changes_the_address_and_the_stream),
		TEST(the_job_hears_that_the_stream_is_gone),
		TEST(a_port_that_is_taken_is_replaced),
		TEST(as_many_streams_as_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
