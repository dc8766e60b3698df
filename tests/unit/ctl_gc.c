/* SPDX-License-Identifier: MIT */
/* Collecting what jobs leave, and installing bundles. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/ops/quota.h"
#include "init/base/fs.h"
#include "tests/unit/ctl_user.h"

static void ended_jobs_are_collected_after_the_retention(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL), running = user_submitted(NULL);
	cleanup(job_finish) struct job found = { 0 };
	struct gc_report report;

	(void)state;
	fake_set(user.fake, 0, JOB_SUCCEEDED, 0);
	assert_int_equal(user_collect(GC_RETENTION_NS, &report, NULL), 0);
	assert_int_equal(report.directories, 0);
	assert_true(user_job_has(&job, "spec.json"));
	assert_int_equal(user_collect(0, &report, NULL), 0);
	assert_int_equal(report.directories, 1);
	assert_int_equal(report.bundles, 0);
	assert_false(fs_exists(job.directory));
	assert_true(user_job_has(&running, "bundle/berth-init"));
	assert_true(user_has("ssh/berth/job-2.conf"));
	assert_int_equal(ops_find_text(user.c, "1", &found, NULL), 0);
	assert_true(found.collected);
	assert_int_equal(found.state, JOB_SUCCEEDED);
}

static void age(const char *path)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	assert_int_equal(utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW), 0);
}

static void bundles_that_no_job_links_to_are_collected_when_they_are_old(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	cleanup_free char *bundle = fs_join(job.directory, "bundle");
	cleanup_free char *images = fs_join(user.home, "cluster/images");
	cleanup_free char *foreign = fs_join(images, "mine");
	char real[4096];
	struct gc_report report;

	(void)state;
	assert_non_null(realpath(bundle, real));
	assert_int_equal(mkdir(foreign, 0700), 0);
	age(real);
	age(foreign);
	assert_int_equal(user_collect(0, &report, NULL), 0);
	assert_int_equal(report.bundles, 0);
	assert_int_equal(unlink(bundle), 0);
	assert_int_equal(user_collect(0, &report, NULL), 0);
	assert_int_equal(report.bundles, 1);
	assert_false(fs_exists(real));
	assert_true(fs_exists(foreign));
}

static void host_blocks_and_keys_of_jobs_that_are_gone_are_collected(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	cleanup_free char *key = paths_client_key(&user.c->paths, "of-nobody");
	struct gc_report report;

	(void)state;
	user_put("state/berth/keys/of-nobody.json", "key", 0600);
	assert_int_equal(store_delete_job(user.c->store, job.id, NULL), 0);
	assert_int_equal(user_collect(0, &report, NULL), 0);
	assert_int_equal(report.hosts, 1);
	assert_false(user_has("ssh/berth/job-1.conf"));
	/* A key without a record may be that of a submission that is under way. */
	assert_int_equal(report.keys, 0);
	age(key);
	assert_int_equal(user_collect(0, &report, NULL), 0);
	assert_int_equal(report.keys, 1);
}

static char *in_jobs(const char *name)
{
	return fs_join(user.c->paths.jobs_dir, name);
}

static void spare_keys_and_what_nobody_recorded_are_told_before_they_go(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	cleanup_free char *empty = in_jobs("6b019f50-8eef54953ad43042");
	cleanup_free char *begun = in_jobs("6b019f51-8eef54953ad43042");
	cleanup_free char *used = in_jobs("6b019f52-8eef54953ad43042");
	cleanup_free char *link = fs_join(begun, "script.sh"), *file = fs_join(used, "data");
	cleanup_free char *spares = fs_join(user.c->paths.keys_dir, "spare");
	cleanup_free char *spare = fs_join(spares, "old.job");
	struct gc_plan plan = { .retention_ns = 0, .dry_run = true };

	(void)state;
	assert_int_equal(mkdir(empty, 0700) + mkdir(begun, 0700) + mkdir(used, 0700), 0);
	assert_int_equal(fs_make_dirs(spares, 0700, NULL), 0);
	assert_int_equal(symlink("/proc/self/fd/0", link), 0);
	assert_int_equal(fs_write_file(file, span_of_str("x"), 0600, NULL), 0);
	user_put("state/berth/keys/spare/old.job", "key", 0600);
	user_put("state/berth/keys/spare/new.job", "key", 0600);
	age(link);
	age(empty);
	age(begun);
	age(used);
	age(spare);
	for (int wet = 0; wet < 2; wet++) {
		cleanup(gc_report_finish) struct gc_report report = { 0 };

		plan.dry_run = !wet;
		assert_true(fs_exists(empty) && fs_exists(begun) && fs_exists(spare));
		assert_int_equal(ops_collect(user.c, &plan, &report, NULL), 0);
		assert_int_equal(report.keys, 1);
		assert_int_equal(report.directories, 2);
		assert_int_equal(report.items[0].job_id + report.items[1].job_id, 0);
	}
	assert_false(fs_exists(empty) || fs_exists(begun) || fs_exists(spare));
	assert_true(fs_exists(file) && fs_exists(job.directory));
	assert_true(user_has("state/berth/keys/spare/new.job"));
}

static void what_a_killed_berth_left_beside_a_key_goes_with_its_job(void **state)
{
	cleanup(job_finish) struct job ended = user_submitted(NULL), running = user_submitted(NULL);
	cleanup_free char *gone = str_printf("state/berth/keys/%s.json.42.0.part", ended.uid);
	cleanup_free char *kept = str_printf("state/berth/keys/%s.json.42.0.part", running.uid);
	cleanup_free char *next = str_printf("state/berth/keys/%s.json.new", ended.uid);
	struct gc_report report;

	(void)state;
	user_put(gone, "key", 0600);
	user_put(kept, "key", 0600);
	user_put(next, "key", 0600);
	fake_set(user.fake, 0, JOB_SUCCEEDED, 0);
	assert_int_equal(user_collect(GC_RETENTION_NS, &report, NULL), 0);
	assert_false(user_has(gone) || user_has(next));
	assert_true(user_has(kept));
}

static void a_new_build_is_installed_beside_the_old_one(void **state)
{
	cleanup(job_finish) struct job before = user_submitted(NULL), same = user_submitted(NULL);
	cleanup(job_finish) struct job after = { 0 };
	cleanup_free char *first = fs_join(before.directory, "bundle");
	cleanup_free char *second = fs_join(same.directory, "bundle"), *third = NULL;
	char one[4096], two[4096], three[4096];

	(void)state;
	user_put("bundle/berth-init", "#!/bin/sh\n# newer\n", 0700);
	after = user_submitted(NULL);
	third = fs_join(after.directory, "bundle");
	assert_non_null(realpath(first, one));
	assert_non_null(realpath(second, two));
	assert_non_null(realpath(third, three));
	assert_string_equal(one, two);
	assert_string_not_equal(one, three);
	assert_true(user_job_has(&before, "bundle/berth-init"));
}

static void a_bundle_that_was_damaged_is_installed_again(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL), next = { 0 };
	cleanup_free char *init = fs_join(job.directory, "bundle/berth-init");

	(void)state;
	assert_int_equal(unlink(init), 0);
	next = user_submitted(NULL);
	assert_true(user_job_has(&next, "bundle/berth-init"));
}

/* A record as a berth leaves it that dies while it submits. */
static void add_begun(uint64_t age_ns, struct job *ret)
{
	job_init(ret);
	job_set(ret, uid, "begun");
	job_set(ret, cluster, "fake");
	job_set(ret, backend, "fake");
	job_set(ret, directory, "/nowhere/begun");
	ret->created_ns = controller_now_ns() - age_ns;
	assert_int_equal(store_add_job(user.c->store, ret, NULL), 0);
}

static void a_job_whose_submission_died_after_handing_over_is_taken_up(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL), begun = { 0 }, found = { 0 };
	struct gc_report report;

	(void)state;
	add_begun(2 * 3600 * NSEC_PER_SEC, &begun);
	fake_lose(user.fake, "0");
	/* What cannot be asked now is not given up. */
	fake_fail(user.fake, ERR_UNAVAILABLE);
	assert_int_equal(user_collect(0, &report, NULL), -1);
	fake_fail(user.fake, ERR_NONE);
	assert_int_equal(store_find_by_id(user.c->store, begun.id, &found, NULL), 0);
	assert_int_equal(found.state, JOB_DEFINED);
	job_finish(&found);
	assert_int_equal(user_collect(0, &report, NULL), 0);
	assert_int_equal(store_find_by_id(user.c->store, begun.id, &found, NULL), 0);
	assert_int_equal(found.state, JOB_QUEUED);
	assert_string_equal(found.native_id, "0");
}

static void a_submission_that_died_before_is_given_up_when_it_is_old(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL), begun = { 0 }, found = { 0 };
	struct gc_report report;

	(void)state;
	add_begun(2 * 3600 * NSEC_PER_SEC, &begun);
	/* It died while it wrote the Host block; that of a job that has not ended is left alone. */
	user_put("ssh/berth/job-2.conf.4242.0.part", "", 0600);
	user_put("ssh/berth/job-1.conf.4242.0.part", "", 0600);
	user_put("ssh/berth/job-2.conf.bak", "", 0600);
	assert_int_equal(user_collect(0, &report, NULL), 0);
	assert_int_equal(store_find_by_id(user.c->store, begun.id, &found, NULL), 0);
	assert_int_equal(found.state, JOB_FAILED);
	assert_false(user_has("ssh/berth/job-2.conf.4242.0.part"));
	assert_true(user_has("ssh/berth/job-1.conf.4242.0.part"));
	assert_true(user_has("ssh/berth/job-2.conf.bak"));
	assert_true(user_has("ssh/berth/job-1.conf"));
}

static struct job ended_job(unsigned int index, size_t bytes)
{
	struct job job = user_submitted(NULL);
	cleanup_free char *name = str_printf("cluster/jobs/%s/result", job.uid);
	cleanup_free char *text = alloc_zero(1, bytes + 1);

	memset(text, 'x', bytes);
	user_put(name, text, 0600);
	fake_set(user.fake, index, JOB_SUCCEEDED, 0);
	assert_int_equal(ops_refresh_job(user.c, &job, NULL), 0);
	return job;
}

static void a_quota_takes_the_oldest_until_the_rest_keeps_to_it(void **state)
{
	cleanup(job_finish) struct job first = ended_job(0, 400000), second = ended_job(1, 400000);
	cleanup(job_finish) struct job third = ended_job(2, 400000), running = user_submitted(NULL);
	cleanup(gc_report_finish) struct gc_report dry = { 0 }, wet = { 0 }, last = { 0 };
	struct gc_plan plan = { .retention_ns = GC_RETENTION_NS,
				.keep_size = "1000K",
				.dry_run = true };

	(void)state;
	assert_int_equal(ops_collect(user.c, &plan, &dry, NULL), 0);
	assert_int_equal(dry.directories, 1);
	assert_string_equal(dry.items[0].directory, first.directory);
	assert_true(dry.items[0].is_measured && !dry.items[0].is_old);
	assert_in_range(dry.bytes, 400000, 500000);
	assert_true(fs_exists(first.directory));
	plan.dry_run = false;
	assert_int_equal(ops_collect(user.c, &plan, &wet, NULL), 0);
	assert_int_equal(wet.directories, 1);
	assert_false(fs_exists(first.directory));
	assert_true(fs_exists(second.directory) && fs_exists(third.directory));
	/* A job that runs is never counted, and never goes. */
	plan = (struct gc_plan){ .retention_ns = GC_RETENTION_NS, .keep_jobs = "0" };
	assert_int_equal(ops_collect(user.c, &plan, &last, NULL), 0);
	assert_int_equal(last.directories, 2);
	assert_true(user_job_has(&running, "spec.json"));
}

static void a_cluster_that_does_not_answer_keeps_what_its_quota_would_take(void **state)
{
	cleanup(job_finish) struct job job = ended_job(0, 1), running = user_submitted(NULL);
	cleanup(gc_report_finish) struct gc_report report = { 0 };
	const struct gc_plan plan = { .retention_ns = GC_RETENTION_NS, .keep_jobs = "0" };
	struct err err;

	(void)state;
	fake_fail(user.fake, ERR_UNAVAILABLE);
	assert_int_equal(ops_collect(user.c, &plan, &report, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_int_equal(report.directories, 0);
	assert_true(fs_exists(job.directory) && fs_exists(running.directory));
	fake_fail(user.fake, ERR_NONE);
	assert_int_equal(ops_collect(user.c, &plan, &report, &err), 0);
	assert_int_equal(report.directories, 1);
}

/* jobs: when each ended, and how large it is. */
static void check_choice(const uint64_t (*jobs)[2], size_t len, struct quota quota,
			 const char *expected)
{
	struct job records[8];
	struct quota_item items[8];
	char goes[8] = "";

	for (size_t i = 0; i < len; i++) {
		records[i] = (struct job){ .id = i, .ended_ns = jobs[i][0] };
		items[i] = (struct quota_item){ .job = &records[i], .bytes = jobs[i][1] };
	}
	quota_choose(items, len, &quota);
	for (size_t i = 0; i < len; i++)
		goes[items[i].job->id] = items[i].goes ? 'x' : '-';
	assert_string_equal(goes, expected);
}

static void what_ended_first_goes_first(void **state)
{
	static const uint64_t jobs[][2] = { { 30, 5 }, { 10, 5 }, { 20, 5 }, { 40, 0 } };
	static const uint64_t large[][2] = { { 1, UINT64_MAX }, { 2, UINT64_MAX }, { 3, 1 } };
	const uint64_t none = QUOTA_NONE;

	(void)state;
	check_choice(jobs, 4, (struct quota){ 0, none, none }, "----");
	check_choice(jobs, 4, (struct quota){ 20, none, none }, "-x--");
	check_choice(jobs, 4, (struct quota){ 0, none, 2 }, "-xx-");
	check_choice(jobs, 4, (struct quota){ 0, none, 0 }, "xxxx");
	check_choice(jobs, 4, (struct quota){ 0, 10, none }, "-x--");
	check_choice(jobs, 4, (struct quota){ 0, 9, none }, "-xx-");
	check_choice(jobs, 4, (struct quota){ 0, 0, none }, "xxx-");
	check_choice(jobs, 4, (struct quota){ 25, 4, 9 }, "xxx-");
	check_choice(large, 3, (struct quota){ 0, 2, none }, "xx-");
	check_choice(NULL, 0, (struct quota){ 0, 0, 0 }, "");
}

static void sizes_are_read_from_what_du_prints(void **state)
{
	struct job a = { .directory = (char *)(uintptr_t) "/j/a b" };
	struct job b = { .directory = (char *)(uintptr_t) "/j/b" };
	struct quota_item items[] = { { .job = &b }, { .job = &a } };

	(void)state;
	quota_read_sizes(span_of_str("12\t/j/a b\nx\t/j/b\n7\t/j/c\n-1\t/j/b\n\n5\n"
				     "18446744073709551615\t/j/b"),
			 items, 2);
	assert_int_equal(items[1].bytes, 12 * 1024);
	assert_in_range(items[0].bytes, UINT64_C(1) << 62, UINT64_C(1) << 63);
	quota_read_sizes((struct span){ 0 }, items, 2);
	assert_int_equal(items[1].bytes, 12 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, user_set_up, user_tear_down)
		TEST(ended_jobs_are_collected_after_the_retention),
		TEST(bundles_that_no_job_links_to_are_collected_when_they_are_old),
		TEST(host_blocks_and_keys_of_jobs_that_are_gone_are_collected),
		TEST(what_a_killed_berth_left_beside_a_key_goes_with_its_job),
		TEST(spare_keys_and_what_nobody_recorded_are_told_before_they_go),
		TEST(a_new_build_is_installed_beside_the_old_one),
		TEST(a_bundle_that_was_damaged_is_installed_again),
		TEST(a_job_whose_submission_died_after_handing_over_is_taken_up),
		TEST(a_submission_that_died_before_is_given_up_when_it_is_old),
		TEST(a_quota_takes_the_oldest_until_the_rest_keeps_to_it),
		TEST(a_cluster_that_does_not_answer_keeps_what_its_quota_would_take),
		cmocka_unit_test(what_ended_first_goes_first),
		cmocka_unit_test(sizes_are_read_from_what_du_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
