/* SPDX-License-Identifier: MIT */
/* The message of the day; see motd.h. */
#include "motd.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"
#include "tunnel/net/jsonfile.h"

#define DURATION_SIZE 32

static double member(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static int small(double value)
{
	return value >= 0 && value <= 255 ? (int)value : 0;
}

int motd_read_status(struct span text, uint64_t time_limit_s, struct motd *motd, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	const char *state;
	double started;

	if (!object)
		return -1;
	if (jsonfile_string(object, "state", &state, err) < 0)
		return -1;
	started = member(object, "started");
	if (motd->ends <= 0 && time_limit_s > 0 && started > 0)
		motd->ends = started + (double)time_limit_s;
	motd->is_held = strcmp(state, "held") == 0;
	if (!motd->is_held)
		return 0;
	motd->held_until = member(object, "hold_until");
	motd->exit_code = small(member(object, "exit_code"));
	motd->signal = small(member(object, "signal"));
	return 0;
}

static bool append_text(struct buf *b, const char *text)
{
	cleanup_free char *safe = str_dup(text);

	text_make_printable(safe);
	return buf_append(b, safe, strlen(safe));
}

/* Nothing for what is not known; a comma between what is. */
static bool append_part(struct buf *b, const char *before, const char *text)
{
	if (!text || text[0] == '\0')
		return true;
	return buf_printf(b, "%s", buf_len(b) > 0 ? before : "") && append_text(b, text);
}

/* "1h02m", or false when the time is not known or out of reach. */
static bool format_left(double now, double until, char out[DURATION_SIZE])
{
	double left = until - now;

	if (until <= 0 || !(left < 1e9))
		return false;
	text_format_duration(left > 0 ? (uint64_t)left * NSEC_PER_SEC : 0, out, DURATION_SIZE);
	return true;
}

static bool append_rank(const struct motd *motd, struct buf *b)
{
	if (motd->ranks <= 1)
		return buf_printf(b, "rank %u", motd->rank);
	return buf_printf(b, "task %u, rank %u", motd->rank / motd->ranks,
			  motd->rank % motd->ranks);
}

static bool append_where(const struct motd *motd, struct buf *b)
{
	char left[DURATION_SIZE];

	if (!append_part(b, "", motd->job) || !append_part(b, " ", motd->name))
		return false;
	if (motd->slurm_id &&
	    (!buf_printf(b, "%sSlurm ", buf_len(b) ? ", " : "") || !append_text(b, motd->slurm_id)))
		return false;
	if (!buf_printf(b, "%s", buf_len(b) ? ", " : "") || !append_rank(motd, b) ||
	    !append_part(b, " on ", motd->host))
		return false;
	if (format_left(motd->now, motd->ends, left) && !buf_printf(b, ": %s left", left))
		return false;
	return buf_printf(b, "\n");
}

static bool append_hold(const struct motd *motd, struct buf *b)
{
	char left[DURATION_SIZE];

	if (!motd->is_held)
		return true;
	if (motd->signal ? !buf_printf(b, "the command was ended by signal %d", motd->signal)
			 : !buf_printf(b, "the command has ended with status %d", motd->exit_code))
		return false;
	if (format_left(motd->now, motd->held_until, left))
		return buf_printf(b, "; the job is held for %s\n", left);
	return buf_printf(b, "; the job is held\n");
}

bool motd_format(const struct motd *motd, struct buf *ret)
{
	return append_where(motd, ret) && append_hold(motd, ret);
}
