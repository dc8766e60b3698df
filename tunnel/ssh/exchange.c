/* SPDX-License-Identifier: MIT */
/* Key exchange methods; see exchange.h. */
#include "exchange.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "tunnel/crypto/openssl.h"
#include "wire.h"

#define X25519_LEN 32
#define MLKEM_PUBLIC_LEN 1184
#define MLKEM_CIPHERTEXT_LEN 1088
#define MLKEM_SECRET_LEN 32

DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

/* Our X25519 value and the shared point, both 32 bytes. */
static int x25519(struct span client, uint8_t *ours, uint8_t *shared, struct err *err)
{
	size_t ours_len = X25519_LEN, shared_len = X25519_LEN;
	cleanup(evp_pkey_free) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	cleanup(evp_pkey_free) EVP_PKEY *peer =
		EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, client.ptr, client.len);
	cleanup(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx =
		key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;

	if (!ctx || EVP_PKEY_get_raw_public_key(key, ours, &ours_len) != 1)
		return err_from_openssl(err, "cannot make an X25519 key");
	/* Deriving fails for a point of small order, whose shared point would be all zero: RFC 8731
	 * section 3 demands it. */
	if (!peer || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, peer) != 1 ||
	    EVP_PKEY_derive(ctx, shared, &shared_len) != 1 || shared_len != X25519_LEN)
		return err_set(err, ERR_PROTOCOL, "the client's X25519 value is not usable");
	return 0;
}

static int run_curve25519(struct span client, struct buf *reply, struct buf *secret,
			  struct err *err)
{
	uint8_t ours[X25519_LEN], shared[X25519_LEN];
	int r;

	if (client.len != X25519_LEN)
		return err_set(err, ERR_PROTOCOL, "X25519 value of %zu bytes", client.len);
	r = x25519(client, ours, shared, err);
	if (r == 0) {
		wire_put_string(reply, span_of(ours, sizeof(ours)));
		wire_put_mpint(secret, span_of(shared, sizeof(shared)));
	}
	OPENSSL_cleanse(shared, sizeof(shared));
	return r;
}

static int mlkem_encapsulate(struct span client, uint8_t *ciphertext, uint8_t *shared,
			     struct err *err)
{
	size_t ciphertext_len = MLKEM_CIPHERTEXT_LEN, shared_len = MLKEM_SECRET_LEN;
	cleanup(evp_pkey_free) EVP_PKEY *peer =
		EVP_PKEY_new_raw_public_key_ex(NULL, "ML-KEM-768", NULL, client.ptr, client.len);
	cleanup(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx =
		peer ? EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL) : NULL;

	/* Loading checks the encoding of the key (FIPS 203 section 7.2), as the draft asks. */
	if (!peer)
		return err_set(err, ERR_PROTOCOL, "the client's ML-KEM key is not valid");
	if (!ctx || EVP_PKEY_encapsulate_init(ctx, NULL) != 1 ||
	    EVP_PKEY_encapsulate(ctx, ciphertext, &ciphertext_len, shared, &shared_len) != 1 ||
	    ciphertext_len != MLKEM_CIPHERTEXT_LEN || shared_len != MLKEM_SECRET_LEN)
		return err_from_openssl(err, "cannot encapsulate with ML-KEM-768");
	return 0;
}

/* Both halves are hashed together; the hash is used as a string, not as an mpint. */
static int run_mlkem768(struct span client, struct buf *reply, struct buf *secret, struct err *err)
{
	uint8_t ours[MLKEM_CIPHERTEXT_LEN + X25519_LEN];
	uint8_t shared[MLKEM_SECRET_LEN + X25519_LEN], hash[SHA256_DIGEST_LENGTH];
	struct span kem;
	int r = -1;

	if (client.len != MLKEM_PUBLIC_LEN + X25519_LEN)
		return err_set(err, ERR_PROTOCOL, "mlkem768x25519 value of %zu bytes", client.len);
	kem = span_cut(&client, MLKEM_PUBLIC_LEN);
	if (mlkem_encapsulate(kem, ours, shared, err) == 0 &&
	    x25519(client, ours + MLKEM_CIPHERTEXT_LEN, shared + MLKEM_SECRET_LEN, err) == 0) {
		SHA256(shared, sizeof(shared), hash);
		wire_put_string(reply, span_of(ours, sizeof(ours)));
		wire_put_string(secret, span_of(hash, sizeof(hash)));
		r = 0;
	}
	OPENSSL_cleanse(shared, sizeof(shared));
	OPENSSL_cleanse(hash, sizeof(hash));
	return r;
}

const struct exchange exchanges[] = {
	{ "mlkem768x25519-sha256", run_mlkem768 },
	{ "curve25519-sha256", run_curve25519 },
	{ "curve25519-sha256@libssh.org", run_curve25519 },
	{ 0 },
};

const struct exchange *exchange_find(struct span name)
{
	for (const struct exchange *x = exchanges; x->name; x++)
		if (span_equal_str(name, x->name))
			return x;
	return NULL;
}
