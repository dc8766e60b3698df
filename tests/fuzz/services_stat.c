/* SPDX-License-Identifier: MIT */
/*
 * What the kernel and nvidia-smi say, as a container might fake it, and lines of /stat as a job
 * might: all parsers get all bytes, and what comes out is within its limits.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/cmd/stat_table.h"
#include "tunnel/services/stat_text.h"

static void try_kernel(struct span text)
{
	struct stat_process process;
	uint64_t read, written, value;
	struct span path;

	if (stat_parse_process(text, &process))
		assert(process.pid >= 0 && process.parent >= 0);
	(void)!stat_parse_number(text, &value);
	(void)!stat_parse_member(text, "usage_usec", &value);
	(void)!stat_parse_member(text, "read_bytes", &value);
	stat_parse_io(text, &read, &written);
	if (stat_parse_cgroup(text, NULL, &path) || stat_parse_cgroup(text, "memory", &path))
		assert(path.len > 0 && path.ptr[0] == '/' && !memchr(path.ptr, '\n', path.len));
}

static void try_gpus(struct span text)
{
	struct stat_gpu gpu;
	size_t before = text.len;

	while (stat_next_gpu(&text, &gpu)) {
		assert(text.len < before && strlen(gpu.name) < sizeof(gpu.name));
		assert(gpu.percent >= -1 && gpu.percent <= 100 && gpu.used <= gpu.total);
		before = text.len;
	}
}

static void try_query(struct span text)
{
	char *path = str_dup_len((const char *)text.ptr, text.len);
	struct span value;

	if (stat_query(path, "interval", &value))
		assert(value.len <= text.len);
	free(path);
}

static void try_table(struct span text)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(STAT_LINE_MAX);
	struct span row;

	if (stat_table_row(text, &b, NULL) < 0)
		return;
	row = buf_span(&b);
	for (size_t i = 0; i < row.len; i++)
		assert(row.ptr[i] >= 0x20 || i == row.len - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span text = span_of(bytes, len);

	try_kernel(text);
	try_gpus(text);
	try_query(text);
	try_table(text);
	return 0;
}
