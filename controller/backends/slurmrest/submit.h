/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What slurmrestd gets to submit or change a job: JSON, the fields of which have other names and
 * forms in v0.0.38 than since v0.0.39. One table says which option becomes which field from which
 * version on. The script is the one that sbatch gets (slurm_write_script()). Pure, no I/O.
 *
 * An option that a version has no field for is ERR_UNSUPPORTED, never left out silently.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/* The body of a submission by this user; release *ret. */
int slurmrest_make_submission(const struct submission *submission, unsigned int version,
			      const char *user, json_t **ret, struct err *err) attr_must_use;

/* The body of an update. */
int slurmrest_make_change(const struct change *change, unsigned int version, json_t **ret,
			  struct err *err) attr_must_use;

/* Whether the table has a line for this option in this version. */
bool slurmrest_has_field(const char *option, unsigned int version);

/*
 * A time as sbatch takes it, as far as that is: "now", "now+5minutes", a duration from now,
 * "2026-11-21T08:00[:00]"; in seconds since the epoch.
 */
bool slurmrest_parse_begin(const char *text, uint64_t now_s, uint64_t *ret) attr_must_use;
