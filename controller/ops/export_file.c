/* SPDX-License-Identifier: MIT */
/* The file of an exported job; see export_file.h. */
#include "export_file.h"

#include <inttypes.h>
#include <sha2.h>
#include <string.h>

#include "init/base/indices.h"
#include "controller/model/json.h"
#include "controller/model/ref.h"
#include "init/base/text.h"

#define MAGIC "berth export 1\n"
#define WARNING                                                                                  \
	"# This file holds a key: whoever has it gets into the job. 'berth import FILE' enters " \
	"it.\n"
#define JOB_VERSION 2
#define DIGEST_WORD "sha256 "
#define DIGEST_LEN (2 * SHA256_DIGEST_LENGTH)
#define TAIL_LEN (sizeof(DIGEST_WORD) - 1 + DIGEST_LEN + 1)
#define LINE_MAX_LEN 64
#define TEXT_MAX 4096
#define COUNT_MAX (INT64_C(1) << 32)
#define SECONDS_MAX (INT64_MAX / (int64_t)NSEC_PER_SEC)

/* The texts of the record that travel, and which of them may be anything that is shown safely. */
#define TEXTS(X)     \
	X(uid)       \
	X(name)      \
	X(cluster)   \
	X(backend)   \
	X(native_id) \
	X(directory) \
	X(command)   \
	X(queue)     \
	X(user)      \
	X(node_list) \
	X(array)

#define COUNTS(X) \
	X(nodes)  \
	X(tasks)

#define TIMES(X)      \
	X(created_ns) \
	X(started_ns) \
	X(expires_ns)

void export_file_finish(struct export_file *file)
{
	job_finish(&file->job);
}

static void digest(struct span text, char ret[DIGEST_LEN + 1])
{
	uint8_t bytes[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, text.ptr, text.len);
	SHA256Final(bytes, &context);
	text_hex(span_of(bytes, sizeof(bytes)), ret, DIGEST_LEN + 1);
}

static int damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "this is no file of 'berth export', or damaged: %s", what);
}

/* Cuts the last line off when it fits to what is before it. */
static bool take_digest(struct span *text)
{
	char expected[DIGEST_LEN + 1];
	const uint8_t *tail;

	if (text->len < TAIL_LEN)
		return false;
	tail = text->ptr + text->len - TAIL_LEN;
	digest(span_of(text->ptr, text->len - TAIL_LEN), expected);
	if (memcmp(tail, DIGEST_WORD, strlen(DIGEST_WORD)) != 0 ||
	    memcmp(tail + strlen(DIGEST_WORD), expected, DIGEST_LEN) != 0 ||
	    tail[TAIL_LEN - 1] != '\n')
		return false;
	text->len -= TAIL_LEN;
	return true;
}

static bool take_prefix(struct span *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->ptr, prefix, len) != 0)
		return false;
	span_cut(text, len);
	return true;
}

/* "LENGTH NAME\n", so many bytes, "\n". */
static bool take_section(struct span *text, char name[LINE_MAX_LEN], struct span *ret)
{
	const uint8_t *newline = memchr(text->ptr, '\n', MIN(text->len, (size_t)LINE_MAX_LEN - 1));
	char line[LINE_MAX_LEN] = "", *space;
	uint64_t len;

	if (!newline)
		return false;
	memcpy(line, text->ptr, (size_t)(newline - text->ptr));
	span_cut(text, (size_t)(newline - text->ptr) + 1);
	space = strchr(line, ' ');
	if (!space)
		return false;
	*space = '\0';
	if (!text_parse_uint(line, EXPORT_FILE_MAX, &len) || len >= text->len)
		return false;
	*ret = span_cut(text, (size_t)len);
	memcpy(name, space + 1, strlen(space + 1) + 1);
	return take_prefix(text, "\n");
}

/* Borrowed from the object; NULL when it is not there, or no text of one line. */
static const char *find_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text || strlen(text) > TEXT_MAX)
		return NULL;
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
	}
	return text;
}

static bool read_number(const json_t *object, const char *name, int64_t max, uint64_t *ret)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > max)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_members(const json_t *object, struct job *job)
{
	const char *text;
	bool ok = true;
	uint64_t seconds = 0;

#define X(member)                               \
	text = find_text(object, #member);      \
	job_set(job, member, text ? text : ""); \
	ok = ok && text;
	TEXTS(X)
#undef X
#define X(member) ok = ok && read_number(object, #member, COUNT_MAX, &job->member);
	COUNTS(X)
#undef X
#define X(member)                                                       \
	ok = ok && read_number(object, #member, SECONDS_MAX, &seconds); \
	job->member = seconds * NSEC_PER_SEC;
	TIMES(X)
#undef X
	return ok;
}

static int read_job(struct span text, struct job *job, struct err *err)
{
	cleanup(json_release) json_t *object = NULL;
	const char *state;
	uint64_t version = 0;
	bool ok;

	if (json_parse(text, EXPORT_FILE_MAX, &object, NULL) < 0)
		return damaged(err, "what it says of the job is not JSON");
	job_init(job);
	state = find_text(object, "state");
	ok = read_members(object, job) && state &&
	     read_number(object, "version", JOB_VERSION, &version);
	job->state = job_state_parse(state ? state : "");
	/* The uid becomes the name of a file, the name one of a host. */
	if (!ok || !job_is_uid(job->uid) || job->tasks == 0 || job->expires_ns == 0 ||
	    (job->name[0] && ref_check_name(job->name, NULL) < 0) ||
	    (job->array[0] && !indices_are_valid(job->array)))
		return damaged(err, "what it says of the job makes no sense");
	/* Tasks of arrays had one rank, and were counted, in the first version. */
	if (version < JOB_VERSION && job->array[0])
		job->tasks = 1;
	if (!job_ranks_fit(job->array, job->tasks))
		return damaged(err, "what it says of the job makes no sense");
	return 0;
}

static bool take_endpoint(struct export_file *file, const char *rank, struct span text)
{
	uint64_t number;

	if (!text_parse_uint(rank, JOB_RANK_MAX, &number) ||
	    file->endpoints_len == EXPORT_FILE_ENDPOINTS_MAX)
		return false;
	for (size_t i = 0; i < file->endpoints_len; i++) {
		if (file->endpoints[i].rank == number)
			return false;
	}
	file->endpoints[file->endpoints_len].rank = (unsigned int)number;
	file->endpoints[file->endpoints_len++].text = text;
	return true;
}

static int take_sections(struct span text, struct export_file *file, struct err *err)
{
	char name[LINE_MAX_LEN];
	struct span section;

	while (text.len > 0) {
		if (!take_section(&text, name, &section))
			return damaged(err, "a part has no head, or does not end");
		if (strcmp(name, "job") == 0 && !file->job.uid) {
			if (read_job(section, &file->job, err) < 0)
				return -1;
		} else if (strcmp(name, "client") == 0 && file->client.len == 0) {
			file->client = section;
		} else if (strncmp(name, "endpoint.", 9) != 0 ||
			   !take_endpoint(file, name + 9, section)) {
			return damaged(err, "a part is unknown, or there twice");
		}
	}
	if (!file->job.uid || file->client.len == 0)
		return damaged(err, "a part is missing");
	return 0;
}

int export_file_parse(struct span text, struct export_file *ret, struct err *err)
{
	cleanup(export_file_finish) struct export_file file = { 0 };

	if (text.len > EXPORT_FILE_MAX || !take_prefix(&(struct span){ text.ptr, text.len }, MAGIC))
		return damaged(err, "it does not begin as one");
	if (!take_digest(&text))
		return damaged(err, "its checksum is another one");
	if (!take_prefix(&text, MAGIC WARNING))
		return damaged(err, "it is of another version of berth");
	if (take_sections(text, &file, err) < 0)
		return -1;
	*ret = file;
	file = (struct export_file){ 0 };
	return 0;
}

static bool append_section(struct buf *b, const char *name, struct span text)
{
	return buf_printf(b, "%zu %s\n", text.len, name) && buf_append_span(b, text) &&
	       buf_append_u8(b, '\n');
}

static bool append_job(struct buf *b, const struct job *job)
{
	json_t *object = json_pack("{s:i, s:s}", "version", JOB_VERSION, "state",
				   job_state_word(job->state));
	char *text;
	bool ok;

#define X(member) json_object_set_new(object, #member, json_string_nocheck(job->member));
	TEXTS(X)
#undef X
#define X(member) json_object_set_new(object, #member, json_integer((json_int_t)job->member));
	COUNTS(X)
#undef X
#define X(member)                            \
	json_object_set_new(object, #member, \
			    json_integer((json_int_t)(job->member / NSEC_PER_SEC)));
	TIMES(X)
#undef X
	text = json_dumps(object, JSON_ENSURE_ASCII | JSON_SORT_KEYS);
	ok = text && append_section(b, "job", span_of_str(text));
	free(text);
	json_decref(object);
	return ok;
}

bool export_file_format(const struct export_file *file, struct buf *ret)
{
	char hash[DIGEST_LEN + 1];
	bool ok = buf_printf(ret, MAGIC WARNING) && append_job(ret, &file->job) &&
		  append_section(ret, "client", file->client);

	for (size_t i = 0; ok && i < file->endpoints_len; i++) {
		char name[LINE_MAX_LEN];

		snprintf(name, sizeof(name), "endpoint.%u", file->endpoints[i].rank);
		ok = append_section(ret, name, file->endpoints[i].text);
	}
	if (!ok)
		return false;
	digest(buf_span(ret), hash);
	return buf_printf(ret, DIGEST_WORD "%s\n", hash);
}
