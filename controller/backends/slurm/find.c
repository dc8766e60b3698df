/* SPDX-License-Identifier: MIT */
/* Jobs of Slurm by their scripts; see find.h. */
#include "find.h"

#include <string.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/list.h"
#include "init/base/fs.h"

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
	cleanup_free char *script = fs_join(job->directory, "script.sh");
	cleanup(child_finish) struct child child = { 0 };

	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	return slurm_find_script(buf_span(&child.output), script, ret_id) ? 1 : 0;
}
