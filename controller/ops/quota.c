/* SPDX-License-Identifier: MIT */
/* Which job directories go; see quota.h. */
#include "quota.h"

#include <stdlib.h>
#include <string.h>

#include "controller/backends/site_ssh.h"
#include "controller/run/remote.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

/* A directory may hold millions of files on a file system that is far away. */
#define MEASURE_TIMEOUT_MS (15 * 60 * 1000)
#define KIBIBYTES_MAX (INT64_MAX / 1024)

static int compare_ends(const void *a, const void *b)
{
	const struct job *x = ((const struct quota_item *)a)->job;
	const struct job *y = ((const struct quota_item *)b)->job;

	if (x->ended_ns != y->ended_ns)
		return x->ended_ns < y->ended_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static uint64_t add(uint64_t sum, uint64_t bytes)
{
	return bytes > UINT64_MAX - sum ? UINT64_MAX : sum + bytes;
}

void quota_choose(struct quota_item *items, size_t len, const struct quota *quota)
{
	uint64_t bytes = 0, jobs = 0;

	if (len > 1)
		qsort(items, len, sizeof(*items), compare_ends);
	/* From the newest back: once one has no room, none that is older has. */
	for (size_t i = len; i-- > 0;) {
		struct quota_item *item = &items[i];

		bytes = add(bytes, item->bytes);
		jobs++;
		item->is_old = item->job->ended_ns < quota->before_ns;
		item->goes = item->is_old || bytes > quota->bytes_max || jobs > quota->jobs_max;
	}
}

static int compare_directories(const void *a, const void *b)
{
	const struct quota_item *const *x = a, *const *y = b;

	return strcmp((*x)->job->directory, (*y)->job->directory);
}

static int compare_name(const void *key, const void *member)
{
	const struct quota_item *const *item = member;

	return strcmp(key, (*item)->job->directory);
}

static void take_line(const char *line, struct quota_item **sorted, size_t len)
{
	const char *tab = strchr(line, '\t');
	cleanup_free char *digits = tab ? str_dup_len(line, (size_t)(tab - line)) : NULL;
	struct quota_item **found;
	uint64_t kibibytes;

	if (!tab || !text_parse_uint(digits, UINT64_MAX, &kibibytes))
		return;
	found = bsearch(tab + 1, sorted, len, sizeof(*sorted), compare_name);
	if (found)
		(*found)->bytes = MIN(kibibytes, (uint64_t)KIBIBYTES_MAX) * 1024;
}

void quota_read_sizes(struct span text, struct quota_item *items, size_t len)
{
	cleanup_free struct quota_item **sorted = new_array(struct quota_item *, len + 1);

	for (size_t i = 0; i < len; i++)
		sorted[i] = &items[i];
	qsort(sorted, len, sizeof(*sorted), compare_directories);
	while (text.len > 0) {
		const uint8_t *end = memchr(text.ptr, '\n', text.len);
		struct span cut = span_cut(&text, end ? (size_t)(end - text.ptr) : text.len);
		cleanup_free char *line =
			str_dup_len(cut.len ? (const char *)cut.ptr : "", cut.len);

		span_cut(&text, end ? 1 : 0);
		take_line(line, sorted, len);
	}
}

/* No list of arguments is too long for what is in the shell itself. */
static bool write_script(const struct quota_item *items, size_t len, struct buf *script)
{
	bool ok = buf_printf(script, "LC_ALL=C; export LC_ALL\n"
				     "for p in du xargs; do command -v $p >/dev/null || "
				     "{ echo \"there is no $p\" >&2; exit 1; }; done\n"
				     "printf '%%s\\0'");

	for (size_t i = 0; ok && i < len; i++)
		ok = buf_append_u8(script, ' ') && remote_quote(script, items[i].job->directory);
	/* One that is gone is no failure. */
	return ok && buf_printf(script, " | xargs -0 du -sk 2>/dev/null\nexit 0\n");
}

static int run_here(struct span script, struct buf *ret, struct err *err)
{
	static const char *const argv[] = { "sh", NULL };
	cleanup(child_finish) struct child child = { 0 };
	char why[256];

	if (child_run(&(struct child_plan){ .argv = argv,
					    .input = script,
					    .timeout_ms = MEASURE_TIMEOUT_MS },
		      &child, err) < 0)
		return -1;
	if (child.status != 0) {
		child_complaint(&child, why, sizeof(why));
		return err_set(err, ERR_SYSTEM, "%s", why);
	}
	*ret = child.output;
	child.output = (struct buf){ 0 };
	return 0;
}

int quota_measure(struct site *site, struct quota_item *items, size_t len, struct err *err)
{
	cleanup(buf_finish) struct buf script = BUF_INIT(REMOTE_SCRIPT_MAX);
	cleanup(buf_finish) struct buf answer = BUF_INIT(CHILD_OUTPUT_MAX);
	int result;

	if (len == 0)
		return 0;
	if (!site_can_run(site))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s runs no commands of ours, so that sizes are not known: "
			       "'keep_jobs' limits how many stay",
			       site->login);
	if (!write_script(items, len, &script))
		return err_set(err, ERR_LIMIT, "too many job directories to measure at once");
	result = site ? site_ssh_script_within(site, buf_span(&script), MEASURE_TIMEOUT_MS, &answer,
					       err)
		      : run_here(buf_span(&script), &answer, err);
	if (result == 0)
		quota_read_sizes(buf_span(&answer), items, len);
	return result;
}
