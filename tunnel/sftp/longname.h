/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A line as `ls -l` writes it, for the long names of READDIR: clients show it as it is. Users and
 * groups without a name are numbers.
 */

#include <sys/stat.h>
#include <time.h>

#include "names.h"

#define LONGNAME_HEAD_MAX 256

/* What comes before the name, the last space included; returns its length. now decides whether a
 * time is given with the hour or with the year. */
size_t longname_head(struct names *names, const struct stat *st, time_t now,
		     char ret[LONGNAME_HEAD_MAX]);
