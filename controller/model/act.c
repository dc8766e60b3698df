/* SPDX-License-Identifier: MIT */
/* What can be done to jobs; see act.h. */
#include "act.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "init/base/text.h"

#define WORD_LEN_MAX 128
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define NUMBER_MAX UINT32_MAX

const char *act_word(enum act_kind kind)
{
	static const char *const words[] = {
#define X(name, word) word,
		ACT_KINDS(X)
#undef X
	};

	return words[kind];
}

static bool is_word(const char *text, const char *characters)
{
	size_t len = strlen(text);

	return len > 0 && len <= WORD_LEN_MAX && strspn(text, characters) == len;
}

/* Names of partitions (several with commas), accounts and levels of service. */
static bool is_name(const char *text)
{
	return is_word(text, LETTERS DIGITS "_-.+@,") && text[0] != '-';
}

static bool is_begin(const char *text)
{
	uint64_t ns;

	return strcmp(text, "now") == 0 || text_parse_duration(text, &ns) ||
	       (is_word(text, DIGITS "-:T") && strchr(text, 'T'));
}

static bool is_priority(const char *text)
{
	uint64_t number;

	return text_parse_uint(text, NUMBER_MAX - 1, &number) && number > 0;
}

static bool is_nice(const char *text)
{
	uint64_t number;

	return text_parse_uint(text + (text[0] == '-'), INT32_MAX, &number);
}

static const struct {
	const char *option;
	size_t offset;
	bool (*is_valid)(const char *text);
	const char *what;
} words[] = {
	{ "--begin", offsetof(struct change, begin), is_begin,
	  "a time: write now, 30m (from now), or 2026-11-21T08:00" },
	{ "--partition", offsetof(struct change, partition), is_name, "the name of a partition" },
	{ "--account", offsetof(struct change, account), is_name, "the name of an account" },
	{ "--qos", offsetof(struct change, qos), is_name, "the name of a quality of service" },
	{ "--priority", offsetof(struct change, priority), is_priority,
	  "a priority: it is a number above 0 ('berth hold' keeps a job from starting)" },
	{ "--nice", offsetof(struct change, nice), is_nice, "a number: write --nice=100" },
};

static int check_change(const struct change *change, struct err *err)
{
	bool any = change->time_ns > 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char *text = *(const char *const *)((const char *)change + words[i].offset);

		if (text && !words[i].is_valid(text))
			return err_set(err, ERR_INVALID, "%s: '%.80s' is not %s", words[i].option,
				       text, words[i].what);
		any = any || text;
	}
	if (!any)
		return err_set(err, ERR_INVALID,
			       "nothing to change: give --time, --priority or another option");
	return 0;
}

int act_check(const struct act *act, struct err *err)
{
	if (act->kind == ACT_UPDATE)
		return check_change(&act->change, err);
	if (act->kind == ACT_SIGNAL && act->signal == SIGSTOP)
		return err_set(err, ERR_INVALID,
			       "SIGSTOP would stop berth-init and not the command: send TSTP");
	return 0;
}
