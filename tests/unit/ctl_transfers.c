/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "controller/files/hashing.h"
#include "controller/files/journal.h"
#include "controller/files/pass.h"
#include "controller/files/s3.h"
#include "controller/files/sum.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

static char *directory;

static const struct journal_id upload = {
	.place = "alps", .there = "/there", .here = "/here", .size = 100, .mtime_s = 7
};

static int make_directory(void **state)
{
	char path[] = "/tmp/berth-transfers.XXXXXX";

	(void)state;
	if (!mkdtemp(path))
		return -1;
	directory = str_dup(path);
	return 0;
}

static int remove_directory(void **state)
{
	int result = fs_remove_tree(directory, NULL);

	(void)state;
	free(directory);
	return result;
}

static struct journal *open_journal(const struct journal_id *id)
{
	struct journal *journal = NULL;

	assert_int_equal(journal_open(directory, id, &journal, NULL), 0);
	return journal;
}

static struct journal *begin_journal(const struct journal_id *id)
{
	cleanup(json_release) json_t *answer = json_pack("{s:{s:s}}", "transferJob", "jobId", "12");
	struct journal *journal = open_journal(id);

	assert_null(journal_answer(journal));
	assert_int_equal(journal_begin(journal, answer, NULL), 0);
	return journal;
}

/* The only file there; free() it. */
static char *journal_path(void)
{
	struct dirent **entries = NULL;
	int len = scandir(directory, &entries, NULL, alphasort);
	char *path;

	assert_int_equal(len, 3); /* with "." and ".." */
	path = fs_join(directory, entries[2]->d_name);
	while (len-- > 0)
		free(entries[len]);
	free(entries);
	return path;
}

static void what_was_noted_is_there_in_the_next_run(void **state)
{
	struct journal *journal = begin_journal(&upload);

	(void)state;
	journal_note(journal, 3, "\"abc-1\"");
	journal_note(journal, 0, "\"00\"");
	assert_string_equal(journal_etag(journal, 3), "\"abc-1\"");
	journal_close(journal);

	journal = open_journal(&upload);
	assert_non_null(journal_answer(journal));
	assert_string_equal(journal_etag(journal, 0), "\"00\"");
	assert_string_equal(journal_etag(journal, 3), "\"abc-1\"");
	assert_null(journal_etag(journal, 1));
	assert_null(journal_etag(journal, 4));
	assert_null(journal_etag(journal, JOURNAL_WHOLE));
	journal_note(journal, JOURNAL_WHOLE, "");
	journal_close(journal);

	journal = open_journal(&upload);
	assert_non_null(journal_etag(journal, JOURNAL_WHOLE));
	journal_drop(journal);
	journal_close(journal);
	journal = open_journal(&upload);
	assert_null(journal_answer(journal));
	journal_close(journal);
}

static void notes_of_another_file_or_place_are_none(void **state)
{
	struct journal_id other[4] = { upload, upload, upload, upload };
	struct journal *journal = begin_journal(&upload);

	(void)state;
	journal_close(journal);
	other[0].size++;
	other[1].mtime_s++;
	other[2].there = "/elsewhere";
	other[3].comes_here = true;
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		journal = open_journal(&other[i]);
		assert_null(journal_answer(journal));
		journal_close(journal);
	}
	journal = open_journal(&upload);
	assert_non_null(journal_answer(journal));
	journal_drop(journal);
	journal_close(journal);
}

static void lines_that_broke_off_or_are_odd_count_as_none(void **state)
{
	struct journal *journal = begin_journal(&upload);
	cleanup_free char *path = journal_path();
	cleanup_close int fd = fd_open(path, O_WRONLY | O_APPEND);
	struct stat st;

	(void)state;
	journal_close(journal);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fd_write_all(fd,
				      span_of_str("1 good\nx y\n-1 z\n99999999999999999999 a\n7\n"
						  "\n2 broke"),
				      NULL),
			 0);
	journal = open_journal(&upload);
	assert_string_equal(journal_etag(journal, 1), "good");
	assert_null(journal_etag(journal, 2));
	assert_null(journal_etag(journal, 7));
	journal_close(journal);
	/* A first line that broke off is a file that says nothing. */
	assert_int_equal(truncate(path, 20), 0);
	journal = open_journal(&upload);
	assert_null(journal_answer(journal));
	journal_drop(journal);
	journal_close(journal);
}

static void one_transfer_is_one_process_s_and_is_not_collected_meanwhile(void **state)
{
	struct journal *journal = begin_journal(&upload), *second = NULL;
	cleanup(journal_summary_finish) struct journal_summary summary = { 0 };
	cleanup_free char *path = journal_path();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(journal_open(directory, &upload, &second, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_false(journal_read_summary(path, &summary));
	journal_close(journal);
	assert_true(journal_read_summary(path, &summary));
	assert_string_equal(summary.place, "alps");
	assert_string_equal(summary.here, "/here");
	assert_string_equal(summary.job, "12");
	assert_false(summary.comes_here);
	assert_int_equal(unlink(path), 0);
}

static void sums_are_those_that_everybody_makes(void **state)
{
	cleanup_free char *path = str_printf("%s/abc", directory);
	cleanup_close int fd = fd_open_mode(path, O_RDWR | O_CREAT, 0600);
	char text[SUM_TEXT_SIZE];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(fd_write_all(fd, span_of_str("xabcx"), NULL), 0);
	assert_int_equal(sum_file(fd, SUM_MD5, 1, 3, text, NULL), 0);
	assert_string_equal(text, "900150983cd24fb0d6963f7d28e17f72");
	assert_int_equal(sum_file(fd, SUM_SHA256, 1, 3, text, NULL), 0);
	assert_string_equal(text,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(sum_file(fd, SUM_SHA256, 1, 5, text, &err), -1);
	assert_non_null(strstr(err.text, "shorter"));
	assert_int_equal(unlink(path), 0);
}

/* Larger than what is summed up at a time; -1: nothing to write to. */
static int make_file(size_t size)
{
	cleanup_free char *path = fs_join(directory, "file");
	cleanup_free uint8_t *bytes = new_array(uint8_t, size);
	int fd = fd_open_mode(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	assert_int_equal(fd_write_all(fd, span_of(bytes, size), NULL), 0);
	return fd;
}

static void a_sum_is_made_while_the_file_comes(void **state)
{
	const size_t size = 9 * 1024 * 1024 + 17;
	cleanup_close int fd = make_file(size);
	cleanup(hashing_free) struct hashing *hashing = hashing_begin(fd, size);
	char sum[SUM_TEXT_SIZE], expected[SUM_TEXT_SIZE];

	(void)state;
	for (size_t there = 0; there < size; there += size / 5)
		hashing_allow(hashing, there);
	hashing_allow(hashing, size);
	assert_int_equal(hashing_end(hashing, sum, NULL), 0);
	assert_int_equal(sum_file(fd, SUM_SHA256, 0, size, expected, NULL), 0);
	assert_string_equal(sum, expected);
}

static void a_sum_of_what_never_comes_or_breaks_off_ends(void **state)
{
	cleanup_close int fd = make_file(100);
	struct hashing *hashing = hashing_begin(fd, 1000);
	char sum[SUM_TEXT_SIZE];
	struct err err = { 0 };

	(void)state;
	hashing_allow(hashing, 50);
	hashing_free(hashing);
	hashing = hashing_begin(fd, 1000);
	hashing_allow(hashing, 1000);
	assert_int_equal(hashing_end(hashing, sum, &err), -1);
	assert_non_null(strstr(err.text, "shorter"));
	hashing_free(hashing);
}

/* Bytes that say where they are, and how often they are asked for. */
struct counted {
	struct fs_bytes base;
	size_t asked, most;
	bool fails;
};

static int read_counted(struct fs_bytes *bytes, uint64_t offset, void *room, size_t len,
			struct err *err)
{
	struct counted *c = (struct counted *)(void *)bytes;

	c->asked++;
	c->most = MAX(c->most, len);
	if (c->fails)
		return err_set(err, ERR_UNAVAILABLE, "gone");
	for (size_t i = 0; i < len; i++)
		((uint8_t *)room)[i] = (uint8_t)((offset + i) % 251);
	return 0;
}

static void leave(struct fs_bytes *bytes)
{
	(void)bytes;
}

static void parts_that_are_read_at_once_have_windows_of_their_own(void **state)
{
	static const struct fs_bytes_ops ops = { read_counted, NULL, NULL, NULL, leave };
	const uint64_t size = UINT64_C(48) * 1024 * 1024 + 5, part = size / 4;
	struct counted counted = { .base = { .ops = &ops } };
	struct fs_bytes *ahead = pass_ahead(&counted.base, size);
	uint8_t piece[100003];
	struct err err = { 0 };

	(void)state;
	for (uint64_t at = 0; at + sizeof(piece) <= part; at += sizeof(piece)) {
		for (uint64_t i = 0; i < 4; i++) {
			assert_int_equal(
				ahead->ops->read(ahead, i * part + at, piece, sizeof(piece), NULL),
				0);
			assert_int_equal(piece[0], (i * part + at) % 251);
			assert_int_equal(piece[sizeof(piece) - 1],
					 (i * part + at + sizeof(piece) - 1) % 251);
		}
	}
	assert_true(counted.asked <= 4 * 4);
	assert_true(counted.most <= (size_t)4 * 1024 * 1024);
	assert_int_equal(ahead->ops->read(ahead, size - 5, piece, 5, NULL), 0);
	assert_int_equal(ahead->ops->read(ahead, size - 5, piece, 6, &err), -1);
	assert_non_null(strstr(err.text, "shorter"));
	fs_bytes_close(ahead);
	/* What failed is not there the next time either. */
	counted.fails = true;
	ahead = pass_ahead(&counted.base, size);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ahead->ops->read(ahead, 0, piece, 5, NULL), -1);
	fs_bytes_close(ahead);
}

static void a_part_that_is_read_again_takes_no_window_from_the_one_before_it(void **state)
{
	static const struct fs_bytes_ops ops = { read_counted, NULL, NULL, NULL, leave };
	const uint64_t window = UINT64_C(4) * 1024 * 1024;
	static const unsigned int order[] = { 0, 2, 1, 2, 1 };
	struct counted counted = { .base = { .ops = &ops } };
	struct fs_bytes *ahead = pass_ahead(&counted.base, 3 * window);
	uint8_t byte;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_int_equal(ahead->ops->read(ahead, order[i] * window, &byte, 1, NULL), 0);
	assert_int_equal(counted.asked, 3);
	fs_bytes_close(ahead);
}

static void an_etag_is_compared_without_its_quotes(void **state)
{
	(void)state;
	assert_true(s3_etag_is("\"00FF\"", "00ff"));
	assert_true(s3_etag_is("00ff", "00ff"));
	assert_false(s3_etag_is("\"00ff-1\"", "00ff"));
	assert_false(s3_etag_is("", "00ff"));
	assert_false(s3_etag_is("\"00f", "00ff"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_noted_is_there_in_the_next_run),
		cmocka_unit_test(notes_of_another_file_or_place_are_none),
		cmocka_unit_test(lines_that_broke_off_or_are_odd_count_as_none),
		cmocka_unit_test(one_transfer_is_one_process_s_and_is_not_collected_meanwhile),
		cmocka_unit_test(sums_are_those_that_everybody_makes),
		cmocka_unit_test(a_sum_is_made_while_the_file_comes),
		cmocka_unit_test(a_sum_of_what_never_comes_or_breaks_off_ends),
		cmocka_unit_test(parts_that_are_read_at_once_have_windows_of_their_own),
		cmocka_unit_test(a_part_that_is_read_again_takes_no_window_from_the_one_before_it),
		cmocka_unit_test(an_etag_is_compared_without_its_quotes),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
