/* SPDX-License-Identifier: MIT */
/* Terminal modes as SSH encodes them; see modes.h. */
#include "modes.h"

#include <stdbool.h>
#include <unistd.h>

#define OP_END 0
#define OP_CS7 90
#define OP_CS8 91
#define OP_ISPEED 128
#define OP_OSPEED 129
#define OP_WITH_ARGUMENT_MAX 159

/* A character that is switched off, on the wire. */
#define CHAR_OFF 255

enum place { PLACE_CHAR, PLACE_IFLAG, PLACE_LFLAG, PLACE_OFLAG, PLACE_CFLAG };

static const struct mode {
	uint8_t op;
	enum place place;
	unsigned int value; /* index into c_cc, or the flag */
} table[] = {
	{ 1, PLACE_CHAR, VINTR },    { 2, PLACE_CHAR, VQUIT },	   { 3, PLACE_CHAR, VERASE },
	{ 4, PLACE_CHAR, VKILL },    { 5, PLACE_CHAR, VEOF },	   { 6, PLACE_CHAR, VEOL },
	{ 7, PLACE_CHAR, VEOL2 },    { 8, PLACE_CHAR, VSTART },	   { 9, PLACE_CHAR, VSTOP },
	{ 10, PLACE_CHAR, VSUSP },   { 12, PLACE_CHAR, VREPRINT }, { 13, PLACE_CHAR, VWERASE },
	{ 14, PLACE_CHAR, VLNEXT },  { 16, PLACE_CHAR, VSWTC },	   { 18, PLACE_CHAR, VDISCARD },
	{ 30, PLACE_IFLAG, IGNPAR }, { 31, PLACE_IFLAG, PARMRK },  { 32, PLACE_IFLAG, INPCK },
	{ 33, PLACE_IFLAG, ISTRIP }, { 34, PLACE_IFLAG, INLCR },   { 35, PLACE_IFLAG, IGNCR },
	{ 36, PLACE_IFLAG, ICRNL },  { 37, PLACE_IFLAG, IUCLC },   { 38, PLACE_IFLAG, IXON },
	{ 39, PLACE_IFLAG, IXANY },  { 40, PLACE_IFLAG, IXOFF },   { 41, PLACE_IFLAG, IMAXBEL },
	{ 42, PLACE_IFLAG, IUTF8 },  { 50, PLACE_LFLAG, ISIG },	   { 51, PLACE_LFLAG, ICANON },
	{ 52, PLACE_LFLAG, XCASE },  { 53, PLACE_LFLAG, ECHO },	   { 54, PLACE_LFLAG, ECHOE },
	{ 55, PLACE_LFLAG, ECHOK },  { 56, PLACE_LFLAG, ECHONL },  { 57, PLACE_LFLAG, NOFLSH },
	{ 58, PLACE_LFLAG, TOSTOP }, { 59, PLACE_LFLAG, IEXTEN },  { 60, PLACE_LFLAG, ECHOCTL },
	{ 61, PLACE_LFLAG, ECHOKE }, { 62, PLACE_LFLAG, PENDIN },  { 70, PLACE_OFLAG, OPOST },
	{ 71, PLACE_OFLAG, OLCUC },  { 72, PLACE_OFLAG, ONLCR },   { 73, PLACE_OFLAG, OCRNL },
	{ 74, PLACE_OFLAG, ONOCR },  { 75, PLACE_OFLAG, ONLRET },  { 92, PLACE_CFLAG, PARENB },
	{ 93, PLACE_CFLAG, PARODD },
};

static const struct speed {
	uint32_t baud;
	speed_t code;
} speeds[] = {
	{ 50, B50 },	       { 75, B75 },	      { 110, B110 },	     { 134, B134 },
	{ 150, B150 },	       { 200, B200 },	      { 300, B300 },	     { 600, B600 },
	{ 1200, B1200 },       { 1800, B1800 },	      { 2400, B2400 },	     { 4800, B4800 },
	{ 9600, B9600 },       { 19200, B19200 },     { 38400, B38400 },     { 57600, B57600 },
	{ 115200, B115200 },   { 230400, B230400 },   { 460800, B460800 },   { 500000, B500000 },
	{ 576000, B576000 },   { 921600, B921600 },   { 1000000, B1000000 }, { 1152000, B1152000 },
	{ 1500000, B1500000 }, { 2000000, B2000000 }, { 2500000, B2500000 }, { 3000000, B3000000 },
	{ 3500000, B3500000 }, { 4000000, B4000000 },
};

/* A speed that has no code leaves the terminal's own: a pty has none anyway. */
static void set_speed(struct termios *t, uint8_t op, uint32_t baud)
{
	for (size_t i = 0; i < ARRAY_LEN(speeds); i++) {
		if (speeds[i].baud != baud)
			continue;
		if (op == OP_ISPEED)
			cfsetispeed(t, speeds[i].code);
		else
			cfsetospeed(t, speeds[i].code);
		return;
	}
}

static void set_flag(tcflag_t *flags, tcflag_t flag, bool on)
{
	*flags = on ? *flags | flag : *flags & ~flag;
}

static void set_mode(struct termios *t, const struct mode *mode, uint32_t value)
{
	switch (mode->place) {
	case PLACE_CHAR:
		t->c_cc[mode->value] = value == CHAR_OFF ? _POSIX_VDISABLE : (cc_t)value;
		break;
	case PLACE_IFLAG:
		set_flag(&t->c_iflag, mode->value, value != 0);
		break;
	case PLACE_LFLAG:
		set_flag(&t->c_lflag, mode->value, value != 0);
		break;
	case PLACE_OFLAG:
		set_flag(&t->c_oflag, mode->value, value != 0);
		break;
	case PLACE_CFLAG:
		set_flag(&t->c_cflag, mode->value, value != 0);
		break;
	}
}

static void set_by_op(struct termios *t, uint8_t op, uint32_t value)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].op == op) {
			set_mode(t, &table[i], value);
			return;
		}
	}
}

static uint32_t read_u32(struct span s)
{
	return (uint32_t)s.ptr[0] << 24 | (uint32_t)s.ptr[1] << 16 | (uint32_t)s.ptr[2] << 8 |
	       s.ptr[3];
}

int modes_apply(struct span modes, struct termios *termios, struct err *err)
{
	struct termios t = *termios;
	bool cs7 = false, cs8 = false;

	while (modes.len > 0) {
		uint8_t op = span_cut(&modes, 1).ptr[0];
		uint32_t value;

		if (op == OP_END || op > OP_WITH_ARGUMENT_MAX)
			break;
		if (modes.len < 4)
			return err_set(err, ERR_INVALID, "the terminal modes are cut short");
		value = read_u32(span_cut(&modes, 4));
		if (op == OP_ISPEED || op == OP_OSPEED)
			set_speed(&t, op, value);
		else if (op == OP_CS7)
			cs7 = value != 0;
		else if (op == OP_CS8)
			cs8 = value != 0;
		else
			set_by_op(&t, op, value);
	}
	/* CS7 is one of the two bits of CS8, so that clients with 8 bits name both. */
	if (cs8 || cs7)
		t.c_cflag = (t.c_cflag & ~(tcflag_t)CSIZE) | (tcflag_t)(cs8 ? CS8 : CS7);
	*termios = t;
	return 0;
}
