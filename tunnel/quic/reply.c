/* SPDX-License-Identifier: MIT */
/*
 * What a server answers without a connection: version negotiation, Retry, refusal, stateless reset.
 */
#include "tunnel/quic/route.h"

/* Between the Retry and the packet that returns its token. */
#define RETRY_VALID_NS (10 * NSEC_PER_SEC)

/* Long enough to look like any other short packet (RFC 9000 section 10.3). */
#define RESET_LEN_MAX 43
#define RESET_LEN_MIN (NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN)

/* The next free place, or NULL: nobody is owed an answer. */
static struct quic_reply *next_reply(struct quic_server *server, const struct quic_path *path)
{
	size_t at = (server->reply_first + server->reply_count) % REPLIES_MAX;

	if (server->reply_count == REPLIES_MAX)
		return NULL;
	server->replies[at].path = *path;
	return &server->replies[at];
}

static void commit_reply(struct quic_server *server, struct quic_reply *reply, ngtcp2_ssize len)
{
	if (len <= 0)
		return;
	reply->len = (size_t)len;
	server->reply_count++;
}

void quic_reply(struct quic_server *server, const struct quic_path *path, struct span bytes)
{
	struct quic_reply *reply = next_reply(server, path);

	if (!reply || bytes.len > sizeof(reply->bytes))
		return;
	memcpy(reply->bytes, bytes.ptr, bytes.len);
	commit_reply(server, reply, (ngtcp2_ssize)bytes.len);
}

void quic_reply_version(struct quic_server *server, const struct quic_path *path,
			const ngtcp2_version_cid *from)
{
	static const uint32_t versions[] = { NGTCP2_PROTO_VER_V1 };
	struct quic_reply *reply = next_reply(server, path);
	uint8_t random;

	if (!reply)
		return;
	quic_random(&random, 1);
	commit_reply(server, reply,
		     ngtcp2_pkt_write_version_negotiation(
			     reply->bytes, sizeof(reply->bytes), random, from->scid, from->scidlen,
			     from->dcid, from->dcidlen, versions, ARRAY_LEN(versions)));
}

/* tag: NULL, or what stands where an id would be. */
static void reset(struct quic_server *server, const struct quic_path *path, size_t len,
		  const ngtcp2_stateless_reset_token *token, const struct quic_tag *tag)
{
	struct quic_reply *reply = next_reply(server, path);
	uint8_t random[RESET_LEN_MAX];

	if (!reply)
		return;
	quic_random(random, sizeof(random));
	if (tag)
		memcpy(random + 1, tag->bytes, sizeof(tag->bytes));
	commit_reply(server, reply,
		     ngtcp2_pkt_write_stateless_reset2(reply->bytes, sizeof(reply->bytes), token,
						       random,
						       len - NGTCP2_STATELESS_RESET_TOKENLEN));
}

void quic_reply_reset(struct quic_server *server, const struct quic_path *path, struct span packet)
{
	struct quic_tag peers[QUIC_SERVER_RESETS_MAX];
	ngtcp2_stateless_reset_token token;
	ngtcp2_cid cid;
	size_t len, count = 0;

	if (packet.len <= RESET_LEN_MIN || packet.len < 1 + QUIC_CID_LEN)
		return;
	len = MIN(packet.len - 1, RESET_LEN_MAX);
	ngtcp2_cid_init(&cid, packet.ptr + 1, QUIC_CID_LEN);
	if (ngtcp2_crypto_generate_stateless_reset_token(token.data, server->reset_key.bytes,
							 SECRET_LEN, &cid) != 0)
		return;
	if (server->ops->peers)
		count = server->ops->peers(server->owner, path, peers);
	if (count == 0)
		reset(server, path, len, &token, NULL);
	for (size_t i = 0; i < count && len >= RESET_LEN_MIN + QUIC_TAG_LEN; i++)
		reset(server, path, len, &token, &peers[i]);
}

void quic_reply_retry(struct quic_server *server, const struct quic_path *path,
		      const ngtcp2_pkt_hd *hd, uint64_t now)
{
	struct quic_reply *reply = next_reply(server, path);
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
	ngtcp2_cid scid;
	ngtcp2_ssize token_len;

	if (!reply)
		return;
	quic_cid_make(&scid, server->has_tag ? &server->tag : NULL);
	token_len = ngtcp2_crypto_generate_retry_token2(token, server->retry_key.bytes, SECRET_LEN,
							hd->version, &path->remote.any,
							path->remote.len, &scid, &hd->dcid, now);
	if (token_len < 0)
		return;
	commit_reply(server, reply,
		     ngtcp2_crypto_write_retry(reply->bytes, sizeof(reply->bytes), hd->version,
					       &hd->scid, &scid, &hd->dcid, token,
					       (size_t)token_len));
}

void quic_reply_refuse(struct quic_server *server, const struct quic_path *path,
		       const ngtcp2_pkt_hd *hd, uint64_t code)
{
	struct quic_reply *reply = next_reply(server, path);

	if (!reply)
		return;
	commit_reply(server, reply,
		     ngtcp2_crypto_write_connection_close(reply->bytes, sizeof(reply->bytes),
							  hd->version, &hd->scid, &hd->dcid, code,
							  NULL, 0));
}

bool quic_retry_verify(struct quic_server *server, const struct quic_path *path,
		       const ngtcp2_pkt_hd *hd, uint64_t now, ngtcp2_cid *ret_original)
{
	if (hd->tokenlen == 0 || hd->token[0] != NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2)
		return false;
	return ngtcp2_crypto_verify_retry_token2(ret_original, hd->token, hd->tokenlen,
						 server->retry_key.bytes, SECRET_LEN, hd->version,
						 &path->remote.any, path->remote.len, &hd->dcid,
						 RETRY_VALID_NS, now) == 0;
}

bool quic_reply_write(struct quic_server *server, struct quic_batch *batch)
{
	const struct quic_reply *reply = &server->replies[server->reply_first];

	if (server->reply_count == 0)
		return false;
	batch->path = reply->path;
	batch->ecn = 0;
	batch->segment = batch->len = reply->len;
	memcpy(batch->bytes, reply->bytes, reply->len);
	server->reply_first = (server->reply_first + 1) % REPLIES_MAX;
	server->reply_count--;
	return true;
}
