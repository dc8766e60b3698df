/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/ssh/packet.h"
#include "tunnel/ssh/wire.h"

struct pair {
	struct packet_writer writer;
	struct packet_reader reader;
	struct buf wire;
};

static void pair_init(struct pair *p, const char *cipher)
{
	uint8_t key[CIPHER_KEY_MAX] = { 3 }, iv[CIPHER_IV_MAX] = { 4 };
	struct cipher seal, open;

	*p = (struct pair){ .wire = BUF_INIT(16 * 1024 * 1024) };
	packet_reader_init(&p->reader);
	if (!cipher)
		return;
	assert_int_equal(
		cipher_init(&seal, cipher_find(span_of_str(cipher)), CIPHER_SEAL, key, iv, NULL),
		0);
	assert_int_equal(
		cipher_init(&open, cipher_find(span_of_str(cipher)), CIPHER_OPEN, key, iv, NULL),
		0);
	packet_writer_rekey(&p->writer, &seal, true);
	packet_reader_rekey(&p->reader, &open, true);
}

static void pair_finish(struct pair *p)
{
	packet_reader_finish(&p->reader);
	packet_writer_finish(&p->writer);
	buf_finish(&p->wire);
}
DEFINE_CLEANUP_VALUE(struct pair, pair_finish)

static const char *const ciphers[] = { NULL, "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
				       "chacha20-poly1305@openssh.com" };

static void put(struct pair *p, const char *head, const char *body)
{
	assert_int_equal(
		packet_write(&p->writer, &p->wire, span_of_str(head), span_of_str(body), NULL), 0);
}

static void packets_arrive_however_the_bytes_are_cut(void **state)
{
	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(ciphers); c++) {
		for (size_t step = 1; step < 200; step++) {
			cleanup(pair_finish) struct pair p;
			struct span payload, piece;
			size_t seen = 0;

			pair_init(&p, ciphers[c]);
			put(&p, "first", "");
			put(&p, "x", "");
			put(&p, "he", "llo, this one is somewhat longer than a block");
			while (buf_len(&p.wire) > 0) {
				size_t len = MIN(step, buf_len(&p.wire));

				piece = span_of(buf_span(&p.wire).ptr, len);
				while (packet_read(&p.reader, &piece, &payload, NULL) > 0)
					seen++;
				assert_int_equal(piece.len, 0);
				buf_consume(&p.wire, len);
			}
			assert_int_equal(seen, 3);
			assert_int_equal(p.reader.seq, 3);
			assert_memory_equal(payload.ptr, "hello, this one", 15);
			assert_int_equal(p.reader.bytes, p.writer.bytes);
		}
	}
}

static void many_packets_are_read_from_one_run_of_bytes(void **state)
{
	cleanup(pair_finish) struct pair p;
	struct span bytes, payload;
	size_t seen = 0;

	(void)state;
	pair_init(&p, "aes128-gcm@openssh.com");
	for (int i = 0; i < 1000; i++)
		put(&p, "message", " body");
	bytes = buf_span(&p.wire);
	while (packet_read(&p.reader, &bytes, &payload, NULL) > 0) {
		assert_int_equal(payload.len, 12);
		seen++;
	}
	assert_int_equal(seen, 1000);
	/* Nothing was copied aside: no packet was cut. */
	assert_null(p.reader.partial.mem);
}

static void packets_are_padded_to_blocks_with_four_bytes_at_least(void **state)
{
	static char body[300];

	(void)state;
	memset(body, 'b', sizeof(body) - 1);
	for (size_t c = 0; c < ARRAY_LEN(ciphers); c++) {
		for (size_t len = 0; len < 299; len++) {
			cleanup(pair_finish) struct pair p;
			size_t block, total;

			pair_init(&p, ciphers[c]);
			put(&p, "h", body + 299 - len);
			block = cipher_block_len(&p.writer.cipher);
			total = buf_len(&p.wire) - cipher_tag_len(&p.writer.cipher);
			assert_int_equal((ciphers[c] ? total - 4 : total) % block, 0);
			assert_true(total >= 4 + 1 + 1 + len + 4);
			assert_true(total < 4 + 1 + 1 + len + 4 + block + 1);
		}
	}
}

static int read_clear(const uint8_t *bytes, size_t len, struct err *err)
{
	cleanup(pair_finish) struct pair p;
	struct span s = span_of(bytes, len), payload;

	pair_init(&p, NULL);
	return packet_read(&p.reader, &s, &payload, err);
}

static void lengths_out_of_bounds_end_the_connection_before_they_are_awaited(void **state)
{
	static const uint32_t bad[] = { 0,	    1,		4,
					5,	    11,		13,
					0x7fffffff, 0xffffffff, PACKET_LEN_MAX + 4 };
	uint8_t head[4];
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		wire_store_u32(head, bad[i]);
		assert_int_equal(read_clear(head, 4, &err), -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
	wire_store_u32(head, PACKET_LEN_MAX - 4);
	assert_int_equal(read_clear(head, 4, &err), 0);
	wire_store_u32(head, 12);
	assert_int_equal(read_clear(head, 4, &err), 0);
}

static void padding_leaves_room_for_a_message_number(void **state)
{
	uint8_t packet[16] = { 0, 0, 0, 12 };

	(void)state;
	for (int padding = 0; padding < 256; padding++) {
		packet[4] = (uint8_t)padding;
		assert_int_equal(read_clear(packet, 16, NULL),
				 padding >= 4 && padding <= 10 ? 1 : -1);
	}
}

static void the_longest_packet_is_read_and_one_longer_is_not_awaited(void **state)
{
	cleanup(pair_finish) struct pair p;
	cleanup(buf_finish) struct buf body = BUF_INIT(PACKET_LEN_MAX);
	struct span bytes, payload;

	(void)state;
	pair_init(&p, "chacha20-poly1305@openssh.com");
	assert_non_null(buf_reserve(&body, PACKET_PAYLOAD_MAX));
	memset(body.mem, 'x', PACKET_PAYLOAD_MAX);
	buf_commit(&body, PACKET_PAYLOAD_MAX);
	assert_int_equal(packet_write(&p.writer, &p.wire, (struct span){ body.mem, 1 },
				      span_of(body.mem, PACKET_PAYLOAD_MAX - 1), NULL),
			 0);
	bytes = buf_span(&p.wire);
	assert_int_equal(packet_read(&p.reader, &bytes, &payload, NULL), 1);
	assert_int_equal(payload.len, PACKET_PAYLOAD_MAX);
}

static void a_damaged_packet_is_refused(void **state)
{
	cleanup(pair_finish) struct pair p;
	struct span bytes, payload;
	struct err err;

	(void)state;
	pair_init(&p, "aes256-gcm@openssh.com");
	put(&p, "message", "");
	p.wire.mem[10] ^= 1;
	bytes = buf_span(&p.wire);
	assert_int_equal(packet_read(&p.reader, &bytes, &payload, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
}

static void output_beyond_its_maximum_is_an_error(void **state)
{
	struct packet_writer w = { 0 };
	cleanup(buf_finish) struct buf out = BUF_INIT(20);
	struct err err;

	(void)state;
	assert_int_equal(packet_write(&w, &out, span_of_str("h"), (struct span){ 0 }, &err), 0);
	assert_int_equal(packet_write(&w, &out, span_of_str("h"), (struct span){ 0 }, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_int_equal(buf_len(&out), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_arrive_however_the_bytes_are_cut),
		cmocka_unit_test(many_packets_are_read_from_one_run_of_bytes),
		cmocka_unit_test(packets_are_padded_to_blocks_with_four_bytes_at_least),
		cmocka_unit_test(lengths_out_of_bounds_end_the_connection_before_they_are_awaited),
		cmocka_unit_test(padding_leaves_room_for_a_message_number),
		cmocka_unit_test(the_longest_packet_is_read_and_one_longer_is_not_awaited),
		cmocka_unit_test(a_damaged_packet_is_refused),
		cmocka_unit_test(output_beyond_its_maximum_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
