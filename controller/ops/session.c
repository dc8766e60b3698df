/* SPDX-License-Identifier: MIT */
/*
 * session.json in the job directory, which `berth-tunnel serve` reads: how a job is called, how
 * long it was to last, and how sessions in it are to look.
 */
#include <inttypes.h>

#include "controller/ops/internal.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define SESSION_MAX (64 * 1024)

static bool add_text(struct buf *b, const char *name, const char *value)
{
	if (!value || value[0] == '\0')
		return true;
	return buf_printf(b, ", \"%s\": \"", name) && text_append_json(b, value) &&
	       buf_append_u8(b, '"');
}

static bool add_flag(struct buf *b, const char *name, bool value)
{
	return !value || buf_printf(b, ", \"%s\": true", name);
}

static bool format(const struct job *job, const struct spec *spec, struct buf *b)
{
	if (!buf_printf(b, "{\"version\": 1, \"job\": \"job-%" PRIu64 "\"", job->id) ||
	    !add_text(b, "uid", job->uid) || !add_text(b, "name", job->name) ||
	    !add_text(b, "shell", spec->shell))
		return false;
	if (spec->time_ns > 0 &&
	    !buf_printf(b, ", \"time_limit_s\": %" PRIu64, spec->time_ns / NSEC_PER_SEC))
		return false;
	return add_flag(b, "plain_shell", spec->plain_shell) &&
	       add_flag(b, "no_motd", spec->no_motd) &&
	       add_flag(b, "no_vscode_folder", spec->no_vscode_folder) && buf_printf(b, "}\n");
}

int session_write(struct site *site, const struct job *job, const struct spec *spec,
		  struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, "session.json");
	cleanup(buf_finish) struct buf text = BUF_INIT(SESSION_MAX);

	if (!format(job, spec, &text))
		return err_set(err, ERR_LIMIT, "--shell: too long");
	return site_write(site, path, buf_span(&text), 0600, err);
}
