/* SPDX-License-Identifier: MIT */
/* A TCP connection to whichever address of a name answers first; see stream_race.h. */
#include "stream_race.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/resolve.h"

#define HEAD_START_MS 250 /* RFC 8305 section 5 */
/*
 * What is unsent in the kernel was committed too early: a QUIC packet that waits there is a round
 * trip that is measured wrongly.
 */
#define UNSENT_MAX (128 * 1024)
#define UNACKNOWLEDGED_MS 15000

struct stream_race;

struct runner {
	uv_poll_t poll;
	int fd;
	struct quic_addr to;
	struct stream_race *race;
};

struct stream_race {
	uv_loop_t *loop;
	char *host;
	uint16_t port;
	struct resolver *resolver;
	uv_timer_t timer;
	struct quic_addr addrs[RESOLVE_MAX];
	size_t len, next, running;
	struct runner *runners[RESOLVE_MAX];
	struct err why; /* of the first that failed: its address was thought the best */
	stream_race_done *done;
	void *owner;
	bool over, resolved;
	unsigned int handles;
};

static void set_option(int fd, int level, int option, int value)
{
	/* Every option here only makes things better, and is absent from some systems. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

void stream_tune(int fd)
{
	static const char congestion[] = "bbr";

	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, sizeof(congestion) - 1);
}

/* The end */

static void release(struct stream_race *race)
{
	if (--race->handles > 0)
		return;
	free(race->host);
	free(race);
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void on_resolver_closed(void *owner)
{
	release(owner);
}

static void on_runner_closed(uv_handle_t *handle)
{
	struct runner *runner = handle->data;
	struct stream_race *race = runner->race;

	free(runner);
	release(race);
}

/* Its socket must have been taken or closed after this. */
static void stop_runner(struct stream_race *race, struct runner *runner)
{
	for (size_t i = 0; i < race->next; i++) {
		if (race->runners[i] == runner)
			race->runners[i] = NULL;
	}
	race->running--;
	uv_close((uv_handle_t *)&runner->poll, on_runner_closed);
}

static void stop(struct stream_race *race)
{
	race->over = true;
	for (size_t i = 0; i < race->next; i++) {
		struct runner *runner = race->runners[i];

		if (!runner)
			continue;
		stop_runner(race, runner);
		fd_close(runner->fd);
	}
	uv_close((uv_handle_t *)&race->timer, on_timer_closed);
	resolver_close(race->resolver, on_resolver_closed, race);
}

void stream_race_cancel(struct stream_race *race)
{
	if (race && !race->over)
		stop(race);
}

static void fail(struct stream_race *race)
{
	struct err why = race->why;

	if (why.kind == ERR_NONE)
		err_set(&why, ERR_NOT_FOUND, "the name has no address");
	stop(race);
	race->done(race->owner, -1, NULL, &why);
}

/* The race */

static void start_next(struct stream_race *race);

static void on_runner(uv_poll_t *poll, int status, int events)
{
	struct runner *runner = poll->data;
	struct stream_race *race = runner->race;
	int problem = 0, fd = runner->fd;
	socklen_t len = sizeof(problem);
	struct quic_addr to = runner->to;

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len) < 0)
		problem = errno;
	if (status < 0 && problem == 0)
		problem = -status;
	stop_runner(race, runner);
	if (problem == 0) {
		stop(race);
		race->done(race->owner, fd, &to, NULL);
		return;
	}
	fd_close(fd);
	if (race->why.kind == ERR_NONE)
		err_set_errno(&race->why, problem, "connect");
	start_next(race);
}

/* False: this address cannot be tried, and *err says why. */
static bool start_runner(struct stream_race *race, size_t index, struct err *err)
{
	const struct quic_addr *to = &race->addrs[index];
	cleanup_close int fd =
		socket(addr_family(to), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	struct runner *runner;

	if (fd < 0) {
		err_set_errno(err, errno, "socket");
		return false;
	}
	stream_tune(fd);
	if (connect(fd, &to->any, to->len) < 0 && errno != EINPROGRESS) {
		err_set_errno(err, errno, "connect");
		return false;
	}
	runner = new_zero(struct runner);
	if (uv_poll_init(race->loop, &runner->poll, fd) < 0) {
		free(runner);
		err_set(err, ERR_SYSTEM, "cannot watch a socket");
		return false;
	}
	runner->poll.data = runner;
	runner->race = race;
	runner->to = *to;
	runner->fd = take_fd(fd);
	race->handles++;
	race->running++;
	race->runners[index] = runner;
	uv_poll_start(&runner->poll, UV_WRITABLE, on_runner);
	return true;
}

static void on_timer(uv_timer_t *timer)
{
	struct stream_race *race = timer->data;

	if (race->resolved)
		start_next(race);
}

static void start_next(struct stream_race *race)
{
	while (race->next < race->len) {
		struct err why = { 0 };

		if (start_runner(race, race->next++, &why)) {
			uv_timer_start(&race->timer, on_timer, HEAD_START_MS, 0);
			return;
		}
		if (race->why.kind == ERR_NONE)
			race->why = why;
	}
	if (race->running == 0 && !race->over)
		fail(race);
}

/* The families alternate, beginning with that of the first address (RFC 8305 section 4). */
static void interleave(struct stream_race *race, const struct resolve_list *list)
{
	bool used[RESOLVE_MAX] = { false };
	int family = list->len ? list->items[0].any.sa_family : AF_UNSPEC;

	while (race->len < list->len) {
		size_t pick = list->len;

		for (size_t i = list->len; i-- > 0;) {
			bool wanted = list->items[i].any.sa_family == family;

			if (!used[i] && (wanted || pick == list->len ||
					 list->items[pick].any.sa_family != family))
				pick = i;
		}
		used[pick] = true;
		race->addrs[race->len++] = addr_from_sockaddr(&list->items[pick].any);
		family = list->items[pick].any.sa_family == AF_INET ? AF_INET6 : AF_INET;
	}
}

static void on_first_turn(uv_timer_t *timer)
{
	start_next(timer->data);
}

static void on_resolved(void *owner, const struct resolve_list *list, const struct err *why)
{
	struct stream_race *race = owner;

	race->resolved = true;
	if (list)
		interleave(race, list);
	else
		race->why = *why;
	/* /etc/hosts answers at once, from inside stream_race_new(). */
	uv_timer_start(&race->timer, on_first_turn, 0, 0);
}

struct stream_race *stream_race_new(uv_loop_t *loop, const char *host, uint16_t port,
				    stream_race_done *done, void *owner)
{
	struct stream_race *race = new_zero(struct stream_race);

	race->loop = loop;
	race->host = str_dup(host);
	race->port = port;
	race->done = done;
	race->owner = owner;
	uv_timer_init(loop, &race->timer);
	race->timer.data = race;
	race->resolver = resolver_new(loop, &(struct resolve_sources){ 0 });
	race->handles = 2;
	(void)resolver_query(race->resolver, race->host, port, on_resolved, race);
	return race;
}
