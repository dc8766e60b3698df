/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/quic/cids.h"

static struct span cid_of(uint32_t number, uint8_t *storage, size_t len)
{
	memset(storage, 0, QUIC_CID_MAX);
	memcpy(storage, &number, sizeof(number));
	return span_of(storage, len);
}

static void what_was_added_is_found_and_nothing_else(void **state)
{
	cleanup(quic_cids_free) struct quic_cids *cids = quic_cids_new();
	uint8_t storage[QUIC_CID_MAX];
	int values[5000];

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		assert_true(quic_cids_add(cids, cid_of(i, storage, 16), &values[i]));
	assert_int_equal(quic_cids_count(cids), 5000);
	for (uint32_t i = 0; i < 5000; i++)
		assert_ptr_equal(quic_cids_find(cids, cid_of(i, storage, 16)), &values[i]);
	assert_null(quic_cids_find(cids, cid_of(5000, storage, 16)));
	for (uint32_t i = 0; i < 5000; i += 2)
		quic_cids_remove(cids, cid_of(i, storage, 16));
	for (uint32_t i = 0; i < 5000; i++)
		assert_ptr_equal(quic_cids_find(cids, cid_of(i, storage, 16)),
				 i % 2 ? &values[i] : NULL);
	assert_int_equal(quic_cids_count(cids), 2500);
}

static void the_same_bytes_of_another_length_are_another_id(void **state)
{
	cleanup(quic_cids_free) struct quic_cids *cids = quic_cids_new();
	uint8_t storage[QUIC_CID_MAX];
	int values[QUIC_CID_MAX + 1];

	(void)state;
	for (size_t len = 0; len <= QUIC_CID_MAX; len++)
		assert_true(quic_cids_add(cids, cid_of(7, storage, len), &values[len]));
	for (size_t len = 0; len <= QUIC_CID_MAX; len++)
		assert_ptr_equal(quic_cids_find(cids, cid_of(7, storage, len)), &values[len]);
}

static void an_id_leads_to_one_place_only(void **state)
{
	cleanup(quic_cids_free) struct quic_cids *cids = quic_cids_new();
	uint8_t storage[QUIC_CID_MAX];
	int first, second;

	(void)state;
	assert_true(quic_cids_add(cids, cid_of(1, storage, 8), &first));
	assert_false(quic_cids_add(cids, cid_of(1, storage, 8), &second));
	assert_ptr_equal(quic_cids_find(cids, cid_of(1, storage, 8)), &first);
	quic_cids_remove(cids, cid_of(2, storage, 8));
	assert_int_equal(quic_cids_count(cids), 1);
}

static void an_id_that_is_too_long_is_refused(void **state)
{
	cleanup(quic_cids_free) struct quic_cids *cids = quic_cids_new();
	uint8_t bytes[QUIC_CID_MAX + 1] = { 0 };
	int value;

	(void)state;
	assert_false(quic_cids_add(cids, span_of(bytes, sizeof(bytes)), &value));
	assert_null(quic_cids_find(cids, span_of(bytes, sizeof(bytes))));
	assert_int_equal(quic_cids_count(cids), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_and_nothing_else),
		cmocka_unit_test(the_same_bytes_of_another_length_are_another_id),
		cmocka_unit_test(an_id_leads_to_one_place_only),
		cmocka_unit_test(an_id_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
