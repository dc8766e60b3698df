/* SPDX-License-Identifier: MIT */
/* Jobs of Slurm by their scripts; see find.h. */
#include "find.h"

#include <string.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/files.h"
#include "controller/backends/slurm/list.h"
#include "controller/backends/slurm/submit.h"
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

enum { LOCATE_ID, LOCATE_STATE, LOCATE_NAME, LOCATE_INPUT, LOCATE_SCRIPT, LOCATE_FIELDS };

static void take_line(char *line, struct job_list *ret)
{
	struct located located = { .file = JOBDIR_SCRIPT };
	char *fields[LOCATE_FIELDS];

	if (!slurm_split(line, fields, LOCATE_FIELDS) || fields[LOCATE_ID][0] == '\0' ||
	    strlen(fields[LOCATE_ID]) >= SLURM_ID_MAX ||
	    fields[LOCATE_ID][strspn(fields[LOCATE_ID], "0123456789")] != '\0')
		return;
	located.path = fields[LOCATE_SCRIPT];
	located.native_id = fields[LOCATE_ID];
	located.native_state = fields[LOCATE_STATE];
	located.name = fields[LOCATE_NAME];
	located.state = job_slurm_state(fields[LOCATE_STATE]);
	jobdir_add_located(&located, ret);
	slurm_undo_pattern(fields[LOCATE_INPUT]);
	located.path = fields[LOCATE_INPUT];
	located.file = JOBDIR_INPUT;
	jobdir_add_located(&located, ret);
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

int slurm_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		 struct err *err)
{
	static const char *const argv[] = { "squeue",	"--noheader",	     "--me", "--states=all",
					    "--Format", SLURM_LOCATE_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };

	(void)jobs_dir;
	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	slurm_locate_lines(buf_span(&child.output), ret);
	return 0;
}
