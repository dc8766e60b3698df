/* SPDX-License-Identifier: MIT */
/* Parties in virtual time; see world.h. */
#include "tests/sim/world.h"

#include <assert.h>
#include <arpa/inet.h>
#include <stdlib.h>

#include "init/base/alloc.h"
#include "tests/sim/peer.h"

static struct quic_addr make_addr(uint16_t party, uint16_t number)
{
	struct quic_addr addr = { .len = sizeof(addr.v6) };

	addr.v6.sin6_family = AF_INET6;
	addr.v6.sin6_port = htons(1);
	addr.v6.sin6_addr.s6_addr[0] = 0xfd;
	addr.v6.sin6_addr.s6_addr[12] = (uint8_t)(party >> 8);
	addr.v6.sin6_addr.s6_addr[13] = (uint8_t)party;
	addr.v6.sin6_addr.s6_addr[14] = (uint8_t)(number >> 8);
	addr.v6.sin6_addr.s6_addr[15] = (uint8_t)number;
	return addr;
}

static size_t party_of(const struct quic_addr *addr)
{
	return (size_t)addr->v6.sin6_addr.s6_addr[12] << 8 | addr->v6.sin6_addr.s6_addr[13];
}

#define SERVER_PARTY 0xffff
/* Where the server has its relay. */
#define RELAY_LINK 2
#define RELAY_NUMBER 7

static void must(int result, const struct err *err)
{
	if (result == 0)
		return;
	fprintf(stderr, "world: %s\n", err->text);
	abort();
}

static void accept_conn(void *owner, struct quic_conn *quic)
{
	struct world *world = owner;
	const struct h3_conn_ops *ops = world->config.server_ops;

	assert(world->accepted_count < ARRAY_LEN(world->accepted));
	world->accepted[world->accepted_count++] = h3_conn_new(
		quic, ops ? ops : &peer_server_ops, ops ? world->config.server_owner : world);
	h3_conn_set_once(world->accepted[world->accepted_count - 1], &world->once);
	if (world->config.defers)
		h3_conn_defer(world->accepted[world->accepted_count - 1]);
}

static bool is_blocked(void *owner, const struct quic_path *path)
{
	const struct world *world = owner;

	(void)path;
	return world->is_blocked;
}

/* The relay says who is there. */
static size_t peers(void *owner, const struct quic_path *path,
		    struct quic_tag ret[QUIC_SERVER_RESETS_MAX])
{
	const struct world *world = owner;
	size_t count = 0;

	if (!quic_addr_is_synthetic(&path->remote))
		return 0;
	while (count < MIN(world->client_count, (size_t)QUIC_SERVER_RESETS_MAX)) {
		ret[count] = world->clients[count].tag;
		count++;
	}
	return count;
}

static void start_server(struct world *world)
{
	static const struct quic_server_ops ops = {
		.accept = accept_conn,
		.is_blocked = is_blocked,
		.peers = peers,
	};
	const struct quic_server_config config = {
		.tls = world->server_tls,
		.reset_key = &world->reset_key,
		.tag = &world->server_tag,
		.settings = world->config.server,
		.ops = &ops,
		.owner = world,
	};
	struct err err;

	world->server = quic_server_new(&config, &err);
	must(world->server ? 0 : -1, &err);
}

struct world *world_new(const struct world_config *config)
{
	struct world *world = new_zero(struct world);
	cleanup(key_pair_finish) struct key_pair other = { 0 };
	struct err err;

	world->config = *config;
	world->now = WORLD_START;
	world->batch = new_zero(struct quic_batch);
	if (world->config.client.idle_timeout_ns == 0)
		world->config.client = QUIC_SETTINGS_DEFAULT;
	if (world->config.server.idle_timeout_ns == 0)
		world->config.server = QUIC_SETTINGS_DEFAULT;
	must(key_pair_generate(&world->client_key, &err), &err);
	must(key_pair_generate(&world->server_key, &err), &err);
	must(key_pair_generate(&other, &err), &err);
	must(key_random_secret(&world->reset_key, &err), &err);
	quic_tag_random(&world->server_tag);
	world->other_key = other.public;
	world->client_tls = tls_context_new(
		TLS_CLIENT, &world->client_key,
		config->client_expects_other ? &other.public : &world->server_key.public, &err);
	must(world->client_tls ? 0 : -1, &err);
	world_restart_server(world);
	return world;
}

static void stop_server(struct world *world)
{
	for (size_t i = 0; i < world->accepted_count; i++)
		h3_conn_free(world->accepted[i]);
	world->accepted_count = 0;
	world->server = quic_server_free(world->server);
}

struct world *world_free(struct world *world)
{
	if (!world)
		return NULL;
	for (size_t i = 0; i < world->client_count; i++) {
		h3_conn_free(world->clients[i].h3);
		link_free(world->clients[i].up);
		link_free(world->clients[i].down);
	}
	stop_server(world);
	tls_context_free(world->client_tls);
	tls_context_free(world->server_tls);
	key_pair_finish(&world->client_key);
	key_pair_finish(&world->server_key);
	h3_once_finish(&world->once);
	free(world->batch);
	free(world);
	return NULL;
}

/* The names of requests and the tickets die with the process. */
void world_restart_server(struct world *world)
{
	const struct key_public *peer =
		world->config.server_expects_other ? &world->other_key : &world->client_key.public;
	struct err err;

	stop_server(world);
	h3_once_finish(&world->once);
	tls_context_free(world->server_tls);
	world->server_tls = tls_context_new(TLS_SERVER, &world->server_key, peer, &err);
	must(world->server_tls ? 0 : -1, &err);
	start_server(world);
}

void world_keep_ticket(struct world_ticket *kept, const struct quic_ticket *ticket)
{
	assert(ticket->session.len <= sizeof(kept->session));
	assert(ticket->params.len <= sizeof(kept->params));
	memcpy(kept->session, ticket->session.ptr, ticket->session.len);
	memcpy(kept->params, ticket->params.ptr, ticket->params.len);
	kept->ticket.session = span_of(kept->session, ticket->session.len);
	kept->ticket.params = span_of(kept->params, ticket->params.len);
	kept->count++;
}

struct world_client *world_connect(struct world *world, const struct h3_conn_ops *ops, void *owner)
{
	return world_resume(world, ops, owner, NULL);
}

struct world_client *world_resume(struct world *world, const struct h3_conn_ops *ops, void *owner,
				  const struct quic_ticket *ticket)
{
	uint16_t number = (uint16_t)world->client_count;
	struct world_client *client = &world->clients[world->client_count++];
	struct quic_client_config config = {
		.tls = world->client_tls,
		.ticket = ticket,
		.tag = &client->tag,
		.peer_tag = &world->server_tag,
		.settings = world->config.client,
		.now = world->now,
	};
	struct quic_conn *quic;
	struct err err;

	assert(world->client_count <= WORLD_CLIENTS_MAX);
	quic_tag_random(&client->tag);
	client->path.local = make_addr(number, 0);
	client->path.remote = make_addr(SERVER_PARTY, 0);
	client->up = link_new(&world->config.link, world->config.seed * 1000 + 2u * number);
	client->down = link_new(&world->config.link, world->config.seed * 1000 + 2u * number + 1);
	config.path = client->path;
	quic = quic_conn_connect(&config, &err);
	must(quic ? 0 : -1, &err);
	client->h3 = h3_conn_new(quic, ops, owner);
	return client;
}

int world_migrate(struct world *world, struct world_client *client, struct err *err)
{
	client->path.local = make_addr((uint16_t)(client - world->clients), ++client->path_number);
	return quic_conn_migrate(h3_conn_quic(client->h3), &client->path, world->now, err);
}

void world_cut(struct world_client *client, bool is_cut)
{
	link_settings(client->up)->is_cut = is_cut;
	link_settings(client->down)->is_cut = is_cut;
	if (!is_cut)
		return;
	link_clear(client->up);
	link_clear(client->down);
}

/*
 * What the server sees of a client's address, or the other way round: a client that moves keeps its
 * host and gets another port, as it does behind a NAT, or with a new socket.
 */
static void to_server(const struct world *world, struct quic_addr *addr)
{
	uint8_t *number = &addr->v6.sin6_addr.s6_addr[14];

	addr->v6.sin6_port = htons((uint16_t)(1 + world->nat_shift + (number[0] << 8 | number[1])));
	number[0] = number[1] = 0;
}

static void to_client(const struct world *world, struct quic_addr *addr)
{
	uint16_t number = (uint16_t)(ntohs(addr->v6.sin6_port) - 1 - world->nat_shift);

	*addr = make_addr((uint16_t)party_of(addr), number);
}

/*
 * Puts a batch on a link, datagram by datagram, as the network does with one that was sent with
 * UDP_SEGMENT.
 */
static void send_batch(struct world *world, struct link *link)
{
	const struct quic_batch *batch = world->batch;
	struct span bytes = span_of(batch->bytes, batch->len);
	struct link_head head = {
		.path = { .local = batch->path.remote, .remote = batch->path.local },
		.ecn = batch->ecn,
	};

	if (party_of(&head.path.local) == SERVER_PARTY)
		to_server(world, &head.path.remote);
	else
		to_client(world, &head.path.local);
	assert(batch->segment > 0 && batch->len <= sizeof(batch->bytes));
	while (bytes.len > 0)
		link_send(link, world->now, &head,
			  span_cut(&bytes, MIN(batch->segment, bytes.len)));
}

/* A relay: it looks at the tag of each datagram and forwards to whom it belongs, unchanged. */
static void relay_batch(struct world *world, struct world_client *from)
{
	const struct quic_batch *batch = world->batch;
	struct span bytes = span_of(batch->bytes, batch->len);

	while (bytes.len > 0) {
		struct span one = span_cut(&bytes, MIN(batch->segment, bytes.len));
		struct link_head head = { .ecn = batch->ecn };
		struct quic_tag tag;

		if (!quic_tag_of(one, &tag))
			continue;
		if (from && quic_tag_equal(&tag, &world->server_tag)) {
			head.path.local = make_addr(SERVER_PARTY, 0);
			head.path.remote = quic_addr_synthetic(RELAY_LINK, RELAY_NUMBER);
			link_send(from->up, world->now, &head, one);
		}
		for (size_t i = 0; !from && i < world->client_count; i++) {
			struct world_client *to = &world->clients[i];

			head.path = to->path;
			if (quic_tag_equal(&tag, &to->tag))
				link_send(to->down, world->now, &head, one);
		}
	}
}

static void write_client(struct world *world, struct world_client *client)
{
	struct quic_conn *quic = h3_conn_quic(client->h3);

	while (quic_conn_write(quic, world->batch, world->now)) {
		if (world->config.is_relayed)
			relay_batch(world, client);
		else
			send_batch(world, client->up);
	}
	if (quic_conn_is_over(quic) && !client->is_over) {
		client->is_over = true;
		client->over_at = world->now;
	}
}

static void write_server(struct world *world)
{
	while (quic_server_write(world->server, world->batch, world->now)) {
		size_t party = party_of(&world->batch->path.remote);

		if (world->config.is_relayed)
			relay_batch(world, NULL);
		else if (party < world->client_count)
			send_batch(world, world->clients[party].down);
	}
	for (size_t i = 0; i < world->accepted_count; i++) {
		struct h3_conn *h3 = world->accepted[i];

		if (h3 && quic_conn_is_over(h3_conn_quic(h3)))
			world->accepted[i] = h3_conn_free(h3);
	}
}

static void receive(struct world *world)
{
	struct link_head head;
	struct span bytes;

	for (size_t i = 0; i < world->client_count; i++) {
		struct world_client *client = &world->clients[i];

		while (link_receive(client->up, world->now, &head, &bytes))
			quic_server_read(world->server, &head.path, head.ecn, bytes, world->now);
		while (link_receive(client->down, world->now, &head, &bytes))
			quic_conn_read(h3_conn_quic(client->h3), &head.path, head.ecn, bytes,
				       world->now);
	}
}

static void expire(struct world *world)
{
	for (size_t i = 0; i < world->client_count; i++) {
		struct quic_conn *quic = h3_conn_quic(world->clients[i].h3);

		if (quic_conn_deadline(quic) <= world->now)
			quic_conn_expire(quic, world->now);
	}
	if (quic_server_deadline(world->server) <= world->now)
		quic_server_expire(world->server, world->now);
}

static uint64_t next_event(const struct world *world)
{
	uint64_t next = quic_server_deadline(world->server);

	for (size_t i = 0; i < world->client_count; i++) {
		const struct world_client *client = &world->clients[i];

		next = MIN(next, link_deadline(client->up));
		next = MIN(next, link_deadline(client->down));
		next = MIN(next, quic_conn_deadline(h3_conn_quic(client->h3)));
	}
	return next;
}

bool world_run(struct world *world, bool (*done)(const void *arg), const void *arg,
	       uint64_t limit_ns)
{
	uint64_t end = world->now + limit_ns, next;

	for (;;) {
		expire(world);
		receive(world);
		for (size_t i = 0; i < world->client_count; i++)
			write_client(world, &world->clients[i]);
		write_server(world);
		if (done && done(arg))
			return true;
		next = next_event(world);
		if (next > end)
			break;
		world->now = MAX(world->now, next);
	}
	world->now = end;
	return false;
}
