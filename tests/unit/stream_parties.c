/* SPDX-License-Identifier: MIT */
/* What tests of byte streams share; see stream_parties.h. */
#include "tests/unit/unit.h"

#include "tests/unit/stream_parties.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "init/base/fd.h"
#include "tunnel/net/addr.h"

#define PATIENCE_MS 20000

uv_loop_t parties_loop;
static uv_timer_t watchdog;

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("nothing more happened within twenty seconds");
}

void parties_open(void)
{
	uv_loop_init(&parties_loop);
	uv_timer_init(&parties_loop, &watchdog);
}

void parties_close(void)
{
	uv_timer_start(&watchdog, on_watchdog, PATIENCE_MS, 0);
	uv_unref((uv_handle_t *)&watchdog);
	uv_run(&parties_loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&watchdog, NULL);
	uv_run(&parties_loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&parties_loop), 0);
}

void parties_until(bool (*done)(void))
{
	uv_timer_start(&watchdog, on_watchdog, PATIENCE_MS, 0);
	while (!done())
		uv_run(&parties_loop, UV_RUN_ONCE);
	uv_timer_stop(&watchdog);
}

static void on_words(uv_poll_t *poll, int status, int events)
{
	struct talker *talker = poll->data;
	uint8_t bytes[4096];
	ssize_t len = recv(talker->fd, bytes, sizeof(bytes), 0);

	(void)status;
	(void)events;
	if (len <= 0) {
		uv_poll_stop(poll);
		return;
	}
	assert_true(buf_append(&talker->heard, bytes, (size_t)len));
}

static void on_guest(void *owner, int fd, const struct quic_addr *from)
{
	struct talker *talker = owner;

	talker->guests++;
	if (talker->fd >= 0) {
		/* A second one is not listened to, and kept out of the way. */
		uv_close((uv_handle_t *)&talker->poll, NULL);
		uv_run(&parties_loop, UV_RUN_NOWAIT);
		fd_close(talker->fd);
		stream_port_release(talker->port, &talker->from);
	}
	talker->fd = fd;
	talker->from = *from;
	uv_poll_init(&parties_loop, &talker->poll, fd);
	talker->poll.data = talker;
	uv_poll_start(&talker->poll, UV_READABLE, on_words);
	if (talker->words)
		assert_int_equal(send(fd, talker->words, strlen(talker->words), MSG_NOSIGNAL),
				 (ssize_t)strlen(talker->words));
}

void talker_open(struct talker *talker, const char *words)
{
	struct stream_port_config config = {
		.loop = &parties_loop, .max = 8, .accepted = on_guest, .owner = talker
	};
	struct err err;

	*talker = (struct talker){ .words = words, .fd = -1, .heard = BUF_INIT(64 * 1024) };
	assert_true(addr_parse_listen("127.0.0.1:0", &config.listen));
	talker->port = stream_port_new(&config, &err);
	assert_non_null(talker->port);
}

void talker_close(struct talker *talker)
{
	if (talker->fd >= 0) {
		uv_close((uv_handle_t *)&talker->poll, NULL);
		fd_close(talker->fd);
		stream_port_release(talker->port, &talker->from);
	}
	stream_port_close(talker->port);
	/* The handle is part of what the caller may reuse. */
	uv_run(&parties_loop, UV_RUN_NOWAIT);
	buf_finish(&talker->heard);
}

uint16_t talker_port(const struct talker *talker)
{
	return addr_port(stream_port_local(talker->port));
}
