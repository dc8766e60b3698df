/* SPDX-License-Identifier: MIT */
/* How far an image is; see fetching.h. */
#include "fetching.h"

#include <stdio.h>
#include <string.h>

#include "controller/model/json.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

/* So much of a layer is one word's worth: sums do not overflow. */
#define SIZE_MAX_TOLD (UINT64_C(1) << 48)

enum err_kind fetching_kind_of(const char *words)
{
	static const struct {
		const char *words;
		enum err_kind kind;
	} known[] = {
		{ "no space left", ERR_LIMIT },
		{ "not found", ERR_NOT_FOUND },
		{ "manifest unknown", ERR_NOT_FOUND },
		{ "no matching manifest", ERR_NOT_FOUND },
		{ "unauthorized", ERR_DENIED },
		{ "denied", ERR_DENIED },
		{ "no basic auth credentials", ERR_DENIED },
		{ "authentication required", ERR_DENIED },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcasestr(words, known[i].words))
			return known[i].kind;
	}
	return ERR_UNAVAILABLE;
}

static struct fetching_layer *find_layer(struct fetching *f, const char *id)
{
	for (unsigned int i = 0; i < f->len; i++) {
		if (strncmp(f->layers[i].id, id, FETCHING_ID_MAX - 1) == 0)
			return &f->layers[i];
	}
	if (f->len == FETCHING_LAYERS_MAX)
		return NULL;
	snprintf(f->layers[f->len].id, FETCHING_ID_MAX, "%s", id);
	return &f->layers[f->len++];
}

static uint64_t read_bytes(const json_t *detail, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(detail, name));

	return value > 0 ? MIN((uint64_t)value, SIZE_MAX_TOLD) : 0;
}

/* A layer is told as a whole again and again; its size is not known before it is downloaded. */
static void take_status(struct fetching *f, struct fetching_layer *layer, const char *status,
			const json_t *detail)
{
	uint64_t current = read_bytes(detail, "current"), total = read_bytes(detail, "total");

	if (total > 0 && strcmp(status, "Downloading") == 0)
		layer->size = total;
	if (strcmp(status, "Downloading") == 0)
		layer->downloaded = MIN(current, layer->size);
	else if (strcmp(status, "Extracting") == 0 && total > 0)
		layer->unpacked = (uint64_t)((double)MIN(current, total) / (double)total *
					     (double)layer->size);
	else if (strcmp(status, "Pulling fs layer") != 0 && strcmp(status, "Waiting") != 0)
		layer->downloaded = layer->size;
	if (strcmp(status, "Pull complete") == 0)
		layer->unpacked = layer->size;
	if (strcmp(status, "Pull complete") == 0 || strcmp(status, "Already exists") == 0)
		f->complete++;
}

int fetching_take_line(struct fetching *f, struct span line, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *copy = NULL;
	struct fetching_layer *layer;
	const char *text, *id;

	/* A line that we do not understand is no failure of the engine's. */
	if (json_parse(line, FETCHING_LINE_MAX, &json, NULL) < 0)
		return 0;
	text = json_string_value(json_object_get(json, "error"));
	if (text) {
		copy = str_dup(text);
		copy[strcspn(copy, "\n")] = '\0';
		text_make_printable(copy);
		return err_set(err, fetching_kind_of(copy), "%s", copy);
	}
	text = json_string_value(json_object_get(json, "status"));
	id = json_string_value(json_object_get(json, "id"));
	layer = text && id ? find_layer(f, id) : NULL;
	if (layer)
		take_status(f, layer, text, json_object_get(json, "progressDetail"));
	return 0;
}

void fetching_sum(const struct fetching *f, uint64_t *ret_done, uint64_t *ret_total)
{
	uint64_t done = 0, total = 0;

	for (unsigned int i = 0; i < f->len; i++) {
		done += f->layers[i].downloaded + f->layers[i].unpacked;
		total += f->layers[i].size;
	}
	*ret_done = done / 2;
	*ret_total = total;
}
