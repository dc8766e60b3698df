/* SPDX-License-Identifier: MIT */
/* The capsules between an endpoint and a relay; see relay.h. */
#include "relay.h"

#include <assert.h>
#include <string.h>

#include "init/base/macro.h"
#include "capsule.h"
#include "value.h"
#include "varint.h"

static const struct {
	uint64_t code;
	const char *text;
} codes[] = {
#define X(number, symbol, words) { number, words },
	RELAY_CODES(X)
#undef X
};

const char *relay_code_text(uint64_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].text;
	return relay_code_text(RELAY_CODE_PROTOCOL);
}

enum err_kind relay_code_kind(uint64_t code)
{
	switch ((enum relay_code)code) {
	case RELAY_CODE_TOKEN:
	case RELAY_CODE_EXPIRED:
	case RELAY_CODE_SIGNATURE:
		return ERR_DENIED;
	case RELAY_CODE_TAG_TAKEN:
		return ERR_EXISTS;
	case RELAY_CODE_LIMIT:
	case RELAY_CODE_FULL:
	case RELAY_CODE_TOO_OFTEN:
		return ERR_LIMIT;
	case RELAY_CODE_DRAINING:
	case RELAY_CODE_REPLACED:
		return ERR_UNAVAILABLE;
	case RELAY_CODE_PROTOCOL:
		return ERR_PROTOCOL;
	}
	return ERR_PROTOCOL;
}

bool relay_address_equal(const struct relay_address *a, const struct relay_address *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static int read_bytes(struct span *s, uint8_t *ret, size_t len, struct err *err, const char *what)
{
	if (s->len < len)
		return err_set(err, ERR_PROTOCOL, "%s is cut short", what);
	memcpy(ret, span_cut(s, len).ptr, len);
	return 0;
}

int relay_address_read(struct span *s, struct relay_address *ret, struct err *err, const char *what)
{
	struct relay_address address = { 0 };
	uint8_t port[2];

	if (read_bytes(s, &address.family, 1, err, what) < 0)
		return -1;
	if (address.family != 4 && address.family != 6)
		return err_set(err, ERR_PROTOCOL, "%s: no such family of addresses", what);
	if (read_bytes(s, address.bytes, address.family == 4 ? 4 : 16, err, what) < 0 ||
	    read_bytes(s, port, sizeof(port), err, what) < 0)
		return -1;
	address.port = (uint16_t)(port[0] << 8 | port[1]);
	*ret = address;
	return 0;
}

static int read_ms(struct span *s, uint32_t *ret, struct err *err, const char *what)
{
	uint64_t ms = 0;

	if (value_read_uint(s, RELAY_MS_MAX, &ms, err, what) < 0)
		return -1;
	*ret = (uint32_t)ms;
	return 0;
}

static int read_text(struct span *s, size_t max, struct span *ret, struct err *err,
		     const char *what)
{
	struct span text;

	if (value_read_string(s, &text, err, what) < 0)
		return -1;
	if (text.len > max)
		return err_set(err, ERR_LIMIT, "%s is longer than %zu bytes", what, max);
	*ret = text;
	return 0;
}

int relay_hello_parse(struct span value, struct relay_hello *ret, struct err *err)
{
	struct relay_hello hello = { 0 };
	uint64_t role = 0;

	if (value_read_uint(&value, RELAY_CLIENT, &role, err, "role") < 0 ||
	    read_bytes(&value, hello.tag, sizeof(hello.tag), err, "tag") < 0 ||
	    read_bytes(&value, hello.id, sizeof(hello.id), err, "id") < 0)
		return err_wrap(err, "HELLO");
	hello.role = (enum relay_role)role;
	if (hello.role == RELAY_JOB &&
	    (read_bytes(&value, hello.key, sizeof(hello.key), err, "key") < 0 ||
	     read_bytes(&value, hello.signature, sizeof(hello.signature), err, "signature") < 0))
		return err_wrap(err, "HELLO");
	if (read_text(&value, RELAY_TOKEN_MAX, &hello.token, err, "token") < 0 ||
	    value_end(value, err) < 0)
		return err_wrap(err, "HELLO");
	*ret = hello;
	return 0;
}

int relay_welcome_parse(struct span value, struct relay_welcome *ret, struct err *err)
{
	struct relay_welcome welcome;

	if (relay_address_read(&value, &welcome.observed, err, "observed address") < 0 ||
	    relay_address_read(&value, &welcome.second, err, "second address") < 0 ||
	    read_ms(&value, &welcome.keep_alive_ms, err, "keep-alive") < 0 ||
	    value_end(value, err) < 0)
		return err_wrap(err, "WELCOME");
	*ret = welcome;
	return 0;
}

int relay_observed_parse(struct span value, struct relay_address *ret, struct err *err)
{
	struct relay_address address;

	if (relay_address_read(&value, &address, err, "address") < 0 || value_end(value, err) < 0)
		return err_wrap(err, "OBSERVED");
	*ret = address;
	return 0;
}

int relay_peer_parse(struct span value, struct relay_peer *ret, struct err *err)
{
	struct relay_peer peer;
	uint64_t here = 0;

	if (read_bytes(&value, peer.tag, sizeof(peer.tag), err, "tag") < 0 ||
	    value_read_uint(&value, 1, &here, err, "here") < 0 || value_end(value, err) < 0)
		return err_wrap(err, "PEER");
	peer.is_here = here == 1;
	*ret = peer;
	return 0;
}

int relay_refused_parse(struct span value, struct relay_refused *ret, struct err *err)
{
	struct relay_refused refused;

	if (value_read_uint(&value, VARINT_MAX, &refused.code, err, "code") < 0 ||
	    read_ms(&value, &refused.retry_ms, err, "retry") < 0 ||
	    read_text(&value, RELAY_TEXT_MAX, &refused.text, err, "text") < 0 ||
	    value_end(value, err) < 0)
		return err_wrap(err, "REFUSED");
	*ret = refused;
	return 0;
}

int relay_drain_parse(struct span value, uint32_t *ret_retry_ms, struct err *err)
{
	uint32_t ms = 0;

	if (read_ms(&value, &ms, err, "retry") < 0 || value_end(value, err) < 0)
		return err_wrap(err, "DRAIN");
	*ret_retry_ms = ms;
	return 0;
}

static int parse_fixed(struct span value, uint8_t *ret, size_t len, struct err *err,
		       const char *what)
{
	if (value.len != len)
		return err_set(err, ERR_PROTOCOL, "%s has %zu bytes, not %zu", what, value.len,
			       len);
	memcpy(ret, value.ptr, len);
	return 0;
}

int relay_ping_parse(struct span value, uint8_t ret[RELAY_PING_LEN], struct err *err)
{
	return parse_fixed(value, ret, RELAY_PING_LEN, err, "PING");
}

int relay_challenge_parse(struct span value, uint8_t ret[RELAY_BINDING_LEN], struct err *err)
{
	return parse_fixed(value, ret, RELAY_BINDING_LEN, err, "CHALLENGE");
}

bool relay_address_append(struct buf *b, const struct relay_address *address)
{
	uint8_t family = address->family == 6 ? 6 : 4;
	uint8_t port[2] = { (uint8_t)(address->port >> 8), (uint8_t)address->port };

	return buf_append(b, &family, 1) && buf_append(b, address->bytes, family == 6 ? 16 : 4) &&
	       buf_append(b, port, sizeof(port));
}

bool relay_hello_format(const struct relay_hello *hello, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(RELAY_VALUE_MAX);

	return varint_append(&value, hello->role) &&
	       buf_append(&value, hello->tag, sizeof(hello->tag)) &&
	       buf_append(&value, hello->id, sizeof(hello->id)) &&
	       (hello->role != RELAY_JOB ||
		(buf_append(&value, hello->key, sizeof(hello->key)) &&
		 buf_append(&value, hello->signature, sizeof(hello->signature)))) &&
	       value_append_string(&value, hello->token) &&
	       capsule_append(b, RELAY_HELLO, buf_span(&value));
}

bool relay_welcome_format(const struct relay_welcome *welcome, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(RELAY_VALUE_MAX);

	return relay_address_append(&value, &welcome->observed) &&
	       relay_address_append(&value, &welcome->second) &&
	       varint_append(&value, welcome->keep_alive_ms) &&
	       capsule_append(b, RELAY_WELCOME, buf_span(&value));
}

bool relay_observed_format(const struct relay_address *address, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(RELAY_VALUE_MAX);

	return relay_address_append(&value, address) &&
	       capsule_append(b, RELAY_OBSERVED, buf_span(&value));
}

bool relay_peer_format(const struct relay_peer *peer, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(RELAY_VALUE_MAX);

	return buf_append(&value, peer->tag, sizeof(peer->tag)) &&
	       varint_append(&value, peer->is_here) &&
	       capsule_append(b, RELAY_PEER, buf_span(&value));
}

bool relay_refused_format(const struct relay_refused *refused, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(RELAY_VALUE_MAX);

	return varint_append(&value, refused->code) && varint_append(&value, refused->retry_ms) &&
	       value_append_string(&value, refused->text) &&
	       capsule_append(b, RELAY_REFUSED, buf_span(&value));
}

bool relay_drain_format(uint32_t retry_ms, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(VARINT_LEN_MAX);

	return varint_append(&value, retry_ms) && capsule_append(b, RELAY_DRAIN, buf_span(&value));
}

bool relay_ping_format(enum relay_capsule type, const uint8_t bytes[RELAY_PING_LEN], struct buf *b)
{
	assert(type == RELAY_PING || type == RELAY_PONG);
	return capsule_append(b, type, span_of(bytes, RELAY_PING_LEN));
}

bool relay_challenge_format(const uint8_t bytes[RELAY_BINDING_LEN], struct buf *b)
{
	return capsule_append(b, RELAY_CHALLENGE, span_of(bytes, RELAY_BINDING_LEN));
}

void relay_signed(const uint8_t binding[RELAY_BINDING_LEN], const struct relay_hello *hello,
		  uint8_t ret[RELAY_SIGNED_LEN])
{
	static const char label[18] = "berth relay hello"; /* with its NUL */
	uint8_t *at = ret;

	memcpy(at, label, sizeof(label));
	at += sizeof(label);
	memcpy(at, binding, RELAY_BINDING_LEN);
	at += RELAY_BINDING_LEN;
	*at++ = (uint8_t)hello->role;
	memcpy(at, hello->tag, sizeof(hello->tag));
	memcpy(at + sizeof(hello->tag), hello->id, sizeof(hello->id));
}
