/* SPDX-License-Identifier: MIT */
/* How people name jobs; see ref.h. */
#include "ref.h"

#include <inttypes.h>
#include <string.h>

#include "init/base/text.h"

#define PREFIX "job-"
#define SUFFIX ".job"

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char name_characters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

static bool parse_number(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	char digits[24];

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return text_parse_uint(digits, max, ret);
}

/* "3", and behind an underscore "3.1", too. */
static bool parse_rank(char before, const char *text, struct ref *ref)
{
	size_t len = before == '_' ? strcspn(text, ".") : strlen(text);
	uint64_t rank, inner = 0;

	if (!parse_number(text, len, REF_RANK_MAX, &rank) ||
	    (text[len] && !text_parse_uint(text + len + 1, REF_RANK_MAX, &inner)))
		return false;
	ref->rank = (unsigned int)rank;
	ref->has_rank = true;
	ref->inner = (unsigned int)inner;
	ref->has_inner = text[len] != '\0';
	return true;
}

/* "CLUSTER" or "CLUSTER.3". */
static bool parse_cluster(const char *text, struct ref *ref)
{
	size_t len = strcspn(text, ".");

	if (len == 0 || len > REF_CLUSTER_MAX || !strchr(name_letters, text[0]) ||
	    strspn(text, name_characters) < len)
		return false;
	memcpy(ref->cluster, text, len);
	ref->cluster[len] = '\0';
	return text[len] == '\0' || parse_rank('.', text + len + 1, ref);
}

/* "job-7", "7", either with ".3", "_3" or "_3.1"; false for anything else, which may then be a name. */
static bool parse_numbered(const char *text, struct ref *ref)
{
	struct ref result = { 0 };
	const char *number = text, *dot;

	if (strncmp(text, PREFIX, strlen(PREFIX)) == 0)
		number += strlen(PREFIX);
	dot = strpbrk(number, "._");
	if (!parse_number(number, dot ? (size_t)(dot - number) : strlen(number), INT64_MAX,
			  &result.id) ||
	    result.id == 0)
		return false;
	if (dot && !parse_rank(*dot, dot + 1, &result) &&
	    (number == text || *dot != '.' || !parse_cluster(dot + 1, &result)))
		return false;
	*ref = result;
	return true;
}

int ref_check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);
	struct ref ref;

	if (parse_numbered(name, &ref))
		return err_set(err, ERR_INVALID,
			       "a job cannot be called '%s': that reads as a job number", name);
	if (len == 0 || len > REF_NAME_MAX || !strchr(name_letters, name[0]) ||
	    strspn(name, name_characters) != len)
		return err_set(
			err, ERR_INVALID,
			"a job cannot be called '%.80s': use a letter, then letters, digits, "
			"'-', '_' or '.', at most %d characters",
			name, REF_NAME_MAX);
	return 0;
}

int ref_parse(const char *text, struct ref *ret, struct err *err)
{
	if (parse_numbered(text, ret))
		return 0;
	if (ref_check_name(text, NULL) < 0)
		return err_set(err, ERR_INVALID,
			       "'%.80s' is not a job: write job-7, 7 or the job's name", text);
	*ret = (struct ref){ 0 };
	memcpy(ret->name, text, strlen(text));
	return 0;
}

/* The last ".job" that ends the host or is followed by a rank. */
static const char *find_suffix(const char *host, struct ref *ref)
{
	for (const char *p = host + strlen(host); p > host; p--) {
		const char *after = p + strlen(SUFFIX);

		if (strncmp(p, SUFFIX, strlen(SUFFIX)) != 0)
			continue;
		if (*after == '\0' ||
		    ((*after == '.' || *after == '_') && parse_rank(*after, after + 1, ref)))
			return p;
	}
	return NULL;
}

int ref_parse_host(const char *host, struct ref *ret, struct err *err)
{
	struct ref ref = { 0 };
	const char *end;

	if (strncmp(host, PREFIX, strlen(PREFIX)) == 0 && parse_numbered(host, ret))
		return 0;
	end = find_suffix(host, &ref);
	if (!end || (size_t)(end - host) > REF_NAME_MAX)
		return err_set(
			err, ERR_INVALID,
			"'%.80s' is not the host name of a job: it looks like job-7, job-7.3 "
			"or NAME.job",
			host);
	memcpy(ref.name, host, (size_t)(end - host));
	if (ref_check_name(ref.name, err) < 0)
		return -1;
	*ret = ref;
	return 0;
}

static int choose_in_array(const struct ref *ref, const struct job *job, uint64_t *ret,
			   struct err *err)
{
	if (job_check_task(job, ref->rank, err) < 0)
		return -1;
	*ret = job_first_rank(job, ref->rank) + ref->inner;
	if (job_task_of_rank(job, *ret) == ref->rank)
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "job-%" PRIu64 "_%u has no rank %u: its ranks are 0 to %" PRIu64, job->id,
		       ref->rank, ref->inner, MAX(job->tasks, UINT64_C(1)) - 1);
}

int ref_choose_rank(const struct ref *ref, const struct job *job, unsigned int *ret,
		    struct err *err)
{
	uint64_t rank = ref->rank;

	if (ref->has_inner && !job_is_array(job))
		return err_set(err, ERR_NOT_FOUND,
			       "job-%" PRIu64 " is no array: its rank %u is job-%" PRIu64 ".%u",
			       job->id, ref->inner, job->id, ref->inner);
	if (!job_is_array(job) ? job_check_rank(job, rank, err) < 0
	    : ref->has_rank    ? choose_in_array(ref, job, &rank, err) < 0
			       : !job_next_rank(job, 0, &rank))
		return -1;
	*ret = (unsigned int)rank;
	return 0;
}
