/* SPDX-License-Identifier: MIT */
/* status.RANK.json; see status.h. */
#include "status.h"

#include <jansson.h>

#include "controller/model/json.h"
#include "init/base/cleanup.h"

#define SECONDS_MAX 1e10

static int invalid(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "%s", what);
}

/*
 * An integer member between min and max; null (or absence) gives `missing` where that is allowed.
 */
static bool get_int(const json_t *object, const char *key, json_int_t min, json_int_t max,
		    int missing, int *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value)) {
		*ret = missing;
		return missing < min; /* a member that must be there passes a legal value */
	}
	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max)
		return false;
	*ret = (int)json_integer_value(value);
	return true;
}

static bool get_time(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);
	double seconds;

	*ret = 0;
	if (!value || json_is_null(value))
		return true;
	if (!json_is_number(value))
		return false;
	seconds = json_number_value(value);
	if (!(seconds >= 0 && seconds <= SECONDS_MAX))
		return false;
	*ret = (uint64_t)(seconds * 1e3) * NSEC_PER_MSEC;
	return true;
}

/* What it used. */
static bool get_use(const json_t *object, struct status *ret)
{
	uint64_t user_ns, system_ns;
	int kibibytes;

	if (!get_int(object, "peak_rss_kib", 0, INT32_MAX, -1, &kibibytes) ||
	    !get_time(object, "user_s", &user_ns) || !get_time(object, "system_s", &system_ns))
		return false;
	ret->max_rss = kibibytes > 0 ? (uint64_t)kibibytes << 10 : 0;
	ret->cpu_ns = user_ns + system_ns;
	return true;
}

int status_parse(struct span text, struct status *ret, struct err *err)
{
	cleanup(json_release) json_t *object = NULL;
	struct status status = { 0 };
	const char *state;
	int rank;

	if (json_parse(text, STATUS_MAX, &object, err) < 0)
		return -1;
	if (json_integer_value(json_object_get(object, "version")) != 1)
		return invalid(err, "not a status of version 1");
	state = json_string_value(json_object_get(object, "state"));
	if (!state || (strcmp(state, "running") != 0 && strcmp(state, "held") != 0 &&
		       strcmp(state, "exited") != 0))
		return invalid(err, "\"state\" is neither running, held nor exited");
	status.exited = strcmp(state, "exited") == 0;
	status.held = strcmp(state, "held") == 0;
	status.timed_out = json_is_true(json_object_get(object, "timed_out"));
	status.oom_killed = json_is_true(json_object_get(object, "oom_killed"));
	if (!get_int(object, "rank", 0, INT32_MAX, 0, &rank))
		return invalid(err, "\"rank\" is not a rank");
	status.rank = (unsigned int)rank;
	if (!get_int(object, "pid", 1, INT32_MAX, 0, &status.pid) ||
	    !get_int(object, "init_pid", 1, INT32_MAX, 0, &status.init_pid))
		return invalid(err, "\"pid\" or \"init_pid\" is not a process");
	if (!get_int(object, "exit_code", 0, 255, -1, &status.exit_code))
		return invalid(err, "\"exit_code\" is not an exit status");
	if (!get_int(object, "signal", 1, 64, 0, &status.signal))
		return invalid(err, "\"signal\" is not a signal");
	if (!get_time(object, "started", &status.started_ns) ||
	    !get_time(object, "ended", &status.ended_ns) ||
	    !get_time(object, "hold_until", &status.hold_until_ns))
		return invalid(err, "\"started\", \"ended\" or \"hold_until\" is not a time");
	if (!get_use(object, &status))
		return invalid(err, "\"peak_rss_kib\", \"user_s\" or \"system_s\" is not a number");
	if ((status.exited || status.held) && status.exit_code < 0 && status.signal == 0)
		return invalid(err, "ended, with neither exit status nor signal");
	*ret = status;
	return 0;
}
