/* SPDX-License-Identifier: MIT */
/* The order of jobs; see job_sort.h. */
#include "job_sort.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 8

static int by_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

#define NUMBER_KEY(name, member)                                            \
	static int by_##name(const struct job *a, const struct job *b)      \
	{                                                                   \
		return by_number((uint64_t)a->member, (uint64_t)b->member); \
	}
#define TEXT_KEY(name)                                                 \
	static int by_##name(const struct job *a, const struct job *b) \
	{                                                              \
		return strcmp(a->name, b->name);                       \
	}

#define KEYS(X)     \
	X(id)       \
	X(name)     \
	X(state)    \
	X(queue)    \
	X(jobset)   \
	X(user)     \
	X(cluster)  \
	X(backend)  \
	X(attempts) \
	X(created)  \
	X(started)  \
	X(ended)

NUMBER_KEY(id, id)
NUMBER_KEY(state, state)
NUMBER_KEY(attempts, attempts)
NUMBER_KEY(created, created_ns)
NUMBER_KEY(started, started_ns)
NUMBER_KEY(ended, ended_ns)
TEXT_KEY(name)
TEXT_KEY(queue)
TEXT_KEY(jobset)
TEXT_KEY(user)
TEXT_KEY(cluster)
TEXT_KEY(backend)

static const struct {
	const char *word;
	int (*compare)(const struct job *a, const struct job *b);
} keys[] = {
#define X(name) { #name, by_##name },
	KEYS(X)
#undef X
};

static const char known[] = ""
#define X(name) ", " #name
	KEYS(X)
#undef X
	;

struct order {
	struct {
		int (*compare)(const struct job *a, const struct job *b);
		bool reverse;
	} keys[KEYS_MAX];
	size_t len;
};

static int add_key(struct order *order, const char *word, size_t len, struct err *err)
{
	bool reverse = len > 0 && word[0] == '-';

	word += reverse;
	len -= reverse;
	for (size_t i = 0; i < ARRAY_LEN(keys) && order->len < KEYS_MAX; i++) {
		if (strlen(keys[i].word) != len || memcmp(keys[i].word, word, len) != 0)
			continue;
		order->keys[order->len].compare = keys[i].compare;
		order->keys[order->len++].reverse = reverse;
		return 0;
	}
	if (order->len == KEYS_MAX)
		return err_set(err, ERR_LIMIT, "--sort-by: at most %d keys", KEYS_MAX);
	return err_set(err, ERR_INVALID, "--sort-by: '%.*s' is not one of %s", (int)MIN(len, 40U),
		       word, known + strlen(", "));
}

static int compare(const void *a, const void *b, void *opaque)
{
	const struct order *order = opaque;

	for (size_t i = 0; i < order->len; i++) {
		int result = order->keys[i].compare(a, b);

		if (result != 0)
			return order->keys[i].reverse ? -result : result;
	}
	return by_id(a, b);
}

int job_list_sort(struct job_list *list, const char *text, struct err *err)
{
	struct order order = { 0 };

	for (;;) {
		size_t len = strcspn(text, ",");

		if (add_key(&order, text, len, err) < 0)
			return -1;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	if (list->len > 1)
		qsort_r(list->items, list->len, sizeof(*list->items), compare, &order);
	return 0;
}
