/* SPDX-License-Identifier: MIT */
/* `ls -l`; see longname.h. */
#include "longname.h"

#include <stdio.h>
#include <stdbool.h>

/* Older than this, or in the future, a file's time is shown with the year (POSIX, ls). */
#define RECENT_S (365 * 24 * 60 * 60 / 2)

static char type_of(mode_t mode)
{
	static const struct {
		mode_t type;
		char letter;
	} types[] = {
		{ S_IFREG, '-' }, { S_IFDIR, 'd' }, { S_IFLNK, 'l' },  { S_IFCHR, 'c' },
		{ S_IFBLK, 'b' }, { S_IFIFO, 'p' }, { S_IFSOCK, 's' },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if ((mode & S_IFMT) == types[i].type)
			return types[i].letter;
	}
	return '?';
}

static void format_mode(mode_t mode, char ret[11])
{
	static const char letters[] = "rwxrwxrwx";

	ret[0] = type_of(mode);
	for (size_t i = 0; i < 9; i++)
		ret[i + 1] = mode & 1U << (8 - i) ? letters[i] : '-';
	if (mode & S_ISUID)
		ret[3] = mode & S_IXUSR ? 's' : 'S';
	if (mode & S_ISGID)
		ret[6] = mode & S_IXGRP ? 's' : 'S';
	if (mode & S_ISVTX)
		ret[9] = mode & S_IXOTH ? 't' : 'T';
	ret[10] = '\0';
}

static void format_time(time_t t, time_t now, char ret[32])
{
	struct tm tm;
	bool recent = t <= now && now - t < RECENT_S;

	if (!localtime_r(&t, &tm) ||
	    strftime(ret, 32, recent ? "%b %e %H:%M" : "%b %e  %Y", &tm) == 0)
		snprintf(ret, 32, "%s", "?");
}

/* Its name, or its number. */
static void format_owner(const char *name, uint32_t id, char ret[NAMES_LEN_MAX])
{
	if (name[0])
		snprintf(ret, NAMES_LEN_MAX, "%s", name);
	else
		snprintf(ret, NAMES_LEN_MAX, "%u", (unsigned int)id);
}

size_t longname_head(struct names *names, const struct stat *st, time_t now,
		     char ret[LONGNAME_HEAD_MAX])
{
	char mode[11], user[NAMES_LEN_MAX], group[NAMES_LEN_MAX], when[32];
	int len;

	format_mode(st->st_mode, mode);
	format_owner(names_user(names, st->st_uid), st->st_uid, user);
	format_owner(names_group(names, st->st_gid), st->st_gid, group);
	format_time(st->st_mtime, now, when);
	len = snprintf(ret, LONGNAME_HEAD_MAX, "%s %4lu %-8s %-8s %8lld %s ", mode,
		       (unsigned long)st->st_nlink, user, group, (long long)st->st_size, when);
	return MIN((size_t)len, (size_t)LONGNAME_HEAD_MAX - 1);
}
