/* SPDX-License-Identifier: MIT */
/* Registrations and pairs; against a simple model, too. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "init/base/macro.h"
#include "tunnel/relay/legs.h"

/* What the table told, newest last. */
static struct {
	const struct leg *leg;
	uint64_t tag;
	bool is_here;
} told[64];
static size_t told_count, replaced_count;
static struct leg **all; /* the model's slots, to be emptied when one is replaced */
static size_t all_len;

static void on_peer(void *owner, const struct leg *leg, uint64_t tag, bool is_here)
{
	(void)owner;
	told[told_count % ARRAY_LEN(told)].leg = leg;
	told[told_count % ARRAY_LEN(told)].tag = tag;
	told[told_count % ARRAY_LEN(told)].is_here = is_here;
	told_count++;
}

static void on_replaced(void *owner, struct leg *leg)
{
	(void)owner;
	replaced_count++;
	for (size_t i = 0; i < all_len; i++)
		if (all[i] == leg)
			all[i] = NULL;
}

static const struct legs_ops ops = { on_peer, on_replaced };

static struct legs *make(void)
{
	told_count = replaced_count = all_len = 0;
	return legs_new(&ops, NULL);
}

static struct quic_addr address(uint8_t host, uint16_t port)
{
	struct quic_addr addr = { .len = sizeof(addr.v4) };

	addr.v4.sin_family = AF_INET;
	addr.v4.sin_addr.s_addr = htonl(0xc0000200u | host);
	addr.v4.sin_port = htons(port);
	return addr;
}

static struct leg *join(struct legs *legs, enum relay_role role, uint8_t id, uint64_t tag,
			const struct quic_addr *from, const char *user, enum relay_code *code)
{
	struct leg_config config = { .role = role, .tag = tag, .address = from };

	memset(config.id.bytes, id, sizeof(config.id.bytes));
	config.user = (void *)(uintptr_t)user;
	return legs_join(legs, &config, code);
}

static const char alice[] = "alice", bob[] = "bob";

static void a_packet_passes_between_a_job_and_its_clients_only(void **state)
{
	cleanup(legs_free) struct legs *legs = make();
	struct quic_addr a = address(1, 1000), b = address(2, 2000), c = address(3, 3000),
			 d = address(4, 4000);
	enum relay_code code;
	struct leg *from, *job = join(legs, RELAY_JOB, 1, 11, &a, alice, &code);
	struct leg *client = join(legs, RELAY_CLIENT, 1, 21, &b, bob, &code);
	struct leg *second = join(legs, RELAY_CLIENT, 1, 22, &c, bob, &code);
	struct leg *other = join(legs, RELAY_JOB, 2, 12, &d, alice, &code);

	(void)state;
	assert_ptr_equal(legs_find(legs, &b, 11, &from), job);
	assert_ptr_equal(from, client);
	assert_ptr_equal(legs_find(legs, &a, 21, &from), client);
	assert_ptr_equal(legs_find(legs, &a, 22, &from), second);
	assert_ptr_equal(from, job);
	/* To another job, between clients, to oneself, from nowhere, to nobody. */
	assert_null(legs_find(legs, &b, 12, &from));
	assert_null(legs_find(legs, &d, 21, &from));
	assert_null(legs_find(legs, &b, 22, &from));
	assert_null(legs_find(legs, &b, 21, &from));
	assert_null(legs_find(legs, &a, 11, &from));
	assert_null(legs_find(legs, &(struct quic_addr){ .v4 = b.v4, .len = 0 }, 99, &from));
	b.v4.sin_port = htons(2001);
	assert_null(legs_find(legs, &b, 11, &from));
	assert_true(legs_know(legs, &b));
	legs_leave(legs, client);
	assert_false(legs_know(legs, &b));
	assert_null(leg_peer(job, 21));
	legs_leave(legs, job);
	assert_null(leg_peer(second, 11));
	legs_leave(legs, second);
	legs_leave(legs, other);
	assert_int_equal(legs_count(legs, RELAY_JOB) + legs_count(legs, RELAY_CLIENT), 0);
}

static void a_client_may_come_first_and_both_are_told(void **state)
{
	cleanup(legs_free) struct legs *legs = make();
	enum relay_code code;
	struct leg *client = join(legs, RELAY_CLIENT, 1, 21, NULL, alice, &code), *job;

	(void)state;
	legs_introduce(legs, client);
	assert_int_equal(told_count, 1);
	assert_true(told[0].leg == client && told[0].tag == 0 && !told[0].is_here);
	job = join(legs, RELAY_JOB, 1, 11, NULL, alice, &code);
	assert_int_equal(told_count, 2);
	assert_true(told[1].leg == client && told[1].tag == 11 && told[1].is_here);
	legs_introduce(legs, job);
	assert_true(told[2].leg == job && told[2].tag == 21 && told[2].is_here);
	legs_leave(legs, job);
	assert_true(told[3].leg == client && told[3].tag == 11 && !told[3].is_here);
	legs_leave(legs, client);
	assert_int_equal(told_count, 4);
}

static void a_job_that_comes_again_takes_over_its_clients(void **state)
{
	cleanup(legs_free) struct legs *legs = make();
	enum relay_code code;
	struct leg *client = join(legs, RELAY_CLIENT, 1, 21, NULL, bob, &code);
	struct leg *job = join(legs, RELAY_JOB, 1, 11, NULL, alice, &code), *again;

	(void)state;
	told_count = 0;
	again = join(legs, RELAY_JOB, 1, 11, NULL, bob, &code);
	assert_ptr_not_equal(again, job);
	assert_int_equal(replaced_count, 1);
	assert_int_equal(told_count, 0);
	assert_ptr_equal(leg_peer(client, 11), again);
	assert_ptr_equal(leg_peer(again, 21), client);
	assert_int_equal(legs_count(legs, RELAY_JOB), 1);
	legs_leave(legs, again);
	legs_leave(legs, client);
}

static void a_tag_belongs_to_the_user_who_took_it(void **state)
{
	cleanup(legs_free) struct legs *legs = make();
	struct quic_addr a = address(1, 1), b = address(2, 2);
	enum relay_code code = 0;
	struct leg *from, *job = join(legs, RELAY_JOB, 1, 11, NULL, alice, &code);
	struct leg *client = join(legs, RELAY_CLIENT, 1, 21, &a, alice, &code);

	(void)state;
	assert_null(join(legs, RELAY_CLIENT, 1, 21, &b, bob, &code));
	assert_int_equal(code, RELAY_CODE_TAG_TAKEN);
	assert_ptr_equal(legs_find(legs, &a, 11, &from), job);
	/* With the same token it is the client itself, from elsewhere. */
	client = join(legs, RELAY_CLIENT, 1, 21, &b, alice, &code);
	assert_non_null(client);
	assert_null(legs_find(legs, &a, 11, &from));
	assert_ptr_equal(legs_find(legs, &b, 11, &from), job);
	/* Of another job the tag is free. */
	job = join(legs, RELAY_CLIENT, 2, 21, &a, bob, &code);
	assert_non_null(job);
	while (legs_first(legs))
		legs_leave(legs, legs_first(legs));
}

static void a_leg_that_moves_is_found_where_it_is(void **state)
{
	cleanup(legs_free) struct legs *legs = make();
	struct quic_path path = { .local = address(9, 443), .remote = address(3, 3) };
	struct quic_addr a = address(1, 1);
	enum relay_code code;
	struct leg *from, *job = join(legs, RELAY_JOB, 1, 11, NULL, alice, &code);
	struct leg *client = join(legs, RELAY_CLIENT, 1, 21, &a, alice, &code);

	(void)state;
	legs_move(legs, client, &path);
	assert_null(legs_find(legs, &a, 11, &from));
	assert_ptr_equal(legs_find(legs, &path.remote, 11, &from), job);
	assert_true(quic_addr_equal(&leg_peer(job, 21)->path.local, &path.local));
	legs_leave(legs, client);
	legs_leave(legs, job);
}

static void one_job_has_so_many_clients_and_one_address_so_many_legs(void **state)
{
	cleanup(legs_free) struct legs *legs = make();
	struct quic_addr a = address(1, 1);
	enum relay_code code = 0;

	(void)state;
	for (uint64_t i = 0; i < LEGS_CLIENTS_MAX; i++)
		assert_non_null(join(legs, RELAY_CLIENT, 1, 100 + i, NULL, alice, &code));
	assert_null(join(legs, RELAY_CLIENT, 1, 99, NULL, alice, &code));
	assert_int_equal(code, RELAY_CODE_LIMIT);
	for (uint8_t i = 0; i < LEGS_AT_MAX; i++)
		assert_non_null(join(legs, RELAY_CLIENT, (uint8_t)(2 + i), 1, &a, alice, &code));
	assert_null(join(legs, RELAY_CLIENT, 200, 1, &a, alice, &code));
	assert_int_equal(code, RELAY_CODE_LIMIT);
	while (legs_first(legs))
		legs_leave(legs, legs_first(legs));
}

/*
 * The model: an array of registrations, looked through from end to end. Random joins, departures,
 * moves and packets must come to the same in both.
 */
#define SLOTS 24

struct slot {
	enum relay_role role;
	uint8_t id, host;
	uint64_t tag;
	const char *user;
};

static int model_find(const struct slot *slots, struct leg *const *legs, size_t from, uint64_t tag)
{
	for (int i = 0; i < SLOTS; i++)
		if (legs[i] && slots[i].role != slots[from].role && slots[i].id == slots[from].id &&
		    slots[i].tag == tag)
			return i;
	return -1;
}

static void packets_go_where_the_model_says(const struct legs *legs, const struct slot *slots,
					    struct leg *const *made)
{
	for (size_t i = 0; i < SLOTS; i++) {
		for (uint64_t tag = 1; made[i] && tag < 12; tag++) {
			struct quic_addr a = address(slots[i].host, 7);
			int to = model_find(slots, made, i, tag);
			struct leg *from = NULL, *found = legs_find(legs, &a, tag, &from);

			assert_ptr_equal(leg_peer(made[i], tag), to < 0 ? NULL : made[to]);
			/* Several may be at one address: one of them it is. */
			if (to >= 0)
				assert_non_null(found);
			if (found)
				assert_ptr_equal(leg_peer(from, tag), found);
		}
	}
}

static void random_registrations_come_to_the_same_as_a_simple_model(void **state)
{
	cleanup(legs_free) struct legs *legs = make();
	struct leg *made[SLOTS] = { 0 };
	struct slot slots[SLOTS];
	unsigned int seed = 4711;

	(void)state;
	all = made;
	all_len = SLOTS;
	for (int round = 0; round < 4000; round++) {
		size_t at = (size_t)rand_r(&seed) % SLOTS;
		struct quic_addr a;
		enum relay_code code;

		if (made[at] && rand_r(&seed) % 3 == 0) {
			struct quic_path path = { 0 };

			slots[at].host = (uint8_t)(rand_r(&seed) % 6);
			path.remote = address(slots[at].host, 7);
			legs_move(legs, made[at], &path);
		} else if (made[at]) {
			legs_leave(legs, made[at]);
			made[at] = NULL;
		} else {
			slots[at] = (struct slot){
				.role = rand_r(&seed) % 3 == 0 ? RELAY_JOB : RELAY_CLIENT,
				.id = (uint8_t)(rand_r(&seed) % 3),
				.host = (uint8_t)(rand_r(&seed) % 6),
				.user = rand_r(&seed) % 2 ? alice : bob,
			};
			/* A job's tag follows from its key. */
			slots[at].tag = slots[at].role == RELAY_JOB
						? 1u + slots[at].id
						: 4u + (unsigned int)rand_r(&seed) % 8;
			a = address(slots[at].host, 7);
			/* What it replaces leaves made[] by on_replaced(). */
			made[at] = join(legs, slots[at].role, slots[at].id, slots[at].tag, &a,
					slots[at].user, &code);
			if (!made[at])
				assert_int_equal(code, RELAY_CODE_TAG_TAKEN);
		}
		packets_go_where_the_model_says(legs, slots, made);
	}
	assert_true(replaced_count > 50);
	while (legs_first(legs))
		legs_leave(legs, legs_first(legs));
	all_len = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_passes_between_a_job_and_its_clients_only),
		cmocka_unit_test(a_client_may_come_first_and_both_are_told),
		cmocka_unit_test(a_job_that_comes_again_takes_over_its_clients),
		cmocka_unit_test(a_tag_belongs_to_the_user_who_took_it),
		cmocka_unit_test(a_leg_that_moves_is_found_where_it_is),
		cmocka_unit_test(one_job_has_so_many_clients_and_one_address_so_many_legs),
		cmocka_unit_test(random_registrations_come_to_the_same_as_a_simple_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
