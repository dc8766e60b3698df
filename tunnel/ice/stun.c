/* SPDX-License-Identifier: MIT */
/* STUN messages; see stun.h. Numbers are those of RFC 8489 section 18 and RFC 8445 section 16. */
#include "stun.h"

#include <assert.h>
#include <inttypes.h>

#include "tunnel/crypto/hmac.h"

#define HEADER_LEN 20
#define COOKIE UINT32_C(0x2112a442)
#define METHOD_BINDING 1
#define FINGERPRINT_LEN 8
#define FINGERPRINT_XOR UINT32_C(0x5354554e)
#define OPTIONAL 0x8000 /* attributes from here on may be skipped */

enum attribute {
	USERNAME = 0x0006,
	MESSAGE_INTEGRITY = 0x0008,
	ERROR_CODE = 0x0009,
	MESSAGE_INTEGRITY_SHA256 = 0x001c,
	XOR_MAPPED_ADDRESS = 0x0020,
	PRIORITY = 0x0024,
	USE_CANDIDATE = 0x0025,
	FINGERPRINT = 0x8028,
	ICE_CONTROLLED = 0x8029,
	ICE_CONTROLLING = 0x802a,
};

static const struct {
	enum attribute type;
	size_t len;
	void (*make)(struct span key, struct span message, uint8_t *ret);
} integrities[STUN_INTEGRITY_COUNT] = {
	[STUN_SHA1] = { MESSAGE_INTEGRITY, HMAC_SHA1_LEN, hmac_sha1 },
	[STUN_SHA256] = { MESSAGE_INTEGRITY_SHA256, HMAC_SHA256_LEN, hmac_sha256 },
};

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static uint64_t get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static void put_u16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* CRC-32 of ISO/IEC 3309, as RFC 8489 section 14.7 wants it; messages are short. */
static uint32_t crc32_of(struct span bytes)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.ptr[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

bool stun_is(struct span packet)
{
	return packet.len >= HEADER_LEN && packet.len <= STUN_MESSAGE_MAX && packet.ptr[0] < 4 &&
	       get_u32(packet.ptr + 4) == COOKIE &&
	       get_u16(packet.ptr + 2) == packet.len - HEADER_LEN && packet.len % 4 == 0;
}

/* The address is masked with the cookie and, for IPv6, the transaction (section 14.2). */
static bool read_mapped(struct span value, struct stun_message *m)
{
	const uint8_t *packet = m->packet.ptr;
	uint8_t address[16] = { 0 };
	in_port_t port;

	if (m->mapped.len > 0)
		return true;
	if (value.len < 4 ||
	    !((value.ptr[1] == 1 && value.len == 8) || (value.ptr[1] == 2 && value.len == 20)))
		return false;
	port = htons((uint16_t)(get_u16(value.ptr + 2) ^ (COOKIE >> 16)));
	for (size_t i = 0; i < value.len - 4; i++)
		address[i] = value.ptr[4 + i] ^ packet[4 + i];
	if (value.ptr[1] == 1) {
		m->mapped.len = sizeof(m->mapped.v4);
		m->mapped.v4.sin_family = AF_INET;
		m->mapped.v4.sin_port = port;
		memcpy(&m->mapped.v4.sin_addr, address, 4);
	} else {
		m->mapped.len = sizeof(m->mapped.v6);
		m->mapped.v6.sin6_family = AF_INET6;
		m->mapped.v6.sin6_port = port;
		memcpy(&m->mapped.v6.sin6_addr, address, 16);
	}
	return true;
}

static bool read_username(struct span value, struct stun_message *m)
{
	if (value.len == 0 || value.len > STUN_USERNAME_MAX)
		return false;
	if (m->username.len == 0)
		m->username = value;
	return true;
}

static bool read_priority(struct span value, struct stun_message *m)
{
	if (value.len != 4)
		return false;
	if (!m->has_priority)
		m->priority = get_u32(value.ptr);
	m->has_priority = true;
	return true;
}

static bool read_use_candidate(struct span value, struct stun_message *m)
{
	m->use_candidate = true;
	return value.len == 0;
}

static bool read_role(struct span value, struct stun_message *m, enum stun_role role)
{
	if (value.len != 8)
		return false;
	if (m->role == STUN_NO_ROLE) {
		m->role = role;
		m->tie_breaker = get_u64(value.ptr);
	}
	return true;
}

static bool read_controlled(struct span value, struct stun_message *m)
{
	return read_role(value, m, STUN_CONTROLLED);
}

static bool read_controlling(struct span value, struct stun_message *m)
{
	return read_role(value, m, STUN_CONTROLLING);
}

static bool read_error(struct span value, struct stun_message *m)
{
	unsigned int hundreds, rest;

	if (value.len < 4)
		return false;
	hundreds = value.ptr[2] & 7;
	rest = value.ptr[3];
	if (hundreds < 3 || hundreds > 6 || rest > 99)
		return false;
	if (m->error == 0)
		m->error = hundreds * 100 + rest;
	return true;
}

static const struct {
	enum attribute type;
	bool (*read)(struct span value, struct stun_message *m);
} readers[] = {
	{ USERNAME, read_username },	       { ERROR_CODE, read_error },
	{ XOR_MAPPED_ADDRESS, read_mapped },   { PRIORITY, read_priority },
	{ USE_CANDIDATE, read_use_candidate }, { ICE_CONTROLLED, read_controlled },
	{ ICE_CONTROLLING, read_controlling },
};

static bool is_protected(const struct stun_message *m)
{
	return m->integrity_at[STUN_SHA1] || m->integrity_at[STUN_SHA256];
}

/* Whether the attribute is one of integrity; false in *ret_ok when it cannot be right. */
static bool note_integrity(struct stun_message *m, uint16_t type, size_t len, size_t at,
			   bool *ret_ok)
{
	for (size_t i = 0; i < STUN_INTEGRITY_COUNT; i++) {
		if (type != integrities[i].type)
			continue;
		*ret_ok = len == integrities[i].len;
		if (!m->integrity_at[i])
			m->integrity_at[i] = at;
		return true;
	}
	return false;
}

static bool read_attribute(struct stun_message *m, uint16_t type, struct span value, size_t at)
{
	bool ok = true;

	if (note_integrity(m, type, value.len, at, &ok) || is_protected(m))
		return ok;
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		if (type == readers[i].type)
			return readers[i].read(value, m);
	}
	if (type < OPTIONAL && m->unknown == 0)
		m->unknown = type;
	return true;
}

static bool check_fingerprint(struct span packet, struct span value, size_t at)
{
	return value.len == 4 && at + FINGERPRINT_LEN == packet.len &&
	       get_u32(value.ptr) == (crc32_of(span_of(packet.ptr, at)) ^ FINGERPRINT_XOR);
}

static int read_attributes(struct stun_message *m, struct err *err)
{
	struct span rest = span_of(m->packet.ptr + HEADER_LEN, m->packet.len - HEADER_LEN);

	while (rest.len > 0) {
		size_t at = (size_t)(rest.ptr - m->packet.ptr), len;
		struct span value;
		uint16_t type;

		/* The whole is a multiple of four, and so is what is left. */
		type = get_u16(rest.ptr);
		len = get_u16(rest.ptr + 2);
		(void)span_cut(&rest, 4);
		if ((len + 3) / 4 * 4 > rest.len)
			return err_set(err, ERR_PROTOCOL, "STUN attribute 0x%04x is cut short",
				       type);
		value = span_cut(&rest, (len + 3) / 4 * 4);
		value.len = len;
		if (type == FINGERPRINT) {
			if (!check_fingerprint(m->packet, value, at))
				return err_set(err, ERR_PROTOCOL, "STUN fingerprint is wrong");
			m->has_fingerprint = true;
		} else if (!read_attribute(m, type, value, at)) {
			return err_set(err, ERR_PROTOCOL, "STUN attribute 0x%04x is malformed",
				       type);
		}
	}
	return 0;
}

/* The class is bits 4 and 8 of the type, the method is the others (section 5). */
static unsigned int method_of(uint16_t type)
{
	return (type & 0xfU) | (type & 0xe0U) >> 1 | (type & 0x3e00U) >> 2;
}

static enum stun_class class_of(uint16_t type)
{
	return (enum stun_class)((type & 0x10U) >> 4 | (type & 0x100U) >> 7);
}

int stun_parse(struct span packet, struct stun_message *ret, struct err *err)
{
	struct stun_message m = { .packet = packet };
	uint16_t type;

	if (!stun_is(packet))
		return err_set(err, ERR_PROTOCOL, "not a STUN message");
	type = get_u16(packet.ptr);
	if (method_of(type) != METHOD_BINDING)
		return err_set(err, ERR_UNSUPPORTED, "STUN method 0x%03x", method_of(type));
	m.class = class_of(type);
	memcpy(m.transaction, packet.ptr + 8, STUN_TRANSACTION_LEN);
	if (read_attributes(&m, err) < 0)
		return -1;
	if (m.class == STUN_ERROR && m.error == 0)
		return err_set(err, ERR_PROTOCOL, "STUN error without a code");
	*ret = m;
	return 0;
}

/*
 * The integrity of what stands before it, with the length that the message has when it ends with
 * this attribute (section 14.5). bytes is the message up to the attribute.
 */
static void make_integrity(struct span bytes, enum stun_integrity integrity, struct span key,
			   uint8_t ret[HMAC_SHA256_LEN])
{
	uint8_t copy[STUN_MESSAGE_MAX];

	assert(bytes.len >= HEADER_LEN && bytes.len <= sizeof(copy));
	memcpy(copy, bytes.ptr, bytes.len);
	put_u16(copy + 2, bytes.len - HEADER_LEN + 4 + integrities[integrity].len);
	integrities[integrity].make(key, span_of(copy, bytes.len), ret);
}

bool stun_verify(const struct stun_message *message, enum stun_integrity integrity, struct span key)
{
	size_t at = message->integrity_at[integrity];
	uint8_t expected[HMAC_SHA256_LEN];

	if (at == 0)
		return false;
	make_integrity(span_of(message->packet.ptr, at), integrity, key, expected);
	return hmac_equal(span_of(expected, integrities[integrity].len),
			  span_of(message->packet.ptr + at + 4, integrities[integrity].len));
}

static bool append_attribute(struct buf *b, enum attribute type, struct span value)
{
	static const uint8_t zeros[3];

	return buf_append_u8(b, (uint8_t)(type >> 8)) && buf_append_u8(b, (uint8_t)type) &&
	       buf_append_u8(b, (uint8_t)(value.len >> 8)) &&
	       buf_append_u8(b, (uint8_t)value.len) && buf_append_span(b, value) &&
	       buf_append(b, zeros, (4 - value.len % 4) % 4);
}

static bool append_mapped(struct buf *b, const struct quic_addr *mapped)
{
	bool is_v6 = mapped->any.sa_family == AF_INET6;
	in_port_t port = is_v6 ? mapped->v6.sin6_port : mapped->v4.sin_port;
	struct span address =
		is_v6 ? span_of(&mapped->v6.sin6_addr, 16) : span_of(&mapped->v4.sin_addr, 4);
	uint8_t value[20] = { 0, is_v6 ? 2 : 1 };

	put_u16(value + 2, (size_t)ntohs(port) ^ (COOKIE >> 16));
	for (size_t i = 0; i < address.len; i++)
		value[4 + i] = address.ptr[i] ^ b->mem[b->head + 4 + i];
	return append_attribute(b, XOR_MAPPED_ADDRESS, span_of(value, 4 + address.len));
}

static bool append_number(struct buf *b, enum attribute type, uint64_t number, size_t len)
{
	uint8_t value[8];

	for (size_t i = 0; i < len; i++)
		value[i] = (uint8_t)(number >> 8 * (len - 1 - i));
	return append_attribute(b, type, span_of(value, len));
}

static bool append_body(struct buf *b, const struct stun_message *m)
{
	const struct span nothing = { 0 };

	return (m->username.len == 0 || append_attribute(b, USERNAME, m->username)) &&
	       (!m->has_priority || append_number(b, PRIORITY, m->priority, 4)) &&
	       (!m->use_candidate || append_attribute(b, USE_CANDIDATE, nothing)) &&
	       (m->role == STUN_NO_ROLE ||
		append_number(b, m->role == STUN_CONTROLLED ? ICE_CONTROLLED : ICE_CONTROLLING,
			      m->tie_breaker, 8)) &&
	       (m->mapped.len == 0 || append_mapped(b, &m->mapped)) &&
	       (m->error == 0 ||
		append_number(b, ERROR_CODE, m->error / 100 << 8 | m->error % 100, 4));
}

static bool append_header(struct buf *b, const struct stun_message *m)
{
	unsigned int type = METHOD_BINDING | (m->class & 1U) << 4 | (m->class & 2U) << 7;

	return buf_append_u32(b, type << 16) && buf_append_u32(b, COOKIE) &&
	       buf_append(b, m->transaction, STUN_TRANSACTION_LEN);
}

static bool append_integrity(struct buf *b, enum stun_integrity integrity, struct span key)
{
	uint8_t mac[HMAC_SHA256_LEN];

	make_integrity(buf_span(b), integrity, key, mac);
	return append_attribute(b, integrities[integrity].type,
				span_of(mac, integrities[integrity].len));
}

bool stun_format(const struct stun_message *message, enum stun_integrity integrity, struct span key,
		 struct buf *b)
{
	cleanup(buf_finish) struct buf out = BUF_INIT(STUN_MESSAGE_MAX);

	if (!append_header(&out, message) || !append_body(&out, message) ||
	    !append_integrity(&out, integrity, key))
		return false;
	put_u16(out.mem + 2, buf_len(&out) - HEADER_LEN + FINGERPRINT_LEN);
	return append_number(&out, FINGERPRINT, crc32_of(buf_span(&out)) ^ FINGERPRINT_XOR, 4) &&
	       buf_append_span(b, buf_span(&out));
}
