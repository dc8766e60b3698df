/* SPDX-License-Identifier: MIT */
/*
 * A copy between two servers that answer whatever the input says: each answer has the id of the
 * oldest request, a type and a body from the input. The copy must come to an end, within its
 * limits, and ask for nothing outside of the target.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/sftp/copy.h"

#define STEPS_MAX 20000

struct input {
	struct span rest;
};

static uint8_t next_byte(struct input *input)
{
	return input->rest.len > 0 ? *span_cut(&input->rest, 1).ptr : 0;
}

static void put(bool ok)
{
	assert(ok);
}

/* Types by a byte, so that short inputs get far; the body is taken as it is. */
static void put_answer(struct input *input, uint32_t id, struct buf *in)
{
	static const uint8_t types[] = { SFTP_TYPE_STATUS, SFTP_TYPE_HANDLE,
					 SFTP_TYPE_DATA,   SFTP_TYPE_NAME,
					 SFTP_TYPE_ATTRS,  SFTP_TYPE_EXTENDED_REPLY };
	size_t at = 0, len = next_byte(input);
	uint8_t type = types[next_byte(input) % ARRAY_LEN(types)];

	put(sftp_packet_begin(in, type, id, &at));
	if (input->rest.len == 0) {
		/* Its end: all fails from here on. */
		buf_truncate(in, at);
		put(sftp_packet_begin(in, SFTP_TYPE_STATUS, id, &at));
		put(buf_append_u32(in, SFTP_STATUS_FAILURE));
	} else {
		put(buf_append_span(in, span_cut(&input->rest, MIN(len, input->rest.len))));
	}
	sftp_packet_end(in, at);
}

static bool is_inside(struct span path)
{
	static const char target[] = "target";
	size_t len = sizeof(target) - 1;

	/* The target itself, below it, or a part of it beside it. */
	if (path.len >= len && memcmp(path.ptr, target, len) == 0)
		return !memmem(path.ptr, path.len, "/../", 4) &&
		       !(path.len >= 3 && memcmp(path.ptr + path.len - 3, "/..", 3) == 0);
	return path.len > 8 && memcmp(path.ptr, ".target.", 8) == 0 &&
	       !memchr(path.ptr, '/', path.len);
}

static void check_request(const struct sftp_request *request, bool is_target)
{
	if (!is_target)
		return;
	if (request->op == SFTP_SYMLINK || request->op == SFTP_POSIX_RENAME)
		assert(is_inside(request->path2));
	if (request->path.len > 0 && request->op != SFTP_SYMLINK)
		assert(is_inside(request->path));
}

/* False: the client saw that it talks to no server. */
static bool answer(struct input *input, struct sftp_client *client, bool is_target)
{
	cleanup(buf_finish) struct buf in = BUF_INIT(SFTP_PACKET_MAX);
	struct span rest = buf_span(&client->out), packet;
	struct sftp_request request;
	struct err err;

	if (sftp_packet_cut(&rest, &packet) <= 0)
		return true;
	if (packet.ptr[0] == SFTP_TYPE_INIT) {
		put(buf_append(&in, "\0\0\0\5\2\0\0\0\3", 9));
	} else {
		put(sftp_request_parse(packet, &request, &err) == 0);
		check_request(&request, is_target);
		put_answer(input, request.id, &in);
	}
	buf_consume(&client->out, SFTP_HEAD_LEN + packet.len);
	return sftp_client_feed(client, &in, &err) == 0;
}

static void complain(void *user, bool is_source, const char *path, const struct err *why)
{
	(void)user;
	(void)is_source;
	assert(path && why->kind != ERR_NONE);
}

static const struct copy_ops ops = { .complain = complain };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const sources[] = { "source" };
	static struct sftp_client from, to;
	struct input input = { { bytes, len } };
	uint8_t options = next_byte(&input);
	struct copy_config config = {
		.options = { true, options & 1, options & 2, options & 4 },
		.from = &from,
		.to = &to,
		.sources = sources,
		.names = sources,
		.sources_len = 1,
		.target = "target",
		.ops = &ops,
	};
	cleanup(copy_free) struct copy *copy = copy_new(&config);
	size_t steps = 0;

	sftp_client_init(&from);
	sftp_client_init(&to);
	while (!copy_is_over(copy)) {
		assert(steps++ < STEPS_MAX);
		copy_turn(copy);
		if (!answer(&input, &from, false) || !answer(&input, &to, true)) {
			copy_stop(copy);
			for (; !copy_is_over(copy); steps++) {
				assert(steps < STEPS_MAX);
				sftp_client_drop(&from);
				sftp_client_drop(&to);
			}
		}
	}
	sftp_client_finish(&from);
	sftp_client_finish(&to);
	return 0;
}
