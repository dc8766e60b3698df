/* SPDX-License-Identifier: MIT */
/* Podman's own ways with Docker's API; see podman.h. */
#include "podman.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SPECIAL ",\"\n"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int check_source(const json_t *mount, struct err *err)
{
	const char *source = text_of(mount, "Source");

	if (strcmp(text_of(mount, "Type"), "bind") != 0 || access(source, F_OK) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%.200s is not there, and Podman would mount an empty directory: make it, "
		       "or look at the name",
		       source);
}

static bool is_special(const json_t *mount)
{
	return strpbrk(text_of(mount, "Source"), SPECIAL) ||
	       strpbrk(text_of(mount, "Target"), SPECIAL);
}

/* The older way to say it, in which nothing but colons means anything. */
static int add_bind(json_t *host, const json_t *mount, struct err *err)
{
	const char *source = text_of(mount, "Source"), *target = text_of(mount, "Target");
	bool is_read_only = json_is_true(json_object_get(mount, "ReadOnly"));
	json_t *binds = json_object_get(host, "Binds");

	if (source[0] == '\0' || strchr(source, ':') || strchr(target, ':'))
		return err_set(err, ERR_UNSUPPORTED,
			       "'%.80s' at '%.80s': Podman takes no such name: mount the directory "
			       "above it, or a link without commas and quotes",
			       source, target);
	if (!binds) {
		binds = json_array();
		json_object_set_new(host, "Binds", binds);
	}
	json_array_append_new(binds,
			      json_sprintf("%s:%s%s", source, target, is_read_only ? ":ro" : ""));
	return 0;
}

int podman_adapt(json_t *body, bool is_here, struct err *err)
{
	json_t *host = json_object_get(body, "HostConfig");
	json_t *mounts = json_object_get(host, "Mounts"), *kept = json_array(), *mount;
	int result = 0;
	size_t i;

	json_array_foreach(mounts, i, mount) {
		if (result == 0 && is_here)
			result = check_source(mount, err);
		if (result == 0 && is_special(mount))
			result = add_bind(host, mount, err);
		else
			json_array_append(kept, mount);
	}
	json_object_set_new(host, "Mounts", kept);
	if (result == 0 && json_object_get(host, "DeviceRequests"))
		return err_set(err, ERR_UNSUPPORTED,
			       "--gpus: Podman leaves GPUs out of what it is asked for by Docker's "
			       "API: use a Docker engine, or leave it out");
	return result;
}
