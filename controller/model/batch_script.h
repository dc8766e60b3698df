/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a scheduler keeps of a job that was submitted: its batch script, and the files of its
 * standard streams. Plain data; a member is
 * "" when that is not told.
 */

#include <stdlib.h>

#include "init/base/cleanup.h"

struct batch_script {
	char *text;
	char *input, *output, *error; /* paths there */
};

static inline void batch_script_finish(struct batch_script *script)
{
	free(script->text);
	free(script->input);
	free(script->output);
	free(script->error);
	*script = (struct batch_script){ 0 };
}
DEFINE_CLEANUP_VALUE(struct batch_script, batch_script_finish)
