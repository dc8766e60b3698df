/* SPDX-License-Identifier: MIT */
/* Submissions through FirecREST; see submit.h. */
#include "submit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/slurm/submit.h"
#include "controller/run/argv.h"
#include "init/base/fs.h"
#include "init/base/text.h"

/* sbatch reads a line into a buffer of this size. */
#define LINE_ROOM 8000

/* What the call itself says: the value is that of a member of the body; NULL: it says nothing. */
static const struct {
	const char *option, *member;
} said_by_call[] = {
	{ "--job-name=", "name" },
	{ "--chdir=", NULL },
	{ "--output=", "standardOutput" },
	{ "--error=", "standardError" },
	{ "--input=", "standardInput" },
	{ "--export=", NULL },
	{ "--parsable", NULL },
};

/* The index in the table, or its length. */
static size_t find_said(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(said_by_call); i++) {
		if (strncmp(word, said_by_call[i].option, strlen(said_by_call[i].option)) == 0)
			break;
	}
	return i;
}

bool firecrest_append_word(struct buf *b, const char *word)
{
	bool ok = buf_append_u8(b, '"');

	for (; ok && *word; word++) {
		if (*word == '"' || *word == '\\')
			ok = buf_append_u8(b, '\\');
		ok = ok && buf_append_u8(b, (uint8_t)*word);
	}
	return ok && buf_append_u8(b, '"');
}

static int add_lines(const struct submission *submission, struct buf *ret, struct err *err)
{
	cleanup(argv_finish) struct argv argv = { 0 };

	slurm_add_options(&argv, submission);
	for (size_t i = 1; i < argv.len; i++) {
		cleanup(buf_finish) struct buf word = BUF_INIT(LINE_ROOM);

		if (find_said(argv.items[i]) < ARRAY_LEN(said_by_call))
			continue;
		if (!firecrest_append_word(&word, argv.items[i]) ||
		    !buf_printf(ret, "#SBATCH %s\n", buf_str(&word)))
			return err_set(err, ERR_LIMIT, "'%.40s...' is longer than %d bytes",
				       argv.items[i], LINE_ROOM);
	}
	return 0;
}

size_t firecrest_head_len(struct span script)
{
	size_t at = 0;

	while (at < script.len && (script.ptr[at] == '#' || script.ptr[at] == '\n')) {
		const uint8_t *newline = memchr(script.ptr + at, '\n', script.len - at);

		if (!newline)
			return script.len;
		at = (size_t)(newline - script.ptr) + 1;
	}
	return at;
}

static bool is_contained(const struct spec *spec)
{
	return spec->image || spec->edf;
}

static bool names(const char *list, const char *name, size_t len)
{
	for (const char *word = list; *word; word += strspn(word, ",")) {
		size_t word_len = strcspn(word, ",");

		if (word_len == len && memcmp(word, name, len) == 0)
			return true;
		word += word_len;
	}
	return false;
}

static bool add_variable(struct buf *b, const char *assignment)
{
	size_t len = strcspn(assignment, "=");

	return buf_printf(b, "export %.*s=", (int)len, assignment) &&
	       text_append_shell(b, assignment + len + (assignment[len] == '=')) &&
	       buf_append_u8(b, '\n');
}

static bool add_variables(const struct spec *spec, struct buf *b)
{
	bool ok = true;

	for (char **variable = environ; ok && spec->export_list && *variable; variable++) {
		if (names(spec->export_list, *variable, strcspn(*variable, "=")))
			ok = add_variable(b, *variable);
	}
	for (size_t i = 0; ok && i < spec->env.len; i++)
		ok = add_variable(b, spec->env.items[i]);
	return ok;
}

int firecrest_write_variables(const struct submission *submission, struct buf *ret, struct err *err)
{
	const struct spec *spec = submission->spec;

	if (spec->export_list && names(spec->export_list, "ALL", 3))
		return err_set(err, ERR_UNSUPPORTED,
			       "--export=ALL: not all variables of this machine are of use there: "
			       "name them, or leave it out");
	return add_variables(spec, ret) ? 0 : err_set(err, ERR_LIMIT, "--env: too long");
}

static bool has_variables(const struct spec *spec)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(SLURM_SCRIPT_MAX);

	return !add_variables(spec, &text) || buf_len(&text) > 0;
}

/* The job directory is where it starts, by which it is found again; a container has its own. */
static bool add_directory(const struct spec *spec, struct buf *b)
{
	return is_contained(spec) || (buf_printf(b, "cd ") && text_append_shell(b, spec->workdir) &&
				      buf_printf(b, " || exit\n"));
}

bool firecrest_add_environment(const struct submission *submission, struct buf *b)
{
	cleanup_free char *variables = fs_join(submission->job->directory, FIRECREST_VARIABLES);

	return add_directory(submission->spec, b) &&
	       (!has_variables(submission->spec) ||
		(buf_printf(b, ". ") && text_append_shell(b, variables) && buf_append_u8(b, '\n')));
}

int firecrest_write_script(const struct submission *submission, struct buf *ret, struct err *err)
{
	cleanup(buf_finish) struct buf plain = BUF_INIT(SLURM_SCRIPT_MAX);
	struct span rest;
	bool ok;

	if (slurm_write_script(submission, &plain, err) < 0)
		return -1;
	rest = buf_span(&plain);
	ok = buf_append_span(ret, span_cut(&rest, firecrest_head_len(rest)));
	if (ok && add_lines(submission, ret, err) < 0)
		return -1;
	ok = ok && firecrest_add_environment(submission, ret) && buf_append_span(ret, rest);
	return ok ? 0
		  : err_set(err, ERR_LIMIT, "the script is longer than %d bytes", SLURM_SCRIPT_MAX);
}

/* Names of files are as seen from the directory that the job asked for. */
static json_t *make_path(const struct spec *spec, const char *pattern)
{
	cleanup(buf_finish) struct buf path = BUF_INIT(SLURM_SCRIPT_MAX);

	if (pattern[0] == '/' || is_contained(spec))
		return json_string(pattern);
	for (const char *p = spec->workdir; *p; p++) {
		/* It begins a replacement. */
		if (!buf_append_u8(&path, (uint8_t)*p) ||
		    (*p == '%' && !buf_append_u8(&path, (uint8_t)*p)))
			return NULL;
	}
	return buf_printf(&path, "/%s", pattern) ? json_string(buf_str(&path)) : NULL;
}

static json_t *make_member(const struct spec *spec, const char *option, const char *value)
{
	bool is_path = strcmp(option, "--output=") == 0 || strcmp(option, "--error=") == 0;

	return is_path ? make_path(spec, value) : json_string(value);
}

/* Those of a script's own lines, which would be seen from the job directory. */
static void add_own_paths(const struct spec *spec, json_t *job)
{
	if (spec->script && spec->output)
		json_object_set_new(job, "standardOutput", make_path(spec, spec->output));
	if (spec->script && spec->error)
		json_object_set_new(job, "standardError", make_path(spec, spec->error));
}

int firecrest_make_submission(const struct submission *submission, json_t **ret, struct err *err)
{
	cleanup_free char *script = fs_join(submission->job->directory, FIRECREST_SCRIPT);
	cleanup(json_release) json_t *body = json_object();
	cleanup(argv_finish) struct argv argv = { 0 };
	json_t *job = json_object();

	json_object_set_new(body, "job", job);
	json_object_set_new(job, "scriptPath", json_string(script));
	json_object_set_new(job, "standardInput", json_string("/dev/null"));
	json_object_set_new(job, "workingDirectory", json_string(submission->job->directory));
	slurm_add_options(&argv, submission);
	for (size_t i = 1; i < argv.len; i++) {
		size_t at = find_said(argv.items[i]);

		if (at == ARRAY_LEN(said_by_call) || !said_by_call[at].member)
			continue;
		if (json_object_set_new(
			    job, said_by_call[at].member,
			    make_member(submission->spec, said_by_call[at].option,
					argv.items[i] + strlen(said_by_call[at].option))) < 0)
			return err_set(err, ERR_INVALID, "'%.80s' is not text in UTF-8",
				       argv.items[i]);
	}
	add_own_paths(submission->spec, job);
	if (!json_is_string(json_object_get(job, "scriptPath")) ||
	    !json_is_string(json_object_get(job, "workingDirectory")))
		return err_set(err, ERR_INVALID, "a directory is not text in UTF-8");
	*ret = take_ptr(body);
	return 0;
}
