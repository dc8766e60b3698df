/* SPDX-License-Identifier: MIT */
/* A relay and its endpoints in virtual time; see relay_world.h. */
#include "tests/sim/relay_world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"

#define START (1000 * NSEC_PER_SEC)
#define WALL_S UINT64_C(1800000000)

static void must(bool done)
{
	if (!done)
		abort();
}

static uint64_t wall(void)
{
	return WALL_S;
}

static struct quic_addr address_of(uint8_t host, uint16_t port)
{
	struct quic_addr addr = { .len = sizeof(addr.v4) };

	addr.v4.sin_family = AF_INET;
	addr.v4.sin_addr.s_addr = htonl(0xc6336400u | host);
	addr.v4.sin_port = htons(port);
	return addr;
}

/* The relay */

static void deliver(struct relay_world *w, const struct quic_path *path, uint8_t ecn,
		    size_t segment, struct span bytes)
{
	struct relay_end *to = NULL;

	for (size_t i = 0; i < w->end_count && !to; i++)
		if (quic_addr_equal(&w->ends[i].address, &path->remote))
			to = &w->ends[i];
	if (!to) {
		w->strangers++;
		return;
	}
	w->out_bytes[to - w->ends] += bytes.len;
	while (bytes.len > 0) {
		const struct link_head head = { { to->address, to->relay }, ecn };

		link_send(to->down, w->now, &head, span_cut(&bytes, MIN(segment, bytes.len)));
	}
}

static void on_send(void *owner, const struct quic_path *path, uint8_t ecn, size_t segment,
		    struct span bytes)
{
	deliver(owner, path, ecn, segment, bytes);
}

static void start_relay(struct relay_world *w)
{
	static const struct core_ops ops = { on_send };
	const struct core_config core = { .ops = &ops, .owner = w, .wall = wall };
	struct front_config front = { .keys = &w->keys, .strangers_max = RELAY_STRANGERS_MAX };
	struct err err;

	w->core = core_new(&core);
	must(core_load(w->core, span_of_str(w->tokens), &err) == 0);
	front.core = w->core;
	w->front = front_new(&front, &err);
	must(w->front != NULL);
}

void relay_world_restart(struct relay_world *w)
{
	w->front = front_free(w->front);
	w->core = core_free(w->core);
	start_relay(w);
}

struct relay_world *relay_world_new(const struct link_settings *links)
{
	static char tokens[512];
	struct relay_world *w = new_zero(struct relay_world);
	char alice[ADMIT_HASH_TEXT_MAX], bob[ADMIT_HASH_TEXT_MAX];
	struct secret secret;
	struct err err;

	w->now = START;
	w->links = *links;
	w->batch = new_zero(struct quic_batch);
	admit_hash_text(span_of_str(RELAY_TOKEN), alice);
	admit_hash_text(span_of_str(RELAY_TOKEN_BOB), bob);
	snprintf(tokens, sizeof(tokens), "alice %s\nbob %s jobs=1 clients=1\n", alice, bob);
	w->tokens = tokens;
	must(key_random_secret(&secret, &err) == 0);
	must(relay_keys_derive(&secret, &w->keys, &err) == 0);
	w->tls = tls_context_new_to_relay(&w->keys.pair.public, TLS_ALPN, &err);
	must(w->tls != NULL);
	start_relay(w);
	return w;
}

static void free_end(struct relay_end *end)
{
	h3_conn_free(end->control);
	capsule_reader_finish(&end->reader);
	h3_conn_free(end->inner);
	for (size_t i = 0; i < end->accepted_count; i++)
		h3_conn_free(end->accepted[i]);
	quic_server_free(end->server);
	tls_context_free(end->tls);
	key_pair_finish(&end->key);
	link_free(end->up);
	link_free(end->down);
}

struct relay_world *relay_world_free(struct relay_world *w)
{
	if (!w)
		return NULL;
	front_free(w->front);
	core_free(w->core);
	for (size_t i = 0; i < w->end_count; i++)
		free_end(&w->ends[i]);
	tls_context_free(w->tls);
	relay_keys_finish(&w->keys);
	free(w->batch);
	free(w);
	return NULL;
}

/* Ends and their links */

static void open_links(struct relay_end *end, uint16_t port)
{
	const struct relay_world *w = end->world;
	uint64_t seed = (uint64_t)(end - w->ends) + port;

	end->address = address_of((uint8_t)(end - w->ends + 1), port);
	end->up = link_new(&w->links, seed);
	end->down = link_new(&w->links, seed + 1000);
}

struct relay_end *relay_world_end(struct relay_world *w, enum relay_role role,
				  struct relay_end *job)
{
	struct relay_end *end = &w->ends[w->end_count++];
	struct err err;

	end->world = w;
	end->role = role;
	end->job = job;
	end->token = RELAY_TOKEN;
	end->relay = address_of(254, 443);
	open_links(end, 1000);
	quic_tag_random(&end->control_tag);
	quic_tag_random(&end->tag);
	must(key_pair_generate(&end->key, &err) == 0);
	if (role == RELAY_JOB)
		key_tag(&end->key.public, end->tag.bytes);
	else if (!job->server)
		relay_end_start_job(job, &end->key.public);
	return end;
}

void relay_end_rebind(struct relay_end *end)
{
	uint16_t port = ntohs(end->address.v4.sin_port);

	link_free(end->up);
	link_free(end->down);
	open_links(end, (uint16_t)(port + 1));
}

void relay_end_send(struct relay_end *end, struct span bytes)
{
	const struct link_head head = { { end->relay, end->address }, 0 };

	link_send(end->up, end->world->now, &head, bytes);
}

/* Time */

static void send_batch(struct relay_end *end, const struct quic_batch *batch)
{
	struct span bytes = span_of(batch->bytes, batch->len);

	while (bytes.len > 0)
		relay_end_send(end, span_cut(&bytes, MIN(batch->segment, bytes.len)));
}

static void end_read(struct relay_end *end, struct span packet, uint8_t ecn, uint64_t now)
{
	struct quic_tag tag;

	if (!quic_tag_of(packet, &tag))
		return;
	/* A stateless reset has no tag of anybody: the relay that sends it forgot us. */
	if (!quic_tag_equal(&tag, &end->tag)) {
		if (end->control)
			quic_conn_read(h3_conn_quic(end->control), &end->path, ecn, packet, now);
	} else if (end->server) {
		const struct quic_path path = relay_inner_path(0);

		quic_server_read(end->server, &path, ecn, packet, now);
	} else if (end->inner) {
		quic_conn_read(h3_conn_quic(end->inner), &end->inner_path, ecn, packet, now);
	}
}

static void end_step(struct relay_end *end, uint64_t now)
{
	struct quic_batch *batch = end->world->batch;
	struct quic_conn *conns[] = { end->control ? h3_conn_quic(end->control) : NULL,
				      end->inner ? h3_conn_quic(end->inner) : NULL };

	for (size_t i = 0; i < ARRAY_LEN(conns); i++) {
		if (!conns[i])
			continue;
		if (quic_conn_deadline(conns[i]) <= now)
			quic_conn_expire(conns[i], now);
		while (quic_conn_write(conns[i], batch, now))
			send_batch(end, batch);
	}
	if (!end->server)
		return;
	quic_server_expire(end->server, now);
	while (quic_server_write(end->server, batch, now))
		send_batch(end, batch);
}

static uint64_t end_deadline(const struct relay_end *end)
{
	uint64_t deadline = MIN(link_deadline(end->up), link_deadline(end->down));

	if (end->control && !end->is_over)
		deadline = MIN(deadline, quic_conn_deadline(h3_conn_quic(end->control)));
	if (end->inner && !end->inner_over)
		deadline = MIN(deadline, quic_conn_deadline(h3_conn_quic(end->inner)));
	if (end->server)
		deadline = MIN(deadline, quic_server_deadline(end->server));
	return deadline;
}

static void relay_step(struct relay_world *w)
{
	struct link_head head;
	struct span bytes;

	for (size_t i = 0; i < w->end_count; i++) {
		while (link_receive(w->ends[i].up, w->now, &head, &bytes)) {
			const struct udp_datagrams d = { head.path, head.ecn, bytes.len, bytes };

			w->in_bytes[i] += bytes.len;
			front_received(w->front, &d, w->now);
		}
	}
	if (front_deadline(w->front) <= w->now)
		front_expire(w->front, w->now);
	if (core_deadline(w->core) <= w->now)
		core_expire(w->core, w->now);
	core_turn(w->core);
	while (front_write(w->front, w->batch, w->now))
		deliver(w, &w->batch->path, w->batch->ecn, w->batch->segment,
			span_of(w->batch->bytes, w->batch->len));
	front_turn(w->front);
}

static void step(struct relay_world *w)
{
	struct link_head head;
	struct span bytes;

	for (size_t i = 0; i < w->end_count; i++) {
		while (link_receive(w->ends[i].down, w->now, &head, &bytes))
			end_read(&w->ends[i], bytes, head.ecn, w->now);
		end_step(&w->ends[i], w->now);
	}
	relay_step(w);
}

bool relay_world_run(struct relay_world *w, bool (*done)(const void *arg), const void *arg,
		     uint64_t limit_ns)
{
	uint64_t end = w->now + limit_ns;

	for (;;) {
		uint64_t next;

		step(w);
		if (done && done(arg))
			return true;
		next = MIN(front_deadline(w->front), core_deadline(w->core));
		for (size_t i = 0; i < w->end_count; i++)
			next = MIN(next, end_deadline(&w->ends[i]));
		if (next > end)
			break;
		w->now = MAX(next, w->now + 1000);
	}
	w->now = end;
	return !done;
}

bool relay_end_is_welcome(const void *arg)
{
	const struct relay_end *end = arg;

	return end->is_welcome;
}

bool relay_end_is_refused(const void *arg)
{
	const struct relay_end *end = arg;

	return end->is_refused;
}

bool relay_end_has_all(const void *arg)
{
	const struct relay_end *end = arg;

	return end->received == end->to_send;
}

bool relay_end_is_over(const void *arg)
{
	const struct relay_end *end = arg;

	return end->is_over;
}

struct relay_end *relay_world_welcome(struct relay_world *w, enum relay_role role,
				      struct relay_end *job)
{
	struct relay_end *end = relay_world_end(w, role, job);

	relay_end_dial(end);
	must(relay_world_run(w, relay_end_is_welcome, end, 5 * NSEC_PER_SEC));
	return end;
}

void relay_world_join(struct relay_world *w, struct relay_end **ret_job,
		      struct relay_end **ret_client)
{
	*ret_job = relay_world_welcome(w, RELAY_JOB, NULL);
	*ret_client = relay_world_welcome(w, RELAY_CLIENT, *ret_job);
	relay_end_connect(*ret_client, 100000);
	must(relay_world_run(w, relay_end_has_all, *ret_client, 10 * NSEC_PER_SEC));
	must(!(*ret_client)->is_wrong);
}
