/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a value of a file is to be after a change (config_edit()): words of a list, or relays, are
 * added to those that the file has or removed from them. Pure; where it stands in the file is
 * edit.c's affair.
 */

#include "controller/config/config.h"

struct edit_value {
	struct config_texts texts; /* one of what is no list */
	struct config_relays relays;
	bool is_relays;
	bool is_list; /* more than one, or none */
	bool is_gone; /* the key with it */
};

void edit_value_finish(struct edit_value *value);
DEFINE_CLEANUP_VALUE(struct edit_value, edit_value_finish)

/*
 * parts: the key, taken apart. ERR_NOT_FOUND: what is to be removed is not there. ERR_INVALID: that
 * is no list, or no relay.
 */
int edit_value_make(const struct config *before, const char *const *parts, size_t parts_len,
		    const struct config_edit *change, struct edit_value *ret, struct err *err)
	attr_must_use;
