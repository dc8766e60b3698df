/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/ops/export.h"
#include "controller/ops/export_file.h"
#include "init/base/fs.h"

static const char client[] = "{\"version\": 1, \"key\": \"c2VjcmV0\"}\n";
static const char endpoint[] = "{\"version\": 1}\n\n";

static void make(struct export_file *file)
{
	job_init(&file->job);
	job_set(&file->job, uid, "6b019f50-8eef54953ad43042");
	job_set(&file->job, name, "train");
	job_set(&file->job, cluster, "hpc");
	job_set(&file->job, command, "echo 'a b' \xc3\xbc");
	job_set(&file->job, array, "0-9:3");
	file->job.state = JOB_RUNNING;
	file->job.nodes = 2;
	file->job.tasks = 4;
	file->job.created_ns = 5 * NSEC_PER_SEC;
	file->job.expires_ns = 9 * NSEC_PER_SEC;
	file->client = span_of_str(client);
	file->endpoints[0].rank = 3;
	file->endpoints[0].text = span_of_str(endpoint);
	file->endpoints_len = 1;
}

static void format(struct buf *ret)
{
	cleanup(export_file_finish) struct export_file file = { 0 };

	make(&file);
	assert_true(export_file_format(&file, ret));
}

static void a_file_survives_writing_and_reading(void **state)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(EXPORT_FILE_MAX);
	cleanup(export_file_finish) struct export_file file = { 0 };

	(void)state;
	format(&text);
	assert_int_equal(export_file_parse(buf_span(&text), &file, NULL), 0);
	assert_string_equal(file.job.uid, "6b019f50-8eef54953ad43042");
	assert_string_equal(file.job.command, "echo 'a b' \xc3\xbc");
	assert_string_equal(file.job.array, "0-9:3");
	assert_int_equal(file.job.state, JOB_RUNNING);
	assert_int_equal(file.job.tasks, 4);
	assert_int_equal(file.job.expires_ns, 9 * NSEC_PER_SEC);
	assert_true(span_equal(file.client, span_of_str(client)));
	assert_int_equal(file.endpoints_len, 1);
	assert_int_equal(file.endpoints[0].rank, 3);
	assert_true(span_equal(file.endpoints[0].text, span_of_str(endpoint)));
}

/* Whichever byte is another one, and wherever it is cut. */
static void damage_is_found_and_nothing_of_the_key_is_told(void **state)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(EXPORT_FILE_MAX);
	struct err err;

	(void)state;
	format(&text);
	for (size_t i = 0; i < buf_len(&text); i++) {
		cleanup(export_file_finish) struct export_file file = { 0 };
		cleanup_free char *bad = str_dup_len(buf_str(&text), buf_len(&text));

		bad[i] ^= 1;
		assert_int_equal(export_file_parse(span_of(bad, buf_len(&text)), &file, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_null(strstr(err.text, "c2Vj"));
		assert_int_equal(export_file_parse(span_of(buf_str(&text), i), &file, &err), -1);
	}
}

static void what_would_name_another_file_or_host_is_refused(void **state)
{
	static const char *const uids[] = { "", "../../../../tmp/x", "6b019f50-8eef54953ad4304/" };

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(uids); i++) {
		cleanup(export_file_finish) struct export_file file = { 0 }, again = { 0 };
		cleanup(buf_finish) struct buf text = BUF_INIT(EXPORT_FILE_MAX);

		make(&file);
		if (i < ARRAY_LEN(uids))
			job_set(&file.job, uid, uids[i]);
		else
			job_set(&file.job, name, "a b\nHost *");
		assert_true(export_file_format(&file, &text));
		assert_int_equal(export_file_parse(buf_span(&text), &again, NULL), -1);
	}
}

static void ranks_that_no_job_has_are_refused(void **state)
{
	cleanup(export_file_finish) struct export_file file = { 0 }, again = { 0 };
	cleanup(buf_finish) struct buf text = BUF_INIT(EXPORT_FILE_MAX);

	(void)state;
	make(&file);
	job_set(&file.job, array, "1000000");
	file.job.tasks = UINT64_C(1) << 32;
	assert_true(export_file_format(&file, &text));
	assert_int_equal(export_file_parse(buf_span(&text), &again, NULL), -1);
}

static void a_file_that_others_can_read_is_not_taken(void **state)
{
	char path[] = "/tmp/berth-export-XXXXXX";
	int fd = mkstemp(path);
	cleanup(buf_finish) struct buf text = BUF_INIT(EXPORT_FILE_MAX);
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(ops_read_export(path, &text, &err), 0);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(ops_read_export(path, &text, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_non_null(strstr(err.text, "holds a key"));
	if (geteuid() == 0) {
		assert_int_equal(chmod(path, 0600), 0);
		assert_int_equal(chown(path, 1, 1), 0);
		assert_int_equal(ops_read_export(path, &text, &err), -1);
		assert_int_equal(err.kind, ERR_DENIED);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ops_read_export("/", &text, &err), -1);
	assert_int_equal(ops_read_export("/dev/zero", &text, &err), -1);
	assert_int_equal(ops_read_export(path, &text, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_survives_writing_and_reading),
		cmocka_unit_test(damage_is_found_and_nothing_of_the_key_is_told),
		cmocka_unit_test(what_would_name_another_file_or_host_is_refused),
		cmocka_unit_test(ranks_that_no_job_has_are_refused),
		cmocka_unit_test(a_file_that_others_can_read_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
