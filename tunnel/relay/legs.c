/* SPDX-License-Identifier: MIT */
/* Registrations and pairs; see legs.h. */
#include "legs.h"

#include <assert.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/quic/cids.h"

/* What an address is looked up by: 16 bytes, those of IPv4 mapped (RFC 4291), and the port. */
#define PLACE_KEY_LEN 18
#define HOST_KEY_LEN 16

/* An address that legs are registered from. */
struct leg_place {
	uint8_t key[PLACE_KEY_LEN];
	struct leg *legs;
	size_t count;
};

/* The places of one host. */
struct host {
	size_t places;
};

/* An endpoint id, its job, and who asks for it. */
struct leg_target {
	struct relay_id id;
	struct leg *job, *clients;
	size_t client_count;
};

struct legs {
	const struct legs_ops *ops;
	void *owner;
	struct leg *first;
	size_t counts[2];
	/* Keyed hashes of short names, made for connection ids. */
	struct quic_cids *places, *hosts, *targets;
};

uint64_t leg_tag(const uint8_t bytes[RELAY_TAG_LEN])
{
	uint64_t tag;

	memcpy(&tag, bytes, sizeof(tag));
	return tag;
}

struct legs *legs_new(const struct legs_ops *ops, void *owner)
{
	struct legs *legs = new_zero(struct legs);

	legs->ops = ops;
	legs->owner = owner;
	legs->places = quic_cids_new();
	legs->hosts = quic_cids_new();
	legs->targets = quic_cids_new();
	return legs;
}

struct legs *legs_free(struct legs *legs)
{
	if (!legs)
		return NULL;
	assert(!legs->first);
	quic_cids_free(legs->places);
	quic_cids_free(legs->hosts);
	quic_cids_free(legs->targets);
	free(legs);
	return NULL;
}

struct leg *legs_first(const struct legs *legs)
{
	return legs->first;
}

size_t legs_count(const struct legs *legs, enum relay_role role)
{
	return legs->counts[role];
}

/* Addresses */

static void place_key(const struct quic_addr *address, uint8_t ret[PLACE_KEY_LEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (address->any.sa_family == AF_INET6) {
		memcpy(ret, &address->v6.sin6_addr, 16);
		memcpy(ret + 16, &address->v6.sin6_port, 2);
	} else {
		memcpy(ret, mapped, sizeof(mapped));
		memcpy(ret + 12, &address->v4.sin_addr, 4);
		memcpy(ret + 16, &address->v4.sin_port, 2);
	}
}

static void count_host(struct legs *legs, const uint8_t *key, bool comes)
{
	struct span name = span_of(key, HOST_KEY_LEN);
	struct host *host = quic_cids_find(legs->hosts, name);

	if (!host) {
		host = new_zero(struct host);
		(void)!quic_cids_add(legs->hosts, name, host);
	}
	host->places += comes ? 1 : (size_t)-1;
	if (host->places > 0)
		return;
	quic_cids_remove(legs->hosts, name);
	free(host);
}

bool legs_know(const struct legs *legs, const struct quic_addr *address)
{
	uint8_t key[PLACE_KEY_LEN];

	place_key(address, key);
	return quic_cids_find(legs->hosts, span_of(key, HOST_KEY_LEN)) != NULL;
}

static struct leg_place *find_place(const struct legs *legs, const struct quic_addr *address)
{
	uint8_t key[PLACE_KEY_LEN];

	place_key(address, key);
	return quic_cids_find(legs->places, span_of(key, sizeof(key)));
}

static void enter_place(struct legs *legs, struct leg *leg, const struct quic_addr *address)
{
	struct leg_place *place = find_place(legs, address);

	if (!place) {
		place = new_zero(struct leg_place);
		place_key(address, place->key);
		(void)!quic_cids_add(legs->places, span_of(place->key, sizeof(place->key)), place);
		count_host(legs, place->key, true);
	}
	place->count++;
	leg->place = place;
	leg->place_next = place->legs;
	place->legs = leg;
	leg->path.remote = *address;
}

static void leave_place(struct legs *legs, struct leg *leg)
{
	struct leg_place *place = take_ptr(leg->place);
	struct leg **link;

	if (!place)
		return;
	for (link = &place->legs; *link != leg; link = &(*link)->place_next)
		;
	*link = leg->place_next;
	if (--place->count > 0)
		return;
	count_host(legs, place->key, false);
	quic_cids_remove(legs->places, span_of(place->key, sizeof(place->key)));
	free(place);
}

void legs_move(struct legs *legs, struct leg *leg, const struct quic_path *path)
{
	leave_place(legs, leg);
	enter_place(legs, leg, &path->remote);
	leg->path = *path;
}

/* Endpoint ids */

/* The table's names have 20 bytes; of a hash that is plenty. */
static struct span target_name(const struct relay_id *id)
{
	return span_of(id->bytes, QUIC_CID_MAX);
}

/* NULL: another id has the same first 20 bytes, which nobody arrives at by chance. */
static struct leg_target *get_target(struct legs *legs, const struct relay_id *id)
{
	struct leg_target *target = quic_cids_find(legs->targets, target_name(id));

	if (target)
		return relay_id_equal(&target->id, id) ? target : NULL;
	target = new_zero(struct leg_target);
	target->id = *id;
	(void)!quic_cids_add(legs->targets, target_name(id), target);
	return target;
}

static void put_target(struct legs *legs, struct leg_target *target)
{
	if (target->job || target->clients)
		return;
	quic_cids_remove(legs->targets, target_name(&target->id));
	free(target);
}

static void leave_target(struct leg *leg)
{
	struct leg_target *target = leg->target;
	struct leg **link;

	if (leg->role == RELAY_JOB) {
		target->job = NULL;
		return;
	}
	for (link = &target->clients; *link != leg; link = &(*link)->target_next)
		;
	*link = leg->target_next;
	target->client_count--;
}

/* Tells those on the other side of a leg. */
static void announce(struct legs *legs, const struct leg *leg, bool is_here)
{
	const struct leg_target *target = leg->target;

	if (leg->role == RELAY_CLIENT && target->job)
		legs->ops->peer(legs->owner, target->job, leg->tag, is_here);
	if (leg->role == RELAY_CLIENT)
		return;
	for (const struct leg *client = target->clients; client; client = client->target_next)
		legs->ops->peer(legs->owner, client, leg->tag, is_here);
}

static void unlink_leg(struct legs *legs, struct leg *leg)
{
	leave_place(legs, leg);
	leave_target(leg);
	*(leg->prev ? &leg->prev->next : &legs->first) = leg->next;
	if (leg->next)
		leg->next->prev = leg->prev;
	legs->counts[leg->role]--;
}

void legs_leave(struct legs *legs, struct leg *leg)
{
	struct leg_target *target = leg->target;

	unlink_leg(legs, leg);
	announce(legs, leg, false);
	put_target(legs, target);
	free(leg);
}

/* Registering */

static struct leg *find_client(const struct leg_target *target, uint64_t tag)
{
	struct leg *client = target->clients;

	while (client && client->tag != tag)
		client = client->target_next;
	return client;
}

/* Whose place the newcomer takes, in *ret_old; false: it may not come. */
static bool may_join(const struct leg_target *target, const struct leg_config *config,
		     struct leg **ret_old, enum relay_code *ret_code)
{
	struct leg *old =
		config->role == RELAY_JOB ? target->job : find_client(target, config->tag);

	*ret_old = old;
	if (old && config->role == RELAY_CLIENT && old->user != config->user) {
		*ret_code = RELAY_CODE_TAG_TAKEN;
		return false;
	}
	if (!old && config->role == RELAY_CLIENT && target->client_count >= LEGS_CLIENTS_MAX) {
		*ret_code = RELAY_CODE_LIMIT;
		return false;
	}
	return true;
}

static void enter_target(struct leg_target *target, struct leg *leg)
{
	leg->target = target;
	if (leg->role == RELAY_JOB) {
		target->job = leg;
		return;
	}
	leg->target_next = target->clients;
	target->clients = leg;
	target->client_count++;
}

bool legs_would_replace(const struct legs *legs, const struct leg_config *config)
{
	const struct leg_target *target = quic_cids_find(legs->targets, target_name(&config->id));
	const struct leg *old;

	if (!target)
		return false;
	old = config->role == RELAY_JOB ? target->job : find_client(target, config->tag);
	return old && old->user == config->user;
}

struct leg *legs_join(struct legs *legs, const struct leg_config *config, enum relay_code *ret_code)
{
	struct leg_target *target = get_target(legs, &config->id);
	const struct leg_place *place = config->address ? find_place(legs, config->address) : NULL;
	struct leg *leg, *old = NULL;

	*ret_code = RELAY_CODE_LIMIT;
	if (!target)
		return NULL;
	if ((place && place->count >= LEGS_AT_MAX) || !may_join(target, config, &old, ret_code)) {
		put_target(legs, target);
		return NULL;
	}
	leg = new_zero(struct leg);
	leg->role = config->role;
	leg->tag = config->tag;
	leg->user = config->user;
	leg->owner = config->owner;
	if (old)
		unlink_leg(legs, old);
	enter_target(target, leg);
	if (config->address)
		enter_place(legs, leg, config->address);
	leg->next = legs->first;
	if (leg->next)
		leg->next->prev = leg;
	legs->first = leg;
	legs->counts[leg->role]++;
	/* For the others nothing changed when one took another's place. */
	if (!old) {
		announce(legs, leg, true);
		return leg;
	}
	legs->ops->replaced(legs->owner, old);
	free(old);
	return leg;
}

void legs_introduce(struct legs *legs, const struct leg *leg)
{
	const struct leg_target *target = leg->target;

	if (leg->role == RELAY_CLIENT) {
		legs->ops->peer(legs->owner, leg, target->job ? target->job->tag : 0,
				target->job != NULL);
		return;
	}
	for (const struct leg *client = target->clients; client; client = client->target_next)
		legs->ops->peer(legs->owner, leg, client->tag, true);
}

/* Forwarding */

struct leg *leg_peer(const struct leg *from, uint64_t tag)
{
	const struct leg_target *target = from->target;

	if (from->role == RELAY_JOB)
		return find_client(target, tag);
	return target->job && target->job->tag == tag ? target->job : NULL;
}

struct leg *legs_find(const struct legs *legs, const struct quic_addr *from, uint64_t tag,
		      struct leg **ret_from)
{
	const struct leg_place *place = find_place(legs, from);

	for (struct leg *leg = place ? place->legs : NULL; leg; leg = leg->place_next) {
		struct leg *peer = leg_peer(leg, tag);

		if (!peer)
			continue;
		*ret_from = leg;
		return peer;
	}
	return NULL;
}
