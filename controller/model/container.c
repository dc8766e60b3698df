/* SPDX-License-Identifier: MIT */
/* Values of a container's options; see container.h. */
#include "container.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

#define MEMORY "tmpfs"
#define CPUS_MAX UINT64_C(1000000)
#define TIMES_MAX 1000000
#define USER_NAME_MAX 12

void mount_finish(struct mount *mount)
{
	free(mount->source);
	free(mount->target);
	*mount = (struct mount){ 0 };
}

static bool has_controls(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

static bool is_volume_name(const char *name)
{
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return isalnum((unsigned char)name[0]) && name[strspn(name, all)] == '\0';
}

/* What stands behind the target. */
static bool take_rest(const char *rest, struct mount *mount)
{
	if (rest[0] == '\0')
		return true;
	if (mount->kind == MOUNT_MEMORY)
		return text_parse_size(rest + 1, &mount->size);
	mount->is_read_only = strcmp(rest, ":ro") == 0;
	return mount->is_read_only || strcmp(rest, ":rw") == 0;
}

int mount_parse(const char *text, struct mount *ret, struct err *err)
{
	cleanup(mount_finish) struct mount mount = { 0 };
	const char *colon = strstr(text, ":/");
	size_t len;

	if (!colon || has_controls(text))
		return err_set(err, ERR_INVALID,
			       "'%.80s' is not SOURCE:TARGET, such as /data:/in:ro, scratch:/work "
			       "or tmpfs:/cache:64M",
			       text);
	mount.source = str_dup_len(text, (size_t)(colon - text));
	len = strcspn(colon + 1, ":");
	mount.target = str_dup_len(colon + 1, len);
	if (strcmp(mount.source, MEMORY) == 0) {
		mount.kind = MOUNT_MEMORY;
		free(take_ptr(mount.source));
	} else if (mount.source[0] == '/') {
		mount.kind = MOUNT_DIRECTORY;
	} else {
		mount.kind = MOUNT_VOLUME;
		if (!is_volume_name(mount.source))
			return err_set(err, ERR_INVALID,
				       "'%.80s' is neither an absolute path nor the name of a "
				       "volume",
				       mount.source);
	}
	if (!take_rest(colon + 1 + len, &mount))
		return err_set(err, ERR_INVALID, "'%.80s': only %s can stand behind the target",
			       text, mount.kind == MOUNT_MEMORY ? "a size" : "ro or rw");
	*ret = mount;
	mount = (struct mount){ 0 };
	return 0;
}

/* Without what an engine takes away: doubled slashes, ".", "..", a slash at the end. */
static char *clean_path(const char *path)
{
	char *clean = str_dup(path);
	size_t at = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", len) == 0) {
			while (at > 0 && clean[--at] != '/')
				;
		} else if (len > 1 || (len == 1 && path[0] != '.')) {
			clean[at++] = '/';
			memcpy(clean + at, path, len);
			at += len;
		}
		path += len + (path[len] == '/');
	}
	clean[at] = '\0';
	return clean;
}

int container_check_target(const char *target, struct err *err)
{
	cleanup_free char *path = clean_path(target);

	if (path[0] == '\0')
		return err_set(err, ERR_INVALID, "'%.80s': the image is there", target);
	if (strcmp(path, CONTAINER_BUNDLE) == 0 || strcmp(path, CONTAINER_JOB_DIR) == 0)
		return err_set(err, ERR_INVALID, "'%.80s': berth's own files are there", target);
	return 0;
}

int container_parse_bound_dir(const char *text, const char *target, struct mount *ret,
			      struct err *err)
{
	const char *colon = strstr(text, ":/");

	if (text[0] != '/' || has_controls(text) || (colon && strchr(colon + 1, ':')))
		return err_set(err, ERR_INVALID,
			       "'%.80s' is not DIR[:TARGET], both absolute, such as /data:/in",
			       text);
	*ret = (struct mount){
		.kind = MOUNT_DIRECTORY,
		.source = colon ? str_dup_len(text, (size_t)(colon - text)) : str_dup(text),
		.target = str_dup(colon ? colon + 1 : target),
	};
	return 0;
}

bool container_parse_cpus(const char *text, uint64_t *ret_milli)
{
	size_t len = strspn(text, "0123456789"), places;
	uint64_t whole = 0, part = 0;
	char digits[24];

	if (len == 0 || len >= sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
	if (!text_parse_uint(digits, CPUS_MAX * 1000, &whole))
		return false;
	if (strcmp(text + len, "m") == 0) {
		*ret_milli = whole;
		return whole > 0;
	}
	if (text[len] == '.') {
		places = strlen(text + len + 1);
		if (places == 0 || places > 3 || !text_parse_uint(text + len + 1, 999, &part))
			return false;
		for (; places < 3; places++)
			part *= 10;
	} else if (text[len] != '\0') {
		return false;
	}
	*ret_milli = whole * 1000 + part;
	return whole <= CPUS_MAX && *ret_milli > 0;
}

/* A number of this range, all alike; ranges are small against 64 bits. */
static uint64_t draw(uint64_t low, uint64_t high)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return low;
	return low + random % (high - low + 1);
}

static bool is_name(const char *text)
{
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return isalpha((unsigned char)text[0]) && text[strspn(text, all)] == '\0' &&
	       strlen(text) <= USER_NAME_MAX;
}

/* One side: "", a number, a range or a name; appended to the text. */
static bool choose_side(const char *side, char *out, size_t size)
{
	size_t digits = strspn(side, "0123456789");
	cleanup_free char *first = str_dup_len(side, digits);
	uint64_t low, high;

	if (side[0] == '\0' || is_name(side)) {
		snprintf(out, size, "%s", side);
		return true;
	}
	if (!text_parse_uint(first, INT32_MAX, &low))
		return false;
	high = low;
	if (side[digits] == '-' && !text_parse_uint(side + digits + 1, INT32_MAX, &high))
		return false;
	if ((side[digits] != '\0' && side[digits] != '-') || high < low)
		return false;
	snprintf(out, size, "%" PRIu64, draw(low, high));
	return true;
}

int container_choose_user(const char *text, char ret[CONTAINER_USER_SIZE], struct err *err)
{
	size_t len = strcspn(text, ":");
	cleanup_free char *user = str_dup_len(text, len);
	char first[CONTAINER_USER_SIZE / 2] = "", second[CONTAINER_USER_SIZE / 2 - 1] = "";

	if (!choose_side(user, first, sizeof(first)) ||
	    (text[len] && !choose_side(text + len + 1, second, sizeof(second))) ||
	    (!first[0] && !second[0]))
		return err_set(err, ERR_INVALID,
			       "'%.80s' is not UID[:GID], such as 1000:1000 or 1000-1999:100",
			       text);
	/* The engine has no way to say "whoever the image says, in this group": root, then. */
	snprintf(ret, CONTAINER_USER_SIZE, "%s%s%s", first[0] ? first : "0", second[0] ? ":" : "",
		 second);
	return 0;
}

bool container_parse_restart(const char *text, size_t *ret_len, uint64_t *ret_times)
{
	static const char *const policies[] = { "no", "on-failure", "unless-stopped", "always" };
	size_t len = strcspn(text, ":");
	uint64_t times = 0;

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		if (strlen(policies[i]) != len || strncmp(text, policies[i], len) != 0)
			continue;
		if (text[len] &&
		    (i != 1 || !text_parse_uint(text + len + 1, TIMES_MAX, &times) || times == 0))
			return false;
		*ret_len = len;
		*ret_times = times;
		return true;
	}
	return false;
}

int container_check_pull(const char *value, struct err *err)
{
	if (strcmp(value, "always") == 0 || strcmp(value, "missing") == 0 ||
	    strcmp(value, "never") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "'%.40s' is not always, missing or never", value);
}

int container_check_user(const char *value, struct err *err)
{
	char chosen[CONTAINER_USER_SIZE];

	return container_choose_user(value, chosen, err);
}

int container_check_cpu_limit(const char *value, struct err *err)
{
	uint64_t milli;

	if (container_parse_cpus(value, &milli))
		return 0;
	return err_set(err, ERR_INVALID, "'%.40s' is not a number of CPUs, such as 2, 0.5 or 500m",
		       value);
}

int container_check_mount(const char *value, struct err *err)
{
	cleanup(mount_finish) struct mount mount = { 0 };

	return mount_parse(value, &mount, err);
}

int container_check_bound_dir(const char *value, struct err *err)
{
	cleanup(mount_finish) struct mount mount = { 0 };

	return container_parse_bound_dir(value, "/", &mount, err);
}

int container_check_restart(const char *value, struct err *err)
{
	uint64_t times;
	size_t len;

	if (container_parse_restart(value, &len, &times))
		return 0;
	return err_set(err, ERR_INVALID,
		       "'%.40s' is not no, on-failure, on-failure:TIMES, unless-stopped or always",
		       value);
}

int container_check_label(const char *value, struct err *err)
{
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
	size_t len = strcspn(value, "=");

	if (len == 0 || value[len] == '\0' || strspn(value, all) != len)
		return err_set(err, ERR_INVALID, "'%.80s' is not KEY=VALUE", value);
	if (strncmp(value, "berth.", 6) == 0)
		return err_set(err, ERR_INVALID, "'%.80s': labels 'berth.' are berth's own", value);
	return 0;
}
