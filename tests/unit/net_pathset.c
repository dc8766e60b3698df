/* SPDX-License-Identifier: MIT */
/* The paths of a server, with paths that are made up. */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/net/pathset.h"

struct fake {
	struct path path;
	unsigned int closed;
};

static struct {
	struct quic_path address;
	size_t bytes;
	unsigned int unblocked;
} seen;

static void on_received(void *owner, const struct quic_path *address, const struct udp_datagrams *d)
{
	(void)owner;
	seen.address = *address;
	seen.bytes = d->bytes.len;
}

static void on_unblocked(void *owner)
{
	(void)owner;
	seen.unblocked++;
}

static const struct pathset_ops set_ops = { on_received, on_unblocked };

static void close_fake(struct path *path)
{
	container_of(path, struct fake, path)->closed++;
}

static const struct path_ops fake_ops = { .close = close_fake };

static struct pathset set;
static struct fake fakes[3];

static int set_up(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	set = (struct pathset){ .ops = &set_ops };
	for (unsigned int i = 0; i < ARRAY_LEN(fakes); i++) {
		fakes[i] = (struct fake){ .path = { .ops = &fake_ops, .kind = PATH_RELAY } };
		fakes[i].path.address.local = path_synthetic(PATH_LINK_FIRST + i);
		assert_int_equal(pathset_add(&set, &fakes[i].path), 0);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pathset_finish(&set);
	return 0;
}

static void receive(struct fake *fake)
{
	struct udp_datagrams d = { .segment = 5, .bytes = span_of("hello", 5) };

	path_received(&fake->path, &d);
}

static void what_came_by_a_path_is_answered_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fakes); i++) {
		receive(&fakes[i]);
		assert_int_equal(seen.bytes, 5);
		assert_true(quic_addr_is_synthetic(&seen.address.local));
		assert_ptr_equal(pathset_find(&set, &seen.address.remote), &fakes[i].path);
	}
}

static void a_renewed_path_is_the_same_one_for_quic(void **state)
{
	struct quic_path before;

	(void)state;
	receive(&fakes[1]);
	before = seen.address;
	fakes[1].path.address.local = path_synthetic(PATH_LINK_FIRST + 1);
	fakes[1].path.kind = PATH_RELAY_TCP;
	receive(&fakes[1]);
	assert_true(quic_addr_equal(&before.local, &seen.address.local));
	assert_true(quic_addr_equal(&before.remote, &seen.address.remote));
}

static void a_path_that_is_gone_is_closed_and_not_found(void **state)
{
	const struct err why = { ERR_UNAVAILABLE, 0, "closed" };
	struct quic_addr gone;

	(void)state;
	receive(&fakes[1]);
	gone = seen.address.remote;
	path_over(&fakes[1].path, &why);
	assert_int_equal(fakes[1].closed, 1);
	assert_null(pathset_find(&set, &gone));
	/* Its connections have to be asked, to find that out. */
	assert_int_equal(seen.unblocked, 1);
	pathset_remove(&set, &fakes[1].path); /* once more */
	assert_int_equal(fakes[1].closed, 1);
	pathset_finish(&set);
	assert_int_equal(fakes[0].closed + fakes[2].closed, 2);
}

/* The number of one that is gone is not given to another: old packets would go there. */
static void a_number_is_given_once(void **state)
{
	struct quic_addr first;

	(void)state;
	receive(&fakes[0]);
	first = seen.address.remote;
	pathset_remove(&set, &fakes[0].path);
	assert_int_equal(pathset_add(&set, &fakes[0].path), 0);
	receive(&fakes[0]);
	assert_false(quic_addr_equal(&first, &seen.address.remote));
}

static void real_addresses_are_of_no_path(void **state)
{
	struct quic_addr addr = { .len = sizeof(addr.v4) };

	(void)state;
	addr.v4.sin_family = AF_INET;
	assert_null(pathset_find(&set, &addr));
}

static void there_is_a_limit(void **state)
{
	static struct fake many[PATHSET_MAX];
	size_t added = set.len;

	(void)state;
	memset(many, 0, sizeof(many));
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i].path.ops = &fake_ops;
		added += pathset_add(&set, &many[i].path) == 0;
	}
	assert_int_equal(added, PATHSET_MAX);
}

static void the_last_peers_of_a_path_are_known(void **state)
{
	struct quic_tag tag = { "client-0" }, peers[QUIC_SERVER_RESETS_MAX];

	(void)state;
	receive(&fakes[0]);
	assert_int_equal(pathset_peers(&set, &seen.address.remote, peers), 0);
	for (uint8_t i = 0; i < QUIC_SERVER_RESETS_MAX + 3; i++) {
		tag.bytes[7] = (uint8_t)('0' + i);
		pathset_note_peer(&set, &fakes[0].path, &tag, true);
		pathset_note_peer(&set, &fakes[0].path, &tag, true);
	}
	assert_int_equal(pathset_peers(&set, &seen.address.remote, peers), QUIC_SERVER_RESETS_MAX);
	assert_true(quic_tag_equal(&peers[0], &tag));
	pathset_note_peer(&set, &fakes[0].path, &tag, false);
	assert_int_equal(pathset_peers(&set, &seen.address.remote, peers),
			 QUIC_SERVER_RESETS_MAX - 1);
	assert_false(quic_tag_equal(&peers[0], &tag));
	/* Of this path, and not of another. */
	receive(&fakes[1]);
	assert_int_equal(pathset_peers(&set, &seen.address.remote, peers), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_came_by_a_path_is_answered_there),
		TEST(a_renewed_path_is_the_same_one_for_quic),
		TEST(a_path_that_is_gone_is_closed_and_not_found),
		TEST(a_number_is_given_once),
		TEST(real_addresses_are_of_no_path),
		TEST(there_is_a_limit),
		TEST(the_last_peers_of_a_path_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
