/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The body of a `berth-process` stream: capsules (RFC 9297 section 3.2) in both directions.
 *
 *	type    direction      value
 *	0x2b01  to the job     START: what to run (struct process_start)
 *	0x2b02  to the job     STDIN: bytes
 *	0x2b03  to the job     STDIN_END: empty
 *	0x2b04  to the job     WINDOW: columns, rows, width_px, height_px as varints
 *	0x2b05  to the job     SIGNAL: its name without "SIG"
 *	0x2b06  to the job     STDOUT_STOP: empty
 *	0x2b10  from the job   STDOUT: bytes
 *	0x2b11  from the job   STDERR: bytes
 *	0x2b12  from the job   EXIT: the status as a varint, after the last output
 *	0x2b13  from the job   EXIT_SIGNAL: core dumped (one byte: 0, 1), then the name without "SIG"
 *
 * START is the first capsule; STDIN may follow in the same flight. Strings are a varint length and
 * bytes:
 *
 *	START { kind (varint: 0 shell, 1 exec, 2 subsystem, 3 argv), command (string),
 *	        if argv { directory (string) },
 *	        env count (varint), that many { name (string), value (string) },
 *	        pty (varint: 0 or 1), if 1 { term (string),
 *	        columns, rows, width_px, height_px (varints),
 *	        modes (string: the encoded terminal modes of RFC 4254 section 8) } }
 *
 * The command of an argv is its arguments, each ended by a NUL: no shell has a part in it. The
 * directory may be empty, which is the job's.
 *
 * Unknown capsule types are skipped (RFC 9297); trailing bytes in a known one are an error.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define PROCESS_COMMAND_MAX (128 * 1024) /* as long as one argument may be (execve(2)) */
#define PROCESS_ENV_MAX 256
#define PROCESS_DATA_MAX \
	(64 * 1024) /* most bytes we put into one data capsule; any length is accepted */

enum process_capsule {
	PROCESS_START = 0x2b01,
	PROCESS_STDIN = 0x2b02,
	PROCESS_STDIN_END = 0x2b03,
	PROCESS_WINDOW = 0x2b04,
	PROCESS_SIGNAL = 0x2b05,
	PROCESS_STDOUT_STOP = 0x2b06,
	PROCESS_STDOUT = 0x2b10,
	PROCESS_STDERR = 0x2b11,
	PROCESS_EXIT = 0x2b12,
	PROCESS_EXIT_SIGNAL = 0x2b13,
};

enum process_kind { PROCESS_SHELL, PROCESS_EXEC, PROCESS_SUBSYSTEM, PROCESS_ARGV };

/* Most bytes in a capsule that is not data: a START with the longest command and environment. */
#define PROCESS_VALUE_MAX (256 * 1024)

struct process_window {
	uint32_t columns, rows, width_px, height_px;
};

/* Spans point into the capsule. */
struct process_env {
	struct span name, value;
};

struct process_start {
	enum process_kind kind;
	struct span command;
	struct span directory; /* of an argv */
	struct process_env env[PROCESS_ENV_MAX];
	size_t env_len;
	bool has_pty; /* the rest is meaningful if so */
	struct span term, modes;
	struct process_window window;
};

int process_start_parse(struct span value, struct process_start *ret, struct err *err)
	attr_must_use;
/* Appends the whole capsule, header included; false when the buffer's maximum is in the way. */
bool process_start_format(const struct process_start *start, struct buf *b) attr_must_use;

/* How the command ended: EXIT or EXIT_SIGNAL. */
struct process_exit {
	bool signalled;
	uint32_t status;    /* unless signalled */
	bool core_dumped;   /* if signalled, as is the next */
	struct span signal; /* the name without "SIG"; points into the capsule */
};

/* The value of a PROCESS_EXIT or PROCESS_EXIT_SIGNAL capsule, told by its type. */
int process_exit_parse(uint64_t type, struct span value, struct process_exit *ret, struct err *err)
	attr_must_use;
bool process_exit_format(const struct process_exit *end, struct buf *b) attr_must_use;

int process_window_parse(struct span value, struct process_window *ret, struct err *err)
	attr_must_use;
bool process_window_format(const struct process_window *window, struct buf *b) attr_must_use;
