/* SPDX-License-Identifier: MIT */
/* Which jobs a verb is about; see filter.h. */
#include "filter.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controller/model/hostlist.h"
#include "init/base/text.h"

#define WORD_MAX 256

/* Takes the next of "a,b,c" into word; false at the end. One that is too long comes out cut. */
static bool next_word(const char **list, char word[WORD_MAX])
{
	size_t len;

	*list += strspn(*list, ",");
	len = strcspn(*list, ",");
	if (len == 0)
		return false;
	snprintf(word, WORD_MAX, "%.*s", (int)MIN(len, (size_t)WORD_MAX - 1), *list);
	*list += len;
	return true;
}

static const char known_states[] = "open, ended"
#define X(name, is_ended) ", " #name
	JOB_STATES(X)
#undef X
	;

static uint32_t bit(enum job_state state)
{
	return UINT32_C(1) << (unsigned int)state;
}

static uint32_t bits_of(bool ended)
{
	uint32_t bits = 0;

#define X(name, is_ended)                            \
	if (job_state_is_ended(JOB_##name) == ended) \
		bits |= bit(JOB_##name);
	JOB_STATES(X)
#undef X
	return bits;
}

static uint32_t parse_state(const char *word)
{
	if (strcasecmp(word, "open") == 0)
		return bits_of(false);
	if (strcasecmp(word, "ended") == 0)
		return bits_of(true);
#define X(name, is_ended)                 \
	if (strcasecmp(word, #name) == 0) \
		return bit(JOB_##name);
	JOB_STATES(X)
#undef X
	return 0;
}

static int refuse_state(const char *word, struct err *err)
{
	static const char *const words[] = { "open", "ended",
#define X(name, is_ended) #name,
					     JOB_STATES(X)
#undef X
	};
	unsigned int least = TEXT_CLOSE + 1;
	const char *close = NULL;
	char upper[WORD_MAX];

	for (size_t i = 0; i == 0 || word[i - 1]; i++)
		upper[i] = (char)toupper((unsigned char)word[i]);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		unsigned int far =
			MIN(text_distance(word, words[i]), text_distance(upper, words[i]));

		if (far < least) {
			least = far;
			close = words[i];
		}
	}
	if (close)
		return err_set(err, ERR_INVALID, "'%.40s' is no state of a job: did you mean %s?",
			       word, close);
	return err_set(err, ERR_INVALID, "'%.40s' is no state of a job: there are %s", word,
		       known_states);
}

int filter_parse(const struct filter_args *args, struct filter *ret, struct err *err)
{
	struct filter filter = { .args = args };
	char word[WORD_MAX];

	for (size_t i = 0; i < args->states.len; i++) {
		const char *list = args->states.items[i];

		while (next_word(&list, word)) {
			uint32_t bits = parse_state(word);

			if (bits == 0)
				return refuse_state(word, err);
			filter.states |= bits;
		}
	}
	if (args->states.len > 0 && filter.states == 0)
		return err_set(err, ERR_INVALID, "name a state of a job");
	*ret = filter;
	return 0;
}

bool filter_is_empty(const struct filter *filter)
{
	const struct filter_args *args = filter->args;

	return !args ||
	       (args->states.len == 0 && args->names.len == 0 && args->queues.len == 0 &&
		args->jobsets.len == 0 && args->nodes.len == 0 && args->older_than_ns == 0);
}

static bool is_pattern_of(const char *word, const char *text)
{
	return fnmatch(word, text, 0) == 0;
}

static bool is_node_in(const char *word, const char *text)
{
	return hostlist_has(text, word);
}

/* Whether the text passes one of the values, or there are none. */
static bool any(const struct opt_list *values, const char *text,
		bool (*passes)(const char *word, const char *text))
{
	char word[WORD_MAX];

	for (size_t i = 0; i < values->len; i++) {
		const char *list = values->items[i];

		while (next_word(&list, word)) {
			if (passes(word, text))
				return true;
		}
	}
	return values->len == 0;
}

bool filter_accepts(const struct filter *filter, uint64_t now_ns, const struct job *job)
{
	const struct filter_args *args = filter->args;

	if (!args)
		return true;
	if (filter->states && !(filter->states & bit(job->state)))
		return false;
	if (args->older_than_ns > now_ns - MIN(job->created_ns, now_ns))
		return false;
	return any(&args->names, job->name, is_pattern_of) &&
	       any(&args->queues, job->queue, is_pattern_of) &&
	       any(&args->jobsets, job->jobset, is_pattern_of) &&
	       any(&args->nodes, job->node_list, is_node_in);
}

void filter_apply(const struct filter *filter, uint64_t now_ns, struct job_list *jobs)
{
	struct job_list kept = { 0 };

	for (size_t i = 0; i < jobs->len; i++) {
		if (filter_accepts(filter, now_ns, &jobs->items[i]))
			job_list_take(&kept, &jobs->items[i]);
		else
			job_finish(&jobs->items[i]);
	}
	free(jobs->items);
	*jobs = kept;
}
