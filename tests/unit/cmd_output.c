/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "tunnel/cmd/output.h"

struct world {
	uv_loop_t loop;
	struct output output;
	int reader;
	struct buf read; /* what a reader got */
};

static void on_moved(struct output *output)
{
	(void)output;
}

static void set_up(struct world *w, const char *prefix)
{
	int ends[2];

	*w = (struct world){ .read = BUF_INIT(256 << 20) };
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	w->reader = ends[0];
	uv_loop_init(&w->loop);
	w->output.prefix = prefix;
	w->output.moved = on_moved;
	assert_int_equal(output_open(&w->output, &w->loop, ends[1], NULL), 0);
	close(ends[1]);
}

static void read_all(struct world *w)
{
	ssize_t len;

	do {
		uint8_t *room = buf_reserve(&w->read, 1 << 20);

		assert_non_null(room);
		uv_run(&w->loop, UV_RUN_NOWAIT);
		len = read(w->reader, room, 1 << 20);
		if (len > 0)
			buf_commit(&w->read, (size_t)len);
	} while (len > 0);
}

static void tear_down(struct world *w)
{
	output_finish(&w->output);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	uv_loop_close(&w->loop);
	close(w->reader);
	buf_finish(&w->read);
}

static void put(struct world *w, const char *text)
{
	assert_true(output_put(&w->output, span_of_str(text)));
}

static void each_line_has_its_prefix_and_the_last_one_an_end(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, "3: ");
	put(&w, "one\ntw");
	put(&w, "o\n\nlast");
	read_all(&w);
	assert_string_equal(buf_str(&w.read), "3: one\n3: two\n3: \n");
	assert_int_equal(output_waiting(&w.output), 4);
	assert_false(output_is_empty(&w.output));
	output_end(&w.output);
	read_all(&w);
	assert_string_equal(buf_str(&w.read), "3: one\n3: two\n3: \n3: last\n");
	assert_true(output_is_empty(&w.output));
	tear_down(&w);
}

static void a_line_without_end_is_cut(void **state)
{
	static char line[40000];
	struct world w;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	set_up(&w, "> ");
	put(&w, line);
	read_all(&w);
	assert_int_equal(buf_len(&w.read), 2 * (16384 + 3));
	output_end(&w.output);
	read_all(&w);
	assert_int_equal(buf_len(&w.read), sizeof(line) - 1 + 3 * 3);
	tear_down(&w);
}

static void a_prefix_makes_no_more_of_it_than_may_wait(void **state)
{
	enum { LINES = 1 << 19, PREFIX = 255 };
	cleanup_free char *lines = alloc_zero(LINES + 1, 1);
	char prefix[PREFIX + 1];
	struct world w;

	(void)state;
	memset(lines, '\n', LINES);
	memset(prefix, 'p', PREFIX);
	prefix[PREFIX] = '\0';
	set_up(&w, prefix);
	put(&w, lines);
	assert_in_range(output_waiting(&w.output), 1, LINES);
	read_all(&w);
	assert_int_equal(buf_len(&w.read), LINES * (PREFIX + 1));
	tear_down(&w);
}

static void what_nobody_reads_is_thrown_away(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, "> ");
	signal(SIGPIPE, SIG_IGN);
	close(w.reader);
	put(&w, "a\nb");
	assert_true(w.output.broken && output_is_empty(&w.output));
	w.reader = open("/dev/null", O_RDONLY | O_CLOEXEC);
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_has_its_prefix_and_the_last_one_an_end),
		cmocka_unit_test(a_line_without_end_is_cut),
		cmocka_unit_test(a_prefix_makes_no_more_of_it_than_may_wait),
		cmocka_unit_test(what_nobody_reads_is_thrown_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
