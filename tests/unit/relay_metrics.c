/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/macro.h"
#include "tunnel/relay/metrics.h"
#include "tunnel/relay/report.h"

static void a_request_is_one_of_two_pages_or_an_error(void **state)
{
	static const struct {
		const char *head;
		int status;
		enum metrics_page page;
	} heads[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200, METRICS_PAGE_METRICS },
		{ "GET /health HTTP/1.0\r\n\r\n", 200, METRICS_PAGE_HEALTH },
		{ "GET / HTTP/1.0\r\n\r\n", 404, 0 },
		{ "GET /metricsx HTTP/1.0\r\n\r\n", 404, 0 },
		{ "GET /health FTP/1.0\r\n\r\n", 404, 0 },
		{ "POST /metrics HTTP/1.0\r\n\r\n", 405, 0 },
		{ "\r\n\r\n", 405, 0 },
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\n", 0, 0 },
		{ "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		enum metrics_page page = 0;

		assert_int_equal(metrics_parse(span_of_str(heads[i].head), &page), heads[i].status);
		if (heads[i].status == 200)
			assert_int_equal(page, heads[i].page);
	}
}

static void a_head_that_does_not_end_is_refused(void **state)
{
	uint8_t bytes[METRICS_HEAD_MAX];
	enum metrics_page page;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(metrics_parse(span_of(bytes, sizeof(bytes) - 1), &page), 0);
	assert_int_equal(metrics_parse(span_of(bytes, sizeof(bytes)), &page), 431);
}

static uint64_t wall(void)
{
	return 0;
}

/* Every line is a comment or "berth_relay_NAME{LABELS} NUMBER". */
static void the_report_is_in_the_format_of_prometheus(void **state)
{
	const struct core_config config = { .wall = wall };
	const struct report_figures figures = { .connections = 3, .started = 1.8e9 };
	cleanup(core_free) struct core *core = core_new(&config);
	cleanup(buf_finish) struct buf b = BUF_INIT(METRICS_TEXT_MAX);
	char hash[ADMIT_HASH_TEXT_MAX], tokens[256], *text, *line;
	size_t lines = 0;

	(void)state;
	admit_hash_text(span_of_str("t"), hash);
	snprintf(tokens, sizeof(tokens), "alice %s\n", hash);
	assert_int_equal(core_load(core, span_of_str(tokens), NULL), 0);
	core_drop(core, CORE_DROP_RATE, 7);
	report_write(core, &figures, &b);
	assert_true(buf_append_u8(&b, 0));
	text = (char *)b.mem;
	assert_non_null(strstr(text, "\nberth_relay_connections 3\n"));
	assert_non_null(strstr(text, "\nberth_relay_dropped_packets_total{reason=\"rate\"} 7\n"));
	assert_non_null(strstr(text, "{user=\"alice\",role=\"job\"} 0\n"));
	assert_non_null(strstr(text, "{code=\"tag_taken\"} 0\n"));
	while ((line = strsep(&text, "\n"))) {
		const char *number = strrchr(line, ' ');

		if (*line == '\0' || *line == '#')
			continue;
		assert_int_equal(strncmp(line, "berth_relay_", 12), 0);
		assert_non_null(number);
		assert_int_equal(strspn(number + 1, "0123456789."), strlen(number + 1));
		lines++;
	}
	assert_true(lines > 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_one_of_two_pages_or_an_error),
		cmocka_unit_test(a_head_that_does_not_end_is_refused),
		cmocka_unit_test(the_report_is_in_the_format_of_prometheus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
