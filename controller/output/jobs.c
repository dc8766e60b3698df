/* SPDX-License-Identifier: MIT */
/* Jobs as text; see jobs.h. */
#include "jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "controller/model/json.h"
#include "init/base/text.h"

#define CELL_MAX 256

static const char *const words[] = {
#define X(name, word) word,
	OUTPUT_FORMATS(X)
#undef X
};

int output_parse_format(const char *word, enum output_format *ret, struct err *err)
{
	*ret = OUTPUT_TABLE;
	if (!word)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], word) == 0) {
			*ret = (enum output_format)i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "--output: '%.40s' is not one of table, wide, json, name",
		       word);
}

static void cell_job(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "job-%" PRIu64, job->id);
}

static void cell_name(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%s", job->name);
}

static void cell_backend(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%s", job->backend);
}

static void cell_state(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%s", job_state_word(job->state));
}

static void cell_exit(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	const char *signal = job->signal > 0 ? sigabbrev_np(job->signal) : NULL;

	(void)now_ns;
	if (job->signal > 0)
		snprintf(out, CELL_MAX, "SIG%s", signal ? signal : "?");
	else if (job->exit_code != JOB_NO_EXIT_CODE)
		snprintf(out, CELL_MAX, "%d", job->exit_code);
}

static void cell_age(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	if (job->created_ns && now_ns >= job->created_ns)
		text_format_duration(now_ns - job->created_ns, out, CELL_MAX);
}

static void cell_time(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	uint64_t end_ns = job->ended_ns ? job->ended_ns : now_ns;

	if (job->started_ns && end_ns >= job->started_ns)
		text_format_duration(end_ns - job->started_ns, out, CELL_MAX);
}

static void cell_command(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%.60s", job->command);
}

static void cell_native_id(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%s", job->native_id);
}

static void cell_native_state(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%s", job->native_state);
}

static void cell_ranks(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%" PRIu64, job->tasks);
}

static void cell_reason(const struct job *job, uint64_t now_ns, char out[CELL_MAX])
{
	(void)now_ns;
	snprintf(out, CELL_MAX, "%s", job->reason);
}

static const struct column {
	const char *title;
	void (*cell)(const struct job *job, uint64_t now_ns, char out[CELL_MAX]);
	bool wide_only;
} columns[] = {
	{ "JOB", cell_job, false },
	{ "NAME", cell_name, false },
	{ "BACKEND", cell_backend, false },
	{ "STATE", cell_state, false },
	{ "EXIT", cell_exit, false },
	{ "TIME", cell_time, false },
	{ "AGE", cell_age, false },
	{ "RANKS", cell_ranks, true },
	{ "NATIVE-ID", cell_native_id, true },
	{ "NATIVE-STATE", cell_native_state, true },
	{ "REASON", cell_reason, true },
	{ "COMMAND", cell_command, false },
};

/* The length of the UTF-8 character at p, or 0 where there is none. */
static size_t character_len(const unsigned char *p)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* Nothing that a terminal would act on: neither ASCII's control characters nor those from U+0080 to
 * U+009F, nor bytes that are no text. */
static void make_safe(char *text)
{
	unsigned char *from = (unsigned char *)text, *to = from;

	while (*from) {
		size_t len = character_len(from);
		bool control =
			from[0] < 0x20 || from[0] == 0x7f || (from[0] == 0xc2 && from[1] < 0xa0);

		if (len == 0 || control)
			*to++ = '?';
		else
			to = (unsigned char *)memmove(to, from, len) + len;
		from += MAX(len, (size_t)1);
	}
	*to = '\0';
}

static void fill_cell(const struct column *column, const struct job *job, uint64_t now_ns,
		      char out[CELL_MAX])
{
	out[0] = '\0';
	column->cell(job, now_ns, out);
	make_safe(out);
	if (out[0] == '\0')
		snprintf(out, CELL_MAX, "-");
}

/* The number of characters of UTF-8 text: what a terminal shows of it, as good as. */
static int width_of(const char *s)
{
	int width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
}

static void print_cell(const char *text, int width, bool last, FILE *out)
{
	fputs(text, out);
	if (last)
		fputc('\n', out);
	else
		fprintf(out, "%*s", width - width_of(text) + 2, "");
}

static void print_table(const struct job_list *jobs, bool wide, uint64_t now_ns, FILE *out)
{
	int widths[ARRAY_LEN(columns)];
	char cell[CELL_MAX];

	for (size_t col = 0; col < ARRAY_LEN(columns); col++) {
		widths[col] = width_of(columns[col].title);
		for (size_t i = 0; i < jobs->len; i++) {
			fill_cell(&columns[col], &jobs->items[i], now_ns, cell);
			widths[col] = MAX(widths[col], width_of(cell));
		}
	}
	for (size_t row = 0; row <= jobs->len; row++) {
		for (size_t col = 0; col < ARRAY_LEN(columns); col++) {
			const struct column *column = &columns[col];

			if (column->wide_only && !wide)
				continue;
			if (row == 0)
				snprintf(cell, sizeof(cell), "%s", column->title);
			else
				fill_cell(column, &jobs->items[row - 1], now_ns, cell);
			print_cell(cell, widths[col], col == ARRAY_LEN(columns) - 1, out);
		}
	}
}

/* RFC 3339, in UTC with milliseconds; null when it is not known. */
static json_t *json_time(uint64_t ns)
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	struct tm tm = { 0 };
	char text[40];
	size_t len;

	if (ns == 0 || !gmtime_r(&seconds, &tm))
		return json_null();
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%03uZ",
		 (unsigned int)(ns % NSEC_PER_SEC / NSEC_PER_MSEC));
	return json_string(text);
}

/* Text that may not be UTF-8 (a command line) is repaired as text.h does. */
static json_t *json_text(const char *s)
{
	json_t *plain = json_string(s);
	cleanup(buf_finish) struct buf escaped = BUF_INIT(1024 * 1024);

	if (plain)
		return plain;
	if (!buf_append_u8(&escaped, '"') || !text_append_json(&escaped, s) ||
	    !buf_append_u8(&escaped, '"'))
		return json_null();
	return json_loadb(buf_str(&escaped), buf_len(&escaped), JSON_DECODE_ANY, NULL);
}

static json_t *json_optional(const char *s)
{
	return s[0] ? json_text(s) : json_null();
}

static json_t *json_job(const struct job *job)
{
	json_t *object = json_object();
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	json_object_set_new(object, "id", json_string(label));
	json_object_set_new(object, "uid", json_text(job->uid));
	json_object_set_new(object, "name", json_optional(job->name));
	json_object_set_new(object, "backend", json_text(job->backend));
	json_object_set_new(object, "native_id", json_optional(job->native_id));
	json_object_set_new(object, "state", json_string(job_state_word(job->state)));
	json_object_set_new(object, "native_state", json_optional(job->native_state));
	json_object_set_new(object, "reason", json_optional(job->reason));
	json_object_set_new(object, "exit_code",
			    job->exit_code == JOB_NO_EXIT_CODE ? json_null()
							       : json_integer(job->exit_code));
	json_object_set_new(object, "signal",
			    job->signal > 0 ? json_integer(job->signal) : json_null());
	json_object_set_new(object, "created", json_time(job->created_ns));
	json_object_set_new(object, "started", json_time(job->started_ns));
	json_object_set_new(object, "ended", json_time(job->ended_ns));
	json_object_set_new(object, "nodes", json_integer((json_int_t)job->nodes));
	json_object_set_new(object, "ranks", json_integer((json_int_t)job->tasks));
	json_object_set_new(object, "directory", json_text(job->directory));
	json_object_set_new(object, "command", json_text(job->command));
	return object;
}

static void print_json(const struct job_list *jobs, FILE *out)
{
	cleanup(json_release) json_t *array = json_array();

	for (size_t i = 0; i < jobs->len; i++)
		json_array_append_new(array, json_job(&jobs->items[i]));
	if (json_dumpf(array, out, JSON_INDENT(2)) == 0)
		fputc('\n', out);
}

static void print_names(const struct job_list *jobs, FILE *out)
{
	for (size_t i = 0; i < jobs->len; i++)
		fprintf(out, "job-%" PRIu64 "\n", jobs->items[i].id);
}

int output_jobs(const struct job_list *jobs, enum output_format format, uint64_t now_ns, FILE *out,
		struct err *err)
{
	switch (format) {
	case OUTPUT_TABLE:
	case OUTPUT_WIDE:
		print_table(jobs, format == OUTPUT_WIDE, now_ns, out);
		break;
	case OUTPUT_JSON:
		print_json(jobs, out);
		break;
	case OUTPUT_NAME:
		print_names(jobs, out);
		break;
	}
	if (fflush(out) != 0 || ferror(out))
		return err_set_errno(err, errno, "write the list");
	return 0;
}
