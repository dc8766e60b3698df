/* SPDX-License-Identifier: MIT */
/* Tokens and quotas; see admit.h. */
#include "admit.h"

#include <assert.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/macro.h"
#include "init/base/text.h"

#define HASH_PREFIX "sha256:"
#define DAY_S UINT64_C(86400)
/* A second's worth times a billion still fits. */
#define RATE_MAX_MBIT UINT64_C(100000)
/* What may pass at once, however low the rate is: two full batches. */
#define BURST_MIN (UINT64_C(128) * 1024)

struct admit {
	struct admit_user *first;
	size_t count;
};

struct admit *admit_new(void)
{
	return new_zero(struct admit);
}

static void free_users(struct admit_user *first)
{
	struct admit_user *next;

	for (struct admit_user *user = first; user; user = next) {
		next = user->next;
		free(user);
	}
}

struct admit *admit_free(struct admit *admit)
{
	if (!admit)
		return NULL;
	free_users(admit->first);
	free(admit);
	return NULL;
}

struct admit_user *admit_first(const struct admit *admit)
{
	return admit->first;
}

size_t admit_count(const struct admit *admit)
{
	return admit->count;
}

/* Reading a line */

static int parse_hash(const char *text, uint8_t ret[SHA256_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t hash[SHA256_LEN];

	if (strncmp(text, HASH_PREFIX, strlen(HASH_PREFIX)) != 0)
		return -1;
	text += strlen(HASH_PREFIX);
	if (strlen(text) != 2 * sizeof(hash))
		return -1;
	for (size_t i = 0; i < sizeof(hash); i++) {
		const char *high = strchr(digits, text[2 * i] | 0x20);
		const char *low = strchr(digits, text[2 * i + 1] | 0x20);

		if (!high || !low)
			return -1;
		hash[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	memcpy(ret, hash, sizeof(hash));
	return 0;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static uint64_t days_of(uint64_t year, uint64_t month, uint64_t day)
{
	/* Years that begin in March have their leap day at the end. */
	uint64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool is_leap(uint64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* "2027-01-31": the first second after that day. */
static bool parse_day(const char *text, uint64_t *ret)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	char copy[11];
	uint64_t year, month, day, last;

	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
		return false;
	memcpy(copy, text, sizeof(copy));
	copy[4] = copy[7] = '\0';
	if (!text_parse_uint(copy, 9999, &year) || !text_parse_uint(copy + 5, 12, &month) ||
	    !text_parse_uint(copy + 8, 31, &day) || year < 1970 || month < 1 || day < 1)
		return false;
	last = lengths[month - 1];
	if (month == 2 && is_leap(year))
		last++;
	if (day > last)
		return false;
	*ret = (days_of(year, month, day) + 1) * DAY_S;
	return true;
}

static int set_limit(struct admit_user *user, const char *word, struct err *err)
{
	uint64_t number = 0;

	if (strncmp(word, "expires=", 8) == 0 && parse_day(word + 8, &user->expires))
		return 0;
	if (strncmp(word, "jobs=", 5) == 0 && text_parse_uint(word + 5, UINT32_MAX, &number)) {
		user->max[RELAY_JOB] = (size_t)number;
		return 0;
	}
	if (strncmp(word, "clients=", 8) == 0 && text_parse_uint(word + 8, UINT32_MAX, &number)) {
		user->max[RELAY_CLIENT] = (size_t)number;
		return 0;
	}
	if (strncmp(word, "rate=", 5) == 0 && text_parse_uint(word + 5, RATE_MAX_MBIT, &number) &&
	    number > 0) {
		user->rate = number * 1000000 / 8;
		return 0;
	}
	return err_set(err, ERR_INVALID,
		       "'%s' is none of expires=YYYY-MM-DD, jobs=N, clients=N and rate=MBIT", word);
}

/* Name and hash are there; the rest is limits. */
static int parse_words(struct admit_user *user, char **words, size_t count, struct err *err)
{
	if (count < 2)
		return err_set(err, ERR_INVALID, "a name and sha256:HEX are needed");
	if (strlen(words[0]) > ADMIT_NAME_MAX)
		return err_set(err, ERR_INVALID, "the name is longer than %d", ADMIT_NAME_MAX);
	memcpy(user->name, words[0], strlen(words[0]) + 1);
	text_make_printable(user->name);
	if (strpbrk(user->name, "\"\\"))
		return err_set(err, ERR_INVALID, "a name has no quotes and no backslashes");
	if (parse_hash(words[1], user->hash) < 0)
		return err_set(err, ERR_INVALID,
			       "the second word is not sha256: and 64 digits; `berth-tunnel relay "
			       "token NAME` prints a whole line");
	for (size_t i = 2; i < count; i++)
		if (set_limit(user, words[i], err) < 0)
			return -1;
	return 0;
}

static struct admit_user *find_name(struct admit_user *first, const char *name)
{
	while (first && strcmp(first->name, name) != 0)
		first = first->next;
	return first;
}

#define WORDS_MAX 8

/* Appends the line's user to *list, if it has one. */
static int parse_line(char *line, struct admit_user **list, struct err *err)
{
	char *words[WORDS_MAX], *rest = line, *word;
	cleanup_free struct admit_user *user = new_zero(struct admit_user);
	size_t count = 0;

	line[strcspn(line, "#\r")] = '\0';
	while ((word = strsep(&rest, " \t"))) {
		if (*word == '\0')
			continue;
		if (count == WORDS_MAX)
			return err_set(err, ERR_INVALID, "more than %d words", WORDS_MAX);
		words[count++] = word;
	}
	if (count == 0)
		return 0;
	user->expires = UINT64_MAX;
	user->max[RELAY_JOB] = user->max[RELAY_CLIENT] = SIZE_MAX;
	if (parse_words(user, words, count, err) < 0)
		return -1;
	user->next = *list;
	*list = take_ptr(user);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct admit_user *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Sorted for this, as thousands of lines would take their square. */
static int check_twice(struct admit_user *list, size_t count, struct err *err)
{
	cleanup_free struct admit_user **sorted = new_array(struct admit_user *, count + 1);
	size_t n = 0;

	for (struct admit_user *user = list; user; user = user->next)
		sorted[n++] = user;
	qsort(sorted, n, sizeof(struct admit_user *), compare_names);
	for (size_t i = 1; i < n; i++)
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			return err_set(err, ERR_INVALID, "'%s' has two lines", sorted[i]->name);
	return 0;
}

static int parse_text(struct span text, struct admit_user **list, size_t *ret_count,
		      struct err *err)
{
	cleanup_free char *copy = str_dup_len((const char *)text.ptr, text.len);
	char *rest = copy, *line;
	size_t number = 0, count = 0;

	if (strlen(copy) != text.len)
		return err_set(err, ERR_INVALID, "there is a NUL in it");
	while ((line = strsep(&rest, "\n"))) {
		const struct admit_user *before = *list;

		number++;
		if (parse_line(line, list, err) < 0)
			return err_wrap(err, "line %zu", number);
		count += *list != before;
		if (count > ADMIT_USERS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d tokens", ADMIT_USERS_MAX);
	}
	*ret_count = count;
	return check_twice(*list, count, err);
}

/* Loading */

static bool is_used(const struct admit_user *user)
{
	return user->count[RELAY_JOB] > 0 || user->count[RELAY_CLIENT] > 0;
}

/* An old user of this name goes on with the new line; with another token it is another one. */
static bool renew(struct admit_user *old, const struct admit_user *line)
{
	if (old->is_gone || memcmp(old->hash, line->hash, sizeof(old->hash)) != 0)
		return false;
	old->expires = line->expires;
	old->max[RELAY_JOB] = line->max[RELAY_JOB];
	old->max[RELAY_CLIENT] = line->max[RELAY_CLIENT];
	old->rate = line->rate;
	return true;
}

int admit_load(struct admit *admit, struct span text, struct err *err)
{
	struct admit_user *list = NULL, *old, *next, *olds;
	size_t count = 0;

	if (parse_text(text, &list, &count, err) < 0) {
		free_users(list);
		return -1;
	}
	olds = take_ptr(admit->first);
	admit->count = count;
	for (old = olds; old; old = next) {
		struct admit_user *line = is_used(old) ? find_name(list, old->name) : NULL;

		next = old->next;
		if (line && renew(old, line)) {
			/* Registrations point at the old one: the new line gives way. */
			struct admit_user **link = &list;

			while (*link != line)
				link = &(*link)->next;
			*link = line->next;
			free(line);
		} else if (is_used(old)) {
			old->is_gone = true;
		} else {
			free(old);
			continue;
		}
		old->next = admit->first;
		admit->first = old;
	}
	while (list) {
		next = list->next;
		list->next = admit->first;
		admit->first = list;
		list = next;
	}
	return 0;
}

/* Asking */

static void hash_token(struct span token, uint8_t ret[SHA256_LEN])
{
	cleanup(sha256_free) struct sha256 *hash = sha256_new();

	sha256_add(hash, token);
	sha256_end(hash, ret);
}

void admit_hash_text(struct span token, char out[ADMIT_HASH_TEXT_MAX])
{
	uint8_t hash[SHA256_LEN];

	hash_token(token, hash);
	memcpy(out, HASH_PREFIX, strlen(HASH_PREFIX));
	text_hex(span_of(hash, sizeof(hash)), out + strlen(HASH_PREFIX),
		 ADMIT_HASH_TEXT_MAX - strlen(HASH_PREFIX));
}

/* 0 when equal, without a branch that depends on the bytes. */
static unsigned int differ(const uint8_t *a, const uint8_t *b)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < SHA256_LEN; i++)
		bits |= (unsigned int)(a[i] ^ b[i]);
	return bits;
}

bool admit_is_good(const struct admit_user *user, uint64_t now_s)
{
	return !user->is_gone && now_s < user->expires;
}

struct admit_user *admit_find(const struct admit *admit, struct span token, uint64_t now_s,
			      enum relay_code *ret_code)
{
	struct admit_user *found = NULL;
	uint8_t hash[SHA256_LEN];

	hash_token(token, hash);
	/* All are looked at, whichever it is. */
	for (struct admit_user *user = admit->first; user; user = user->next)
		if (differ(user->hash, hash) == 0 && !user->is_gone)
			found = user;
	*ret_code = RELAY_CODE_TOKEN;
	if (found && !admit_is_good(found, now_s)) {
		*ret_code = RELAY_CODE_EXPIRED;
		found = NULL;
	}
	return found;
}

bool admit_enter(struct admit_user *user, enum relay_role role)
{
	if (user->count[role] >= user->max[role])
		return false;
	user->count[role]++;
	return true;
}

void admit_leave(struct admit *admit, struct admit_user *user, enum relay_role role)
{
	struct admit_user **link = &admit->first;

	assert(user->count[role] > 0);
	user->count[role]--;
	if (!user->is_gone || is_used(user))
		return;
	while (*link != user)
		link = &(*link)->next;
	*link = user->next;
	free(user);
}

/* What was earned since; the rest of a byte stays owed. */
static void fill(struct admit_user *user, uint64_t now)
{
	uint64_t burst = MAX(user->rate / 10, BURST_MIN), passed = now - user->filled_at, gained;

	/* A second fills any bucket. */
	if (passed >= NSEC_PER_SEC) {
		user->allowance = burst;
		user->filled_at = now;
		return;
	}
	gained = user->rate * passed / NSEC_PER_SEC;
	user->allowance = MIN(burst, user->allowance + gained);
	user->filled_at += gained * NSEC_PER_SEC / user->rate;
}

bool admit_spend(struct admit_user *user, size_t bytes, uint64_t now)
{
	if (user->rate > 0) {
		fill(user, now);
		if (user->allowance < bytes) {
			user->dropped += bytes;
			return false;
		}
		user->allowance -= bytes;
	}
	user->bytes += bytes;
	return true;
}
