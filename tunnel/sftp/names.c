/* SPDX-License-Identifier: MIT */
/* Names of users and groups; see names.h. */
#include "names.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"

/* Goes through the entries of a file until one fits. */
static const struct passwd *find_user(FILE *file, const char *name, uid_t id)
{
	const struct passwd *entry;

	while ((entry = fgetpwent(file))) {
		if (name ? strcmp(entry->pw_name, name) == 0 : entry->pw_uid == id)
			return entry;
	}
	return NULL;
}

static void look_up_user(const char *path, uint32_t id, char ret[NAMES_LEN_MAX])
{
	FILE *file = fopen(path, "re");
	const struct passwd *entry = file ? find_user(file, NULL, id) : NULL;

	snprintf(ret, NAMES_LEN_MAX, "%s", entry ? entry->pw_name : "");
	if (file)
		fclose(file);
}

static void look_up_group(const char *path, uint32_t id, char ret[NAMES_LEN_MAX])
{
	FILE *file = fopen(path, "re");
	const struct group *entry = NULL;

	while (file && (entry = fgetgrent(file)) && entry->gr_gid != id)
		;
	snprintf(ret, NAMES_LEN_MAX, "%s", entry ? entry->gr_name : "");
	if (file)
		fclose(file);
}

/* The oldest entry makes room for a new one. */
static const char *find(struct names_list *list, uint32_t id, const char *path,
			void (*look_up)(const char *path, uint32_t id, char ret[NAMES_LEN_MAX]))
{
	struct names_entry *entry;

	for (size_t i = 0; i < list->len; i++) {
		if (list->items[i].id == id)
			return list->items[i].name;
	}
	entry = &list->items[list->next];
	list->next = (list->next + 1) % NAMES_KEPT;
	list->len = MIN(list->len + 1, (size_t)NAMES_KEPT);
	entry->id = id;
	look_up(path, id, entry->name);
	return entry->name;
}

const char *names_user(struct names *names, uint32_t id)
{
	return find(&names->users, id, names->passwd, look_up_user);
}

const char *names_group(struct names *names, uint32_t id)
{
	return find(&names->groups, id, names->group, look_up_group);
}

static char *find_home(const struct names *names, const char *user, uid_t id)
{
	FILE *file = fopen(names->passwd, "re");
	const struct passwd *entry = file ? find_user(file, user, id) : NULL;
	char *home = entry ? str_dup(entry->pw_dir) : NULL;

	if (file)
		fclose(file);
	return home;
}

char *names_home(const struct names *names, const char *user)
{
	return find_home(names, user, 0);
}

char *names_home_of_id(const struct names *names, uid_t id)
{
	return find_home(names, NULL, id);
}
