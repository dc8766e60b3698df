/* SPDX-License-Identifier: MIT */
/* Submissions for slurmrestd; see submit.h. */
#include "submit.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/submit.h"
#include "controller/model/spec_file.h"
#include "init/base/text.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define FROM_START 0
#define FOR_EVER 999
#define FIRST_NEW 39 /* v0.0.39 renamed fields, and takes numbers where v0.0.38 took texts */

/* What a member of the specification, or of a change, is in JSON; NULL: it cannot be said. */
typedef json_t *make_fn(const void *member);

static const char *text_of(const void *member)
{
	return *(const char *const *)member;
}

static json_t *make_text(const void *member)
{
	return json_string(text_of(member));
}

static json_t *make_number(const void *member)
{
	return json_integer((json_int_t) * (const uint64_t *)member);
}

static json_t *make_number_text(const void *member)
{
	return json_sprintf("%" PRIu64, *(const uint64_t *)member);
}

static json_t *make_text_number(const void *member)
{
	return json_integer(strtoll(text_of(member), NULL, 10));
}

/* From so many nodes to so many. */
static json_t *make_range(const void *member)
{
	return json_pack("[oo]", make_number(member), make_number(member));
}

static json_t *make_minutes(const void *member)
{
	return json_integer((json_int_t)slurm_minutes(*(const uint64_t *)member));
}

static json_t *make_megabytes(const void *member)
{
	return json_integer((json_int_t)MAX(*(const uint64_t *)member >> 20, UINT64_C(1)));
}

static json_t *make_yes(const void *member)
{
	(void)member;
	return json_true();
}

static json_t *make_no(const void *member)
{
	(void)member;
	return json_false();
}

static json_t *make_exclusive(const void *member)
{
	(void)member;
	return json_string("exclusive");
}

static json_t *make_none_list(const void *member)
{
	(void)member;
	return json_pack("[s]", "none");
}

static json_t *make_list(const void *member)
{
	json_t *list = json_array();

	for (const char *word = text_of(member); *word; word += strspn(word, ",")) {
		size_t len = strcspn(word, ",");

		json_array_append_new(list, json_stringn(word, len));
		word += len;
	}
	return list;
}

/* "gpu:2,shard:1" with the kind of resource before each, the way that Slurm of that time wrote it. */
static json_t *make_resources(const char *prefix, const char *list)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(SPEC_JSON_MAX);
	bool ok = true;

	for (const char *word = list; ok && *word; word += strspn(word, ",")) {
		size_t len = strcspn(word, ",");

		ok = buf_printf(&text, "%s%s%.*s", buf_len(&text) ? "," : "", prefix, (int)len,
				word);
		word += len;
	}
	return json_string(buf_str(&text));
}

static json_t *make_gres_39(const void *member)
{
	return make_resources("gres:", text_of(member));
}

static json_t *make_gres(const void *member)
{
	return make_resources("gres/", text_of(member));
}

static json_t *make_gpus_39(const void *member)
{
	return make_resources("gres:gpu:", text_of(member));
}

static json_t *make_gpus(const void *member)
{
	return make_resources("gres/gpu:", text_of(member));
}

/* v0.0.38 reads times as sbatch does. */
static json_t *make_begin_text(const void *member)
{
	const char *begin = text_of(member);
	uint64_t ns;

	if (text_parse_duration(begin, &ns))
		return json_sprintf("now+%" PRIu64, ns / NSEC_PER_SEC);
	return json_string(begin);
}

static json_t *make_begin(const void *member)
{
	uint64_t seconds;

	if (!slurmrest_parse_begin(text_of(member), (uint64_t)time(NULL), &seconds))
		return NULL;
	return json_integer((json_int_t)seconds);
}

static json_t *make_signal_name(const void *member)
{
	const char *signal = text_of(member);

	return json_stringn(signal, strcspn(signal, "@"));
}

static json_t *make_signal_delay(const void *member)
{
	const char *at = strchr(text_of(member), '@');

	return json_integer(at ? strtoll(at + 1, NULL, 10) : 60);
}

static json_t *make_signal_flags(const void *member)
{
	(void)member;
	return json_pack("[s]", "BATCH_JOB");
}

/* Lines of one option with the same versions are all its fields. */
static const struct {
	const char *option;
	unsigned int first, last;
	const char *field;
	make_fn *make;
} fields[] = {
	{ "nodes", FROM_START, 38, "nodes", make_range },
	{ "nodes", FIRST_NEW, FOR_EVER, "nodes", make_number_text },
	{ "tasks", FROM_START, FOR_EVER, "tasks", make_number },
	{ "ntasks-per-node", FROM_START, FOR_EVER, "tasks_per_node", make_number },
	{ "cpus", FROM_START, FOR_EVER, "cpus_per_task", make_number },
	{ "mem", FROM_START, FOR_EVER, "memory_per_node", make_megabytes },
	{ "mem-per-cpu", FROM_START, FOR_EVER, "memory_per_cpu", make_megabytes },
	{ "gpus", FROM_START, 38, "gpus", make_text },
	{ "gpus", 39, 39, "tres_per_job", make_gpus_39 },
	{ "gpus", 40, FOR_EVER, "tres_per_job", make_gpus },
	{ "gpus-per-node", FROM_START, 38, "gpus_per_node", make_text },
	{ "gpus-per-node", 39, 39, "tres_per_node", make_gpus_39 },
	{ "gpus-per-node", 40, FOR_EVER, "tres_per_node", make_gpus },
	{ "gpus-per-task", FROM_START, 38, "gpus_per_task", make_text },
	{ "gpus-per-task", 39, 39, "tres_per_task", make_gpus_39 },
	{ "gpus-per-task", 40, FOR_EVER, "tres_per_task", make_gpus },
	{ "gres", FROM_START, 38, "gres", make_text },
	{ "gres", 39, 39, "tres_per_node", make_gres_39 },
	{ "gres", 40, FOR_EVER, "tres_per_node", make_gres },
	{ "constraint", FROM_START, FOR_EVER, "constraints", make_text },
	{ "nodelist", FROM_START, 38, "nodelist", make_text },
	{ "nodelist", FIRST_NEW, FOR_EVER, "required_nodes", make_list },
	{ "exclude", FROM_START, 38, "exclude_nodes", make_text },
	{ "exclude", FIRST_NEW, FOR_EVER, "excluded_nodes", make_list },
	{ "exclusive", FROM_START, 38, "exclusive", make_exclusive },
	{ "exclusive", FIRST_NEW, FOR_EVER, "shared", make_none_list },
	{ "licenses", FROM_START, FOR_EVER, "licenses", make_text },
	{ "time", FROM_START, FOR_EVER, "time_limit", make_minutes },
	{ "array", FROM_START, FOR_EVER, "array", make_text },
	{ "begin", FROM_START, 38, "begin_time", make_begin_text },
	{ "begin", FIRST_NEW, FOR_EVER, "begin_time", make_begin },
	{ "dependency", FROM_START, FOR_EVER, "dependency", make_text },
	{ "requeue", FROM_START, FOR_EVER, "requeue", make_yes },
	{ "no-requeue", FROM_START, 38, "no_requeue", make_yes },
	{ "no-requeue", FIRST_NEW, FOR_EVER, "requeue", make_no },
	{ "signal", FROM_START, 38, "signal", make_text },
	{ "signal", FIRST_NEW, FOR_EVER, "kill_warning_signal", make_signal_name },
	{ "signal", FIRST_NEW, FOR_EVER, "kill_warning_delay", make_signal_delay },
	{ "signal", FIRST_NEW, FOR_EVER, "kill_warning_flags", make_signal_flags },
	{ "partition", FROM_START, FOR_EVER, "partition", make_text },
	{ "account", FROM_START, FOR_EVER, "account", make_text },
	{ "qos", FROM_START, FOR_EVER, "qos", make_text },
	{ "reservation", FROM_START, FOR_EVER, "reservation", make_text },
	{ "priority", FROM_START, 38, "priority", make_text },
	{ "priority", FIRST_NEW, FOR_EVER, "priority", make_text_number },
	{ "nice", FROM_START, FOR_EVER, "nice", make_text_number },
	{ "mail-type", FROM_START, 38, "mail_type", make_text },
	{ "mail-type", FIRST_NEW, FOR_EVER, "mail_type", make_list },
	{ "mail-user", FROM_START, FOR_EVER, "mail_user", make_text },
	{ "comment", FROM_START, FOR_EVER, "comment", make_text },
};

bool slurmrest_has_field(const char *option, unsigned int version)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (strcmp(fields[i].option, option) == 0 && version >= fields[i].first &&
		    version <= fields[i].last)
			return true;
	}
	return false;
}

/* Two options can make one field: resources of a node are one list. */
static void add_field(json_t *job, const char *field, json_t *value)
{
	const char *before = json_string_value(json_object_get(job, field));

	if (before && json_is_string(value)) {
		json_t *both = json_sprintf("%s,%s", before, json_string_value(value));

		json_decref(value);
		value = both;
	}
	json_object_set_new(job, field, value);
}

static int add_option(json_t *job, const char *option, const void *member, unsigned int version,
		      struct err *err)
{
	if (!slurmrest_has_field(option, version))
		return err_set(err, ERR_UNSUPPORTED,
			       "--%s: v0.0.%u of slurmrestd has no field for it: leave it out, or "
			       "use a cluster with backend slurm",
			       option, version);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		json_t *value;

		if (strcmp(fields[i].option, option) != 0 || version < fields[i].first ||
		    version > fields[i].last)
			continue;
		value = fields[i].make(member);
		if (!value)
			return err_set(err, ERR_INVALID,
				       "--%s: slurmrestd cannot be told '%s': write 30m (from "
				       "now), or 2026-11-21T08:00",
				       option, text_of(member));
		add_field(job, fields[i].field, value);
	}
	return 0;
}

/* Seconds of a unit of sbatch's, by its beginning: "now+1hour", "now+90". */
static uint64_t unit_seconds(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {
		{ "seconds", 1 },  { "minutes", 60 },	   { "hours", 3600 },
		{ "days", 86400 }, { "weeks", 7 * 86400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strncmp(units[i].name, unit, strlen(unit)) == 0)
			return units[i].seconds;
	}
	return 0;
}

bool slurmrest_parse_begin(const char *text, uint64_t now_s, uint64_t *ret)
{
	uint64_t ns, number;
	struct tm local = { .tm_isdst = -1 };
	const char *end;

	if (strncmp(text, "now", 3) == 0 && (text[3] == '+' || text[3] == '\0')) {
		const char *plus = text[3] ? text + 4 : "0";
		size_t digits = strspn(plus, "0123456789");
		cleanup_free char *count = str_dup_len(plus, digits);

		if (!text_parse_uint(count, UINT32_MAX, &number) || !unit_seconds(plus + digits))
			return false;
		*ret = now_s + number * unit_seconds(plus + digits);
		return true;
	}
	if (text_parse_duration(text, &ns)) {
		*ret = now_s + ns / NSEC_PER_SEC;
		return true;
	}
	end = strptime(text, "%Y-%m-%dT%H:%M", &local);
	if (end && *end == ':')
		end = strptime(end, ":%S", &local);
	if (!end || *end || mktime(&local) < 0)
		return false;
	*ret = (uint64_t)mktime(&local);
	return true;
}

static bool names(const char *list, const char *name)
{
	for (const char *word = list; *word; word += strspn(word, ",")) {
		size_t len = strcspn(word, ",");

		if (len == strlen(name) && memcmp(word, name, len) == 0)
			return true;
		word += len;
	}
	return false;
}

/* The environment of the job: who it is, what --export names, and what --env sets. */
static json_t *make_environment(const struct submission *submission, const char *user)
{
	const struct spec *spec = submission->spec;
	const struct passwd *account = getpwnam(user);
	const char *home = account ? account->pw_dir : NULL;
	json_t *env = json_object();
	bool all = spec->export_list && strcmp(spec->export_list, "ALL") == 0;

	json_object_set_new(env, "PATH", json_string(DEFAULT_PATH));
	json_object_set_new(env, "USER", json_string(user));
	json_object_set_new(env, "LOGNAME", json_string(user));
	if (submission->home || home)
		json_object_set_new(env, "HOME",
				    json_string(submission->home ? submission->home : home));
	for (char **variable = environ; spec->export_list && *variable; variable++) {
		cleanup_free char *name = str_dup_len(*variable, strcspn(*variable, "="));

		if ((all || names(spec->export_list, name)) && strchr(*variable, '='))
			json_object_set_new(env, name, json_string(strchr(*variable, '=') + 1));
	}
	for (size_t i = 0; i < spec->env.len; i++) {
		const char *item = spec->env.items[i];
		cleanup_free char *name = str_dup_len(item, strcspn(item, "="));

		json_object_set_new(env, name, json_string(strchr(item, '=') + 1));
	}
	return env;
}

/* v0.0.38 takes an object, later ones a list of "NAME=VALUE". */
static json_t *in_form(json_t *env, unsigned int version)
{
	json_t *list;
	const char *name;
	json_t *value;

	if (version < FIRST_NEW)
		return env;
	list = json_array();
	json_object_foreach(env, name, value)
		json_array_append_new(list, json_sprintf("%s=%s", name, json_string_value(value)));
	json_decref(env);
	return list;
}

static void add_files(json_t *job, const struct submission *submission)
{
	const struct spec *spec = submission->spec;
	cleanup_free char *in = slurm_file_pattern(submission->job->directory, JOBDIR_INPUT);
	cleanup_free char *out = slurm_own_file(submission, "stdout");
	cleanup_free char *err = slurm_own_file(submission, "stderr");

	json_object_set_new(job, "standard_input", json_string(in));
	json_object_set_new(job, "standard_output", json_string(spec->output ? spec->output : out));
	if (spec->error || !spec->output)
		json_object_set_new(job, "standard_error",
				    json_string(spec->error ? spec->error : err));
}

static int add_options(json_t *job, const struct spec *spec, unsigned int version, struct err *err)
{
	for (const struct spec_option *option = spec_options; option->name; option++) {
		bool is_field = option->sbatch || strcmp(option->name, "signal") == 0;

		if (is_field && spec_has(spec, option) &&
		    add_option(job, option->name, (const char *)spec + option->offset, version,
			       err) < 0)
			return -1;
	}
	return 0;
}

/*
 * Steps are told of a signal by themselves; without any it is the batch script that must have it,
 * and v0.0.38 refuses the "B:" that says so.
 */
static int address_signal(json_t *job, const struct spec *spec, unsigned int version,
			  struct err *err)
{
	if (slurm_has_steps(spec))
		json_object_del(job, "kill_warning_flags");
	else if (spec->signal && version < FIRST_NEW)
		return err_set(err, ERR_UNSUPPORTED,
			       "--signal: v0.0.%u of slurmrestd can signal the tasks of a job "
			       "alone, and this one has a single command: leave it out, or use a "
			       "cluster with backend slurm",
			       version);
	return 0;
}

int slurmrest_make_submission(const struct submission *submission, unsigned int version,
			      const char *user, json_t **ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	uint64_t tasks = spec->script ? spec->tasks : spec_ranks(spec);
	cleanup(buf_finish) struct buf script = BUF_INIT(SLURM_SCRIPT_MAX);
	cleanup(json_release) json_t *body = json_object();
	cleanup_free char *name = slurm_job_name(submission);
	json_t *job = json_object();

	json_object_set_new(body, "job", job);
	if (slurm_write_script(submission, &script, err) < 0 ||
	    add_options(job, spec, version, err) < 0 || address_signal(job, spec, version, err) < 0)
		return -1;
	json_object_set_new(body, "script", json_string(buf_str(&script)));
	json_object_set_new(job, "name", json_string(name));
	json_object_set_new(job, "current_working_directory",
			    json_string(slurm_directory(submission)));
	json_object_set_new(job, "environment",
			    in_form(make_environment(submission, user), version));
	if (tasks)
		json_object_set_new(job, "tasks", json_integer((json_int_t)tasks));
	add_files(job, submission);
	if (!json_is_string(json_object_get(body, "script")))
		return err_set(err, ERR_INVALID, "the command is not text in UTF-8");
	*ret = take_ptr(body);
	return 0;
}

int slurmrest_make_change(const struct change *change, unsigned int version, json_t **ret,
			  struct err *err)
{
	const struct {
		const char *option;
		const void *member;
		bool is_said;
	} said[] = {
		{ "time", &change->time_ns, change->time_ns },
		{ "begin", &change->begin, change->begin },
		{ "partition", &change->partition, change->partition },
		{ "account", &change->account, change->account },
		{ "qos", &change->qos, change->qos },
		{ "priority", &change->priority, change->priority },
		{ "nice", &change->nice, change->nice },
	};
	cleanup(json_release) json_t *body = json_object();

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		if (said[i].is_said &&
		    add_option(body, said[i].option, said[i].member, version, err) < 0)
			return -1;
	}
	*ret = take_ptr(body);
	return 0;
}
