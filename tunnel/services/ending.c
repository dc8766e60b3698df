/* SPDX-License-Identifier: MIT */
/* How the job ended; see ending.h. */
#include "ending.h"

#include <stdio.h>
#include <string.h>

#include "signals.h"
#include "tunnel/net/jsonfile.h"

#define SIGNAL_MAX 64

/* A name for waitpid(2)'s status of a process that this signal ended. */
static void describe_signal(int number, char ret[ENDING_MAX])
{
	char name[SIGNALS_NAME_MAX];
	struct process_exit end;

	signals_exit(number, name, &end);
	snprintf(ret, ENDING_MAX, "the job has ended: FAILED, signal %.*s", (int)end.signal.len,
		 (const char *)end.signal.ptr);
}

int ending_parse(struct span text, char ret[ENDING_MAX], struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	const json_t *code, *signal;
	json_int_t number;
	const char *state;

	if (!object || jsonfile_string(object, "state", &state, err) < 0)
		return -1;
	if (strcmp(state, "running") == 0)
		return 0;
	code = json_object_get(object, "exit_code");
	signal = json_object_get(object, "signal");
	number = json_integer_value(json_is_integer(code) ? code : signal);
	if (json_is_integer(code) && number == 0)
		snprintf(ret, ENDING_MAX, "the job has ended: SUCCEEDED");
	else if (json_is_integer(code) && number > 0 && number <= UINT8_MAX)
		snprintf(ret, ENDING_MAX, "the job has ended: FAILED, exit code %d", (int)number);
	else if (json_is_integer(signal) && number > 0 && number <= SIGNAL_MAX)
		describe_signal((int)number, ret);
	else
		return err_set(err, ERR_INVALID, "neither an exit code nor a signal");
	return 1;
}
