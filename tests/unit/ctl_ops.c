/* SPDX-License-Identifier: MIT */
/* The operations, with a backend in memory and a berth-tunnel that only makes files. */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/ops/connect.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "init/base/fs.h"
#include "tests/unit/ctl_user.h"

static void a_submission_makes_all_that_belongs_to_a_job(void **state)
{
	cleanup(job_finish) struct job job = user_submitted("train"), found = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(job.id, 1);
	assert_int_equal(job.state, JOB_QUEUED);
	assert_true(user_job_has(&job, "spec.json"));
	assert_true(user_job_has(&job, "tunnel.json"));
	assert_true(user_job_has(&job, "bundle/berth-init"));
	assert_int_equal(stat(job.directory, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_true(user_has_key(&job));
	assert_true(user_has("ssh/berth/job-1.conf"));
	assert_true(user_has("ssh/config"));
	assert_int_equal(ops_find_text(user.c, "train", &found, NULL), 0);
	assert_string_equal(found.uid, job.uid);
	assert_string_equal(found.native_id, "0");
}

static void put_busybox(const char *applets)
{
	user_put("bundle/busybox", "#!/bin/sh\n", 0700);
	user_put("bundle/busybox.licence", "GPL\n", 0600);
	user_put("bundle/applets", applets, 0600);
}

static void a_bundle_with_busybox_gets_a_link_for_each_applet(void **state)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *link = NULL;
	char target[64] = "";

	(void)state;
	put_busybox("[\nsh\ntar\n");
	job = user_submitted("train");
	assert_true(user_job_has(&job, "bundle/busybox.licence"));
	assert_true(user_job_has(&job, "bundle/bin/["));
	assert_true(user_job_has(&job, "bundle/bin/sh"));
	link = str_printf("%s/bundle/bin/tar", job.directory);
	assert_true(readlink(link, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "../busybox");
}

static void an_applet_that_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "sh\n\ntar\n", "../x\n", "a/b\n", "..\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup(notes_finish) struct notes notes = { 0 };
		cleanup(job_finish) struct job job = { 0 };
		struct err err;

		put_busybox(bad[i]);
		assert_int_equal(user_submit("train", &job, &notes, &err), -1);
		assert_non_null(strstr(err.text, "no name of a program"));
	}
}

static void a_submission_that_fails_leaves_nothing_but_a_number(void **state)
{
	cleanup(notes_finish) struct notes notes = { 0 };
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *jobs_dir = fs_join(user.home, "cluster/jobs");
	struct err err;

	(void)state;
	fake_fail(user.fake, ERR_UNAVAILABLE);
	assert_int_equal(user_submit("train", &job, &notes, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.text, "fake: told to fail");
	assert_int_equal(ops_list(user.c, true, &jobs, NULL), 0);
	assert_int_equal(jobs.len, 0);
	assert_int_equal(rmdir(jobs_dir), 0); /* it is empty */
	assert_false(user_has("ssh/berth/job-1.conf"));
	fake_fail(user.fake, ERR_NONE);
	job_finish(&job);
	job = user_submitted(NULL);
	assert_int_equal(job.id, 2);
}

static void what_cannot_work_is_refused_before_anything_is_made(void **state)
{
	cleanup(notes_finish) struct notes notes = { 0 };
	struct job job;
	struct err err;

	(void)state;
	assert_int_equal(user_submit("job-9", &job, &notes, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_false(user_has("cluster"));
	assert_int_equal(fake_counts(user.fake).submits, 0);
}

static void an_ssh_configuration_that_is_read_only_does_not_stop_a_job(void **state)
{
	cleanup(notes_finish) struct notes notes = { 0 };
	cleanup(job_finish) struct job job = { 0 };

	(void)state;
	assert_int_equal(fs_make_dirs(user.ssh_jobs, 0700, NULL), 0);
	user_put("ssh/config", "Host a\n", 0400);
	assert_int_equal(user_submit(NULL, &job, &notes, NULL), 0);
	assert_int_equal(notes.len, 1);
	assert_non_null(strstr(notes.items[0], "Include berth/*.conf"));
	assert_non_null(strstr(notes.items[0], "berth ssh job-1"));
	assert_true(user_has("ssh/berth/job-1.conf"));
}

static void what_is_missing_on_a_machine_is_said_once(void **state)
{
	size_t said[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		cleanup(notes_finish) struct notes notes = { 0 };
		cleanup(job_finish) struct job job = { 0 };

		fake_degrade(user.fake, i < 2 ? "no sandbox" : i < 3 ? NULL : "no sandbox");
		assert_int_equal(user_submit(NULL, &job, &notes, NULL), 0);
		said[i] = notes.len;
	}
	assert_int_equal(said[0], 1);
	assert_int_equal(said[1], 0);
	assert_int_equal(said[2], 0);
	assert_int_equal(said[3], 1); /* it came back after it had been mended */
}

static void a_job_that_is_seen_to_have_ended_is_released_and_keeps_its_logs(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL), found = { 0 };

	(void)state;
	fake_set(user.fake, 0, JOB_FAILED, 3);
	assert_int_equal(ops_refresh_job(user.c, &job, NULL), 0);
	assert_int_equal(job.state, JOB_FAILED);
	assert_int_equal(job.exit_code, 3);
	assert_true(job.ended_ns > 0);
	assert_string_equal(job.native_state, "fake-FAILED");
	assert_false(user_has("ssh/berth/job-1.conf"));
	assert_false(user_has_key(&job));
	assert_false(user_job_has(&job, "tunnel.json"));
	assert_true(user_job_has(&job, "spec.json"));
	assert_int_equal(ops_find_text(user.c, "1", &found, NULL), 0);
	assert_int_equal(found.state, JOB_FAILED);
	/* An ended job is not asked about again. */
	assert_int_equal(ops_refresh_job(user.c, &found, NULL), 0);
	assert_int_equal(fake_counts(user.fake).observes, 1);
}

static void a_backend_that_does_not_answer_changes_nothing(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	struct gc_report report;
	struct err err;

	(void)state;
	fake_set(user.fake, 0, JOB_RUNNING, JOB_NO_EXIT_CODE);
	assert_int_equal(ops_refresh_job(user.c, &job, NULL), 0);
	fake_fail(user.fake, ERR_UNAVAILABLE);
	assert_int_equal(ops_refresh_job(user.c, &job, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_int_equal(job.state, JOB_RUNNING);
	assert_int_equal(user_collect(0, &report, &err), -1);
	assert_int_equal(report.hosts + report.keys + report.directories + report.bundles, 0);
	assert_true(user_has("ssh/berth/job-1.conf"));
	assert_true(user_has_key(&job));
}

static size_t select_some(char **names, size_t len)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	const struct selection selection = { .jobs = names, .len = len };

	assert_int_equal(ops_select(user.c, &selection, &jobs, NULL), 0);
	return jobs.len;
}

static void a_backend_begins_to_answer_while_all_jobs_are_read(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	char *name = "job-1";

	(void)state;
	assert_int_equal(select_some(&name, 1), 1);
	assert_int_equal(fake_counts(user.fake).expects, 0);
	assert_int_equal(select_some(NULL, 0), 1);
	assert_int_equal(fake_counts(user.fake).expects, 1);
	assert_int_equal(fake_counts(user.fake).observes, 2);
	/* Of jobs that have ended nothing is asked. */
	fake_set(user.fake, 0, JOB_FAILED, 3);
	assert_int_equal(ops_refresh_job(user.c, &job, NULL), 0);
	assert_int_equal(select_some(NULL, 0), 1);
	assert_int_equal(fake_counts(user.fake).expects, 1);
}

static void cancelling_ends_jobs_and_leaves_ended_ones_alone(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct job polite = user_submitted(NULL), ended = user_submitted(NULL);

	(void)state;
	fake_set(user.fake, 1, JOB_SUCCEEDED, 0);
	assert_int_equal(ops_refresh_job(user.c, &ended, NULL), 0);
	job_list_take(&jobs, &polite);
	job_list_take(&jobs, &ended);
	assert_int_equal(ops_cancel(user.c, &jobs, 1000, NULL), 0);
	assert_int_equal(jobs.items[0].state, JOB_CANCELLED);
	assert_int_equal(jobs.items[1].state, JOB_SUCCEEDED);
	assert_int_equal(fake_counts(user.fake).cancels, 1);
	assert_int_equal(fake_counts(user.fake).kills, 0);
}

static void cancelling_insists_when_asking_is_not_enough(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct job job = user_submitted(NULL);

	(void)state;
	fake_be_stubborn(user.fake);
	job_list_take(&jobs, &job);
	assert_int_equal(ops_cancel(user.c, &jobs, 40, NULL), 0);
	assert_int_equal(jobs.items[0].state, JOB_CANCELLED);
	assert_int_equal(fake_counts(user.fake).kills, 1);
}

static void a_job_that_was_never_handed_over_cannot_be_cancelled(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct job job = user_submitted(NULL);
	struct err err;

	(void)state;
	job_set(&job, native_id, "");
	job_list_take(&jobs, &job);
	assert_int_equal(ops_cancel(user.c, &jobs, 40, &err), -1);
	assert_non_null(strstr(err.text, "never handed to fake"));
	assert_int_equal(fake_counts(user.fake).cancels, 0);
}

static void logs_are_read_piece_by_piece_until_they_are_collected(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	cleanup(buf_finish) struct buf text = BUF_INIT(100);
	struct err err;

	(void)state;
	fake_print(user.fake, 0, "hello");
	assert_int_equal(ops_read_log(user.c, &job, &(struct log_part){ .offset = 0, .max = 3 },
				      &text, NULL),
			 0);
	assert_int_equal(ops_read_log(user.c, &job, &(struct log_part){ .offset = 3, .max = 10 },
				      &text, NULL),
			 0);
	assert_int_equal(ops_read_log(user.c, &job, &(struct log_part){ .offset = 5, .max = 10 },
				      &text, NULL),
			 0);
	assert_string_equal(buf_str(&text), "hello");
	job.collected = true;
	assert_int_equal(ops_read_log(user.c, &job, &(struct log_part){ .offset = 0, .max = 10 },
				      &text, &err),
			 -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void keep_line(void *arg, const char *line)
{
	snprintf(arg, 200, "%s", line);
}

static int connect_to(const char *host, struct argv *ret, char line[200], struct err *err)
{
	const struct progress progress = { .say = keep_line, .arg = line };
	struct ref ref;

	line[0] = '\0';
	assert_int_equal(ref_parse_host(host, &ref, NULL), 0);
	return ops_connect(user.c,
			   &(struct connect_plan){ .ref = &ref,
						   .verb = "ssh",
						   .wait_ns = 50 * NSEC_PER_MSEC,
						   .progress = &progress },
			   ret, err);
}

static void the_way_into_a_job_is_berth_tunnel_with_its_files(void **state)
{
	cleanup(job_finish) struct job job = user_submitted("train");
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup_free char *endpoint = fs_join(job.directory, "endpoint.0.json");
	char line[200];

	(void)state;
	fake_set(user.fake, 0, JOB_RUNNING, JOB_NO_EXIT_CODE);
	assert_int_equal(fs_write_file(endpoint, span_of_str("{}"), 0600, NULL), 0);
	assert_int_equal(connect_to("train.job", &argv, line, NULL), 0);
	assert_string_equal(argv.items[1], "ssh");
	assert_string_equal(argv.items[5], endpoint);
	assert_string_equal(argv.items[argv.len - 2], "--rank=0");
	assert_string_equal(argv.items[argv.len - 1], "--name=job-1");
	assert_string_equal(line, "");
}

static void a_job_that_waits_is_waited_for_with_one_line(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	cleanup(argv_finish) struct argv argv = { 0 };
	char line[200];
	struct err err;

	(void)state;
	assert_int_equal(connect_to("job-1", &argv, line, &err), -1);
	assert_string_equal(line, "job-1 is QUEUED: waiting for it to run");
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_string_equal(err.text, "job-1 is still QUEUED: try again later");
}

static void a_job_that_ended_says_how(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	cleanup(argv_finish) struct argv argv = { 0 };
	char line[200];
	struct err err;

	(void)state;
	fake_set(user.fake, 0, JOB_FAILED, 3);
	assert_int_equal(connect_to("job-1", &argv, line, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.text, "job-1 ended: FAILED, exit status 3");
	assert_int_equal(connect_to("job-77", &argv, line, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_rank_that_a_job_has_not_is_refused(void **state)
{
	cleanup(job_finish) struct job job = user_submitted(NULL);
	cleanup(argv_finish) struct argv argv = { 0 };
	char line[200];
	struct err err;

	(void)state;
	fake_set(user.fake, 0, JOB_RUNNING, JOB_NO_EXIT_CODE);
	assert_int_equal(connect_to("job-1.5", &argv, line, &err), -1);
	assert_string_equal(err.text, "job-1 has no rank 5: its ranks are 0 to 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, user_set_up, user_tear_down)
		TEST(a_submission_makes_all_that_belongs_to_a_job),
		TEST(a_bundle_with_busybox_gets_a_link_for_each_applet),
		TEST(an_applet_that_is_no_name_is_refused),
		TEST(a_submission_that_fails_leaves_nothing_but_a_number),
		TEST(what_cannot_work_is_refused_before_anything_is_made),
		TEST(an_ssh_configuration_that_is_read_only_does_not_stop_a_job),
		TEST(what_is_missing_on_a_machine_is_said_once),
		TEST(a_job_that_is_seen_to_have_ended_is_released_and_keeps_its_logs),
		TEST(a_backend_that_does_not_answer_changes_nothing),
		TEST(a_backend_begins_to_answer_while_all_jobs_are_read),
		TEST(cancelling_ends_jobs_and_leaves_ended_ones_alone),
		TEST(cancelling_insists_when_asking_is_not_enough),
		TEST(a_job_that_was_never_handed_over_cannot_be_cancelled),
		TEST(logs_are_read_piece_by_piece_until_they_are_collected),
		TEST(the_way_into_a_job_is_berth_tunnel_with_its_files),
		TEST(a_job_that_waits_is_waited_for_with_one_line),
		TEST(a_job_that_ended_says_how),
		TEST(a_rank_that_a_job_has_not_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
