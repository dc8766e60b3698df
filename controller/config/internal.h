/* SPDX-License-Identifier: MIT */
#pragma once

/* What the parts of the configuration share among themselves and with nobody else. */

#include <stdbool.h>

#include "controller/config/config.h"
#include "init/base/buf.h"

void config_texts_add(struct config_texts *texts, const char *text, size_t len);
void config_texts_finish(struct config_texts *texts);
void config_relays_finish(struct config_relays *relays);

/* The one of this name, made if need be; NULL when there are CONFIG_NAMES_MAX already. */
struct config_cluster *config_add_cluster(struct config *config, const char *name);
struct config_context *config_add_context(struct config *config, const char *name);

/* A value as YAML has it: plain where that is harmless, else quoted. */
bool config_append_value(struct buf *b, const char *value) attr_must_use;

/* A list of relays, each line behind this indentation. */
bool config_append_relays(struct buf *b, const struct config_relays *relays, const char *indent)
	attr_must_use;

/*
 * Cuts the part before the next dot off *key, which points behind the dot afterwards (NULL: that
 * was the last part). free() it.
 */
char *config_cut_part(const char **key) attr_must_use;

/* Whether a cluster of this name needs no entry, and is the backend of the name. */
bool config_is_always_there(const char *name);
