/* SPDX-License-Identifier: MIT */
/* Batch scripts of Slurm's with #SBATCH lines; see spec_file.h. */
#include <ctype.h>
#include <string.h>

#include "controller/model/ref.h"
#include "controller/model/spec_file.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define MAGIC "#SBATCH"
#define MAGIC_OWN "#BERTH"
#define WORD_MAX 4096

/* Letters of sbatch for what we want to know of. */
static const struct {
	char letter;
	const char *name;
} letters[] = {
	{ 'A', "account" },   { 'a', "array" },		{ 'b', "begin" },    { 'C', "constraint" },
	{ 'D', "chdir" },     { 'd', "dependency" },	{ 'e', "error" },    { 'G', "gpus" },
	{ 'J', "job-name" },  { 'L', "licenses" },	{ 'M', "clusters" }, { 'N', "nodes" },
	{ 'W', "wait" },      { 'c', "cpus-per-task" }, { 'n', "ntasks" },   { 'o', "output" },
	{ 'p', "partition" }, { 'q', "qos" },		{ 't', "time" },     { 'w', "nodelist" },
	{ 'x', "exclude" },
};

/* What would make another thing of a job than the one job that berth follows. */
static const struct {
	const char *name;
	const char *instead;
} refused[] = {
	{ "clusters", "run berth where that cluster's Slurm is" },
	{ "cluster", "run berth where that cluster's Slurm is" },
	{ "wait", "use 'berth submit --wait'" },
	{ "test-only", "use 'berth submit --dry-run'" },
	{ "hetjob", "berth follows single jobs: submit it with sbatch" },
	{ "packjob", "berth follows single jobs: submit it with sbatch" },
};

struct reader {
	const char *name; /* of the file, for messages */
	struct spec_file *file;
	struct spec *spec;
	struct spec own; /* what #BERTH lines say */
	size_t line;
};

/* Slurm's limit: minutes, minutes:seconds, h:m:s, d-h, d-h:m, d-h:m:s. */
static bool parse_limit(const char *text, uint64_t *ret_ns)
{
	const char *dash = strchr(text, '-');
	uint64_t days = 0, parts[3] = { 0 }, seconds;
	char word[32];
	size_t len = 0;

	if (dash) {
		if ((size_t)(dash - text) >= sizeof(word))
			return false;
		snprintf(word, sizeof(word), "%.*s", (int)(dash - text), text);
		if (!text_parse_uint(word, 100000, &days))
			return false;
		text = dash + 1;
	}
	for (bool more = true; more; len++) {
		size_t end = strcspn(text, ":");

		more = text[end] == ':';
		if (len == ARRAY_LEN(parts) || end >= sizeof(word))
			return false;
		snprintf(word, sizeof(word), "%.*s", (int)end, text);
		if (!text_parse_uint(word, 100000000, &parts[len]))
			return false;
		text += end + more;
	}
	if (dash || len == 3)
		seconds = ((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2];
	else
		seconds = parts[0] * 60 + parts[1];
	*ret_ns = seconds * NSEC_PER_SEC;
	return true;
}

/* Slurm counts memory in MiB where no unit is given. */
static bool parse_memory(const char *text, uint64_t *ret)
{
	uint64_t megabytes;

	if (!text_parse_uint(text, UINT32_MAX, &megabytes))
		return text_parse_size(text, ret);
	*ret = megabytes << 20;
	return true;
}

/* The record is told what the line says; where Slurm's notation is richer than ours it is not. */
static void note_value(struct reader *r, const struct spec_option *option, const char *value)
{
	void *member = (char *)r->spec + option->offset;
	cleanup_free char *number = NULL;

	if (option->type == OPT_TYPE_FLAG) {
		*(bool *)member = true;
	} else if (option->type == OPT_TYPE_DURATION) {
		if (!parse_limit(value, member))
			*(uint64_t *)member = 0;
	} else if (option->type == OPT_TYPE_SIZE) {
		if (!parse_memory(value, member))
			*(uint64_t *)member = 0;
	} else if (option->type == OPT_TYPE_UINT) {
		number = str_dup_len(value, strcspn(value, "-"));
		if (!text_parse_uint(number, UINT32_MAX, member))
			*(uint64_t *)member = 0;
	} else {
		*(const char **)member = spec_file_keep(r->file, value, strlen(value));
	}
}

/* getopt takes the beginning of an option for the option. */
static bool means(const char *written, size_t len, const char *name)
{
	return len >= 3 && strlen(name) >= len && memcmp(written, name, len) == 0;
}

/* Whether the record tells all that the line said. */
static bool is_told(const struct spec *spec, const struct spec_option *option, const char *value)
{
	if (option->type == OPT_TYPE_FLAG)
		return value[0] == '\0';
	return spec_has(spec, option) && (option->type != OPT_TYPE_UINT || !strchr(value, '-'));
}

static void note_beyond(struct reader *r, const char *name, size_t len)
{
	if (!r->spec->script_beyond)
		r->spec->script_beyond = spec_file_keep(r->file, name, len);
}

static int take_option(struct reader *r, const char *name, size_t len, const char *value,
		       struct err *err)
{
	cleanup_free char *whole = str_dup_len(name, len);
	const struct spec_option *option = spec_find_option(whole);

	for (size_t i = 0; !option && i < ARRAY_LEN(refused); i++) {
		if (means(name, len, refused[i].name) && strcmp(whole, "wait-all-nodes") != 0)
			return err_set(err, ERR_UNSUPPORTED, "%s:%zu: --%s: %s", r->name, r->line,
				       refused[i].name, refused[i].instead);
	}
	for (size_t i = 0; !option && i < ARRAY_LEN(letters); i++) {
		if (means(name, len, letters[i].name))
			option = spec_find_option(letters[i].name);
	}
	if (means(name, len, "job-name")) {
		r->spec->script_has_name = true;
		r->spec->name = ref_check_name(value, NULL) == 0
					? spec_file_keep(r->file, value, strlen(value))
					: NULL;
	} else if (option && spec_option_of_sbatch(option)) {
		note_value(r, option, value);
		if (!is_told(r->spec, option, value))
			note_beyond(r, name, len);
	} else {
		note_beyond(r, name, len);
	}
	return 0;
}

/* The next word as sbatch reads it: quotes, backslashes, '#' begins a comment. */
static bool next_word(const char **at, char out[WORD_MAX])
{
	const char *p = *at;
	size_t len = 0;
	char quote = '\0';

	while (isspace((unsigned char)*p))
		p++;
	if (*p == '\0' || *p == '#')
		return false;
	for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
		if (quote ? *p == quote : (*p == '"' || *p == '\'')) {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && p[1] != '\0')
			p++;
		if (len < WORD_MAX - 1)
			out[len++] = *p;
	}
	out[len] = '\0';
	*at = p;
	return true;
}

static const char *name_of_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		if (letters[i].letter == letter)
			return letters[i].name;
	}
	return NULL;
}

static int read_line(struct reader *r, const char *line, struct err *err)
{
	char word[WORD_MAX], value[WORD_MAX];

	while (next_word(&line, word)) {
		const char *name = word + 2, *own = NULL, *before = line;
		size_t len;

		if (word[0] != '-') {
			if (take_option(r, word, strlen(word), "", err) < 0)
				return -1; /* "hetjob" stands alone */
			continue;
		}
		if (word[1] == '-') {
			len = strcspn(name, "=");
			own = name[len] ? name + len + 1 : NULL;
		} else {
			name = name_of_letter(word[1]);
			len = name ? strlen(name) : 0;
			own = word[1] && word[2] ? word + 2 : NULL;
		}
		if (!own && next_word(&line, value) && value[0] != '-')
			own = value;
		else if (!own)
			line = before;
		if (!name)
			note_beyond(r, word + 1, 1);
		else if (take_option(r, name, len, own ? own : "", err) < 0)
			return -1;
	}
	return 0;
}

/* "--image debian:12 --no-motd": options of `berth run`, by their long names. */
static int read_own_line(struct reader *r, const char *line, struct err *err)
{
	char word[WORD_MAX], value[WORD_MAX];

	while (next_word(&line, word)) {
		char *equals = strchr(word, '=');
		const struct spec_option *option;

		if (equals)
			*equals = '\0';
		option = strncmp(word, "--", 2) == 0 ? spec_find_option(word + 2) : NULL;
		if (!option)
			return err_set(err, ERR_INVALID,
				       "%s:%zu: '%.60s' is no option of a job: 'berth run --help' "
				       "names them",
				       r->name, r->line, word);
		if (option->type == OPT_TYPE_FLAG && !equals)
			snprintf(value, sizeof(value), "true");
		else if (equals)
			snprintf(value, sizeof(value), "%s", equals + 1);
		else if (!next_word(&line, value))
			return err_set(err, ERR_INVALID, "%s:%zu: %s needs a value", r->name,
				       r->line, word);
		if (spec_set(&r->own, option, spec_file_keep(r->file, value, strlen(value)), err) <
		    0)
			return err_wrap(err, "%s:%zu: %s", r->name, r->line, word);
	}
	return 0;
}

static bool begins(const char *line, const char *magic)
{
	return strncmp(line, magic, strlen(magic)) == 0;
}

/* sbatch reads lines of other schedulers as well. Only the name is of interest to the record. */
static int read_foreign_line(struct reader *r, const char *line, const char *name_option,
			     struct err *err)
{
	char word[WORD_MAX];

	note_beyond(r, line + 1, strcspn(line + 1, " \t"));
	line += strcspn(line, " \t");
	for (bool is_name = false; next_word(&line, word);
	     is_name = strcmp(word, name_option) == 0) {
		if (is_name)
			return take_option(r, "job-name", strlen("job-name"), word, err);
	}
	return 0;
}

/* 1: it is none that sbatch is to see. */
static int read_any_line(struct reader *r, const char *line, struct err *err)
{
	if (begins(line, MAGIC))
		return read_line(r, line + strlen(MAGIC), err);
	if (begins(line, "#PBS"))
		return read_foreign_line(r, line, "-N", err);
	if (begins(line, "#BSUB"))
		return read_foreign_line(r, line, "-J", err);
	if (begins(line, MAGIC_OWN) && isspace((unsigned char)line[strlen(MAGIC_OWN)]))
		return read_own_line(r, line + strlen(MAGIC_OWN), err) < 0 ? -1 : 1;
	return 1;
}

/* sbatch looks no further than to the first line that is a command. */
static bool is_command(const char *line)
{
	line += strspn(line, " \t\r\v\f");
	return *line != '\0' && *line != '#';
}

static int read_lines(struct reader *r, char *text, struct buf *lines, struct err *err)
{
	char *next = text;
	int result;

	for (r->line = 1; next && *next; r->line++) {
		char *line = next;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (is_command(line))
			break;
		result = read_any_line(r, line, err);
		if (result < 0)
			return -1;
		if (result == 0 && !buf_printf(lines, "%s\n", line))
			return err_set(err, ERR_LIMIT, "%s: too many lines", r->name);
	}
	return 0;
}

int spec_script_parse(const char *file, struct span text, struct spec_file *ret, struct err *err)
{
	struct spec_document *job = spec_file_add(ret);
	cleanup_free struct reader *r = new_zero(struct reader);
	cleanup_free char *copy = str_dup_len((const char *)text.ptr, text.len);
	cleanup(buf_finish) struct buf lines = BUF_INIT(SPEC_FILE_MAX * 2);
	const char *base = strrchr(file, '/');

	*r = (struct reader){ .name = file, .file = ret, .spec = &job->spec };
	base = base ? base + 1 : file;
	job->backend = "slurm";
	job->command[0] = spec_file_keep(ret, base, strlen(base));
	job->spec.command = job->command;
	job->spec.script = spec_file_keep(ret, (const char *)text.ptr, text.len);
	if (read_lines(r, copy, &lines, err) < 0)
		return -1;
	job->spec.script_lines = spec_file_keep(ret, buf_str(&lines), buf_len(&lines));
	if (!job->spec.script_has_name && ref_check_name(base, NULL) == 0)
		job->spec.name = job->command[0];
	return spec_override(ret, &job->spec, &r->own, err);
}
