/* SPDX-License-Identifier: MIT */
/* Features that nodes must have; see constraint.h. It is evaluated while it is read. */
#include "constraint.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/text.h"

/* Blanks are in no feature's name. */
#define SYNTAX "()[]&|,!* \t\n"
#define NODES_MAX 1000000

struct reader {
	const char *at;
	const char *features;
	bool in_parentheses, in_brackets;
	const char *wrong; /* what was expected at `at`, when that is not there */
};

static bool has_feature(const char *features, const char *name, size_t len)
{
	for (const char *p = features; *p; p += strspn(p, ",")) {
		size_t feature = strcspn(p, ",");

		if (feature == len && memcmp(p, name, len) == 0)
			return true;
		p += feature;
	}
	return false;
}

static bool fail(struct reader *reader, const char *expected)
{
	if (!reader->wrong)
		reader->wrong = expected;
	return false;
}

static bool read_name(struct reader *reader)
{
	const char *name = reader->at;
	size_t len = strcspn(name, SYNTAX);

	if (len == 0)
		return fail(reader, "a feature");
	reader->at += len;
	return has_feature(reader->features, name, len);
}

static bool read_either(struct reader *reader);

/* What stands between a pair of them; `is_inside` says that we are. */
static bool read_inner(struct reader *reader, char close, bool *is_inside)
{
	bool matches;

	if (reader->in_parentheses || *is_inside)
		return fail(reader, "a feature, and nothing nested");
	*is_inside = true;
	reader->at++;
	matches = read_either(reader);
	*is_inside = false;
	if (reader->wrong)
		return false;
	if (*reader->at != close)
		return fail(reader, close == ')' ? "a ')'" : "a ']'");
	reader->at++;
	return matches;
}

static bool read_thing(struct reader *reader)
{
	bool is_not = *reader->at == '!', matches;

	reader->at += is_not;
	if (*reader->at == '(')
		matches = read_inner(reader, ')', &reader->in_parentheses);
	else if (*reader->at == '[')
		matches = read_inner(reader, ']', &reader->in_brackets);
	else
		matches = read_name(reader);
	return matches != is_not;
}

/* "*4", or nothing. */
static bool read_count(struct reader *reader)
{
	cleanup_free char *digits = NULL;
	uint64_t count;

	if (*reader->at != '*')
		return false;
	digits = str_dup_len(reader->at + 1, strspn(reader->at + 1, "0123456789"));
	reader->at++;
	if (!text_parse_uint(digits, NODES_MAX, &count) || count == 0)
		return fail(reader, "a number of nodes");
	reader->at += strlen(digits);
	return true;
}

/* Of the counted ones any will do: the nodes of a job are divided among them. */
static bool read_all(struct reader *reader)
{
	bool all = true, any_counted = false, has_counted = false;

	for (;;) {
		bool matches = read_thing(reader);

		if (read_count(reader)) {
			has_counted = true;
			any_counted = any_counted || matches;
		} else {
			all = all && matches;
		}
		if (reader->wrong || (*reader->at != '&' && *reader->at != ','))
			return all && (any_counted || !has_counted);
		reader->at++;
	}
}

static bool read_either(struct reader *reader)
{
	bool any = false;

	for (;;) {
		any = read_all(reader) || any;
		if (reader->wrong || *reader->at != '|')
			return any;
		reader->at++;
	}
}

static bool read_constraint(struct reader *reader)
{
	bool matches = read_either(reader);

	if (!reader->wrong && *reader->at != '\0')
		return fail(reader, "&, | or the end");
	return matches;
}

int constraint_check(const char *constraint, struct err *err)
{
	struct reader reader = { .at = constraint, .features = "" };

	(void)read_constraint(&reader);
	if (!reader.wrong)
		return 0;
	return err_set(err, ERR_INVALID, "--constraint: '%.80s': expected %s before '%.20s'",
		       constraint, reader.wrong, *reader.at ? reader.at : "the end");
}

bool constraint_allows(const char *constraint, const char *features)
{
	struct reader reader = { .at = constraint, .features = features };

	return read_constraint(&reader) && !reader.wrong;
}
