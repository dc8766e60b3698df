/* SPDX-License-Identifier: MIT */
/* A line of /stat as a row of a table; see stat_table.h. */
#include "stat_table.h"

#include <stdio.h>
#include <time.h>

#include "tunnel/net/jsonfile.h"

#define CELL_SIZE 32

/* Of a member that is a number; the result has at most CELL_SIZE - 1 characters. */
typedef void cell_format(double value, char out[CELL_SIZE]);

static void as_count(double value, char out[CELL_SIZE])
{
	snprintf(out, CELL_SIZE, "%.0f", value);
}

static void as_percent(double value, char out[CELL_SIZE])
{
	snprintf(out, CELL_SIZE, "%.0f%%", value);
}

/* 1.2G: two figures where there are not three before the point. */
static void as_size(double value, char out[CELL_SIZE])
{
	static const char units[] = "BKMGTP";
	size_t unit = 0;

	while (value >= 1024 && unit + 2 < sizeof(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(out, CELL_SIZE, unit > 0 && value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static void as_time(double value, char out[CELL_SIZE])
{
	time_t seconds = (time_t)value;
	struct tm local;

	if (!localtime_r(&seconds, &local) || strftime(out, CELL_SIZE, "%H:%M:%S", &local) == 0)
		snprintf(out, CELL_SIZE, "-");
}

/* "-" for what is not there, or is no sensible number. */
static void cell(const json_t *object, const char *name, cell_format *format, char out[CELL_SIZE])
{
	const json_t *member = json_object_get(object, name);
	double value = json_number_value(member);

	if (json_is_number(member) && value >= 0 && value < 1e18)
		format(value, out);
	else
		snprintf(out, CELL_SIZE, "-");
}

static const struct {
	const char *title;
	const char *object; /* NULL: the line's own */
	const char *member;
	cell_format *format;
	int width;
} columns[] = {
	{ "TIME", NULL, "time", as_time, 8 },
	{ "CPU", "tree", "cpu_percent", as_percent, 6 },
	{ "CORES", NULL, "cores", as_count, 5 },
	{ "PROCESSES", "tree", "processes", as_count, 9 },
	{ "THREADS", "tree", "threads", as_count, 7 },
	{ "RSS", "tree", "rss", as_size, 6 },
	{ "MEMORY", "cgroup", "memory", as_size, 6 },
	{ "LIMIT", "cgroup", "memory_max", as_size, 6 },
	{ "READ", "tree", "read", as_size, 6 },
	{ "WRITTEN", "tree", "written", as_size, 7 },
};

bool stat_table_head(struct buf *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (!buf_printf(ret, "%-*s  ", columns[i].width, columns[i].title))
			return false;
	}
	return buf_printf(ret, "GPU\n");
}

static bool add_gpus(const json_t *gpus, struct buf *ret)
{
	if (json_array_size(gpus) == 0)
		return buf_printf(ret, "-");
	for (size_t i = 0; i < json_array_size(gpus); i++) {
		const json_t *gpu = json_array_get(gpus, i);
		char index[CELL_SIZE], percent[CELL_SIZE], used[CELL_SIZE], most[CELL_SIZE];

		cell(gpu, "index", as_count, index);
		cell(gpu, "percent", as_percent, percent);
		cell(gpu, "memory", as_size, used);
		cell(gpu, "memory_max", as_size, most);
		if (!buf_printf(ret, "%s%s: %s %s/%s", i ? ", " : "", index, percent, used, most))
			return false;
	}
	return true;
}

int stat_table_row(struct span line, struct buf *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(line, err);
	char text[CELL_SIZE];
	bool ok = true;

	if (!object)
		return -1;
	for (size_t i = 0; ok && i < ARRAY_LEN(columns); i++) {
		const json_t *in =
			columns[i].object ? json_object_get(object, columns[i].object) : object;

		cell(in, columns[i].member, columns[i].format, text);
		ok = buf_printf(ret, "%-*s  ", columns[i].width, text);
	}
	if (ok && add_gpus(json_object_get(object, "gpus"), ret) && buf_printf(ret, "\n"))
		return 0;
	return err_set(err, ERR_LIMIT, "too much for one line");
}
