/* SPDX-License-Identifier: MIT */
/* Refusals and odd values; see answer.h. */
#include "answer.h"

#include <stdio.h>
#include <string.h>

#include "controller/http/http.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define REFUSAL_MAX 65536
#define COMPLAINT_MAX 400

/* Words of the program that failed over there say more than those around them. */
static const char *const before_inner[] = { "and error message:", "std_err:" };

const char *firecrest_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

uint64_t firecrest_number(const json_t *json, const char *key, uint64_t max)
{
	const json_t *value = json_object_get(json, key);
	uint64_t number = 0;

	if (json_is_string(value) && !text_parse_uint(json_string_value(value), max, &number))
		return 0;
	if (json_is_real(value) && json_real_value(value) >= 0 && json_real_value(value) < 9e18)
		number = (uint64_t)json_real_value(value);
	if (json_is_integer(value) && json_integer_value(value) > 0)
		number = (uint64_t)json_integer_value(value);
	return MIN(number, max);
}

static void add_word(char *out, size_t size, const char *separator, const json_t *word)
{
	size_t len = strlen(out);

	if (json_is_string(word))
		snprintf(out + len, size - len, "%s%s", len ? separator : "",
			 json_string_value(word));
}

void firecrest_words(const json_t *value, const char *separator, char *out, size_t size)
{
	const json_t *word;
	size_t i;

	out[0] = '\0';
	add_word(out, size, separator, value);
	json_array_foreach(value, i, word)
		add_word(out, size, separator, word);
	text_make_printable(out);
}

/* Programs tell what they are about to do before they tell that it went wrong. */
static const char *find_error_line(const char *said)
{
	const char *error = strstr(said, "error:"), *start = error;

	while (start && start > said && start[-1] != '\n')
		start--;
	return start ? start : said;
}

/* What the server says, on one line; "" when it says nothing. */
static void find_complaint(struct span body, char *out, size_t size)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *plain = NULL;
	size_t len;
	const char *said = "";

	if (json_parse(body, REFUSAL_MAX, &json, NULL) == 0) {
		said = firecrest_text(json, "message");
		if (!said[0])
			said = firecrest_text(json, "detail");
	} else if (body.len > 0 && body.ptr[0] != '<' && body.ptr[0] != '{') {
		plain = str_dup_len((const char *)body.ptr, MIN(body.len, (size_t)COMPLAINT_MAX));
		said = plain;
	}
	for (size_t i = 0; i < ARRAY_LEN(before_inner); i++) {
		const char *inner = strstr(said, before_inner[i]);

		if (inner && inner[strlen(before_inner[i])])
			said = inner + strlen(before_inner[i]);
	}
	said += strspn(said, " \t\r\n");
	said = find_error_line(said);
	len = MIN(strcspn(said, "\r\n"), size - 1);
	/* More is put behind it. */
	while (len > 0 && (said[len - 1] == '.' || said[len - 1] == ' '))
		len--;
	memcpy(out, said, len);
	out[len] = '\0';
	text_make_printable(out);
}

static const struct {
	int status;
	enum err_kind kind;
	const char *advice;
} statuses[] = {
	{ 400, ERR_INVALID, "" },
	{ 401, ERR_DENIED, ": the token is missing, wrong or expired: renew it" },
	{ 403, ERR_DENIED, "" },
	{ 404, ERR_NOT_FOUND, "" },
	{ 408, ERR_TIMEOUT, ": it took the system too long: try again later" },
	{ 409, ERR_EXISTS, "" },
	{ 413, ERR_LIMIT, " (it is too large to go directly)" },
	{ 424, ERR_UNAVAILABLE, ": the server does not reach the system: try again later" },
	{ 429, ERR_LIMIT, ": too many requests: try again later" },
	{ 500, ERR_SYSTEM, "" },
	{ 501, ERR_UNSUPPORTED, "" },
	{ 502, ERR_UNAVAILABLE, ": nobody answers behind the server: try again later" },
	{ 503, ERR_UNAVAILABLE, ": try again later" },
	{ 504, ERR_TIMEOUT, ": nobody answers behind the server in time: try again later" },
};

/* What shells and programs there say tells more than the status that was made of it. */
static const struct {
	const char *words;
	enum err_kind kind;
} complaints[] = {
	{ "No such file or directory", ERR_NOT_FOUND },
	{ "Directory nonexistent", ERR_NOT_FOUND },
	{ "File exists", ERR_EXISTS },
	{ "Permission denied", ERR_DENIED },
	{ "No space left on device", ERR_LIMIT },
	{ "Disk quota exceeded", ERR_LIMIT },
};

bool firecrest_read_sum(const char *text, char ret[FIRECREST_SUM_SIZE])
{
	static const char shown[] = "Invalid output: ";
	size_t len;

	if (strncmp(text, shown, strlen(shown)) == 0)
		text += strlen(shown);
	text += *text == '\\'; /* of an escaped name */
	len = strspn(text, "0123456789abcdef");
	if (len != FIRECREST_SUM_SIZE - 1 || (text[len] && text[len] != ' '))
		return false;
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

int firecrest_explain(int status, struct span body, struct err *err)
{
	enum err_kind kind = status < 500 ? ERR_INVALID : ERR_UNAVAILABLE;
	char complaint[COMPLAINT_MAX];
	const char *advice = NULL;

	find_complaint(body, complaint, sizeof(complaint));
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (statuses[i].status == status) {
			kind = statuses[i].kind;
			advice = statuses[i].advice;
		}
	}
	if (!complaint[0]) {
		http_refuse(status, err);
		if (err)
			err->kind = kind;
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(complaints); i++) {
		if ((status == 400 || status == 500) && strstr(complaint, complaints[i].words))
			kind = complaints[i].kind;
	}
	if (!advice)
		return err_set(err, kind, "%s (status %d)", complaint, status);
	return err_set(err, kind, "%s%s", complaint, advice);
}
