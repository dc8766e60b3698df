/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The members of what is listed, said once for programs: schema.c makes schemas of these tables.
 * To add a member to an output: a line here, and one in the manual. tests/e2e/test_schema.py holds
 * each output against its table.
 */

#include <stdbool.h>

enum member_type {
	MEMBER_TEXT,
	MEMBER_NUMBER, /* an integer, not below 0 */
	MEMBER_TRUTH,
	MEMBER_TIME,	/* RFC 3339 in UTC */
	MEMBER_STATE,	/* of a job */
	MEMBER_LIST,	/* of objects, whose members are `items` */
	MEMBER_NUMBERS, /* an object whose members are integers */
};

/* How far a program may count on it. */
enum member_need {
	MEMBER_ALWAYS,
	MEMBER_NULL,	 /* there, but null when it is not known */
	MEMBER_OPTIONAL, /* there when it was asked for, and may be null */
};

struct member {
	const char *name;
	enum member_type type;
	enum member_need need;
	const char *about;
	const struct member *items;
};

struct listed {
	const char *name;	      /* of the resource: "jobs" */
	const char *about;	      /* what one of them is */
	const struct member *members; /* ends with a NULL name; NULL: REPORT_FACTS */
};

/* Ends with a NULL name. */
extern const struct listed schema_listed[];
