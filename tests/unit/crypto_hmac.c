/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "init/base/text.h"
#include "tunnel/crypto/hmac.h"

static void what_the_standards_compute_comes_out(void **state)
{
	/* The second case of RFC 2202 section 3 and of RFC 4231 section 4. */
	struct span key = span_of_str("Jefe");
	struct span message = span_of_str("what do ya want for nothing?");
	uint8_t mac[HMAC_SHA256_LEN];
	char hex[2 * HMAC_SHA256_LEN + 1];

	(void)state;
	hmac_sha1(key, message, mac);
	text_hex(span_of(mac, HMAC_SHA1_LEN), hex, sizeof(hex));
	assert_string_equal(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	hmac_sha256(key, message, mac);
	text_hex(span_of(mac, HMAC_SHA256_LEN), hex, sizeof(hex));
	assert_string_equal(hex,
			    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void an_empty_key_is_not_the_one_of_the_call_before(void **state)
{
	uint8_t first[HMAC_SHA256_LEN], second[HMAC_SHA256_LEN];

	(void)state;
	hmac_sha256(span_of_str("another"), span_of_str("text"), second);
	hmac_sha256((struct span){ 0 }, span_of_str("text"), first);
	assert_false(hmac_equal(span_of(first, sizeof(first)), span_of(second, sizeof(second))));
	hmac_sha256(span_of_str(""), span_of_str("text"), second);
	assert_true(hmac_equal(span_of(first, sizeof(first)), span_of(second, sizeof(second))));
	assert_false(hmac_equal(span_of(first, 4), span_of(second, 5)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_standards_compute_comes_out),
		cmocka_unit_test(an_empty_key_is_not_the_one_of_the_call_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
