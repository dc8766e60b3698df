/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/net/rest.h"

static void on_async(uv_async_t *async)
{
	(void)async;
}

static void memory_is_given_back_once_after_each_event_and_nobody_is_woken(void **state)
{
	struct rest rest;
	uv_async_t async;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	uv_async_init(&loop, &async, on_async);
	rest_open(&rest, &loop, 10);
	for (unsigned int round = 1; round <= 3; round++) {
		while (rest.releases < round)
			uv_run(&loop, UV_RUN_ONCE);
		assert_false(uv_is_active((uv_handle_t *)&rest.timer));
		uv_async_send(&async);
		uv_run(&loop, UV_RUN_ONCE);
		assert_true(uv_is_active((uv_handle_t *)&rest.timer));
		assert_int_equal(rest.releases, round);
	}
	uv_close((uv_handle_t *)&async, NULL);
	rest_close(&rest);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void it_does_not_keep_the_loop_alive(void **state)
{
	struct rest rest;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	rest_open(&rest, &loop, 60000);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	rest_close(&rest);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_given_back_once_after_each_event_and_nobody_is_woken),
		cmocka_unit_test(it_does_not_keep_the_loop_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
