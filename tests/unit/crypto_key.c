/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/text.h"
#include "tunnel/crypto/key.h"

static struct secret secret_of(uint8_t first)
{
	struct secret s;

	for (size_t i = 0; i < SECRET_LEN; i++)
		s.bytes[i] = (uint8_t)(first + i);
	return s;
}

static void assert_hex(const uint8_t *bytes, const char *expected)
{
	char hex[2 * SECRET_LEN + 1];

	text_hex(span_of(bytes, SECRET_LEN), hex, sizeof(hex));
	assert_string_equal(hex, expected);
}

/* RFC 8032 section 7.1, test 1. */
static void a_public_key_follows_from_the_seed(void **state)
{
	static const uint8_t seed[] = { 0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60,
					0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
					0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19,
					0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60 };
	cleanup(key_pair_finish) struct key_pair pair = { 0 };
	struct secret s;

	(void)state;
	memcpy(s.bytes, seed, sizeof(seed));
	assert_int_equal(key_pair_from_seed(&s, &pair, NULL), 0);
	assert_hex(pair.public.bytes,
		   "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
	assert_true(secret_equal(&pair.seed, &s));
}

/* Computed with an HKDF of its own (Python's hmac and hashlib). */
static void derived_keys_are_hkdf_sha256_without_salt(void **state)
{
	struct secret s = secret_of(0), derived;

	(void)state;
	assert_int_equal(key_derive(&s, "berth reset 0", &derived, NULL), 0);
	assert_hex(derived.bytes,
		   "421b89e33500c24f4be2a695fb42adb60c66b698636a69601d17c4d6878a5ba2");
	assert_int_equal(key_derive(&s, "berth rank 3", &derived, NULL), 0);
	assert_hex(derived.bytes,
		   "e01258030d6b91481b438635bbb499f3bb4fa52ab404bc54f9c225f713f95509");
}

static void every_rank_has_a_key_of_its_own(void **state)
{
	struct secret s = secret_of(7), seed;
	cleanup(key_pair_finish) struct key_pair zero = { 0 }, three = { 0 }, again = { 0 };

	(void)state;
	assert_int_equal(key_pair_of_rank(&s, 0, &zero, NULL), 0);
	assert_int_equal(key_pair_of_rank(&s, 3, &three, NULL), 0);
	assert_int_equal(key_pair_of_rank(&s, 3, &again, NULL), 0);
	assert_false(key_public_equal(&zero.public, &three.public));
	assert_true(key_public_equal(&three.public, &again.public));
	assert_int_equal(key_derive(&s, "berth rank 3", &seed, NULL), 0);
	assert_true(secret_equal(&seed, &three.seed));
}

static void generated_keys_differ(void **state)
{
	cleanup(key_pair_finish) struct key_pair a = { 0 }, b = { 0 };

	(void)state;
	assert_int_equal(key_pair_generate(&a, NULL), 0);
	assert_int_equal(key_pair_generate(&b, NULL), 0);
	assert_false(key_public_equal(&a.public, &b.public));
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	struct secret s = secret_of(0), derived = secret_of(9), before = derived;
	struct err err = { 0 };
	char info[200];

	(void)state;
	memset(info, 'x', sizeof(info) - 1);
	info[sizeof(info) - 1] = '\0';
	assert_int_equal(key_derive(&s, info, &derived, &err), -1);
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_true(secret_equal(&derived, &before));
}

/* RFC 8032 section 7.1, test 2. */
static void a_signature_is_that_of_the_rfc(void **state)
{
	static const uint8_t seed[] = { 0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda,
					0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
					0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24,
					0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb };
	cleanup(key_pair_finish) struct key_pair pair = { 0 };
	uint8_t signature[KEY_SIGNATURE_LEN];
	struct span message = span_of_str("\x72");
	struct secret s;

	(void)state;
	memcpy(s.bytes, seed, sizeof(seed));
	assert_int_equal(key_pair_from_seed(&s, &pair, NULL), 0);
	assert_int_equal(key_sign(&pair, message, signature, NULL), 0);
	assert_hex(signature, "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da");
	assert_hex(signature + 32,
		   "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_true(key_verify(&pair.public, message, signature));
	assert_false(key_verify(&pair.public, span_of_str("s"), signature));
	signature[63] ^= 1;
	assert_false(key_verify(&pair.public, message, signature));
	signature[63] ^= 1;
	pair.public.bytes[0] ^= 1;
	assert_false(key_verify(&pair.public, message, signature));
}

/* Computed with Python's hashlib. */
static void a_rank_has_one_id_and_one_tag(void **state)
{
	struct key_public key = { 0 };
	struct relay_id id, other;
	uint8_t tag[KEY_TAG_LEN];
	char hex[2 * KEY_TAG_LEN + 1];

	(void)state;
	key_id(&key, &id);
	assert_hex(id.bytes, "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
	key_tag(&key, tag);
	text_hex(span_of(tag, sizeof(tag)), hex, sizeof(hex));
	assert_string_equal(hex, "9c6b850a2bd0a8e0");
	key.bytes[31] = 1;
	key_id(&key, &other);
	assert_false(relay_id_equal(&id, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_public_key_follows_from_the_seed),
		cmocka_unit_test(derived_keys_are_hkdf_sha256_without_salt),
		cmocka_unit_test(every_rank_has_a_key_of_its_own),
		cmocka_unit_test(generated_keys_differ),
		cmocka_unit_test(a_signature_is_that_of_the_rfc),
		cmocka_unit_test(a_rank_has_one_id_and_one_tag),
		cmocka_unit_test(a_name_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
