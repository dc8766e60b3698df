/* SPDX-License-Identifier: MIT */
/* A job side for tests; see services_world.h. */
#include "tests/unit/services_world.h"

#include <string.h>

#include "tests/unit/unit.h"

#define TICK_MS 2
#define WAIT_MAX_MS 20000
#define KEEP_MAX (1024 * 1024)

uint64_t sum_of(uint64_t sum, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		sum = (sum ^ bytes.ptr[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void keep(struct client *c, struct buf *b, struct span bytes)
{
	if (b == &c->out) {
		c->out_len += bytes.len;
		c->out_sum = sum_of(c->out_sum, bytes);
	}
	bytes.len = MIN(bytes.len, buf_room(b));
	assert_true(buf_append_span(b, bytes));
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	return type == PROCESS_STDOUT || type == PROCESS_STDERR;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	struct client *c = user;

	assert_false(c->has_exit);
	keep(c, type == PROCESS_STDOUT ? &c->out : &c->err, bytes);
}

static int on_whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct client *c = user;

	assert_true(type == PROCESS_EXIT || type == PROCESS_EXIT_SIGNAL);
	assert_int_equal(process_exit_parse(type, value, &c->exit, err), 0);
	if (c->exit.signalled)
		snprintf(c->signal, sizeof(c->signal), "%.*s", (int)c->exit.signal.len,
			 (const char *)c->exit.signal.ptr);
	c->has_exit = true;
	return 0;
}

static const struct capsule_ops capsule_ops = { .is_stream = is_stream,
						.piece = on_piece,
						.whole = on_whole };

static void pump(struct client *c)
{
	struct span bytes = buf_span(&c->stream->send);

	bytes.len = MIN(bytes.len, c->pace);
	if (c->is_process)
		assert_int_equal(capsule_reader_feed(&c->reader, bytes, NULL), 0);
	else
		keep(c, &c->out, bytes);
	fake_h3_taken(c->stream, bytes.len);
	while (c->send.len > 0) {
		size_t len = fake_h3_send(c->stream, c->send);

		if (len == 0)
			return;
		span_cut(&c->send, len);
	}
	if (c->send_end) {
		c->send_end = false;
		fake_h3_send_end(c->stream);
	}
}

static void turn(struct world *w)
{
	for (size_t i = 0; i < w->clients_len; i++) {
		if (w->clients[i].stream)
			pump(&w->clients[i]);
	}
	uv_run(&w->loop, UV_RUN_ONCE);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

void world_open(struct world *w, const struct service_config *config)
{
	struct service_config full = *config;

	memset(w, 0, sizeof(*w));
	assert_int_equal(uv_loop_init(&w->loop), 0);
	assert_int_equal(uv_timer_init(&w->loop, &w->tick), 0);
	assert_int_equal(uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS), 0);
	full.loop = &w->loop;
	if (!full.environment)
		full.environment = environ;
	assert_int_equal(service_env_open(&w->env, &full, NULL), 0);
}

void client_close(struct client *c)
{
	c->stream = fake_h3_close(c->stream);
}

static void on_env_closed(void *owner)
{
	struct world *w = owner;

	w->env_closed = true;
}

static bool is_env_closed(struct world *w)
{
	return w->env_closed;
}

void world_close(struct world *w)
{
	for (size_t i = 0; i < w->clients_len; i++) {
		struct client *c = &w->clients[i];

		if (c->stream)
			client_close(c);
		capsule_reader_finish(&c->reader);
		buf_finish(&c->out);
		buf_finish(&c->err);
	}
	service_env_close(&w->env, on_env_closed, w);
	world_wait(w, is_env_closed);
	assert_int_equal(w->env.streams, 0);
	uv_close((uv_handle_t *)&w->tick, NULL);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

void world_wait(struct world *w, bool (*done)(struct world *w))
{
	uint64_t deadline;

	uv_update_time(&w->loop);
	deadline = uv_now(&w->loop) + WAIT_MAX_MS;
	while (!done(w)) {
		if (uv_now(&w->loop) > deadline)
			fail_msg("waited for %d s", WAIT_MAX_MS / 1000);
		turn(w);
	}
}

void world_run(struct world *w, unsigned int ms)
{
	uint64_t until;

	uv_update_time(&w->loop);
	until = uv_now(&w->loop) + ms;
	while (uv_now(&w->loop) < until)
		turn(w);
}

struct client *world_request(struct world *w, const struct h3_request *request)
{
	struct client *c = &w->clients[w->clients_len++];

	assert_true(w->clients_len <= CLIENTS_MAX);
	c->pace = EVERYTHING;
	c->out_sum = SUM_START;
	buf_init(&c->out, KEEP_MAX);
	buf_init(&c->err, KEEP_MAX);
	capsule_reader_init(&c->reader, &capsule_ops, c, 1024);
	c->stream = fake_h3_new();
	service_open(&w->env, c->stream, request);
	return c;
}

void client_send(struct client *c, struct span bytes)
{
	assert_int_equal(fake_h3_send(c->stream, bytes), bytes.len);
}

void client_send_capsule(struct client *c, uint64_t type, struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(FAKE_H3_WINDOW);

	assert_true(capsule_append(&b, type, value));
	client_send(c, buf_span(&b));
}

void client_send_str(struct client *c, const char *text)
{
	client_send_capsule(c, PROCESS_STDIN, span_of_str(text));
}

struct client *world_process(struct world *w, const struct process_start *start)
{
	static const struct h3_request request = { .method = "CONNECT",
						   .protocol = "berth-process",
						   .authority = "job",
						   .path = "/process" };
	cleanup(buf_finish) struct buf b = BUF_INIT(FAKE_H3_WINDOW);
	struct client *c = world_request(w, &request);

	c->is_process = true;
	assert_true(process_start_format(start, &b));
	client_send(c, buf_span(&b));
	return c;
}

struct client *world_exec(struct world *w, const char *command)
{
	static struct process_start start;

	start = (struct process_start){ .kind = PROCESS_EXEC, .command = span_of_str(command) };
	return world_process(w, &start);
}

bool all_ended(struct world *w)
{
	for (size_t i = 0; i < w->clients_len; i++) {
		struct client *c = &w->clients[i];

		if (c->stream && (!c->stream->ended || buf_len(&c->stream->send) > 0))
			return false;
	}
	return true;
}

bool all_answered(struct world *w)
{
	for (size_t i = 0; i < w->clients_len; i++) {
		struct client *c = &w->clients[i];

		if (c->stream && c->stream->status == 0)
			return false;
	}
	return true;
}

bool first_has_output(struct world *w)
{
	return w->clients[0].out_len > 0;
}

long client_number(struct client *c)
{
	return strtol(buf_str(&c->out), NULL, 10);
}
