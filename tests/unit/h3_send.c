/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "tunnel/h3/send.h"

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

static uint8_t byte_at(size_t offset)
{
	return (uint8_t)(offset * 31 + (offset >> 8) * 7);
}

static void add_bytes(struct h3_send *send, size_t *added, size_t count)
{
	while (count > 0) {
		size_t len;
		uint8_t *at = h3_send_reserve(send, count, &len);

		assert_true(len >= 1 && len <= count);
		/* Claiming less than was lent is allowed. */
		len = 1 + next_random((uint32_t)len);
		for (size_t i = 0; i < len; i++)
			at[i] = byte_at(*added + i);
		h3_send_commit(send, len);
		*added += len;
		count -= len;
	}
}

struct piece {
	const uint8_t *ptr;
	size_t offset, len;
};

/* Against a model: bytes come out in order and stay where they are until they are acknowledged. */
static void bytes_come_out_in_order_and_stay_until_they_are_acknowledged(void **state)
{
	struct h3_pool pool = { 0 };
	struct h3_send send;
	size_t added = 0, lent = 0, acked = 0, piece_count = 0;
	static struct piece pieces[4096];

	(void)state;
	h3_send_init(&send, &pool);
	for (int round = 0; round < 4000; round++) {
		struct span piece;

		add_bytes(&send, &added, next_random(3) ? next_random(300) : next_random(150000));
		piece = next_random(2) ? h3_send_lend(&send) : (struct span){ 0 };
		if (piece.len > 0) {
			assert_true(piece_count < 4096);
			pieces[piece_count++] = (struct piece){ .ptr = piece.ptr,
								.offset = lent,
								.len = piece.len };
			lent += piece.len;
		}
		assert_int_equal(send.waiting, added - lent);
		assert_int_equal(send.lent, lent - acked);
		for (size_t i = 0; i < piece_count; i++) {
			struct piece *p = &pieces[i];
			size_t at = p->offset + next_random((uint32_t)p->len);

			if (at >= acked)
				assert_int_equal(p->ptr[at - p->offset], byte_at(at));
		}
		if (lent > acked) {
			size_t len = 1 + next_random((uint32_t)(lent - acked));

			h3_send_acked(&send, len);
			acked += len;
		}
		if (acked == lent)
			piece_count = 0;
	}
	assert_true(added > 10000000);
	h3_send_finish(&send);
	h3_pool_finish(&pool);
}

static void an_empty_buffer_lends_nothing(void **state)
{
	struct h3_pool pool = { 0 };
	struct h3_send send;

	(void)state;
	h3_send_init(&send, &pool);
	assert_int_equal(h3_send_lend(&send).len, 0);
	h3_send_append(&send, span_of_str(""));
	assert_int_equal(h3_send_lend(&send).len, 0);
	assert_null(send.first);
	h3_send_finish(&send);
	h3_pool_finish(&pool);
}

static void what_was_lent_is_lent_again_after_a_rewind(void **state)
{
	static uint8_t bytes[3 * H3_CHUNK_LARGE];
	struct h3_pool pool = { 0 };
	struct h3_send send;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_at(i);
	h3_send_init(&send, &pool);
	h3_send_rewind(&send);
	assert_int_equal(h3_send_lend(&send).len, 0);
	h3_send_append(&send, span_of(bytes, 100));
	h3_send_append(&send, span_of(bytes + 100, sizeof(bytes) - 100));
	for (int i = 0; i < 3; i++) {
		size_t done = 0;

		while (send.waiting > (i == 1 ? H3_CHUNK_LARGE : 0)) {
			struct span piece = h3_send_lend(&send);

			assert_memory_equal(piece.ptr, bytes + done, piece.len);
			done += piece.len;
		}
		h3_send_rewind(&send);
		assert_int_equal(send.waiting, sizeof(bytes));
		assert_int_equal(send.lent, 0);
	}
	h3_send_finish(&send);
	h3_pool_finish(&pool);
}

static void a_quiet_stream_holds_one_small_chunk_at_most(void **state)
{
	struct h3_pool pool = { 0 };
	struct h3_send send;

	(void)state;
	h3_send_init(&send, &pool);
	for (int i = 0; i < 100000; i++) {
		h3_send_append(&send, span_of_str("key"));
		assert_int_equal(h3_send_lend(&send).len, 3);
		h3_send_acked(&send, 3);
	}
	assert_ptr_equal(send.first, send.last);
	assert_int_equal(pool.count, 0);
	h3_send_finish(&send);
	h3_pool_finish(&pool);
}

static void large_chunks_are_used_again_and_not_hoarded(void **state)
{
	static const uint8_t bytes[200 * H3_CHUNK_LARGE];
	struct h3_pool pool = { 0 };
	struct h3_send send;

	(void)state;
	h3_send_init(&send, &pool);
	h3_send_append(&send, span_of(bytes, sizeof(bytes)));
	while (send.waiting > 0)
		h3_send_lend(&send);
	h3_send_acked(&send, sizeof(bytes));
	assert_int_equal(pool.count, H3_POOL_MAX);
	assert_null(send.first);
	h3_send_append(&send, span_of(bytes, 2 * H3_CHUNK_LARGE));
	assert_int_equal(pool.count, H3_POOL_MAX - 2);
	h3_send_finish(&send);
	assert_int_equal(pool.count, H3_POOL_MAX);
	h3_pool_finish(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_in_order_and_stay_until_they_are_acknowledged),
		cmocka_unit_test(an_empty_buffer_lends_nothing),
		cmocka_unit_test(what_was_lent_is_lent_again_after_a_rewind),
		cmocka_unit_test(a_quiet_stream_holds_one_small_chunk_at_most),
		cmocka_unit_test(large_chunks_are_used_again_and_not_hoarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
