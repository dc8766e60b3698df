/* SPDX-License-Identifier: MIT */
/* Key exchange, client side; see ssh_peer.h. */
#include "tests/unit/ssh_peer_kex.h"

#include <assert.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#define SERVER_VERSION "SSH-2.0-OpenSSH_10.0-berth"
#define X25519_LEN 32
#define MLKEM_CIPHERTEXT_LEN 1088

static bool is_hybrid(const struct peer *p)
{
	return strcmp(p->options.exchange, "mlkem768x25519-sha256") == 0;
}

void peer_kex_finish(struct peer *p)
{
	EVP_PKEY_free(p->x25519);
	EVP_PKEY_free(p->mlkem);
	p->x25519 = p->mlkem = NULL;
}

void peer_send_kexinit(struct peer *p)
{
	static const uint8_t cookie[16] = { 7 };
	const struct peer_options *o = &p->options;
	cleanup(buf_finish) struct buf kex = BUF_INIT(1024);
	struct buf *b = &p->client_init;
	bool ok =
		buf_printf(&kex, "%s%s%s,ext-info-c%s", o->guess ? o->guess : "",
			   o->guess ? "," : "", o->exchange,
			   o->strict && !p->has_session_id ? ",kex-strict-c-v00@openssh.com" : "");

	buf_clear(b);
	wire_put_u8(b, MSG_KEXINIT);
	ok = ok && buf_append(b, cookie, sizeof(cookie));
	assert(ok);
	wire_put_string(b, buf_span(&kex));
	wire_put_text(b, o->right_guess ? "ssh-ed25519" : "rsa-sha2-512,ssh-ed25519");
	wire_put_text(b, o->cipher);
	wire_put_text(b, o->cipher);
	wire_put_text(b, "umac-64@openssh.com");
	wire_put_text(b, "umac-64@openssh.com");
	wire_put_text(b, "zlib@openssh.com,none");
	wire_put_text(b, "none");
	wire_put_text(b, "");
	wire_put_text(b, "en");
	wire_put_u8(b, o->guess || o->right_guess);
	wire_put_u32(b, 0);
	peer_queue(p, MSG_KEXINIT, "r", span_of(buf_span(b).ptr + 1, buf_len(b) - 1));
	if (o->guess)
		peer_queue(p, MSG_KEX_INIT, "t", "a wrong guess");
	peer_flush(p);
}

static void append_public(struct peer *p, EVP_PKEY *key)
{
	uint8_t public[EXCHANGE_VALUE_MAX];
	size_t len = sizeof(public);
	bool ok = EVP_PKEY_get_raw_public_key(key, public, &len) == 1 &&
		  buf_append(&p->public, public, len);

	assert(ok);
}

void peer_send_kex_init(struct peer *p)
{
	peer_kex_finish(p);
	buf_clear(&p->public);
	if (is_hybrid(p)) {
		p->mlkem = EVP_PKEY_Q_keygen(NULL, NULL, "ML-KEM-768");
		append_public(p, p->mlkem);
	}
	p->x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	append_public(p, p->x25519);
	peer_put(p, MSG_KEX_INIT, "s", buf_span(&p->public));
}

static void agree(struct peer *p, struct span server, uint8_t *ret)
{
	EVP_PKEY *peer =
		EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, server.ptr, server.len);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, p->x25519, NULL);
	size_t len = X25519_LEN;
	bool ok = peer && ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		  EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, ret, &len) == 1;

	assert(ok);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
}

static void decapsulate(struct peer *p, struct span ciphertext, uint8_t *ret)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, p->mlkem, NULL);
	size_t len = 32;
	bool ok = ctx && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
		  EVP_PKEY_decapsulate(ctx, ret, &len, ciphertext.ptr, ciphertext.len) == 1;

	assert(ok);
	EVP_PKEY_CTX_free(ctx);
}

/* K, encoded as the hash wants it. */
static void put_secret(struct peer *p, struct span server, struct buf *ret)
{
	uint8_t shared[64], hash[SHA256_DIGEST_LENGTH];

	if (!is_hybrid(p)) {
		agree(p, server, shared);
		wire_put_mpint(ret, span_of(shared, X25519_LEN));
		return;
	}
	assert(server.len == MLKEM_CIPHERTEXT_LEN + X25519_LEN);
	decapsulate(p, span_cut(&server, MLKEM_CIPHERTEXT_LEN), shared);
	agree(p, server, shared + 32);
	SHA256(shared, sizeof(shared), hash);
	wire_put_string(ret, span_of(hash, sizeof(hash)));
}

static void check_signature(struct peer *p, struct span host_key, struct span signature,
			    const uint8_t *hash)
{
	struct wire key = wire_of(host_key), sig = wire_of(signature);
	struct span public, bytes;
	EVP_PKEY *evp;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	wire_string(&key, 64);
	public = wire_string(&key, 64);
	wire_string(&sig, 64);
	bytes = wire_string(&sig, 64);
	assert(wire_end(&key) && wire_end(&sig));
	assert(memcmp(public.ptr, p->host_key.public.bytes, public.len) == 0);
	evp = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public.ptr, public.len);
	ok = EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, evp, NULL) == 1 &&
	     EVP_DigestVerify(ctx, bytes.ptr, bytes.len, hash, SSH_SHA256_LEN) == 1;
	assert(ok);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(evp);
}

/* RFC 4253 section 7.2, spelled out: K1 = HASH(K || H || letter || id), K2 = HASH(K || H || K1). */
static void derive(const struct peer *p, struct span secret, const uint8_t *hash, char letter,
		   uint8_t *ret)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(EXCHANGE_VALUE_MAX);
	bool ok = buf_append_span(&b, secret) && buf_append(&b, hash, SSH_SHA256_LEN) &&
		  buf_append(&b, &letter, 1) && buf_append(&b, p->session_id, SSH_SHA256_LEN);

	assert(ok);
	SHA256(buf_span(&b).ptr, buf_len(&b), ret);
	buf_truncate(&b, secret.len + SSH_SHA256_LEN);
	ok = buf_append(&b, ret, SSH_SHA256_LEN);
	assert(ok);
	SHA256(buf_span(&b).ptr, buf_len(&b), ret + SSH_SHA256_LEN);
}

static struct cipher new_cipher(struct peer *p, struct span secret, const uint8_t *hash, bool out)
{
	const struct cipher_kind *kind = cipher_find(span_of_str(p->options.cipher));
	uint8_t key[64], iv[64];
	struct cipher c;
	int r;

	derive(p, secret, hash, out ? 'A' : 'B', iv);
	derive(p, secret, hash, out ? 'C' : 'D', key);
	r = cipher_init(&c, kind, out ? CIPHER_SEAL : CIPHER_OPEN, key, iv, NULL);
	assert(r == 0);
	return c;
}

/* The server's KEXINIT may have come long ago, or be the next message. */
static void read_kexinit(struct peer *p)
{
	struct wire r = peer_expect(p, MSG_KEXINIT);
	bool ok;

	buf_clear(&p->server_init);
	wire_put_u8(&p->server_init, MSG_KEXINIT);
	ok = buf_append_span(&p->server_init, r.left);
	assert(ok);
}

void peer_finish_exchange(struct peer *p)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(PEER_HASH_MAX);
	cleanup(buf_finish) struct buf secret = BUF_INIT(EXCHANGE_VALUE_MAX);
	struct span host_key, value, signature;
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct cipher in, out;
	struct wire r;

	read_kexinit(p);
	r = peer_expect(p, MSG_KEX_REPLY);
	host_key = wire_string(&r, 128);
	value = wire_string(&r, EXCHANGE_VALUE_MAX);
	signature = wire_string(&r, 128);
	assert(wire_end(&r));
	put_secret(p, value, &secret);
	wire_put_text(&b, PEER_VERSION);
	wire_put_text(&b, SERVER_VERSION);
	wire_put_string(&b, buf_span(&p->client_init));
	wire_put_string(&b, buf_span(&p->server_init));
	wire_put_string(&b, host_key);
	wire_put_string(&b, buf_span(&p->public));
	wire_put_string(&b, value);
	if (!buf_append_span(&b, buf_span(&secret)))
		assert(false);
	SHA256(buf_span(&b).ptr, buf_len(&b), hash);
	check_signature(p, host_key, signature, hash);
	if (!p->has_session_id)
		memcpy(p->session_id, hash, sizeof(hash));
	in = new_cipher(p, buf_span(&secret), hash, false);
	out = new_cipher(p, buf_span(&secret), hash, true);
	peer_expect(p, MSG_NEWKEYS);
	packet_reader_rekey(&p->reader, &in, p->options.strict);
	peer_put(p, MSG_NEWKEYS, "");
	packet_writer_rekey(&p->writer, &out, p->options.strict);
	if (!p->has_session_id)
		peer_expect(p, MSG_EXT_INFO);
	p->has_session_id = true;
}
