/* SPDX-License-Identifier: MIT */
/* What a job waits for; see dependency.h. */
#include "dependency.h"

#include <string.h>

#include "init/base/alloc.h"

/* Between two conditions, and between the jobs of one. */
#define SEPARATORS ",?:"

static bool is_foreign(const char *word, size_t len)
{
	return len == 0 || (word[0] >= '0' && word[0] <= '9');
}

/* "train+5": five minutes after it began. */
static int translate_job(const char *word, size_t len, dependency_id id, void *owner,
			 struct buf *ret, struct err *err)
{
	size_t job_len = strcspn(word, "+" SEPARATORS);
	cleanup_free char *job = str_dup_len(word, job_len);

	if (id(owner, job, ret, err) < 0)
		return -1;
	return buf_append(ret, word + job_len, len - job_len)
		       ? 0
		       : err_set(err, ERR_LIMIT, "longer than %d bytes", DEPENDENCY_MAX);
}

int dependency_translate(const char *list, dependency_id id, void *owner, struct buf *ret,
			 struct err *err)
{
	bool is_job = false; /* the first word of a condition says what of them */

	for (const char *word = list; *word;) {
		size_t len = strcspn(word, SEPARATORS);

		if (is_job && !is_foreign(word, len)) {
			if (translate_job(word, len, id, owner, ret, err) < 0)
				return -1;
		} else if (!buf_append(ret, word, len)) {
			return err_set(err, ERR_LIMIT, "longer than %d bytes", DEPENDENCY_MAX);
		}
		word += len;
		is_job = *word == ':';
		if (*word && !buf_append_u8(ret, (uint8_t)*word++))
			return err_set(err, ERR_LIMIT, "longer than %d bytes", DEPENDENCY_MAX);
	}
	return 0;
}
