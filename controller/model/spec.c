/* SPDX-License-Identifier: MIT */
/* What a user asked for; see spec.h. */
#include "spec.h"

#include <inttypes.h>
#include <string.h>

#include "controller/model/ref.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define COUNT_MAX 1000000

static int check_count(const char *option, uint64_t value, struct err *err)
{
	if (value > COUNT_MAX)
		return err_set(err, ERR_INVALID, "%s: %" PRIu64 " is more than %d", option, value,
			       COUNT_MAX);
	return 0;
}

static int check_env(const char *assignment, struct err *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t len = strcspn(assignment, "=");

	if (assignment[len] == '\0' || len == 0 || strspn(assignment, letters) != len ||
	    (assignment[0] >= '0' && assignment[0] <= '9'))
		return err_set(err, ERR_INVALID, "--env: '%.*s' is not KEY=VALUE",
			       (int)MIN(len, (size_t)60), assignment);
	return 0;
}

static int check_allow(const char *target, struct err *err)
{
	const char *colon = strrchr(target, ':');
	uint64_t port;

	if (!colon || colon == target || !text_parse_uint(colon + 1, 65535, &port) || port == 0)
		return err_set(err, ERR_INVALID, "--allow: '%.80s' is not HOST:PORT", target);
	return 0;
}

static int check_hold(const char *hold, struct err *err)
{
	const char *comma = strchrnul(hold, ',');
	cleanup_free char *duration = str_dup_len(hold, (size_t)(comma - hold));
	uint64_t ns;

	if (text_parse_duration(duration, &ns) && (!*comma || strcmp(comma, ",on-failure") == 0))
		return 0;
	return err_set(err, ERR_INVALID,
		       "--hold: '%s' is not a duration, such as 30m or 30m,on-failure", hold);
}

int spec_check(const struct spec *spec, struct err *err)
{
	if (spec->name && ref_check_name(spec->name, err) < 0)
		return -1;
	if (!spec->command || !spec->command[0] || spec->command[0][0] == '\0')
		return err_set(err, ERR_INVALID, "a job needs a command");
	if (!spec->workdir || spec->workdir[0] != '/')
		return err_set(err, ERR_INVALID, "--workdir: '%s' is not an absolute path",
			       spec->workdir ? spec->workdir : "");
	if (check_count("--nodes", spec->nodes, err) < 0 ||
	    check_count("--tasks", spec->tasks, err) < 0 ||
	    check_count("--cpus", spec->cpus, err) < 0)
		return -1;
	if (spec->shell && spec->shell[0] != '/')
		return err_set(err, ERR_INVALID, "--shell: '%.80s' is not an absolute path",
			       spec->shell);
	if (spec->hold && check_hold(spec->hold, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->env_len; i++) {
		if (check_env(spec->env[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < spec->allow_len; i++) {
		if (check_allow(spec->allow[i], err) < 0)
			return -1;
	}
	return 0;
}

uint64_t spec_ranks(const struct spec *spec)
{
	return MAX(MAX(spec->tasks, spec->nodes), UINT64_C(1));
}

static bool add_string(struct buf *b, const char *s)
{
	return buf_append_u8(b, '"') && text_append_json(b, s) && buf_append_u8(b, '"');
}

static bool add_member(struct buf *b, const char *key, const char *value)
{
	if (!buf_printf(b, ",\n  \"%s\": ", key))
		return false;
	return value ? add_string(b, value) : buf_append(b, "null", 4);
}

static bool add_list(struct buf *b, const char *key, const char *const *items, size_t len)
{
	if (!buf_printf(b, ",\n  \"%s\": [", key))
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((i > 0 && !buf_append(b, ", ", 2)) || !add_string(b, items[i]))
			return false;
	}
	return buf_append_u8(b, ']');
}

static size_t count_words(const char *const *words)
{
	size_t len = 0;

	while (words[len])
		len++;
	return len;
}

int spec_to_json(const struct spec *spec, struct buf *ret, struct err *err)
{
	bool ok = buf_printf(ret, "{\n  \"version\": 1") && add_member(ret, "name", spec->name) &&
		  add_list(ret, "command", spec->command, count_words(spec->command)) &&
		  add_member(ret, "workdir", spec->workdir) &&
		  add_list(ret, "env", spec->env, spec->env_len) &&
		  add_list(ret, "allow", spec->allow, spec->allow_len) &&
		  buf_printf(ret,
			     ",\n  \"nodes\": %" PRIu64 ",\n  \"tasks\": %" PRIu64
			     ",\n  \"cpus\": %" PRIu64 ",\n  \"memory\": %" PRIu64
			     ",\n  \"time_s\": %" PRIu64,
			     spec->nodes, spec->tasks, spec->cpus, spec->memory,
			     spec->time_ns / NSEC_PER_SEC) &&
		  add_member(ret, "hold", spec->hold) &&
		  add_member(ret, "partition", spec->partition) &&
		  add_member(ret, "account", spec->account) &&
		  add_member(ret, "image", spec->image) && buf_append(ret, "\n}\n", 3);

	if (!ok)
		return err_set(err, ERR_LIMIT, "the job's specification is larger than %d bytes",
			       SPEC_JSON_MAX);
	return 0;
}

char *spec_command_line(const struct spec *spec)
{
	cleanup(buf_finish) struct buf line = BUF_INIT(SPEC_LINE_MAX);
	bool cut = false;

	for (const char *const *word = spec->command; *word && !cut; word++) {
		if (word != spec->command)
			cut = !buf_append_u8(&line, ' ');
		/* A word that does not fit leaves what fitted of it. */
		cut = cut || !text_append_shell(&line, *word);
	}
	if (cut) {
		buf_truncate(&line, MIN(buf_len(&line), (size_t)SPEC_LINE_MAX - 3));
		if (!buf_append(&line, "...", 3))
			buf_truncate(&line, 0);
	}
	return buf_take_str(&line);
}
