/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A pair of key files made before there is a job for it. Making one takes longer than all else that
 * berth does itself for a submission, so each submission makes one more when it has answered, and
 * the next one takes it.
 *
 * They lie in keys/spare/, named by a digest of what keygen was asked for and of the bundle: a job
 * that is allowed other things, or made by another version, finds none. Taking is a rename(2) of
 * the job's file, which keygen makes last: whoever succeeds has both, and nobody else has them. No
 * job is entered by a key of a spare before it was taken. Of tokens of relays none are made.
 *
 * There is one of a kind, and a few kinds; what nobody takes is collected by age.
 */

#include "controller/ops/internal.h"

/*
 * Moves a spare into m->staged and client_file, and remembers what the next one is to be like.
 * False: there is none.
 */
bool spare_take(struct controller *c, const struct making *m, const char *client_file);

/*
 * Removes those that were made before this time, and what died while it was made; or only adds to
 * *count how many files that would be.
 */
int spare_collect(struct controller *c, uint64_t before_ns, bool dry_run, size_t *count,
		  struct err *err) attr_must_use;
