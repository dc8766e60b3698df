/* SPDX-License-Identifier: MIT */
/* Ed25519 keys and what is derived from a job's secret; see key.h. */
#include "tunnel/crypto/key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "tunnel/crypto/openssl.h"
#include "tunnel/crypto/sha256.h"

void key_pair_finish(struct key_pair *pair)
{
	secret_finish(&pair->seed);
}

int key_random_secret(struct secret *ret, struct err *err)
{
	if (RAND_priv_bytes(ret->bytes, sizeof(ret->bytes)) != 1)
		return err_from_openssl(err, "random bytes");
	return 0;
}

int key_pair_from_seed(const struct secret *seed, struct key_pair *ret, struct err *err)
{
	cleanup(evp_pkey_free) EVP_PKEY *pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed->bytes, SECRET_LEN);
	struct key_public public;
	size_t len = sizeof(public.bytes);

	if (!pkey || EVP_PKEY_get_raw_public_key(pkey, public.bytes, &len) != 1 ||
	    len != KEY_PUBLIC_LEN)
		return err_from_openssl(err, "Ed25519 key");
	ret->seed = *seed;
	ret->public = public;
	return 0;
}

int key_pair_generate(struct key_pair *ret, struct err *err)
{
	cleanup(secret_finish) struct secret seed = { 0 };

	if (key_random_secret(&seed, err) < 0)
		return -1;
	return key_pair_from_seed(&seed, ret, err);
}

/* HKDF-SHA256 (RFC 5869) without a salt: the input is uniformly random already. */
static bool hkdf(const struct secret *secret, struct span info, struct secret *ret)
{
	cleanup(evp_kdf_free) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	cleanup(evp_kdf_ctx_free) EVP_KDF_CTX *run = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	struct secret in = *secret;
	char digest[] = "SHA256", info_bytes[128];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, in.bytes, sizeof(in.bytes)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_bytes, info.len),
		OSSL_PARAM_construct_end(),
	};
	bool ok;

	if (info.len > sizeof(info_bytes))
		return false;
	memcpy(info_bytes, info.ptr, info.len);
	ok = run && EVP_KDF_derive(run, ret->bytes, sizeof(ret->bytes), params) == 1;
	secret_finish(&in);
	return ok;
}

int key_derive(const struct secret *secret, const char *info, struct secret *ret, struct err *err)
{
	cleanup(secret_finish) struct secret out = { 0 };

	if (!hkdf(secret, span_of_str(info), &out))
		return err_from_openssl(err, "HKDF-SHA256");
	*ret = out;
	return 0;
}

int key_pair_of_rank(const struct secret *secret, unsigned int rank, struct key_pair *ret,
		     struct err *err)
{
	cleanup(secret_finish) struct secret seed = { 0 };
	char info[32];

	snprintf(info, sizeof(info), "berth rank %u", rank);
	if (key_derive(secret, info, &seed, err) < 0)
		return -1;
	return key_pair_from_seed(&seed, ret, err);
}

int key_sign(const struct key_pair *pair, struct span message, uint8_t ret[KEY_SIGNATURE_LEN],
	     struct err *err)
{
	cleanup(evp_pkey_free) EVP_PKEY *pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, pair->seed.bytes, SECRET_LEN);
	cleanup(evp_md_ctx_free) EVP_MD_CTX *run = EVP_MD_CTX_new();
	uint8_t signature[KEY_SIGNATURE_LEN];
	size_t len = sizeof(signature);

	if (!pkey || !run || EVP_DigestSignInit(run, NULL, NULL, NULL, pkey) != 1 ||
	    EVP_DigestSign(run, signature, &len, message.ptr, message.len) != 1 ||
	    len != KEY_SIGNATURE_LEN)
		return err_from_openssl(err, "Ed25519 signature");
	memcpy(ret, signature, sizeof(signature));
	return 0;
}

bool key_verify(const struct key_public *key, struct span message,
		const uint8_t signature[KEY_SIGNATURE_LEN])
{
	cleanup(evp_pkey_free) EVP_PKEY *pkey =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, KEY_PUBLIC_LEN);
	cleanup(evp_md_ctx_free) EVP_MD_CTX *run = EVP_MD_CTX_new();
	bool ok =
		pkey && run && EVP_DigestVerifyInit(run, NULL, NULL, NULL, pkey) == 1 &&
		EVP_DigestVerify(run, signature, KEY_SIGNATURE_LEN, message.ptr, message.len) == 1;

	ERR_clear_error();
	return ok;
}

void key_id(const struct key_public *key, struct relay_id *ret)
{
	cleanup(sha256_free) struct sha256 *hash = sha256_new();

	sha256_add(hash, span_of(key->bytes, sizeof(key->bytes)));
	sha256_end(hash, ret->bytes);
}

bool relay_id_equal(const struct relay_id *a, const struct relay_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void key_tag(const struct key_public *key, uint8_t ret[KEY_TAG_LEN])
{
	cleanup(sha256_free) struct sha256 *hash = sha256_new();
	uint8_t digest[SHA256_LEN];

	sha256_add(hash, span_of_str("berth tag"));
	sha256_add(hash, span_of(key->bytes, sizeof(key->bytes)));
	sha256_end(hash, digest);
	memcpy(ret, digest, KEY_TAG_LEN);
}

/* Public keys are public: the time that comparing them takes tells nothing. */
bool key_public_equal(const struct key_public *a, const struct key_public *b)
{
	return memcmp(a->bytes, b->bytes, KEY_PUBLIC_LEN) == 0;
}

void key_set_add(struct key_set *set, const struct key_public *key)
{
	if (set->len < KEY_SET_MAX && !key_set_has(set, key))
		set->keys[set->len++] = *key;
}

bool key_set_has(const struct key_set *set, const struct key_public *key)
{
	for (size_t i = 0; i < set->len; i++) {
		if (key_public_equal(&set->keys[i], key))
			return true;
	}
	return false;
}

bool key_set_equal(const struct key_set *a, const struct key_set *b)
{
	for (size_t i = 0; i < a->len; i++) {
		if (!key_set_has(b, &a->keys[i]))
			return false;
	}
	return a->len == b->len;
}
