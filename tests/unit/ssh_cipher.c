/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <openssl/evp.h>

#include "init/base/buf.h"
#include "tunnel/ssh/cipher.h"
#include "tunnel/ssh/wire.h"

#define PACKET_MAX (64 * 1024)

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &out[i]), 1);
	return len;
}

static struct cipher new_cipher(const char *name, enum cipher_direction direction,
				const uint8_t *key, const uint8_t *iv)
{
	struct cipher c;
	struct err err;

	assert_int_equal(cipher_init(&c, cipher_find(span_of_str(name)), direction, key, iv, &err),
			 0);
	return c;
}

/* draft-ietf-sshm-chacha20-poly1305 appendix A. */
static const char chacha_key[] = "8bbff6855fc102338c373e73aac0c914f076a905b2444a32eecaffeae22becc5"
				 "e9b7a7a5825a8249346ec1c28301cf394543fc7569887d76e168f37562ac0740";
static const char chacha_plain[] =
	"00000048065e00000000000000384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f"
	"6e7365637465747572206164697069736963696e6720656c69744e43e804dc6c";
static const char chacha_sealed[] =
	"2c3ecce4a5bc05895bf07a7ba956b6c68829ac7c83b780b7000ecde745afc705bbc378ce03a280236b87b53b"
	"ed5839662302b164b6286a48cd1e097138e3cb909b8b2b829dd18d2a35ff82d995349e855bf02c298ef775f2"
	"d1a7e8b8";

static void chacha20_poly1305_seals_the_published_packet(void **state)
{
	uint8_t key[64], packet[128], plain[128], sealed[128];
	size_t len = unhex(chacha_plain, plain) - 4, sealed_len = unhex(chacha_sealed, sealed);

	(void)state;
	unhex(chacha_key, key);
	/* With the body somewhere else, at every place and of every length. */
	for (size_t at = 4; at <= 4 + len; at++) {
		for (size_t body = 0; at + body <= 4 + len; body++) {
			cleanup(cipher_finish) struct cipher c =
				new_cipher("chacha20-poly1305@openssh.com", CIPHER_SEAL, key, NULL);

			memcpy(packet, plain, 4 + len);
			memset(packet + at, 0xee, body);
			assert_true(cipher_seal(&c, 7, packet, len, at, span_of(plain + at, body)));
			assert_int_equal(sealed_len, 4 + len + CIPHER_TAG_LEN);
			assert_memory_equal(packet, sealed, sealed_len);
		}
	}
}

static void chacha20_poly1305_opens_the_published_packet(void **state)
{
	uint8_t key[64], plain[128], sealed[128], out[128];
	size_t len = unhex(chacha_plain, plain) - 4, sealed_len = unhex(chacha_sealed, sealed);
	uint32_t got;
	cleanup(cipher_finish) struct cipher c = { 0 };

	(void)state;
	unhex(chacha_key, key);
	c = new_cipher("chacha20-poly1305@openssh.com", CIPHER_OPEN, key, NULL);
	assert_true(cipher_read_length(&c, 7, sealed, &got));
	assert_int_equal(got, len);
	assert_true(cipher_open(&c, 7, span_of(sealed, sealed_len), out));
	assert_memory_equal(out, plain + 4, len);
	/* The sequence number is the nonce. */
	assert_false(cipher_open(&c, 8, span_of(sealed, sealed_len), out));
}

/* What AES-GCM has to give, from EVP used plainly: the length is the associated data. */
static void gcm_reference(const EVP_CIPHER *evp, const uint8_t *key, const uint8_t *iv,
			  uint8_t *packet, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done;

	assert_int_equal(EVP_EncryptInit_ex(ctx, evp, NULL, key, iv), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &done, packet, 4), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, packet + 4, &done, packet + 4, (int)len), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, packet + 4 + len, &done), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, packet + 4 + len), 1);
	EVP_CIPHER_CTX_free(ctx);
}

static void gcm_case(const char *name, const EVP_CIPHER *evp)
{
	uint8_t key[32] = { 1, 2, 3 },
		iv[12] = { 9, 8, 7, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe };
	uint8_t packet[4 + 64 + 16], expected[4 + 64 + 16];
	cleanup(cipher_finish) struct cipher c = new_cipher(name, CIPHER_SEAL, key, iv);

	/* The third packet has carried over all 8 bytes of the counter, and not into the others. */
	for (int i = 0; i < 3; i++) {
		for (size_t n = 0; n < sizeof(packet); n++)
			packet[n] = expected[n] = (uint8_t)n;
		gcm_reference(evp, key, iv, expected, 64);
		assert_true(cipher_seal(&c, 0, packet, 64, 4, (struct span){ 0 }));
		assert_memory_equal(packet, expected, sizeof(packet));
		if (++iv[11] == 0)
			memset(iv + 4, 0, 8);
	}
}

static void gcm_counts_the_last_eight_bytes_of_its_nonce(void **state)
{
	(void)state;
	gcm_case("aes128-gcm@openssh.com", EVP_aes_128_gcm());
	gcm_case("aes256-gcm@openssh.com", EVP_aes_256_gcm());
}

static void what_is_sealed_opens_and_no_bit_may_change(void **state)
{
	uint8_t key[64] = { 5 }, iv[12] = { 6 }, packet[4 + 48 + 16], out[48];

	(void)state;
	for (const struct cipher_kind *k = cipher_kinds; k->name; k++) {
		for (size_t bit = 0; bit <= sizeof(packet) * 8; bit++) {
			cleanup(cipher_finish) struct cipher seal =
				new_cipher(k->name, CIPHER_SEAL, key, iv);
			cleanup(cipher_finish) struct cipher open =
				new_cipher(k->name, CIPHER_OPEN, key, iv);

			memset(packet, 0x5a, sizeof(packet));
			wire_store_u32(packet, 48);
			assert_true(cipher_seal(&seal, 3, packet, 48, 4, (struct span){ 0 }));
			if (bit < sizeof(packet) * 8) {
				packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
				assert_false(cipher_open(&open, 3, span_of(packet, sizeof(packet)),
							 out));
			} else {
				assert_true(cipher_open(&open, 3, span_of(packet, sizeof(packet)),
							out));
				assert_int_equal(out[47], 0x5a);
			}
		}
	}
}

static void a_whole_packet_of_any_length_survives(void **state)
{
	static uint8_t packet[4 + PACKET_MAX + 16], body[PACKET_MAX], out[PACKET_MAX];
	uint8_t key[64] = { 5 }, iv[12] = { 6 };

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 31 >> 3);
	for (const struct cipher_kind *k = cipher_kinds; k->name; k++) {
		cleanup(cipher_finish) struct cipher seal =
			new_cipher(k->name, CIPHER_SEAL, key, iv);
		cleanup(cipher_finish) struct cipher open =
			new_cipher(k->name, CIPHER_OPEN, key, iv);
		uint32_t seq = 0;

		for (size_t len = 16; len <= PACKET_MAX; len += len < 512 ? 16 : 8000, seq++) {
			wire_store_u32(packet, (uint32_t)len);
			memset(packet + 4, 1, len);
			assert_true(
				cipher_seal(&seal, seq, packet, len, 14, span_of(body, len - 14)));
			assert_true(cipher_open(&open, seq, span_of(packet, 4 + len + 16), out));
			assert_memory_equal(out + 10, body, len - 14);
			assert_int_equal(out[len - 1], 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chacha20_poly1305_seals_the_published_packet),
		cmocka_unit_test(chacha20_poly1305_opens_the_published_packet),
		cmocka_unit_test(gcm_counts_the_last_eight_bytes_of_its_nonce),
		cmocka_unit_test(what_is_sealed_opens_and_no_bit_may_change),
		cmocka_unit_test(a_whole_packet_of_any_length_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
