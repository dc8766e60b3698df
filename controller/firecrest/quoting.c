/* SPDX-License-Identifier: MIT */
/* Paths with single quotes; see quoting.h. */
#include "quoting.h"

#include <string.h>
#include <strings.h>

#include "controller/firecrest/answer.h"
#include "init/base/alloc.h"

static int probe(struct firecrest *fc, const char *dir, enum quoting *ret, struct err *err)
{
	cleanup_free char *path = str_printf("%s/''", dir);
	const char *const query[] = { "path", path, NULL };
	const struct firecrest_request request = { .path = "/filesystem/{system}/ops/stat",
						   .query = query };
	cleanup(json_release) json_t *answer = NULL;
	struct err own;

	if (firecrest_call(fc, &request, &answer, &own) == 0)
		*ret = QUOTING_PLAIN;
	else if (own.kind == ERR_NOT_FOUND)
		*ret = QUOTING_PROPER;
	else
		return err_set(err, own.kind, "%s", own.text);
	return 0;
}

/* A directory that the server has for certain, or "". */
static const char *find_file_system(const json_t *answer, const char *system_name)
{
	const json_t *machine;
	size_t i;

	json_array_foreach(json_object_get(answer, "systems"), i, machine) {
		if (strcasecmp(firecrest_text(machine, "name"), system_name) == 0)
			return firecrest_text(
				json_array_get(json_object_get(machine, "fileSystems"), 0), "path");
	}
	return "";
}

int quoting_ask(struct firecrest *fc, enum quoting *ret, struct err *err)
{
	const struct firecrest_request systems = { .path = "/status/systems" };
	cleanup(json_release) json_t *answer = NULL;
	const char *dir;
	struct err own;

	if (probe(fc, "", ret, &own) == 0)
		return 0;
	if (own.kind != ERR_INVALID)
		return err_set(err, own.kind, "%s", own.text);
	if (firecrest_call(fc, &systems, &answer, err) < 0)
		return -1;
	dir = find_file_system(answer, firecrest_system(fc));
	if (!dir[0])
		return err_set(err, own.kind, "%s", own.text);
	return probe(fc, dir, ret, err);
}

bool quoting_is_for_jobs(const char *where, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+=:,@%";

	if (!strstr(where, "/transfer/"))
		return true;
	if (!strstr(where, "/transfer/download"))
		return !path[strcspn(path, "'\"`$\\&<>")];
	for (; *path; path++) {
		/* Of UTF-8, more bytes than one are nothing to a shell. */
		if ((unsigned char)*path < 0x80 && !strchr(plain, *path))
			return false;
	}
	return true;
}

char *quoting_write(enum quoting quoting, const char *path)
{
	static const char written[] = "'\\''";
	char *out, *end;

	if (quoting != QUOTING_PLAIN || !strchr(path, '\''))
		return NULL;
	out = end = alloc_zero(strlen(path) + 1, strlen(written));
	for (; *path; path++) {
		if (*path == '\'')
			end = mempcpy(end, written, strlen(written));
		else
			*end++ = *path;
	}
	*end = '\0';
	return out;
}
