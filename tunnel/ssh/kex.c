/* SPDX-License-Identifier: MIT */
/*
 * Key exchange (RFC 4253 sections 7 to 9), with strict key exchange as OpenSSH's PROTOCOL file
 * section 1.9 describes it.
 *
 * The server's part is three steps. Its KEXINIT may be sent at any time; from then on nothing but
 * the exchange itself is sent (held messages wait in s->held). When the client's KEXINIT and public
 * value are there, the reply and NEWKEYS go out together and everything after them is under the new
 * keys, held messages first. The client's NEWKEYS switches the other direction.
 */
#include "engine.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include "exchange.h"
#include "tunnel/crypto/openssl.h"

#define HOST_KEY_TYPE "ssh-ed25519"
#define SIGNATURE_LEN 64
#define TRANSCRIPT_MAX (2 * PROPOSAL_MAX + 4 * EXCHANGE_VALUE_MAX + 4096)
/*
 * New keys after so much in one direction: 2^32 blocks of AES (RFC 4344 section 3.2), and before
 * the sequence number repeats (RFC 4344 section 3.1).
 */
#define REKEY_BYTES (UINT64_C(64) * 1024 * 1024 * 1024)
#define REKEY_PACKETS (UINT64_C(1) << 31)

DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)

void kex_init(struct kex *k)
{
	k->client_version = BUF_INIT(256);
	k->server_version = BUF_INIT(256);
	k->client_init = BUF_INIT(PROPOSAL_MAX);
	k->server_init = BUF_INIT(PROPOSAL_MAX);
}

void kex_finish(struct kex *k)
{
	buf_finish(&k->client_version);
	buf_finish(&k->server_version);
	buf_finish(&k->client_init);
	buf_finish(&k->server_init);
	cipher_finish(&k->next_in);
}

int kex_announce(struct ssh_server *s, struct err *err)
{
	struct kex *k = &s->kex;

	buf_clear(&k->server_init);
	if (proposal_format(!k->has_session_id, &k->server_init, err) < 0)
		return -1;
	k->announced = true;
	message_send_parts(s, buf_span(&k->server_init), (struct span){ 0 });
	return 0;
}

void kex_announce_when_due(struct ssh_server *s)
{
	uint64_t max = s->config.rekey_bytes ? s->config.rekey_bytes : REKEY_BYTES;
	struct err err;

	if (s->state != STATE_OPEN || s->kex.announced)
		return;
	if (s->reader.bytes < max && s->writer.bytes < max && s->reader.packets < REKEY_PACKETS &&
	    s->writer.packets < REKEY_PACKETS)
		return;
	if (kex_announce(s, &err) < 0)
		server_end(s, &err);
}

bool kex_skips(struct ssh_server *s, uint8_t number)
{
	if (!s->kex.skip_next || number < MSG_KEX_METHOD_FIRST || number > MSG_KEX_METHOD_LAST)
		return false;
	s->kex.skip_next = false;
	return true;
}

bool kex_holds(const struct ssh_server *s, uint8_t number)
{
	/* RFC 4253 section 7.1. */
	return s->kex.announced && (number == MSG_SERVICE_ACCEPT || number == MSG_EXT_INFO ||
				    number > MSG_KEX_METHOD_LAST);
}

int on_kexinit(struct ssh_server *s, struct span payload, struct err *err)
{
	/* The hash is over the payload with its number, which the reader has just before. */
	struct span whole = span_of(payload.ptr - 1, payload.len + 1);
	struct kex *k = &s->kex;

	if (proposal_choose(whole, &k->chosen, err) < 0)
		return -1;
	if (s->state == STATE_KEXINIT) {
		k->strict = k->chosen.strict;
		if (k->strict && s->reader.seq != 1)
			return err_set(err, ERR_PROTOCOL,
				       "strict key exchange: something came before KEXINIT");
	} else {
		k->resume = s->state;
	}
	buf_clear(&k->client_init);
	if (!buf_append_span(&k->client_init, whole))
		return malformed(err, "KEXINIT");
	k->skip_next = k->chosen.wrong_guess;
	s->state = s->state == STATE_KEXINIT ? STATE_KEX : STATE_REKEX;
	return k->announced ? 0 : kex_announce(s, err);
}

static void put_host_key(struct ssh_server *s, struct buf *b)
{
	const struct key_public *public = &s->config.host_key->public;

	wire_put_text(b, HOST_KEY_TYPE);
	wire_put_string(b, span_of(public->bytes, sizeof(public->bytes)));
}

static int sign(const struct key_pair *pair, struct span text, struct buf *ret, struct err *err)
{
	uint8_t signature[SIGNATURE_LEN];
	size_t len = sizeof(signature);
	cleanup(evp_pkey_free) EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(
		NULL, "ED25519", NULL, pair->seed.bytes, sizeof(pair->seed.bytes));
	cleanup(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!key || !ctx || EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) != 1 ||
	    EVP_DigestSign(ctx, signature, &len, text.ptr, text.len) != 1 ||
	    len != sizeof(signature))
		return err_from_openssl(err, "cannot sign with the host key");
	wire_put_text(ret, HOST_KEY_TYPE);
	wire_put_string(ret, span_of(signature, sizeof(signature)));
	return 0;
}

/* What keys are made of: K as it is encoded, and H. */
struct material {
	struct span secret;
	uint8_t hash[SSH_SHA256_LEN];
	const uint8_t *session_id;
};

/* RFC 4253 section 7.2. */
static int derive(const struct material *m, char letter, uint8_t *ret, size_t len, struct err *err)
{
	cleanup(evp_kdf_free) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SSHKDF", NULL);
	cleanup(evp_kdf_ctx_free) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	uint8_t hash[SSH_SHA256_LEN], id[SSH_SHA256_LEN];
	char digest[] = "SHA2-256", type[] = { letter, '\0' };
	cleanup(buf_wipe) struct buf secret = BUF_INIT(EXCHANGE_VALUE_MAX);
	OSSL_PARAM params[6];

	memcpy(hash, m->hash, sizeof(hash));
	memcpy(id, m->session_id, sizeof(id));
	if (!ctx || !buf_append_span(&secret, m->secret))
		return err_from_openssl(err, "no SSHKDF");
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.mem + secret.head,
						      buf_len(&secret));
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SSHKDF_XCGHASH, hash,
						      sizeof(hash));
	params[3] =
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SSHKDF_SESSION_ID, id, sizeof(id));
	params[4] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_SSHKDF_TYPE, type, 0);
	params[5] = OSSL_PARAM_construct_end();
	if (EVP_KDF_derive(ctx, ret, len, params) != 1)
		return err_from_openssl(err, "cannot derive keys");
	return 0;
}

/* The letters of RFC 4253 section 7.2 for the IV and the key of one direction. */
static int make_cipher(const struct material *m, const struct cipher_kind *kind,
		       enum cipher_direction direction, struct cipher *ret, struct err *err)
{
	bool in = direction == CIPHER_OPEN;
	uint8_t key[CIPHER_KEY_MAX], iv[CIPHER_IV_MAX] = { 0 };
	int r = -1;

	if ((kind->iv_len == 0 || derive(m, in ? 'A' : 'B', iv, kind->iv_len, err) == 0) &&
	    derive(m, in ? 'C' : 'D', key, kind->key_len, err) == 0)
		r = cipher_init(ret, kind, direction, key, iv, err);
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

/*
 * Tells which signatures we would take (RFC 8308), which clients with keys like to know, and that
 * agent forwarding has its names of the IETF. Not ping@openssh.com: ssh would then hold keystrokes
 * back to hide their rhythm, here from nobody.
 */
static void send_ext_info(struct ssh_server *s)
{
	struct buf *b = message_begin(s, MSG_EXT_INFO);

	wire_put_u32(b, 2);
	wire_put_text(b, "agent-forward");
	wire_put_text(b, "0");
	wire_put_text(b, "server-sig-algs");
	wire_put_text(b, "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,"
			 "ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256");
	message_send(s);
}

/* Our NEWKEYS: what waited for it goes out under the new keys. */
static void send_newkeys(struct ssh_server *s, struct cipher *next)
{
	struct kex *k = &s->kex;
	struct buf held = s->held;
	bool first = !k->has_session_id;

	message_begin(s, MSG_NEWKEYS);
	message_send(s);
	packet_writer_rekey(&s->writer, next, k->strict);
	k->announced = false;
	k->has_session_id = true;
	if (first && k->chosen.ext_info)
		send_ext_info(s);
	s->held = BUF_INIT(HELD_MAX);
	while (buf_len(&held) > 0) {
		uint32_t len = wire_load_u32(buf_span(&held).ptr);

		buf_consume(&held, 4);
		message_send_parts(s, span_of(buf_span(&held).ptr, len), (struct span){ 0 });
		buf_consume(&held, len);
	}
	buf_finish(&held);
}

/* The exchange hash H (RFC 4253 section 8, RFC 5656 section 4), over everything said so far. */
static void hash_exchange(struct ssh_server *s, struct span client, struct span reply,
			  struct material *m)
{
	cleanup(buf_wipe) struct buf b = BUF_INIT(TRANSCRIPT_MAX);
	cleanup(buf_finish) struct buf host_key = BUF_INIT(128);
	bool ok;

	put_host_key(s, &host_key);
	wire_put_string(&b, buf_span(&s->kex.client_version));
	wire_put_string(&b, buf_span(&s->kex.server_version));
	wire_put_string(&b, buf_span(&s->kex.client_init));
	wire_put_string(&b, buf_span(&s->kex.server_init));
	wire_put_string(&b, buf_span(&host_key));
	wire_put_string(&b, client);
	ok = buf_append_span(&b, reply) && buf_append_span(&b, m->secret);
	(void)ok; /* both are below EXCHANGE_VALUE_MAX */
	SHA256(buf_span(&b).ptr, buf_len(&b), m->hash);
	if (!s->kex.has_session_id)
		memcpy(s->kex.session_id, m->hash, sizeof(m->hash));
	m->session_id = s->kex.session_id;
}

static int send_reply(struct ssh_server *s, struct span reply, const struct material *m,
		      struct err *err)
{
	cleanup(buf_finish) struct buf host_key = BUF_INIT(128);
	cleanup(buf_finish) struct buf signature = BUF_INIT(128);
	struct buf *b;

	put_host_key(s, &host_key);
	if (sign(s->config.host_key, span_of(m->hash, sizeof(m->hash)), &signature, err) < 0)
		return -1;
	b = message_begin(s, MSG_KEX_REPLY);
	wire_put_string(b, buf_span(&host_key));
	if (!buf_append_span(b, reply))
		return err_set(err, ERR_INTERNAL, "no room for the key exchange reply");
	wire_put_string(b, buf_span(&signature));
	message_send(s);
	return 0;
}

int on_kex_init(struct ssh_server *s, struct span payload, struct err *err)
{
	cleanup(buf_finish) struct buf reply = BUF_INIT(EXCHANGE_VALUE_MAX);
	cleanup(buf_wipe) struct buf secret = BUF_INIT(EXCHANGE_VALUE_MAX);
	cleanup(cipher_finish) struct cipher out = { 0 };
	struct wire r = wire_of(payload);
	struct span client = wire_string(&r, EXCHANGE_VALUE_MAX);
	struct proposal *chosen = &s->kex.chosen;
	struct material m;

	if (!wire_end(&r))
		return malformed(err, "KEX_INIT");
	if (chosen->exchange->run(client, &reply, &secret, err) < 0)
		return err_wrap(err, "%s", chosen->exchange->name);
	m = (struct material){ .secret = buf_span(&secret) };
	hash_exchange(s, client, buf_span(&reply), &m);
	cipher_finish(&s->kex.next_in);
	if (make_cipher(&m, chosen->in, CIPHER_OPEN, &s->kex.next_in, err) < 0 ||
	    make_cipher(&m, chosen->out, CIPHER_SEAL, &out, err) < 0 ||
	    send_reply(s, buf_span(&reply), &m, err) < 0)
		return -1;
	s->state = s->state == STATE_KEX ? STATE_NEWKEYS : STATE_RENEWKEYS;
	send_newkeys(s, &out);
	return 0;
}

int on_newkeys(struct ssh_server *s, struct span payload, struct err *err)
{
	if (payload.len)
		return malformed(err, "NEWKEYS");
	packet_reader_rekey(&s->reader, &s->kex.next_in, s->kex.strict);
	if (s->state == STATE_NEWKEYS) {
		s->state = STATE_SERVICE;
		return 0;
	}
	s->state = s->kex.resume;
	channels_resume(s);
	return 0;
}
