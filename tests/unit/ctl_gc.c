/* SPDX-License-Identifier: MIT */
/* Collecting what jobs leave, and installing bundles. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "init/base/fs.h"
#include "tests/unit/ctl_user.h"

static void ended_jobs_are_collected_after_the_retention(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL), running = user_submitted(NULL);
	cleanup(job_finish) struct job found = { 0 };
	struct gc_report report;

	(void)state;
	fake_set(user.fake, 0, JOB_SUCCEEDED, 0);
	assert_int_equal(ops_collect(user.c, GC_RETENTION_NS, &report, NULL), 0);
	assert_int_equal(report.directories, 0);
	assert_true(user_job_has(&job, "spec.json"));
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), 0);
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
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), 0);
	assert_int_equal(report.bundles, 0);
	assert_int_equal(unlink(bundle), 0);
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), 0);
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
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), 0);
	assert_int_equal(report.hosts, 1);
	assert_false(user_has("ssh/berth/job-1.conf"));
	/* A key without a record may be that of a submission that is under way. */
	assert_int_equal(report.keys, 0);
	age(key);
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), 0);
	assert_int_equal(report.keys, 1);
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
	job_set_text(&ret->uid, "begun");
	job_set_text(&ret->cluster, "fake");
	job_set_text(&ret->backend, "fake");
	job_set_text(&ret->directory, "/nowhere/begun");
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
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), -1);
	fake_fail(user.fake, ERR_NONE);
	assert_int_equal(store_find_by_id(user.c->store, begun.id, &found, NULL), 0);
	assert_int_equal(found.state, JOB_DEFINED);
	job_finish(&found);
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), 0);
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
	assert_int_equal(ops_collect(user.c, 0, &report, NULL), 0);
	assert_int_equal(store_find_by_id(user.c->store, begun.id, &found, NULL), 0);
	assert_int_equal(found.state, JOB_FAILED);
	assert_false(user_has("ssh/berth/job-2.conf.4242.0.part"));
	assert_true(user_has("ssh/berth/job-1.conf.4242.0.part"));
	assert_true(user_has("ssh/berth/job-2.conf.bak"));
	assert_true(user_has("ssh/berth/job-1.conf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, user_set_up, user_tear_down)
		TEST(ended_jobs_are_collected_after_the_retention),
		TEST(bundles_that_no_job_links_to_are_collected_when_they_are_old),
		TEST(host_blocks_and_keys_of_jobs_that_are_gone_are_collected),
		TEST(a_new_build_is_installed_beside_the_old_one),
		TEST(a_bundle_that_was_damaged_is_installed_again),
		TEST(a_job_whose_submission_died_after_handing_over_is_taken_up),
		TEST(a_submission_that_died_before_is_given_up_when_it_is_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
