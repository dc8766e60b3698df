/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <termios.h>
#include <unistd.h>

#include "init/base/buf.h"
#include "tunnel/services/modes.h"

static void add(struct buf *b, uint8_t op, uint32_t value)
{
	assert_true(buf_append_u8(b, op));
	assert_true(buf_append_u32(b, value));
}

static struct termios apply_one(uint8_t op, uint32_t value, struct termios t)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);

	add(&b, op, value);
	assert_true(buf_append_u8(&b, 0));
	assert_int_equal(modes_apply(buf_span(&b), &t, NULL), 0);
	return t;
}

static void every_flag_can_be_set_and_cleared(void **state)
{
	static const struct {
		uint8_t op;
		size_t offset;
		tcflag_t flag;
	} flags[] = {
#define F(op, member, flag) { op, offsetof(struct termios, member), flag }
		F(30, c_iflag, IGNPAR), F(31, c_iflag, PARMRK), F(32, c_iflag, INPCK),
		F(33, c_iflag, ISTRIP), F(34, c_iflag, INLCR),	F(35, c_iflag, IGNCR),
		F(36, c_iflag, ICRNL),	F(37, c_iflag, IUCLC),	F(38, c_iflag, IXON),
		F(39, c_iflag, IXANY),	F(40, c_iflag, IXOFF),	F(41, c_iflag, IMAXBEL),
		F(42, c_iflag, IUTF8),	F(50, c_lflag, ISIG),	F(51, c_lflag, ICANON),
		F(52, c_lflag, XCASE),	F(53, c_lflag, ECHO),	F(54, c_lflag, ECHOE),
		F(55, c_lflag, ECHOK),	F(56, c_lflag, ECHONL), F(57, c_lflag, NOFLSH),
		F(58, c_lflag, TOSTOP), F(59, c_lflag, IEXTEN), F(60, c_lflag, ECHOCTL),
		F(61, c_lflag, ECHOKE), F(62, c_lflag, PENDIN), F(70, c_oflag, OPOST),
		F(71, c_oflag, OLCUC),	F(72, c_oflag, ONLCR),	F(73, c_oflag, OCRNL),
		F(74, c_oflag, ONOCR),	F(75, c_oflag, ONLRET), F(92, c_cflag, PARENB),
		F(93, c_cflag, PARODD),
#undef F
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		struct termios on = apply_one(flags[i].op, 1, (struct termios){ 0 });
		struct termios off = apply_one(flags[i].op, 0, on), none = { 0 };
		tcflag_t got = *(tcflag_t *)(void *)((char *)&on + flags[i].offset);

		assert_int_equal(got, flags[i].flag);
		assert_memory_equal(&off, &none, sizeof(none));
	}
}

static void every_character_has_its_place_and_255_switches_it_off(void **state)
{
	static const struct {
		uint8_t op, index;
	} chars[] = { { 1, VINTR },   { 2, VQUIT },  { 3, VERASE },    { 4, VKILL },
		      { 5, VEOF },    { 6, VEOL },   { 7, VEOL2 },     { 8, VSTART },
		      { 9, VSTOP },   { 10, VSUSP }, { 12, VREPRINT }, { 13, VWERASE },
		      { 14, VLNEXT }, { 16, VSWTC }, { 18, VDISCARD } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chars); i++) {
		struct termios t = apply_one(chars[i].op, 200, (struct termios){ 0 });

		for (uint8_t c = 0; c < NCCS; c++)
			assert_int_equal(t.c_cc[c], c == chars[i].index ? 200 : 0);
		t = apply_one(chars[i].op, 255, t);
		assert_int_equal(t.c_cc[chars[i].index], _POSIX_VDISABLE);
	}
}

static void modes_that_are_not_ours_change_nothing(void **state)
{
	static const uint8_t ops[] = { 11, 15, 17, 19, 29, 43, 63, 76, 94, 127, 130, 159 };
	struct termios none = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct termios t = apply_one(ops[i], 1, none);

		assert_memory_equal(&t, &none, sizeof(none));
	}
}

static void eight_bits_win_over_seven_whatever_the_order(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	struct termios t = { 0 };

	(void)state;
	/* OpenSSH names both when there are 8. */
	add(&b, 91, 1);
	add(&b, 90, 1);
	assert_int_equal(modes_apply(buf_span(&b), &t, NULL), 0);
	assert_int_equal(t.c_cflag & CSIZE, CS8);
	t = apply_one(90, 1, t);
	assert_int_equal(t.c_cflag & CSIZE, CS7);
}

static void speeds_are_set_and_unknown_ones_are_left(void **state)
{
	struct termios t = { 0 };

	(void)state;
	/* Linux has one speed for both directions: the output's comes last, as clients send it. */
	t = apply_one(128, 9600, t);
	assert_int_equal(cfgetispeed(&t), B9600);
	t = apply_one(129, 38400, t);
	assert_int_equal(cfgetospeed(&t), B38400);
	t = apply_one(129, 12345, t);
	assert_int_equal(cfgetospeed(&t), B38400);
}

static void the_list_ends_at_zero_and_at_what_cannot_be_read(void **state)
{
	static const uint8_t ends[] = { 0, 160, 255 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(64);
		struct termios t = { 0 };

		add(&b, 50, 1);
		assert_true(buf_append_u8(&b, ends[i]));
		add(&b, 53, 1);
		assert_int_equal(modes_apply(buf_span(&b), &t, NULL), 0);
		assert_int_equal(t.c_lflag, ISIG);
	}
}

static void a_list_that_is_cut_short_is_refused_and_changes_nothing(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	struct termios none = { 0 };

	(void)state;
	add(&b, 50, 1);
	add(&b, 53, 1);
	for (size_t len = 0; len < buf_len(&b); len++) {
		struct termios t = { 0 };
		struct err err = { 0 };
		int result = modes_apply(span_of(buf_span(&b).ptr, len), &t, &err);

		assert_int_equal(result, len % 5 == 0 ? 0 : -1);
		if (result < 0) {
			assert_int_equal(err.kind, ERR_INVALID);
			assert_memory_equal(&t, &none, sizeof(none));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flag_can_be_set_and_cleared),
		cmocka_unit_test(every_character_has_its_place_and_255_switches_it_off),
		cmocka_unit_test(modes_that_are_not_ours_change_nothing),
		cmocka_unit_test(eight_bits_win_over_seven_whatever_the_order),
		cmocka_unit_test(speeds_are_set_and_unknown_ones_are_left),
		cmocka_unit_test(the_list_ends_at_zero_and_at_what_cannot_be_read),
		cmocka_unit_test(a_list_that_is_cut_short_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
