/* SPDX-License-Identifier: MIT */
/* The table of a job's options, and what is wrong with their values; see spec_options.h. */
#include <inttypes.h>
#include <string.h>

#include "controller/model/container.h"
#include "init/base/indices.h"
#include "controller/model/ref.h"
#include "controller/model/spec.h"
#include "controller/model/spec_options.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define COUNT_MAX 1000000

/*
 * Words reach the scheduler as they are, or are refused. A control character has no place in any of
 * them; it would also act on the terminals of those who look at the queue.
 */
static int check_words(const char *option, const char *value, struct err *err)
{
	if (value[0] == '\0')
		return err_set(err, ERR_INVALID, "--%s: is empty: leave it out", option);
	for (const char *p = value; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(err, ERR_INVALID,
				       "--%s: has a line break or another control character in it",
				       option);
	}
	return 0;
}

/* Slurm takes these apart itself; a dash in front is an option that slipped in. */
static int check_word(const char *option, const char *value, struct err *err)
{
	if (check_words(option, value, err) < 0)
		return -1;
	if (value[0] == '-')
		return err_set(err, ERR_INVALID, "--%s: '%.80s' begins with a dash", option, value);
	if (strchr(value, ' '))
		return err_set(err, ERR_INVALID, "--%s: '%.80s' has a space in it", option, value);
	return 0;
}

static int check_any(const char *option, const char *value, struct err *err)
{
	if (value[0] == '\0')
		return err_set(err, ERR_INVALID, "--%s: is empty: leave it out", option);
	return 0;
}

static int check_absolute(const char *option, const char *value, struct err *err)
{
	if (value[0] != '/')
		return err_set(err, ERR_INVALID, "--%s: '%.80s' is not an absolute path", option,
			       value);
	return 0;
}

static int check_number(const char *option, const char *value, struct err *err)
{
	uint64_t number;

	if (!text_parse_uint(value, UINT32_MAX, &number))
		return err_set(err, ERR_INVALID, "--%s: '%.80s' is not a number", option, value);
	return 0;
}

static int check_signed_number(const char *option, const char *value, struct err *err)
{
	return check_number(option, value + (value[0] == '-'), err);
}

/* [B:][R:]SIGNAL[@SECONDS]: who gets it is ours to say, so that it is the command. */
static int check_signal(const char *option, const char *value, struct err *err)
{
	size_t len = strcspn(value, "@");
	uint64_t seconds;

	if (check_word(option, value, err) < 0)
		return -1;
	if (len == 0 || memchr(value, ':', len) ||
	    (value[len] && !text_parse_uint(value + len + 1, 65535, &seconds)))
		return err_set(err, ERR_INVALID,
			       "--%s: '%.80s' is not a signal, such as USR1 or TERM@120", option,
			       value);
	return 0;
}

static int check_array(const char *option, const char *value, struct err *err)
{
	if (indices_are_valid(value))
		return 0;
	return err_set(err, ERR_INVALID,
		       "--%s: '%.80s' is not a list of indices up to %d, such as 0-9 or 1,5,7%%2",
		       option, value, INDICES_MAX);
}

static int check_env(const char *option, const char *assignment, struct err *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t len = strcspn(assignment, "=");

	if (assignment[len] == '\0' || len == 0 || strspn(assignment, letters) != len ||
	    (assignment[0] >= '0' && assignment[0] <= '9'))
		return err_set(err, ERR_INVALID, "--%s: '%.*s' is not KEY=VALUE", option,
			       (int)MIN(len, (size_t)60), assignment);
	return 0;
}

static int check_allow(const char *option, const char *target, struct err *err)
{
	const char *colon = strrchr(target, ':');
	uint64_t port;

	if (!colon || colon == target || !text_parse_uint(colon + 1, 65535, &port) || port == 0)
		return err_set(err, ERR_INVALID, "--%s: '%.80s' is not HOST:PORT", option, target);
	return 0;
}

static int check_hold(const char *option, const char *hold, struct err *err)
{
	const char *comma = strchrnul(hold, ',');
	cleanup_free char *duration = str_dup_len(hold, (size_t)(comma - hold));
	uint64_t ns;

	if (text_parse_duration(duration, &ns) && (!*comma || strcmp(comma, ",on-failure") == 0))
		return 0;
	return err_set(err, ERR_INVALID,
		       "--%s: '%s' is not a duration, such as 30m or 30m,on-failure", option, hold);
}

static int check_anything(const char *option, const char *value, struct err *err)
{
	(void)option, (void)value, (void)err;
	return 0;
}

/* What container.h says of a value, with the option in front. */
#define CHECK_OF_CONTAINER(name)                                                                   \
	static int check_##name(const char *option, const char *value, struct err *err)            \
	{                                                                                          \
		return container_check_##name(value, err) < 0 ? err_wrap(err, "--%s", option) : 0; \
	}
CHECK_OF_CONTAINER(pull)
CHECK_OF_CONTAINER(user)
CHECK_OF_CONTAINER(cpu_limit)
CHECK_OF_CONTAINER(mount)
CHECK_OF_CONTAINER(bound_dir)
CHECK_OF_CONTAINER(restart)
CHECK_OF_CONTAINER(label)

#define check_not_text NULL
#define X(kind, letter, name, member, value, check, sbatch, local, help) \
	{ OPT_TYPE_##kind, name, offsetof(struct spec, member), check_##check, sbatch, local },
const struct spec_option spec_options[] = { SPEC_OPTIONS(X){ 0 } };
static const struct spec_option container_options[] = { SPEC_CONTAINER_OPTIONS(X){ 0 } };
#undef X

bool spec_has(const struct spec *spec, const struct spec_option *option)
{
	const void *member = (const char *)spec + option->offset;

	switch (option->type) {
	case OPT_TYPE_STR:
		return *(const char *const *)member;
	case OPT_TYPE_LIST:
		return ((const struct opt_list *)member)->len > 0;
	case OPT_TYPE_FLAG:
		return *(const bool *)member;
	case OPT_TYPE_UINT:
	case OPT_TYPE_SIZE:
	case OPT_TYPE_DURATION:
	case OPT_TYPE_COUNT:
		return *(const uint64_t *)member > 0;
	case OPT_TYPE_END:
		break;
	}
	return false;
}

static int check_option(const struct spec *spec, const struct spec_option *option, struct err *err)
{
	const void *member = (const char *)spec + option->offset;

	if (option->type == OPT_TYPE_STR && option->check)
		return option->check(option->name, *(const char *const *)member, err);
	if (option->type == OPT_TYPE_LIST) {
		const struct opt_list *list = member;

		for (size_t i = 0; i < list->len; i++) {
			if (option->check(option->name, list->items[i], err) < 0)
				return -1;
		}
	}
	if (option->type == OPT_TYPE_UINT && *(const uint64_t *)member > COUNT_MAX)
		return err_set(err, ERR_INVALID, "--%s: %" PRIu64 " is more than %d", option->name,
			       *(const uint64_t *)member, COUNT_MAX);
	return 0;
}

/* What excludes each other. */
static int check_pairs(const struct spec *spec, struct err *err)
{
	if (spec->requeue && spec->no_requeue)
		return err_set(err, ERR_INVALID, "--requeue and --no-requeue exclude each other");
	if (spec->array && !job_ranks_fit(spec->array, spec_ranks(spec)))
		return err_set(err, ERR_LIMIT,
			       "--array: with %" PRIu64 " ranks each, the index %" PRIu64
			       " is too high: number its tasks from 0",
			       spec_ranks(spec), indices_last(spec->array));
	if (spec->memory && spec->memory_per_cpu)
		return err_set(err, ERR_INVALID, "--mem and --mem-per-cpu exclude each other");
	if (spec->export_list && spec->env.len > 0 &&
	    (strcasecmp(spec->export_list, "NONE") == 0 ||
	     strcasecmp(spec->export_list, "NIL") == 0))
		return err_set(err, ERR_INVALID,
			       "--export=%s leaves out what --env sets: set it in the command",
			       spec->export_list);
	return 0;
}

int spec_check(const struct spec *spec, struct err *err)
{
	if (spec->name && ref_check_name(spec->name, err) < 0)
		return -1;
	if (!spec->command || !spec->command[0] || spec->command[0][0] == '\0')
		return err_set(err, ERR_INVALID, "a job needs a command: put one after '--'");
	/* What a script says is for sbatch to judge. */
	for (const struct spec_option *option = spec_options; !spec->script && option->name;
	     option++) {
		if (spec_has(spec, option) && check_option(spec, option, err) < 0)
			return -1;
	}
	if (spec->workdir ? spec->workdir[0] != '/' : !spec->image)
		return err_set(err, ERR_INVALID, "--workdir: '%s' is not an absolute path",
			       spec->workdir ? spec->workdir : "");
	if (spec->script)
		return spec->array ? check_array("array", spec->array, err) : 0;
	return check_pairs(spec, err);
}

static bool is_in(const struct spec_option *options, const char *name)
{
	while (options->name && strcmp(options->name, name) != 0)
		options++;
	return options->name;
}

/* One node, one task. */
static int check_one(const struct spec *spec, const char *who, struct err *err)
{
	if (spec->nodes > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "--nodes: %s is one node: use --backend slurm for more", who);
	if (spec_ranks(spec) > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "--tasks: %s runs one task: use --backend slurm for more", who);
	return 0;
}

/* takes: options that it can do all the same, or NULL. */
static int check_refusals(const struct spec *spec, bool (*takes)(const char *name), struct err *err)
{
	for (const struct spec_option *option = spec_options; option->name; option++) {
		if (spec->script &&
		    (option->type == OPT_TYPE_UINT || option->type == OPT_TYPE_FLAG))
			continue; /* it runs its tasks itself, here or elsewhere */
		if (option->local && spec_has(spec, option) && !(takes && takes(option->name)))
			return err_set(err, ERR_UNSUPPORTED, "--%s: there is no scheduler: %s",
				       option->name, option->local);
	}
	return 0;
}

int spec_check_local(const struct spec *spec, struct err *err)
{
	if (check_refusals(spec, NULL, err) < 0)
		return -1;
	return check_one(spec, "this machine", err);
}

static bool engine_takes(const char *name)
{
	return strcmp(name, "gpus") == 0 || strcmp(name, "comment") == 0 ||
	       (strcmp(name, "pod") != 0 && is_in(container_options, name));
}

/* A scheduler of containers takes what an engine takes, and these. */
static bool pods_take(const char *name)
{
	static const char *const names[] = {
		"array",    "constraint",  "exclude", "gpus-per-task", "gres",
		"nodelist", "mem-per-cpu", "qos",     "requeue",       "pod"
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return engine_takes(name);
}

static int check_containers(const struct spec *spec, bool (*takes)(const char *name),
			    struct err *err)
{
	if (check_refusals(spec, takes, err) < 0)
		return -1;
	if (spec->launcher || spec->edf)
		return err_set(err, ERR_UNSUPPORTED,
			       "--%s: the engine itself starts containers: leave it out",
			       spec->launcher ? "launcher" : "edf");
	return 0;
}

int spec_check_engine(const struct spec *spec, struct err *err)
{
	if (check_containers(spec, engine_takes, err) < 0)
		return -1;
	return check_one(spec, "an engine", err);
}

int spec_check_pods(const struct spec *spec, struct err *err)
{
	if (check_containers(spec, pods_take, err) < 0)
		return -1;
	if (spec->array && spec->nodes > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "--nodes: of an array nobody can say that ranks of one task are on "
			       "nodes of their own: say --tasks alone, or run a job for each");
	if (spec->nodes > 1 && spec->nodes != spec_ranks(spec))
		return err_set(err, ERR_UNSUPPORTED,
			       "--nodes: tasks are pods, and each has a node of its own then: say "
			       "the same number with --tasks, or leave it out");
	return 0;
}

int spec_check_no_engine(const struct spec *spec, const char *who, struct err *err)
{
	for (const struct spec_option *option = container_options; option->name; option++) {
		if (spec_has(spec, option))
			return err_set(err, ERR_UNSUPPORTED, "--%s: %s runs no containers: %s",
				       option->name, who, SPEC_ENGINE);
	}
	return 0;
}
