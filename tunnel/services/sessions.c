/* SPDX-License-Identifier: MIT */
/* What sessions in this job have in common; see sessions.h. */
#include "sessions.h"

#include <limits.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "login.h"

/* How long the end of the program may wait for processes that are being ended as well. */
#define REMOVE_MS 1500

static void read_settings(struct sessions *sessions, const char *dir)
{
	cleanup_free char *path = fs_join(dir, "session.json");
	struct err err;

	if (session_file_read(path, &sessions->file, &err) < 0)
		log_warn("sessions: they look as if nothing had been asked for: %s", err.text);
	if (sessions->file.shell && access(sessions->file.shell, X_OK) < 0)
		log_warn("sessions: there is no shell %s in this job", sessions->file.shell);
}

/* The bundle's other programs lie beside this one. */
static void find_programs(struct sessions *sessions)
{
	char path[PATH_MAX];
	size_t len = sizeof(path);
	cleanup_free char *shell = NULL;
	char *slash;

	/* /proc may be missing: only the image's own programs then. */
	if (uv_exepath(path, &len) < 0 || access(path, X_OK) < 0)
		return;
	slash = strrchr(path, '/');
	if (!slash)
		return;
	*slash = '\0';
	sessions->tools = fs_join(path, "bin");
	shell = fs_join(sessions->tools, "sh");
	if (access(shell, X_OK) == 0)
		return;
	free(sessions->tools);
	sessions->tools = NULL;
}

static void name_places(struct sessions *sessions, const char *dir, char *const *environment)
{
	const char *temporary = login_getenv(environment, span_of_str("TMPDIR"));
	size_t len = 0;

	if (temporary && temporary[0] == '/')
		sessions->places[len++] = temporary;
	sessions->places[len++] = "/tmp";
	sessions->places[len] = dir;
}

void sessions_open(struct sessions *sessions, const char *dir, unsigned int rank,
		   char *const *environment)
{
	const char *base = strrchr(dir, '/');

	*sessions = (struct sessions){ 0 };
	read_settings(sessions, dir);
	find_programs(sessions);
	name_places(sessions, dir, environment);
	if (sessions->file.uid)
		base = sessions->file.uid;
	else
		base = base && base[1] != '\0' ? base + 1 : "job";
	scratch_init(&sessions->scratch, sessions->places, base, rank);
}

void sessions_configure(struct sessions *sessions, struct service_config *config)
{
	config->session = &sessions->file;
	config->tools = sessions->tools;
	config->scratch = &sessions->scratch;
}

void sessions_close(struct sessions *sessions)
{
	scratch_remove(&sessions->scratch, REMOVE_MS);
	scratch_finish(&sessions->scratch);
	session_file_finish(&sessions->file);
	free(sessions->tools);
	*sessions = (struct sessions){ 0 };
}
