/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The checks of doctor.c. A check runs in a process of its own and tells each finding at once, so
 * that what it found out before it hung is not lost.
 */

#include <stdio.h>

#include "controller/ops/doctor.h"
#include "controller/ops/internal.h"

struct doctor_check {
	const struct ref *ref; /* the job, or NULL */
	const char *cluster;   /* which it is about, or NULL */
	const char *about;     /* the target of what is told next */
	const char *file;      /* the rank's endpoint file, if it is known */
	const char *scratch;   /* a file that may be written; removed afterwards */
	unsigned int limit_ms; /* it has left */
	FILE *out;
	uint64_t mark_ns; /* when it began, or told the last finding */
};

/* Tells one; it took as long as it is since the last one. Its target is check->about. */
void doctor_say(struct doctor_check *check, const char *name, enum finding_level level,
		const char *fmt, ...) attr_printf(4, 5);

/* Without the database: for what needs none. */
int doctor_open(struct controller **ret, struct err *err) attr_must_use;
/* Runs `berth-tunnel doctor` with more options, and tells what it found. */
int doctor_ask_tunnel(struct doctor_check *check, struct controller *c, const char *const *options,
		      struct err *err) attr_must_use;

/* This machine. */
void doctor_configuration(struct doctor_check *check);
void doctor_database(struct doctor_check *check);
void doctor_keys(struct doctor_check *check);
void doctor_ssh(struct doctor_check *check);
void doctor_include(struct doctor_check *check);
void doctor_programs(struct doctor_check *check);

/* A cluster, and its relays. */
void doctor_cluster(struct doctor_check *check);
void doctor_relays(struct doctor_check *check);

/* A job. */
void doctor_state(struct doctor_check *check);
void doctor_endpoint(struct doctor_check *check);
void doctor_ways(struct doctor_check *check);
