/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The connections that programs of this workstation have into jobs at the moment. Each writes a
 * file of its own (model/connection.h); what a program left that was killed is removed here.
 */

#include "controller/model/connection.h"

/*
 * Those whose job's name fits one of the patterns (fnmatch(3)), all of them without patterns,
 * oldest first. ERR_NOT_FOUND: there are patterns, and none fits.
 */
int ops_list_connections(char *const *patterns, size_t len, struct connection_list *ret,
			 struct err *err) attr_must_use;
