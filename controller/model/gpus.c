/* SPDX-License-Identifier: MIT */
/* GPUs by their type; see gpus.h. */
#include "gpus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "init/base/alloc.h"
#include "init/base/macro.h"
#include "init/base/text.h"

#define GPU "gpu"

/* How long the element at the head of the list is: commas within parentheses do not end it. */
static size_t element_len(const char *list)
{
	size_t len = 0;

	for (bool is_inside = false; list[len] && (is_inside || list[len] != ','); len++) {
		if (list[len] == '(')
			is_inside = true;
		else if (list[len] == ')')
			is_inside = false;
	}
	return len;
}

bool gpus_parse_request(const char *text, char ret_type[GPUS_TYPE_SIZE], uint64_t *ret_count)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	if ((colon && len == 0) || len >= GPUS_TYPE_SIZE ||
	    !text_parse_uint(colon ? colon + 1 : text, GPUS_COUNT_MAX, ret_count))
		return false;
	memcpy(ret_type, text, len);
	ret_type[len] = '\0';
	return true;
}

/* "gpu", "gpu:2", "gpu:a100", "gpu:a100:2(S:0-1)"; one without a number is one. */
static bool parse_element(const char *text, size_t len, char type[GPUS_TYPE_SIZE], uint64_t *count)
{
	cleanup_free char *copy = str_dup_len(text, len);
	char *rest = copy + strlen(GPU);

	copy[strcspn(copy, "(")] = '\0';
	if (strncmp(copy, GPU, strlen(GPU)) != 0 || (*rest != '\0' && *rest != ':'))
		return false;
	*count = 1;
	type[0] = '\0';
	if (*rest == '\0' || gpus_parse_request(rest + 1, type, count))
		return true;
	return snprintf(type, GPUS_TYPE_SIZE, "%s", rest + 1) < GPUS_TYPE_SIZE && type[0] != '\0';
}

static struct gpu_type *find(struct gpus *gpus, const char *name)
{
	for (size_t i = 0; i < gpus->len; i++) {
		if (strcmp(gpus->items[i].name, name) == 0)
			return &gpus->items[i];
	}
	if (gpus->len == GPUS_TYPES_MAX)
		return NULL;
	gpus->items[gpus->len] = (struct gpu_type){ 0 };
	snprintf(gpus->items[gpus->len].name, GPUS_TYPE_SIZE, "%s", name);
	return &gpus->items[gpus->len++];
}

static void count(struct gpus *gpus, const char *list, bool are_used)
{
	char name[GPUS_TYPE_SIZE];
	uint64_t number;

	while (*list) {
		size_t len = element_len(list);
		struct gpu_type *type =
			parse_element(list, len, name, &number) ? find(gpus, name) : NULL;

		if (type && are_used)
			type->used += number;
		else if (type)
			type->total += number;
		list += len + (list[len] == ',');
	}
}

void gpus_add(struct gpus *gpus, const char *gres, const char *gres_used, bool is_usable)
{
	struct gpus node = { 0 };

	count(&node, gres, false);
	count(&node, gres_used, true);
	for (size_t i = 0; i < node.len; i++) {
		const struct gpu_type *own = &node.items[i];
		struct gpu_type *sum = find(gpus, own->name);

		if (!sum)
			continue;
		sum->total += own->total;
		sum->used += own->used;
		if (is_usable)
			sum->free += own->total - MIN(own->total, own->used);
	}
}

struct gpu_type gpus_sum(const struct gpus *gpus, const char *type)
{
	struct gpu_type sum = { 0 };

	for (size_t i = 0; i < gpus->len; i++) {
		if (type && type[0] && strcasecmp(type, gpus->items[i].name) != 0)
			continue;
		sum.total += gpus->items[i].total;
		sum.used += gpus->items[i].used;
		sum.free += gpus->items[i].free;
	}
	return sum;
}

void gpus_format(const struct gpus *gpus, char out[GPUS_TEXT_SIZE])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < gpus->len && len < GPUS_TEXT_SIZE; i++) {
		const struct gpu_type *type = &gpus->items[i];

		len += (size_t)snprintf(out + len, GPUS_TEXT_SIZE - len,
					"%s%s%s%" PRIu64 "/%" PRIu64, i > 0 ? ", " : "", type->name,
					type->name[0] ? " " : "", type->free, type->total);
	}
}
