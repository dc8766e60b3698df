/* SPDX-License-Identifier: MIT */
/* Declarative command line options; see opt.h. */
#include "opt.h"

#include <string.h>

#include "text.h"

#define HELP_COLUMN 28

/* An option as the user wrote it, for messages; args are those of its table. */
struct spelled {
	const struct opt *opt;
	void *args;
	const char *text;
	int len;
};

static int set_number(const struct spelled *s, const char *value, void *member, struct err *err)
{
	uint64_t *number = member;

	switch (s->opt->type) {
	case OPT_TYPE_UINT:
		if (text_parse_uint(value, INT64_MAX, number))
			return 0;
		return err_set(err, ERR_INVALID, "%.*s: '%s' is not a number", s->len, s->text,
			       value);
	case OPT_TYPE_DURATION:
		if (text_parse_duration(value, number))
			return 0;
		return err_set(err, ERR_INVALID,
			       "%.*s: '%s' is not a duration: write it like 90s, 30m or 2h", s->len,
			       s->text, value);
	case OPT_TYPE_SIZE:
		if (text_parse_size(value, number))
			return 0;
		return err_set(err, ERR_INVALID,
			       "%.*s: '%s' is not a size: write it like 512M or 4G", s->len,
			       s->text, value);
	case OPT_TYPE_END:
	case OPT_TYPE_FLAG:
	case OPT_TYPE_COUNT:
	case OPT_TYPE_STR:
	case OPT_TYPE_LIST:
		break;
	}
	return err_set(err, ERR_INTERNAL, "%.*s: option of an unknown type", s->len, s->text);
}

static int set_value(const struct spelled *s, const char *value, void *args, struct err *err)
{
	void *member = (char *)args + s->opt->offset;

	if (s->opt->type == OPT_TYPE_STR) {
		*(const char **)member = value;
		return 0;
	}
	if (s->opt->type == OPT_TYPE_LIST) {
		struct opt_list *list = member;

		if (list->len == OPT_LIST_MAX)
			return err_set(err, ERR_LIMIT, "%.*s: given more than %d times", s->len,
				       s->text, OPT_LIST_MAX);
		list->items[list->len++] = value;
		return 0;
	}
	return set_number(s, value, member, err);
}

static bool takes_value(const struct opt *opt)
{
	return opt->type != OPT_TYPE_FLAG && opt->type != OPT_TYPE_COUNT;
}

static void set_flag(const struct opt *opt, bool value, void *args)
{
	void *member = (char *)args + opt->offset;

	if (opt->type == OPT_TYPE_FLAG)
		*(bool *)member = value;
	else
		*(uint64_t *)member = value ? *(uint64_t *)member + 1 : 0;
}

static const struct opt *find_in(const struct opt *table, const char *name, size_t len, char letter)
{
	for (; table->type != OPT_TYPE_END; table++) {
		if (letter ? table->short_name == letter
			   : table->name && strlen(table->name) == len &&
				     memcmp(table->name, name, len) == 0)
			return table;
	}
	return NULL;
}

static void find(const struct opt_target *t, const char *name, size_t len, char letter,
		 struct spelled *s)
{
	for (s->opt = NULL; t->opts && !s->opt; t++) {
		s->opt = find_in(t->opts, name, len, letter);
		s->args = t->args;
	}
}

/* The option that was perhaps meant, or NULL. */
static const struct opt *find_close(const struct opt_target *targets, const char *name, size_t len)
{
	const struct opt *close = NULL;
	unsigned int least = TEXT_CLOSE + 1;
	char word[32];

	if (len >= sizeof(word))
		return NULL;
	memcpy(word, name, len);
	word[len] = '\0';
	for (; targets->opts; targets++) {
		for (const struct opt *o = targets->opts; o->type != OPT_TYPE_END; o++) {
			unsigned int distance =
				o->name && o->help ? text_distance(word, o->name) : least;

			if (distance < least) {
				least = distance;
				close = o;
			}
		}
	}
	return close;
}

static int refuse_long(const struct opt_target *targets, const struct spelled *s, struct err *err)
{
	const struct opt *close = find_close(targets, s->text + 2, (size_t)s->len - 2);

	if (close)
		return err_set(err, ERR_INVALID, "%.*s: unknown option: did you mean '--%s'?",
			       s->len, s->text, close->name);
	return err_set(err, ERR_INVALID, "%.*s: unknown option, see --help", s->len, s->text);
}

/* Both parse_ functions return how many elements of argv they used, or -1. */
static int parse_long(const struct opt_target *targets, char **argv, struct err *err)
{
	const char *name = argv[0] + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	struct spelled s = { .text = argv[0], .len = (int)len + 2 };

	find(targets, name, len, '\0', &s);
	if (!s.opt && !equals && strncmp(name, "no-", 3) == 0) {
		find(targets, name + 3, len - 3, '\0', &s);
		if (s.opt && !takes_value(s.opt)) {
			set_flag(s.opt, false, s.args);
			return 1;
		}
		s.opt = NULL;
	}
	if (!s.opt)
		return refuse_long(targets, &s, err);
	if (!takes_value(s.opt)) {
		if (equals)
			return err_set(err, ERR_INVALID, "%.*s: takes no value", s.len, s.text);
		set_flag(s.opt, true, s.args);
		return 1;
	}
	if (!equals && !argv[1])
		return err_set(err, ERR_INVALID, "%s: needs a value %s", argv[0],
			       s.opt->value_name);
	if (set_value(&s, equals ? equals + 1 : argv[1], s.args, err) < 0)
		return -1;
	return equals ? 1 : 2;
}

static int parse_short(const struct opt_target *targets, char **argv, struct err *err)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		char text[3] = { '-', *p, '\0' };
		struct spelled s = { .text = text, .len = 2 };

		find(targets, NULL, 0, *p, &s);
		if (!s.opt)
			return err_set(err, ERR_INVALID, "%s: unknown option, see --help", text);
		if (!takes_value(s.opt)) {
			set_flag(s.opt, true, s.args);
			continue;
		}
		if (p[1] == '\0' && !argv[1])
			return err_set(err, ERR_INVALID, "%s: needs a value %s", text,
				       s.opt->value_name);
		if (set_value(&s, p[1] ? p + 1 : argv[1], s.args, err) < 0)
			return -1;
		return p[1] ? 1 : 2;
	}
	return 1;
}

int opt_parse(const struct opt *table, enum opt_mode mode, int argc, char **argv, void *args,
	      struct err *err)
{
	const struct opt_target targets[] = { { table, args }, { NULL, NULL } };

	return opt_parse_targets(targets, mode, argc, argv, err);
}

int opt_parse_targets(const struct opt_target *targets, enum opt_mode mode, int argc, char **argv,
		      struct err *err)
{
	int operands = 0, i = 1;

	while (i < argc) {
		int used;

		if (strcmp(argv[i], "--") == 0) {
			i += mode != OPT_PERMUTE_KEEP_DASHES;
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			if (mode == OPT_STOP_AT_OPERAND)
				break;
			argv[operands++] = argv[i++];
			continue;
		}
		if (argv[i][1] == '-')
			used = parse_long(targets, argv + i, err);
		else
			used = parse_short(targets, argv + i, err);
		if (used < 0)
			return -1;
		i += used;
	}
	while (i < argc)
		argv[operands++] = argv[i++];
	argv[operands] = NULL;
	return operands;
}

void opt_print_help(const struct opt *table, FILE *out)
{
	for (; table->type != OPT_TYPE_END; table++) {
		char left[64];
		int len;

		if (!table->help)
			continue;
		len = snprintf(
			left, sizeof(left), "  %c%c%s --%s%s%s", table->short_name ? '-' : ' ',
			table->short_name ? table->short_name : ' ', table->short_name ? "," : " ",
			table->name, table->value_name ? " " : "",
			table->value_name ? table->value_name : "");
		if (len < HELP_COLUMN)
			fprintf(out, "%-*s%s\n", HELP_COLUMN, left, table->help);
		else
			fprintf(out, "%s\n%*s%s\n", left, HELP_COLUMN, "", table->help);
	}
}
