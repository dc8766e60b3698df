/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Pieces that manifests are put together of: members that are there already, from the user's
 * template, are kept and added to. Pure.
 */

#include "controller/model/json.h"

/* The member, made when it is missing or something else; borrowed. */
json_t *kube_object_at(json_t *object, const char *key);
json_t *kube_array_at(json_t *object, const char *key);

void kube_set_text(json_t *object, const char *key, const char *text);

/* A quantity, which is a text, also where it is a whole number. */
void kube_set_count(json_t *object, const char *key, uint64_t count);

/* The item of a list that says so of itself: {"name": "main"}. NULL: there is none. */
json_t *kube_item_with(json_t *list, const char *key, const char *value);

/* Puts the item into a list in the place of the one with the same key, or at its end; takes it. */
void kube_put_item(json_t *list, const char *key, json_t *item);
