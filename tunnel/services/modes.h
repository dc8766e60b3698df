/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Terminal modes as SSH encodes them (RFC 4254 section 8, RFC 8160): pairs of an opcode byte and,
 * for opcodes 1 to 159, a 32-bit argument; opcode 0 ends the list, and one above 159 ends what can
 * be read.
 */

#include <termios.h>

#include "init/base/err.h"
#include "init/base/span.h"

/*
 * Sets what the list names in *termios and leaves the rest. Modes that Linux does not have are
 * skipped. ERR_INVALID, and *termios unchanged, when the list is cut short.
 */
int modes_apply(struct span modes, struct termios *termios, struct err *err) attr_must_use;
