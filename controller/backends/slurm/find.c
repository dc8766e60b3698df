/* SPDX-License-Identifier: MIT */
/* Jobs of Slurm by their scripts; see find.h. */
#include "find.h"

#include <string.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/files.h"
#include "controller/backends/slurm/list.h"
#include "controller/backends/jobdir.h"
#include "controller/model/job_slurm.h"

bool slurm_find_script(struct span text, const char *script, char ret_id[BACKEND_ID_MAX])
{
	for (;;) {
		cleanup_free char *line = slurm_cut_line(&text);
		size_t digits = line ? strspn(line, "0123456789") : 0;

		if (!line)
			return false;
		if (digits == 0 || digits >= SLURM_ID_MAX || line[digits] != ' ' ||
		    strcmp(line + digits + 1, script) != 0)
			continue;
		memcpy(ret_id, line, digits);
		ret_id[digits] = '\0';
		return true;
	}
}

int slurm_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
	       struct err *err)
{
	static const char *const argv[] = { "squeue",	"--noheader",	     "--me", "--states=all",
					    "--format", SLURM_SCRIPT_FORMAT, NULL };
	cleanup_free char *script = slurm_script_path(job);
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	return slurm_find_script(buf_span(&child.output), script, ret_id) ? 1 : 0;
}

enum { LOCATE_ID, LOCATE_STATE, LOCATE_NAME, LOCATE_SCRIPT, LOCATE_FIELDS };

static struct job *find_directory(const struct job_list *list, const char *directory)
{
	for (size_t i = 0; i < list->len; i++) {
		if (strcmp(list->items[i].directory, directory) == 0)
			return &list->items[i];
	}
	return NULL;
}

static void take_line(char *line, struct job_list *ret)
{
	cleanup(job_finish) struct job job = { 0 };
	char *fields[LOCATE_FIELDS], state[BACKEND_WORD_MAX];
	struct job *same;

	job_init(&job);
	if (!slurm_split(line, fields, LOCATE_FIELDS) || fields[LOCATE_ID][0] == '\0' ||
	    strlen(fields[LOCATE_ID]) >= SLURM_ID_MAX ||
	    fields[LOCATE_ID][strspn(fields[LOCATE_ID], "0123456789")] != '\0' ||
	    !jobdir_take_script(fields[LOCATE_SCRIPT], &job))
		return;
	job.state = job_slurm_state(fields[LOCATE_STATE]);
	same = find_directory(ret, job.directory);
	if (same && job.state == JOB_RUNNING)
		same->state = JOB_RUNNING; /* a task of it does */
	if (same)
		return;
	job_set_text(&job.native_id, fields[LOCATE_ID]);
	jobdir_copy_text(state, sizeof(state), fields[LOCATE_STATE]);
	job_set_text(&job.native_state, state);
	job_set_text(&job.name, fields[LOCATE_NAME]);
	job_list_take(ret, &job);
}

void slurm_locate_lines(struct span text, struct job_list *ret)
{
	for (;;) {
		cleanup_free char *line = slurm_cut_line(&text);

		if (!line)
			return;
		take_line(line, ret);
	}
}

int slurm_locate(struct backend *backend, struct job_list *ret, struct err *err)
{
	static const char *const argv[] = { "squeue",	"--noheader",	     "--me", "--states=all",
					    "--format", SLURM_LOCATE_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	slurm_locate_lines(buf_span(&child.output), ret);
	return 0;
}
