/* SPDX-License-Identifier: MIT */
/*
 * What a container engine says, which is told by the first byte: frames of a log ('f'), an archive
 * ('t'), a line of progress ('p'), and else a list of containers or one of them.
 */
#include "tests/fuzz/fuzz.h"

#include "controller/backends/docker/fetching.h"
#include "controller/backends/docker/frames.h"
#include "controller/backends/docker/observe.h"
#include "controller/model/tar.h"

static void check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static size_t read_frames(struct span in, size_t size, int *ret)
{
	struct frames frames = { 0 };
	size_t total = 0;

	*ret = 0;
	while (in.len > 0 && *ret >= 0) {
		struct span part = span_cut(&in, MIN(size, in.len)), piece;

		while ((*ret = frames_next(&frames, &part, &piece)) > 0)
			total += piece.len;
	}
	return total;
}

/* However it is cut, it says the same. */
static void check_frames(struct span in)
{
	int whole_end, cut_end;
	size_t whole = read_frames(in, SIZE_MAX, &whole_end);
	size_t cut = read_frames(in, 3, &cut_end);

	assert(whole == cut && whole_end == cut_end);
	assert(whole <= in.len);
}

static void check_archive(struct span in)
{
	struct tar_entry entry;
	struct err err;

	while (tar_next(&in, &entry, &err) > 0)
		assert(strnlen(entry.name, sizeof(entry.name)) < sizeof(entry.name));
}

static void check_container(const json_t *json)
{
	struct observation seen = { .state = JOB_FAILED, .exit_code = JOB_NO_EXIT_CODE };
	struct docker_item item;

	if (docker_read_item(json, &item))
		docker_state(item.state);
	docker_read_details(json, &seen);
	check_text(seen.reason, sizeof(seen.reason));
	assert(seen.exit_code >= JOB_NO_EXIT_CODE && seen.exit_code <= 255);
	assert(seen.signal >= 0 && seen.signal <= 64);
}

static void check_fetching(struct span in)
{
	struct fetching fetching = { 0 };
	struct span line = in;
	uint64_t done, total;
	struct err err;

	while (line.len > 0) {
		const uint8_t *end = memchr(line.ptr, '\n', line.len);
		size_t len = end ? (size_t)(end - line.ptr) + 1 : line.len;

		if (fetching_take_line(&fetching, span_cut(&line, len), &err) < 0)
			check_text(err.text, sizeof(err.text));
		fetching_sum(&fetching, &done, &total);
		assert(done <= total && fetching.len <= FETCHING_LAYERS_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(json_release) json_t *json = NULL;
	struct span in = span_of(bytes, len);
	const json_t *item;
	size_t i;

	if (len > 0 && strchr("ftp", bytes[0])) {
		span_cut(&in, 1);
		if (bytes[0] == 'f')
			check_frames(in);
		else if (bytes[0] == 't')
			check_archive(in);
		else
			check_fetching(in);
		return 0;
	}
	if (json_parse_any(in, 1 << 20, &json, NULL) < 0)
		return 0;
	check_container(json);
	json_array_foreach(json, i, item)
		check_container(item);
	return 0;
}
