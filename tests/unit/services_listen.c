/* SPDX-License-Identifier: MIT */
/* The job listens for the workstation: real sockets, a real loop, fake streams. */
#include "tests/unit/services_world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/fs.h"
#include "tests/unit/unit.h"
#include "tunnel/net/clock.h"
#include "tunnel/wire/listen.h"

#define PEERS_MAX 600

static struct world world;
static char dir[64], runtime[96];
static char *environment[] = { runtime, NULL };
static int peers[PEERS_MAX];
static size_t peers_len;

static void open_with(const struct service_config *config)
{
	struct service_config c = *config;

	snprintf(dir, sizeof(dir), "/tmp/berth-listen-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s", dir);
	c.environment = environment;
	c.dir = "/nowhere";
	world_open(&world, &c);
	peers_len = 0;
}

static int open_world(void **state)
{
	(void)state;
	open_with(&(struct service_config){ 0 });
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	while (peers_len > 0)
		fd_close(peers[--peers_len]);
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
	return 0;
}

/* What the client of a /listen stream was told. */
struct told {
	char address[256];
	uint16_t port;
	uint64_t ids[PEERS_MAX];
	char from[64];
	size_t ids_len;
};

static bool no_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static int note(void *user, uint64_t type, struct span value, struct err *err)
{
	struct listen_address a;
	struct told *told = user;

	if (type == LISTEN_LISTENING) {
		assert_int_equal(listen_listening_parse(value, &a, err), 0);
		snprintf(told->address, sizeof(told->address), "%.*s", (int)a.address.len,
			 a.address.len ? (const char *)a.address.ptr : "");
		told->port = a.port;
	} else {
		assert_int_equal(type, LISTEN_ACCEPTED);
		assert_int_equal(listen_accepted_parse(value, &told->ids[told->ids_len++], &a, err),
				 0);
		snprintf(told->from, sizeof(told->from), "%.*s", (int)a.address.len,
			 a.address.len ? (const char *)a.address.ptr : "");
	}
	return 0;
}

static struct told read_told(struct client *c)
{
	static const struct capsule_ops ops = { .is_stream = no_stream, .whole = note };
	struct told told = { .ids_len = 0 };
	struct capsule_reader reader;

	capsule_reader_init(&reader, &ops, &told, LISTEN_VALUE_MAX);
	assert_int_equal(capsule_reader_feed(&reader, buf_span(&c->out), NULL), 0);
	capsule_reader_finish(&reader);
	return told;
}

static struct client *ask(void)
{
	static const struct h3_request request = { .method = "CONNECT",
						   .protocol = "berth-listen",
						   .authority = "job",
						   .path = "/listen" };

	return world_request(&world, &request);
}

static struct client *listen_on(enum listen_kind kind, const char *address, uint16_t port)
{
	const struct listen_start start = { kind, span_of_str(address), port };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct client *c = ask();

	assert_true(listen_start_format(&start, &b));
	client_send(c, buf_span(&b));
	world_run(&world, 5);
	return c;
}

static struct client *listening_on(enum listen_kind kind, const char *address, uint16_t port)
{
	struct client *c = listen_on(kind, address, port);

	assert_string_equal(buf_str(&c->stream->error), "");
	assert_int_equal(c->stream->status, 200);
	return c;
}

static void assert_refused(struct client *c, int status, const char *words)
{
	assert_int_equal(c->stream->status, status);
	assert_non_null(strstr(buf_str(&c->stream->error), words));
}

static int try_connect(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1;
	int r;

	if (address[0] == '/') {
		assert_true(strlen(address) < sizeof(path.sun_path));
		memcpy(path.sun_path, address, strlen(address) + 1);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = connect(fd, (struct sockaddr *)&path, sizeof(path));
	} else if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	} else {
		inet_pton(AF_INET6, address, &v6.sin6_addr);
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = connect(fd, (struct sockaddr *)&v6, sizeof(v6));
	}
	return r < 0 ? -1 : take_fd(fd);
}

static int connect_peer(const char *address, uint16_t port)
{
	int fd = try_connect(address, port);

	assert_true(fd >= 0);
	assert_int_equal(fd_set_nonblock(fd, true, NULL), 0);
	peers[peers_len++] = fd;
	return fd;
}

static struct client *fetch(uint64_t id)
{
	char path[64];
	const struct h3_request request = {
		.method = "CONNECT", .protocol = "berth-accept", .authority = "job", .path = path
	};

	snprintf(path, sizeof(path), "/accept/%llu", (unsigned long long)id);
	return world_request(&world, &request);
}

static char got[64];
static size_t got_len;

/* Reads what came to the last peer, up to its end. */
static bool peer_has_end(struct world *w)
{
	ssize_t n;

	(void)w;
	while ((n = read(peers[peers_len - 1], got + got_len, sizeof(got) - 1 - got_len)) > 0)
		got_len += (size_t)n;
	got[got_len] = '\0';
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static size_t wanted_ids;

static bool has_ids(struct world *w)
{
	return read_told(&w->clients[0]).ids_len >= wanted_ids;
}

static struct told wait_for_ids(size_t len)
{
	wanted_ids = len;
	world_wait(&world, has_ids);
	return read_told(&world.clients[0]);
}

static void a_connection_is_announced_and_fetched_and_has_two_ends(void **state)
{
	struct told told = read_told(listening_on(LISTEN_TCP, "127.0.0.1", 0));
	struct client *c;

	(void)state;
	assert_string_equal(told.address, "127.0.0.1");
	assert_true(told.port > 0);
	got_len = 0;
	connect_peer("127.0.0.1", told.port);
	/* What is said before the connection is fetched is kept. */
	assert_int_equal(write(peers[0], "early", 5), 5);
	told = wait_for_ids(1);
	assert_string_equal(told.from, "127.0.0.1");
	c = fetch(told.ids[0]);
	assert_int_equal(c->stream->status, 200);
	client_send(c, span_of_str("answer"));
	fake_h3_send_end(c->stream);
	world_wait(&world, peer_has_end);
	assert_string_equal(got, "answer");
	assert_false(c->stream->ended);
	assert_int_equal(write(peers[0], " late", 5), 5);
	assert_int_equal(shutdown(peers[0], SHUT_WR), 0);
	while (!c->stream->ended)
		world_run(&world, 1);
	world_run(&world, 1);
	assert_string_equal(buf_str(&c->out), "early late");
}

static void a_connection_is_fetched_once(void **state)
{
	struct told told = read_told(listening_on(LISTEN_TCP, "localhost", 0));

	(void)state;
	connect_peer("127.0.0.1", told.port);
	told = wait_for_ids(1);
	assert_int_equal(fetch(told.ids[0])->stream->status, 200);
	assert_refused(fetch(told.ids[0]), 404, "was fetched, or waited too long");
	assert_refused(fetch(told.ids[0] ^ 1), 404, "was fetched");
}

static void localhost_is_both_loopbacks_at_one_port(void **state)
{
	struct told told = read_told(listening_on(LISTEN_TCP, "localhost", 0));
	int fd;

	(void)state;
	connect_peer("127.0.0.1", told.port);
	fd = try_connect("::1", told.port);
	if (fd < 0)
		skip(); /* a machine without IPv6 */
	peers[peers_len++] = fd;
	told = wait_for_ids(2);
	assert_true(told.ids[0] != told.ids[1]);
	assert_string_equal(told.from, "::1");
}

static void what_cannot_be_listened_on_is_told(void **state)
{
	struct told told = read_told(listening_on(LISTEN_TCP, "127.0.0.1", 0));

	(void)state;
	assert_refused(listen_on(LISTEN_TCP, "", 0), 403, "not on this job's allow list");
	assert_refused(listen_on(LISTEN_TCP, "127.0.0.1", told.port), 409, "in use");
}

static void a_unix_socket_is_for_its_user_and_goes_with_the_stream(void **state)
{
	char path[100];
	struct client *c;
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/s", dir);
	c = listening_on(LISTEN_UNIX, path, 0);
	assert_string_equal(read_told(c).address, path);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	connect_peer(path, 0);
	assert_string_equal(wait_for_ids(1).from, "");
	/* One that answers is never replaced. */
	assert_refused(listen_on(LISTEN_UNIX, path, 0), 409, "in use");
	client_close(c);
	assert_int_equal(lstat(path, &st), -1);
	got_len = 0;
	world_wait(&world, peer_has_end);
	assert_int_equal(got_len, 0);
}

static size_t entries(void)
{
	DIR *d = opendir(dir);
	size_t len = 0;

	while (readdir(d))
		len++;
	closedir(d);
	return len - 2;
}

static void a_refused_connection_is_closed(void **state)
{
	struct client *c = listening_on(LISTEN_TCP, "localhost", 0);
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	struct told told = read_told(c);

	(void)state;
	connect_peer("127.0.0.1", told.port);
	told = wait_for_ids(1);
	assert_true(listen_refuse_format(told.ids[0] ^ 1, &b) &&
		    listen_refuse_format(told.ids[0], &b));
	client_send(c, buf_span(&b));
	got_len = 0;
	world_wait(&world, peer_has_end);
	assert_int_equal(world.env.pending, 0);
	assert_refused(fetch(told.ids[0]), 404, "no such connection");
}

static int open_impatient(void **state)
{
	(void)state;
	open_with(&(struct service_config){ .fetch_ms = 50 });
	return 0;
}

static void a_connection_that_nobody_fetches_is_closed(void **state)
{
	struct client *c = listening_on(LISTEN_TCP, "localhost", 0);

	(void)state;
	connect_peer("127.0.0.1", read_told(c).port);
	got_len = 0;
	world_wait(&world, peer_has_end);
	assert_int_equal(read_told(c).ids_len, 1);
	assert_int_equal(world.env.pending, 0);
	/* The listener lives on. */
	connect_peer("127.0.0.1", read_told(c).port);
	wait_for_ids(2);
}

static void more_than_may_wait_are_not_accepted(void **state)
{
	struct client *c = listening_on(LISTEN_TCP, "127.0.0.1", 0);
	struct told told;

	(void)state;
	for (int i = 0; i < LISTEN_PENDING_MAX + 20; i++) {
		connect_peer("127.0.0.1", read_told(c).port);
		if (i % 64 == 63)
			world_run(&world, 10);
	}
	told = wait_for_ids(LISTEN_PENDING_MAX);
	world_run(&world, 30);
	assert_int_equal(read_told(c).ids_len, LISTEN_PENDING_MAX);
	assert_int_equal(world.env.pending, LISTEN_PENDING_MAX);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fetch(told.ids[i * 20])->stream->status, 200);
	wait_for_ids(LISTEN_PENDING_MAX + 10);
	world_run(&world, 30);
	assert_int_equal(read_told(c).ids_len, LISTEN_PENDING_MAX + 10);
}

static void a_client_that_does_not_read_stops_the_accepting(void **state)
{
	struct client *c = listening_on(LISTEN_TCP, "127.0.0.1", 0);
	struct told told = read_told(c);

	(void)state;
	c->pace = 0;
	assert_non_null(buf_reserve(&c->stream->send, H3_SEND_MAX - 100));
	buf_commit(&c->stream->send, H3_SEND_MAX - 100);
	connect_peer("127.0.0.1", told.port);
	world_run(&world, 30);
	assert_int_equal(world.env.pending, 0);
	buf_clear(&c->stream->send);
	c->pace = EVERYTHING;
	c->stream->ops->writable(c->stream, c->stream->user);
	wait_for_ids(1);
}

static void the_end_of_the_request_ends_the_listening(void **state)
{
	struct client *c = listening_on(LISTEN_TCP, "127.0.0.1", 0);
	struct client *fetched;
	struct told told = read_told(c);

	(void)state;
	connect_peer("127.0.0.1", told.port);
	connect_peer("127.0.0.1", told.port);
	told = wait_for_ids(2);
	fetched = fetch(told.ids[0]);
	fake_h3_send_end(c->stream);
	assert_true(c->stream->ended);
	assert_int_equal(try_connect("127.0.0.1", told.port), -1);
	/* Who waits is sent away, who was fetched stays. */
	assert_int_equal(world.env.pending, 0);
	assert_int_equal(write(peers[0], "still here", 10), 10);
	while (fetched->out_len < 10)
		world_run(&world, 1);
}

static void a_client_that_went_silent_gives_its_place_up(void **state)
{
	struct client *first = listening_on(LISTEN_TCP, "127.0.0.1", 0), *second;
	uint16_t port = read_told(first).port;
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/s", dir);
	second = listening_on(LISTEN_UNIX, path, 0);
	second->stream->heard_at = clock_now();
	/* Awake, it keeps its place. */
	assert_refused(listen_on(LISTEN_UNIX, path, 0), 409, "in use");
	second->stream->heard_at = clock_now() - 61 * NSEC_PER_SEC;
	listening_on(LISTEN_UNIX, path, 0);
	assert_true(second->stream->reset);
	client_close(second);
	assert_true(fs_exists(path));
	/* A port that the job chose was not asked for by number. */
	first->stream->heard_at = clock_now() - 61 * NSEC_PER_SEC;
	assert_refused(listen_on(LISTEN_TCP, "127.0.0.1", port), 409, "in use");
}

static void send_bytes(struct client *c, const char *bytes, size_t len)
{
	client_send(c, span_of(bytes, len));
	world_run(&world, 5);
}

static void what_breaks_the_rules_ends_the_stream(void **state)
{
	struct client *c = ask();

	(void)state;
	send_bytes(c, "\x6b\x21\x01\x07", 4); /* REFUSE */
	assert_refused(c, 502, "the first capsule is not LISTEN");
	c = ask();
	send_bytes(c, "\x6b\x20\x01\x07", 4);
	assert_refused(c, 502, "LISTEN: kind is larger");
	c = ask();
	fake_h3_send_end(c->stream);
	assert_refused(c, 502, "before LISTEN");
	c = listening_on(LISTEN_PRIVATE, "", 0);
	/* Unknown capsules are skipped. */
	send_bytes(c, "\x3f\x03xyz", 5);
	assert_false(c->stream->reset);
	send_bytes(c, "\x6b\x20\x03\x02\x00\x00", 6);
	assert_true(c->stream->reset);
	assert_int_equal(entries(), 0);
	c = listening_on(LISTEN_PRIVATE, "", 0);
	send_bytes(c, "\x6b", 1);
	fake_h3_send_end(c->stream);
	assert_true(c->stream->reset);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_connection_is_announced_and_fetched_and_has_two_ends),
		IN_WORLD(a_connection_is_fetched_once),
		IN_WORLD(localhost_is_both_loopbacks_at_one_port),
		IN_WORLD(what_cannot_be_listened_on_is_told),
		IN_WORLD(a_unix_socket_is_for_its_user_and_goes_with_the_stream),
		IN_WORLD(a_refused_connection_is_closed),
		cmocka_unit_test_setup_teardown(a_connection_that_nobody_fetches_is_closed,
						open_impatient, close_world),
		IN_WORLD(more_than_may_wait_are_not_accepted),
		IN_WORLD(a_client_that_does_not_read_stops_the_accepting),
		IN_WORLD(the_end_of_the_request_ends_the_listening),
		IN_WORLD(a_client_that_went_silent_gives_its_place_up),
		IN_WORLD(what_breaks_the_rules_ends_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
