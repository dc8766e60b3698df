/* SPDX-License-Identifier: MIT */
/* The values of process capsules: what is accepted survives formatting and parsing again. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/wire/process.h"
#include "tunnel/wire/varint.h"

static struct span value_of(const struct buf *b)
{
	struct span s = buf_span(b);
	uint64_t type, len;
	bool is_capsule = varint_read(&s, &type) && varint_read(&s, &len) && len == s.len;

	assert(is_capsule);
	return s;
}

static void try_start(struct span value)
{
	static struct process_start start, again;
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * PROCESS_VALUE_MAX);
	struct err err;
	int parsed;

	if (process_start_parse(value, &start, &err) < 0 || !process_start_format(&start, &b))
		return;
	parsed = process_start_parse(value_of(&b), &again, &err);
	assert(parsed == 0);
	assert(start.kind == again.kind && span_equal(start.command, again.command));
	assert(span_equal(start.directory, again.directory));
	assert(start.env_len == again.env_len && start.env_len <= PROCESS_ENV_MAX);
	for (size_t i = 0; i < start.env_len; i++) {
		assert(span_equal(start.env[i].name, again.env[i].name));
		assert(span_equal(start.env[i].value, again.env[i].value));
	}
	assert(start.has_pty == again.has_pty);
	assert(!start.has_pty ||
	       (span_equal(start.term, again.term) && span_equal(start.modes, again.modes) &&
		memcmp(&start.window, &again.window, sizeof(start.window)) == 0));
}

static void try_window(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	struct process_window window, again;
	struct err err;

	if (process_window_parse(value, &window, &err) < 0)
		return;
	assert(process_window_format(&window, &b));
	assert(process_window_parse(value_of(&b), &again, &err) == 0);
	assert(memcmp(&window, &again, sizeof(window)) == 0);
}

static void try_exit(uint64_t type, struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(256);
	struct process_exit end, again;
	struct err err;

	if (process_exit_parse(type, value, &end, &err) < 0 || !process_exit_format(&end, &b))
		return;
	assert(process_exit_parse(type, value_of(&b), &again, &err) == 0);
	assert(end.status == again.status && end.core_dumped == again.core_dumped);
	assert(span_equal(end.signal, again.signal));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span input = span_of(bytes, len);

	try_start(input);
	try_window(input);
	try_exit(PROCESS_EXIT, input);
	try_exit(PROCESS_EXIT_SIGNAL, input);
	return 0;
}
