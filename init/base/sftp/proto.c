/* SPDX-License-Identifier: MIT */
/* SFTP packets as bytes; see proto.h. */
#include "proto.h"

#include <assert.h>
#include <string.h>

static const struct shape {
	uint8_t type;
	const char *extension, *version, *fields;
} shapes[SFTP_OPS] = {
#define X(name, type, extension, version, fields) { type, extension, version, fields },
	SFTP_REQUESTS(X)
#undef X
};

enum field_kind { FIELD_U32, FIELD_U64, FIELD_STRING, FIELD_ATTRS };

/* Numbers are uint64_t in the struct, however many bytes they take in the packet. */
static const struct field {
	char letter;
	enum field_kind kind;
	size_t offset;
} fields[] = {
	{ 'p', FIELD_STRING, offsetof(struct sftp_request, path) },
	{ 'q', FIELD_STRING, offsetof(struct sftp_request, path2) },
	{ 'h', FIELD_STRING, offsetof(struct sftp_request, handle) },
	{ 'k', FIELD_STRING, offsetof(struct sftp_request, handle2) },
	{ 'd', FIELD_STRING, offsetof(struct sftp_request, bytes) },
	{ 'n', FIELD_STRING, offsetof(struct sftp_request, text) },
	{ 'u', FIELD_STRING, offsetof(struct sftp_request, users) },
	{ 'g', FIELD_STRING, offsetof(struct sftp_request, groups) },
	{ 'o', FIELD_U64, offsetof(struct sftp_request, offset) },
	{ 'O', FIELD_U64, offsetof(struct sftp_request, offset2) },
	{ 'L', FIELD_U64, offsetof(struct sftp_request, length) },
	{ 'l', FIELD_U32, offsetof(struct sftp_request, length) },
	{ 'f', FIELD_U32, offsetof(struct sftp_request, flags) },
	{ 'b', FIELD_U32, offsetof(struct sftp_request, block) },
	{ 'a', FIELD_ATTRS, offsetof(struct sftp_request, attrs) },
};

static const struct field *field_of(char letter)
{
	const struct field *field = fields;

	while (field->letter != letter)
		field++;
	return field;
}

static uint64_t read_be(const uint8_t *bytes, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | bytes[i];
	return v;
}

bool sftp_cut_u32(struct span *s, uint32_t *ret)
{
	if (s->len < 4)
		return false;
	*ret = (uint32_t)read_be(span_cut(s, 4).ptr, 4);
	return true;
}

bool sftp_cut_u64(struct span *s, uint64_t *ret)
{
	if (s->len < 8)
		return false;
	*ret = read_be(span_cut(s, 8).ptr, 8);
	return true;
}

bool sftp_cut_string(struct span *s, struct span *ret)
{
	struct span rest = *s;
	uint32_t len;

	if (!sftp_cut_u32(&rest, &len) || len > rest.len)
		return false;
	*ret = span_cut(&rest, len);
	*s = rest;
	return true;
}

bool sftp_append_string(struct buf *b, struct span s)
{
	return s.len <= UINT32_MAX && buf_append_u32(b, (uint32_t)s.len) && buf_append_span(b, s);
}

/* Each pair takes eight bytes at least, so that a large count ends with the packet. */
static bool skip_extended(struct span *s)
{
	struct span skipped;
	uint32_t count;

	if (!sftp_cut_u32(s, &count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!sftp_cut_string(s, &skipped) || !sftp_cut_string(s, &skipped))
			return false;
	}
	return true;
}

bool sftp_cut_attrs(struct span *s, struct sftp_attrs *ret)
{
	struct sftp_attrs a = { 0 };

	if (!sftp_cut_u32(s, &a.flags) || (a.flags & SFTP_ATTR_SIZE && !sftp_cut_u64(s, &a.size)) ||
	    (a.flags & SFTP_ATTR_OWNER && (!sftp_cut_u32(s, &a.uid) || !sftp_cut_u32(s, &a.gid))) ||
	    (a.flags & SFTP_ATTR_MODE && !sftp_cut_u32(s, &a.mode)) ||
	    (a.flags & SFTP_ATTR_TIMES &&
	     (!sftp_cut_u32(s, &a.atime) || !sftp_cut_u32(s, &a.mtime))) ||
	    (a.flags & SFTP_ATTR_EXTENDED && !skip_extended(s)))
		return false;
	a.flags &= SFTP_ATTR_SIZE | SFTP_ATTR_OWNER | SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	*ret = a;
	return true;
}

bool sftp_append_attrs(struct buf *b, const struct sftp_attrs *a)
{
	if (!buf_append_u32(b, a->flags) ||
	    (a->flags & SFTP_ATTR_SIZE && !buf_append_u64(b, a->size)) ||
	    (a->flags & SFTP_ATTR_OWNER &&
	     (!buf_append_u32(b, a->uid) || !buf_append_u32(b, a->gid))) ||
	    (a->flags & SFTP_ATTR_MODE && !buf_append_u32(b, a->mode)))
		return false;
	return !(a->flags & SFTP_ATTR_TIMES) ||
	       (buf_append_u32(b, a->atime) && buf_append_u32(b, a->mtime));
}

/* What lies outside of what the protocol can say becomes the nearest that it can. */
static uint32_t clamp_time(time_t t)
{
	return t < 0 ? 0 : (uint32_t)MIN((uint64_t)t, (uint64_t)UINT32_MAX);
}

void sftp_attrs_of_stat(const struct stat *st, struct sftp_attrs *ret)
{
	*ret = (struct sftp_attrs){
		.flags = SFTP_ATTR_SIZE | SFTP_ATTR_OWNER | SFTP_ATTR_MODE | SFTP_ATTR_TIMES,
		.size = (uint64_t)st->st_size,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mode = st->st_mode,
		.atime = clamp_time(st->st_atime),
		.mtime = clamp_time(st->st_mtime),
	};
}

int sftp_packet_cut(struct span *bytes, struct span *ret)
{
	struct span rest = *bytes;
	uint32_t len;

	if (!sftp_cut_u32(&rest, &len))
		return 0;
	if (len == 0 || len > SFTP_PACKET_MAX)
		return -1;
	if (len > rest.len)
		return 0;
	*ret = span_cut(&rest, len);
	*bytes = rest;
	return 1;
}

static bool cut_field(struct span *s, const struct field *field, struct sftp_request *request)
{
	void *member = (char *)request + field->offset;
	uint32_t v;

	switch (field->kind) {
	case FIELD_U32:
		if (!sftp_cut_u32(s, &v))
			return false;
		*(uint64_t *)member = v;
		return true;
	case FIELD_U64:
		return sftp_cut_u64(s, member);
	case FIELD_STRING:
		return sftp_cut_string(s, member);
	case FIELD_ATTRS:
		return sftp_cut_attrs(s, member);
	}
	return false;
}

/* An extension is known by its name, the others by their type; the name leaves *s. */
static const struct shape *shape_of(uint8_t type, struct span *s)
{
	struct span name = { 0 };

	if (type == SFTP_TYPE_EXTENDED && !sftp_cut_string(s, &name))
		return NULL;
	for (size_t i = 0; i < SFTP_OPS; i++) {
		const struct shape *shape = &shapes[i];

		if (shape->type == type &&
		    (!shape->extension || span_equal_str(name, shape->extension)))
			return shape;
	}
	return NULL;
}

int sftp_request_parse(struct span packet, struct sftp_request *ret, struct err *err)
{
	struct sftp_request request = { 0 };
	const struct shape *shape;
	uint8_t type;

	if (packet.len < 5)
		return err_set(err, ERR_PROTOCOL, "a request without an id");
	type = *span_cut(&packet, 1).ptr;
	(void)!sftp_cut_u32(&packet, &request.id);
	*ret = request;
	shape = shape_of(type, &packet);
	if (!shape)
		return err_set(err, ERR_UNSUPPORTED, "request type %u is not known",
			       (unsigned int)type);
	request.op = (enum sftp_op)(shape - shapes);
	for (const char *letter = shape->fields; *letter; letter++) {
		if (!cut_field(&packet, field_of(*letter), &request))
			return err_set(err, ERR_INVALID, "request type %u is cut short",
				       (unsigned int)type);
	}
	if (packet.len > 0)
		return err_set(err, ERR_INVALID, "request type %u has %zu bytes too many",
			       (unsigned int)type, packet.len);
	*ret = request;
	return 0;
}

static bool append_field(struct buf *b, const struct field *field,
			 const struct sftp_request *request)
{
	const void *member = (const char *)request + field->offset;

	switch (field->kind) {
	case FIELD_U32:
		return buf_append_u32(b, (uint32_t) * (const uint64_t *)member);
	case FIELD_U64:
		return buf_append_u64(b, *(const uint64_t *)member);
	case FIELD_STRING:
		return sftp_append_string(b, *(const struct span *)member);
	case FIELD_ATTRS:
		return sftp_append_attrs(b, member);
	}
	return false;
}

bool sftp_request_append(struct buf *b, const struct sftp_request *request)
{
	const struct shape *shape = &shapes[request->op];
	size_t before = buf_len(b), at;
	bool ok = sftp_packet_begin(b, shape->type, request->id, &at);

	if (ok && shape->extension)
		ok = sftp_append_string(b, span_of_str(shape->extension));
	for (const char *letter = shape->fields; ok && *letter; letter++)
		ok = append_field(b, field_of(*letter), request);
	if (ok)
		sftp_packet_end(b, at);
	else
		buf_truncate(b, before);
	return ok;
}

const char *sftp_extension(enum sftp_op op, const char **ret_version)
{
	*ret_version = shapes[op].version;
	return shapes[op].extension;
}

bool sftp_packet_begin(struct buf *b, uint8_t type, uint32_t id, size_t *ret_at)
{
	size_t at = buf_len(b);

	if (buf_room(b) < SFTP_HEAD_LEN + 5 || !buf_append_u32(b, 0) || !buf_append_u8(b, type) ||
	    !buf_append_u32(b, id))
		return false;
	*ret_at = at;
	return true;
}

void sftp_patch_u32(struct buf *b, size_t at, uint32_t v)
{
	uint8_t *out = b->mem + b->head + at;

	assert(at + 4 <= buf_len(b));
	for (int i = 3; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

void sftp_packet_end(struct buf *b, size_t at)
{
	size_t len = buf_len(b) - at - SFTP_HEAD_LEN;

	assert(len <= UINT32_MAX);
	sftp_patch_u32(b, at, (uint32_t)len);
}

const char *sftp_status_word(uint32_t code)
{
	static const char *const words[] = {
#define X(name, word) word,
		SFTP_STATUSES(X)
#undef X
	};

	return code < ARRAY_LEN(words) ? words[code] : "unknown status";
}
