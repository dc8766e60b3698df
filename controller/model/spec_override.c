/* SPDX-License-Identifier: MIT */
/* What a command line says of jobs that stand in a file; see spec_file.h. */
#include <inttypes.h>
#include <string.h>

#include "controller/model/spec_file.h"
#include "init/base/alloc.h"

#define MINUTE_NS (60 * NSEC_PER_SEC)

/* Options that slurm/submit.c composes: in a script each is one of sbatch's all the same. */
static const struct {
	const char *name, *sbatch;
} composed[] = {
	{ "tasks", "ntasks" },	{ "signal", "signal" }, { "export", "export" },
	{ "output", "output" }, { "error", "error" },	{ "workdir", "chdir" },
};

const char *spec_option_of_sbatch(const struct spec_option *option)
{
	for (size_t i = 0; i < ARRAY_LEN(composed); i++) {
		if (strcmp(option->name, composed[i].name) == 0)
			return composed[i].sbatch;
	}
	return option->sbatch;
}

/* Quotes are the only ones that sbatch's reader and all its versions agree about. */
static int add_text(struct buf *line, const char *option, const char *value, struct err *err)
{
	char quote = strchr(value, '\'') ? '"' : '\'';

	if (strchr(value, quote) || strchr(value, '\\'))
		return err_set(err, ERR_INVALID,
			       "--%s: '%.60s' cannot be said to a batch script: write it into its "
			       "#SBATCH lines",
			       option, value);
	if (!buf_printf(line, "#SBATCH --%s=%c%s%c\n", option, quote, value, quote))
		return err_set(err, ERR_LIMIT, "too many lines");
	return 0;
}

/* Of two lines, sbatch takes the last. */
static int add_line(struct buf *lines, const struct spec *given, const struct spec_option *option,
		    struct err *err)
{
	const void *member = (const char *)given + option->offset;
	const char *sbatch = spec_option_of_sbatch(option);
	uint64_t number = 0;
	const char *unit = "";

	if (option->type == OPT_TYPE_STR)
		return add_text(lines, sbatch, *(const char *const *)member, err);
	if (option->type == OPT_TYPE_FLAG)
		return buf_printf(lines, "#SBATCH --%s\n", sbatch)
			       ? 0
			       : err_set(err, ERR_LIMIT, "too many lines");
	number = *(const uint64_t *)member;
	if (option->type == OPT_TYPE_SIZE) {
		number = MAX(number >> 10, UINT64_C(1));
		unit = "K";
	} else if (option->type == OPT_TYPE_DURATION) {
		number = number / MINUTE_NS + (number % MINUTE_NS != 0);
	}
	if (!buf_printf(lines, "#SBATCH --%s=%" PRIu64 "%s\n", sbatch, number, unit))
		return err_set(err, ERR_LIMIT, "too many lines");
	return 0;
}

static int replace(struct spec *spec, const struct spec *given, const struct spec_option *option,
		   struct err *err)
{
	void *member = (char *)spec + option->offset;
	const void *from = (const char *)given + option->offset;
	const struct opt_list *list = from;

	switch (option->type) {
	case OPT_TYPE_STR:
		*(const char **)member = *(const char *const *)from;
		return 0;
	case OPT_TYPE_FLAG:
		*(bool *)member = true;
		return 0;
	case OPT_TYPE_UINT:
	case OPT_TYPE_SIZE:
	case OPT_TYPE_DURATION:
		*(uint64_t *)member = *(const uint64_t *)from;
		return 0;
	case OPT_TYPE_LIST:
		for (size_t i = 0; i < list->len; i++) {
			if (spec_set(spec, option, list->items[i], err) < 0)
				return err_wrap(err, "--%s", option->name);
		}
		return 0;
	case OPT_TYPE_COUNT:
	case OPT_TYPE_END:
		break;
	}
	return 0;
}

int spec_override(struct spec_file *file, struct spec *spec, const struct spec *given,
		  struct err *err)
{
	cleanup(buf_finish) struct buf lines = BUF_INIT(SPEC_FILE_MAX * 2);

	for (const struct spec_option *option = spec_options; option->name; option++) {
		if (!spec_has(given, option))
			continue;
		if (replace(spec, given, option, err) < 0)
			return -1;
		if (spec->script && spec_option_of_sbatch(option) &&
		    add_line(&lines, given, option, err) < 0)
			return -1;
	}
	if (given->name) {
		spec->name = given->name;
		if (spec->script && add_text(&lines, "job-name", given->name, err) < 0)
			return -1;
		spec->script_has_name = true;
	}
	if (buf_len(&lines) > 0) {
		cleanup_free char *all = str_printf("%s%s", spec->script_lines, buf_str(&lines));

		spec->script_lines = spec_file_keep(file, all, strlen(all));
	}
	return 0;
}
