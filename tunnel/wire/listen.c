/* SPDX-License-Identifier: MIT */
/* The capsules of a `berth-listen` stream; see listen.h. */
#include "listen.h"

#include <string.h>

#include "capsule.h"
#include "value.h"
#include "varint.h"

static int read_address(struct span *s, struct span *ret_address, uint16_t *ret_port,
			struct err *err)
{
	struct span address;
	uint64_t port;

	if (value_read_string(s, &address, err, "address") < 0 ||
	    value_read_uint(s, UINT16_MAX, &port, err, "port") < 0)
		return -1;
	if (address.len > LISTEN_ADDRESS_MAX)
		return err_set(err, ERR_LIMIT, "the address is longer than %d bytes",
			       LISTEN_ADDRESS_MAX);
	if (address.len > 0 && memchr(address.ptr, '\0', address.len))
		return err_set(err, ERR_PROTOCOL, "the address has a NUL in it");
	*ret_address = address;
	*ret_port = (uint16_t)port;
	return 0;
}

int listen_start_parse(struct span value, struct listen_start *ret, struct err *err)
{
	struct listen_start start;
	uint64_t kind = 0;

	if (value_read_uint(&value, LISTEN_PRIVATE, &kind, err, "kind") < 0 ||
	    read_address(&value, &start.address, &start.port, err) < 0 || value_end(value, err) < 0)
		return err_wrap(err, "LISTEN");
	start.kind = (enum listen_kind)kind;
	if (start.kind != LISTEN_TCP && start.port != 0)
		return err_set(err, ERR_PROTOCOL, "LISTEN: a Unix socket has no port");
	if (start.kind == LISTEN_PRIVATE && start.address.len > 0)
		return err_set(err, ERR_PROTOCOL, "LISTEN: the job chooses this path");
	*ret = start;
	return 0;
}

int listen_refuse_parse(struct span value, uint64_t *ret_id, struct err *err)
{
	uint64_t id = 0;

	if (value_read_uint(&value, VARINT_MAX, &id, err, "id") < 0 || value_end(value, err) < 0)
		return err_wrap(err, "REFUSE");
	*ret_id = id;
	return 0;
}

int listen_listening_parse(struct span value, struct listen_address *ret, struct err *err)
{
	struct listen_address at;

	if (read_address(&value, &at.address, &at.port, err) < 0 || value_end(value, err) < 0)
		return err_wrap(err, "LISTENING");
	*ret = at;
	return 0;
}

int listen_accepted_parse(struct span value, uint64_t *ret_id, struct listen_address *ret,
			  struct err *err)
{
	struct listen_address from;
	uint64_t id = 0;

	if (value_read_uint(&value, VARINT_MAX, &id, err, "id") < 0 ||
	    read_address(&value, &from.address, &from.port, err) < 0 || value_end(value, err) < 0)
		return err_wrap(err, "ACCEPTED");
	*ret_id = id;
	*ret = from;
	return 0;
}

static bool append_address(struct buf *b, struct span address, uint16_t port)
{
	return value_append_string(b, address) && varint_append(b, port);
}

bool listen_start_format(const struct listen_start *start, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(LISTEN_VALUE_MAX);

	return varint_append(&value, start->kind) &&
	       append_address(&value, start->address, start->port) &&
	       capsule_append(b, LISTEN_LISTEN, buf_span(&value));
}

bool listen_refuse_format(uint64_t id, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(VARINT_LEN_MAX);

	return varint_append(&value, id) && capsule_append(b, LISTEN_REFUSE, buf_span(&value));
}

bool listen_listening_format(const struct listen_address *at, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(LISTEN_VALUE_MAX);

	return append_address(&value, at->address, at->port) &&
	       capsule_append(b, LISTEN_LISTENING, buf_span(&value));
}

bool listen_accepted_format(uint64_t id, const struct listen_address *from, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(LISTEN_VALUE_MAX);

	return varint_append(&value, id) && append_address(&value, from->address, from->port) &&
	       capsule_append(b, LISTEN_ACCEPTED, buf_span(&value));
}
