/* SPDX-License-Identifier: MIT */
/* Options of sbatch and the batch script; see submit.h. */
#include "submit.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/launch/launcher.h"
#include "controller/backends/slurm/list.h"
#include "controller/model/mustache.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define ARRAY_INDEX "SLURM_ARRAY_TASK_ID"

static const char template_of_ours[] = "#!/bin/sh\n"
				       "# What berth submitted for {{job}}.\n"
				       "{{{lines}}}{{{setup}}}exec {{{launch}}}\n";

const char *slurm_directory(const struct submission *submission)
{
	const struct spec *spec = submission->spec;

	return spec->image || spec->edf ? submission->job->directory : spec->workdir;
}

bool slurm_has_steps(const struct spec *spec)
{
	const struct launcher *launcher;

	return spec_ranks(spec) > 1 ||
	       (launcher_choose(spec, &launcher, NULL) == 0 && launcher_is_step(launcher));
}

char *slurm_job_name(const struct submission *submission)
{
	if (submission->spec->name)
		return str_dup(submission->spec->name);
	return str_printf("job-%" PRIu64, submission->job->id);
}

char *slurm_file_pattern(const char *dir, const char *name)
{
	cleanup(buf_finish) struct buf path = BUF_INIT(SLURM_SCRIPT_MAX);

	for (const char *p = dir; *p; p++) {
		if (!buf_append_u8(&path, (uint8_t)*p) ||
		    (*p == '%' && !buf_append_u8(&path, (uint8_t)*p)))
			break;
	}
	return str_printf("%s/%s", buf_str(&path), name);
}

void slurm_undo_pattern(char *pattern)
{
	char *out = pattern;

	for (const char *p = pattern; *p; p++) {
		if (p[0] == '%' && p[1] == '%')
			p++;
		*out++ = *p;
	}
	*out = '\0';
}

char *slurm_own_file(const struct submission *submission, const char *name)
{
	cleanup_free char *indexed = str_printf("%s.%%a", name);

	return slurm_file_pattern(submission->job->directory,
				  submission->spec->array ? indexed : name);
}

static void add_own_file(struct argv *argv, const char *option, const char *name,
			 const struct submission *submission)
{
	cleanup_free char *path = slurm_own_file(submission, name);

	argv_addf(argv, "%s=%s", option, path);
}

/* As with sbatch, standard error goes where standard output does unless it has its own file. */
static void add_files(struct argv *argv, const struct submission *submission)
{
	const struct spec *spec = submission->spec;

	if (spec->output)
		argv_addf(argv, "--output=%s", spec->output);
	else
		add_own_file(argv, "--output", "stdout", submission);
	if (spec->error)
		argv_addf(argv, "--error=%s", spec->error);
	else if (!spec->output)
		add_own_file(argv, "--error", "stderr", submission);
}

/* A list that leaves something out has to name what --env sets. */
static void add_export(struct argv *argv, const struct spec *spec)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(SLURM_SCRIPT_MAX);
	bool ok = buf_printf(&list, "%s", spec->export_list ? spec->export_list : "ALL");

	for (size_t i = 0; ok && spec->export_list && i < spec->env.len; i++) {
		const char *name = spec->env.items[i];

		ok = buf_append_u8(&list, ',') && buf_append(&list, name, strcspn(name, "="));
	}
	argv_addf(argv, "--export=%s", buf_str(&list));
}

uint64_t slurm_minutes(uint64_t ns)
{
	const uint64_t minute = 60 * NSEC_PER_SEC;

	return ns / minute + (ns % minute != 0);
}

static void add_option(struct argv *argv, const struct spec *spec, const struct spec_option *option)
{
	const void *member = (const char *)spec + option->offset;

	switch (option->type) {
	case OPT_TYPE_STR:
		argv_addf(argv, "--%s=%s", option->sbatch, *(const char *const *)member);
		return;
	case OPT_TYPE_FLAG:
		argv_addf(argv, "--%s", option->sbatch);
		return;
	case OPT_TYPE_UINT:
		argv_addf(argv, "--%s=%" PRIu64, option->sbatch, *(const uint64_t *)member);
		return;
	case OPT_TYPE_SIZE:
		argv_addf(argv, "--%s=%" PRIu64 "K", option->sbatch,
			  MAX(*(const uint64_t *)member >> 10, UINT64_C(1)));
		return;
	case OPT_TYPE_DURATION:
		argv_addf(argv, "--%s=%" PRIu64, option->sbatch,
			  slurm_minutes(*(const uint64_t *)member));
		return;
	case OPT_TYPE_LIST:
	case OPT_TYPE_COUNT:
	case OPT_TYPE_END:
		break; /* sbatch has no such option: whoever adds one says how it is written */
	}
}

/* Only what sbatch could not know: the script says the rest, and the user's SBATCH_ variables. */
static void add_script_options(struct argv *argv, const struct submission *submission)
{
	const struct spec *spec = submission->spec;

	argv_add_words(argv, "sbatch", "--parsable", NULL);
	if (!spec->script_has_name)
		argv_addf(argv, "--job-name=%s", spec->command[0]);
	if (!spec->output)
		add_own_file(argv, "--output", "stdout", submission);
	if (!spec->output && !spec->error)
		add_own_file(argv, "--error", "stderr", submission);
}

void slurm_add_options(struct argv *argv, const struct submission *submission)
{
	const struct spec *spec = submission->spec;
	cleanup_free char *name = slurm_job_name(submission);

	if (spec->script) {
		add_script_options(argv, submission);
		return;
	}
	argv_add_words(argv, "sbatch", "--parsable", "--input=/dev/null", NULL);
	add_export(argv, spec);
	if (spec->name || submission->job->id > 0)
		argv_addf(argv, "--job-name=%s", name);
	argv_addf(argv, "--chdir=%s", slurm_directory(submission));
	add_files(argv, submission);
	argv_addf(argv, "--ntasks=%" PRIu64, spec_ranks(spec));
	/* The batch script becomes berth-init, which hands the signal to the command; srun's steps
	 * are told by themselves. */
	if (spec->signal)
		argv_addf(argv, "--signal=%s%s", slurm_has_steps(spec) ? "" : "B:", spec->signal);
	for (const struct spec_option *option = spec_options; option->name; option++) {
		if (option->sbatch && spec_has(spec, option))
			add_option(argv, spec, option);
	}
}

static bool add_rank_file(struct buf *b, const char *option, const char *name,
			  const struct submission *submission)
{
	cleanup_free char *path = slurm_file_pattern(submission->job->directory, name);

	return buf_printf(b, " %s=", option) && text_append_shell(b, path) &&
	       (!submission->spec->array || buf_printf(b, ".\"$" ARRAY_INDEX "\"")) &&
	       buf_printf(b, ".%%t");
}

/* What each rank prints goes to a file of its own, unless the user said where all of it goes. */
static bool add_rank_files(struct buf *b, const struct submission *submission)
{
	const struct spec *spec = submission->spec;

	return (spec->output || add_rank_file(b, "--output", "stdout", submission)) &&
	       (spec->output || spec->error || add_rank_file(b, "--error", "stderr", submission));
}

static bool add_word(struct buf *b, const char *word)
{
	return buf_append_u8(b, ' ') && text_append_shell(b, word);
}

static bool add_words(struct buf *b, const struct argv *words)
{
	bool ok = true;

	for (size_t i = 0; ok && i < words->len; i++)
		ok = add_word(b, words->items[i]);
	return ok;
}

/* How a job, or each task of an array, uses what it got. */
static bool add_start(struct buf *b, const struct submission *submission,
		      const struct launch_words *words)
{
	const struct spec *spec = submission->spec;
	uint64_t ranks = spec_ranks(spec);

	if (ranks <= 1 && words->step.len == 0)
		return true;
	/* Since 22.05 srun does not take the number of CPUs from the batch job. */
	return buf_printf(b, " srun --ntasks=%" PRIu64, MAX(ranks, UINT64_C(1))) &&
	       (!spec->cpus || buf_printf(b, " --cpus-per-task=%" PRIu64, spec->cpus)) &&
	       (ranks <= 1 || add_rank_files(b, submission)) && add_words(b, &words->step);
}

/* srun takes a ":" wherever it stands for the begin of another job component. */
static bool has_separator(const struct spec *spec)
{
	for (const char *const *word = spec->command; *word; word++) {
		if (strcmp(*word, ":") == 0)
			return true;
	}
	return false;
}

static bool add_command_words(const struct spec *spec, bool is_marked, struct buf *b)
{
	bool ok = buf_printf(b, is_marked ? " --marked --" : " --");

	for (const char *const *word = spec->command; ok && *word; word++) {
		cleanup_free char *marked = str_printf("%s%s", is_marked ? "+" : "", *word);

		ok = add_word(b, marked);
	}
	return ok;
}

static bool add_command(const struct submission *submission, bool is_inside, struct buf *b)
{
	cleanup_free char *init =
		str_printf("%s/berth-init", is_inside ? LAUNCHER_BUNDLE : submission->bundle);
	uint64_t ranks = spec_ranks(submission->spec);
	bool ok = add_word(b, init) && add_word(b, "--dir") &&
		  add_word(b, submission->job->directory);

	if (submission->spec->array)
		ok = ok && buf_printf(b, " --rank \"$" ARRAY_INDEX "\"");
	if (submission->spec->array && ranks > 1)
		ok = ok && buf_printf(b, " --ranks %" PRIu64, ranks);
	if (submission->spec->hold)
		ok = ok && add_word(b, "--hold") && add_word(b, submission->spec->hold);
	if (submission->spec->script) {
		cleanup_free char *script = fs_join(submission->job->directory, SPEC_SCRIPT_NAME);

		return ok && add_word(b, "--") && add_word(b, script);
	}
	return ok && add_command_words(submission->spec,
				       slurm_has_steps(submission->spec) &&
					       has_separator(submission->spec),
				       b);
}

/* The words of a template; bytes that are no text are passed on as they are. */
static void set_text(json_t *values, const char *name, const char *value)
{
	if (value)
		json_object_set_new(values, name, json_string_nocheck(value));
}

static json_t *make_values(const struct submission *submission, const struct launcher *launcher)
{
	const struct spec *spec = submission->spec;
	cleanup_free char *job = str_printf("job-%" PRIu64, submission->job->id);
	json_t *values = json_object(), *env = json_array();

	set_text(values, "job", job);
	set_text(values, "uid", submission->job->uid);
	set_text(values, "name", spec->name);
	set_text(values, "directory", submission->job->directory);
	set_text(values, "bundle", submission->bundle);
	set_text(values, "workdir", spec->workdir);
	set_text(values, "image", spec->image);
	set_text(values, "launcher", launcher ? launcher->name : NULL);
	set_text(values, "lines", spec->script ? spec->script_lines : NULL);
	for (size_t i = 0; i < spec->env.len; i++) {
		cleanup_free char *name = launcher_env_name(spec->env.items[i]);

		json_array_append_new(env, json_string_nocheck(name));
	}
	json_object_set_new(values, "env", env);
	return values;
}

/* As it is, and not as one quoted word. */
static bool starts(const char *script, const char *launch)
{
	const char *at = strstr(script, launch);

	return at && (at == script || at[-1] != '\'');
}

static int render(const struct submission *submission, const struct launcher *launcher,
		  struct launch_words *words, struct buf *ret, struct err *err)
{
	/* A user's own script says in its lines what it needs, and what it runs. */
	bool is_ours = !submission->template || submission->spec->script;
	cleanup(buf_finish) struct buf launch = BUF_INIT(SLURM_SCRIPT_MAX);
	json_t *values = make_values(submission, launcher);
	const struct mustache mustache = { .values = values, .escape = text_append_shell };
	int result = -1;

	if (!add_start(&launch, submission, words) || !add_words(&launch, &words->program) ||
	    !add_command(submission, launcher != NULL, &launch)) {
		err_set(err, ERR_LIMIT, "the command is longer than %d bytes", SLURM_SCRIPT_MAX);
	} else {
		set_text(values, "setup", buf_str(&words->setup));
		set_text(values, "launch", buf_str(&launch) + 1);
		result = mustache_render(
			&mustache, span_of_str(is_ours ? template_of_ours : submission->template),
			ret, err);
	}
	json_decref(values);
	if (result == 0 && !starts(buf_str(ret), buf_str(&launch) + 1))
		result = err_set(err, ERR_INVALID,
				 "it does not start the job: write exec {{{launch}}} into it");
	if (result < 0 && !is_ours)
		return err_wrap(err, "'template' of the cluster");
	return result;
}

int slurm_write_script(const struct submission *submission, struct buf *ret, struct err *err)
{
	cleanup(launch_words_finish) struct launch_words words = { 0 };
	const struct launcher *launcher;

	if (launcher_choose(submission->spec, &launcher, err) < 0)
		return -1;
	if (launcher && submission->spec->script)
		return err_set(err, ERR_UNSUPPORTED,
			       "--image: a batch script starts its containers itself: leave it "
			       "out");
	if (launcher_words(launcher, submission, &words, err) < 0)
		return -1;
	return render(submission, launcher, &words, ret, err);
}

const char slurm_no_id[] =
	"sbatch did not print a job id: look with squeue whether it took the job";

bool slurm_parse_submitted(struct span text, uint64_t *ret_id)
{
	cleanup_free char *line = slurm_cut_line(&text);

	if (!line)
		return false;
	line[strcspn(line, ";")] = '\0';
	return text_parse_uint(line, INT64_MAX, ret_id) && *ret_id > 0;
}

static bool expand_letter(char letter, const struct submission *submission, const char *native_id,
			  uint64_t task, struct buf *ret)
{
	cleanup_free char *name = slurm_job_name(submission);
	const struct passwd *user;

	switch (letter) {
	case '%':
		return buf_append_u8(ret, '%');
	case 'j':
		return !submission->spec->array && buf_printf(ret, "%s", native_id);
	case 'a':
		return task != SLURM_NO_TASK && buf_printf(ret, "%" PRIu64, task);
	case 'A':
		return buf_printf(ret, "%s", native_id);
	case 'x':
		return buf_printf(ret, "%s", name);
	case 'u':
		user = getpwuid(getuid());
		return user && buf_printf(ret, "%s", user->pw_name);
	default:
		return false;
	}
}

bool slurm_expand_pattern(const char *pattern, const struct submission *submission,
			  const char *native_id, uint64_t task, struct buf *ret)
{
	if (strchr(pattern, '\\') ||
	    (pattern[0] != '/' && !buf_printf(ret, "%s/", slurm_directory(submission))))
		return false;
	for (const char *p = pattern; *p; p++) {
		if (*p != '%') {
			if (!buf_append_u8(ret, (uint8_t)*p))
				return false;
			continue;
		}
		if (*++p == '\0' || !expand_letter(*p, submission, native_id, task, ret))
			return false;
	}
	return true;
}
