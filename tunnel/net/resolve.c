/* SPDX-License-Identifier: MIT */
/* Names to addresses; see resolve.h. */
#include "resolve.h"

#include <ares.h>
#include <string.h>
#include <sys/time.h>

#include "init/base/alloc.h"
#include "init/base/macro.h"

/* Where no server answers, this is when the user learns it. */
#define TRY_TIMEOUT_MS 2000
#define TRIES 3

/* c-ares tells which sockets it wants watched. */
struct watch {
	uv_poll_t poll;
	struct resolver *resolver;
	ares_socket_t fd;
	struct watch *next;
};

struct resolver {
	uv_loop_t *loop;
	struct resolve_sources sources;
	ares_channel_t *channel; /* NULL before the first query */
	uv_timer_t timer;
	struct watch *watches;
	unsigned int handles; /* not closed yet */
	void (*closed)(void *owner);
	void *owner;
};

struct resolve_query {
	resolve_done *done; /* NULL: cancelled */
	void *owner;
	char name[256];
	bool starting, finished; /* inside resolver_query(), and done was called there */
};

static void arm(struct resolver *resolver);

static void release(struct resolver *resolver)
{
	if (--resolver->handles > 0 || !resolver->closed)
		return;
	resolver->closed(resolver->owner);
	free(resolver);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = container_of((uv_poll_t *)handle, struct watch, poll);
	struct resolver *resolver = watch->resolver;

	free(watch);
	release(resolver);
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(container_of((uv_timer_t *)handle, struct resolver, timer));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = container_of(poll, struct watch, poll);
	struct resolver *resolver = watch->resolver;
	ares_socket_t fd = watch->fd;
	/* An error is found by reading. */
	bool readable = status < 0 || events & UV_READABLE;
	bool writable = status < 0 || events & UV_WRITABLE;

	ares_process_fd(resolver->channel, readable ? fd : ARES_SOCKET_BAD,
			writable ? fd : ARES_SOCKET_BAD);
	arm(resolver);
}

static void on_timer(uv_timer_t *timer)
{
	struct resolver *resolver = container_of(timer, struct resolver, timer);

	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(resolver);
}

/* The timer follows what c-ares waits for next. */
static void arm(struct resolver *resolver)
{
	struct timeval left;

	if (!resolver->channel || !ares_timeout(resolver->channel, NULL, &left)) {
		uv_timer_stop(&resolver->timer);
		return;
	}
	uv_timer_start(&resolver->timer, on_timer,
		       (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1, 0);
}

static struct watch *take_watch(struct resolver *resolver, ares_socket_t fd)
{
	for (struct watch **at = &resolver->watches; *at; at = &(*at)->next) {
		struct watch *watch = *at;

		if (watch->fd == fd) {
			*at = watch->next;
			return watch;
		}
	}
	return NULL;
}

/* The socket is closed by c-ares right after it was told to be wanted no more. */
static void on_socket(void *user, ares_socket_t fd, int readable, int writable)
{
	struct resolver *resolver = user;
	struct watch *watch = take_watch(resolver, fd);

	if (!readable && !writable) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
		return;
	}
	if (!watch) {
		watch = new_zero(struct watch);
		watch->resolver = resolver;
		watch->fd = fd;
		if (uv_poll_init(resolver->loop, &watch->poll, fd) < 0) {
			/* The query runs into its timeout. */
			free(watch);
			return;
		}
		resolver->handles++;
	}
	watch->next = resolver->watches;
	resolver->watches = watch;
	uv_poll_start(&watch->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
		      on_poll);
}

struct resolver *resolver_new(uv_loop_t *loop, const struct resolve_sources *sources)
{
	struct resolver *resolver = new_zero(struct resolver);

	resolver->loop = loop;
	resolver->sources = *sources;
	uv_timer_init(loop, &resolver->timer);
	resolver->handles = 1;
	return resolver;
}

void resolver_close(struct resolver *resolver, void (*closed)(void *owner), void *owner)
{
	resolver->closed = closed;
	resolver->owner = owner;
	if (resolver->channel) {
		ares_destroy(resolver->channel);
		resolver->channel = NULL;
	}
	uv_close((uv_handle_t *)&resolver->timer, on_timer_closed);
}

static bool start(struct resolver *resolver)
{
	struct ares_options options = {
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = resolver,
		.hosts_path = (char *)(uintptr_t)resolver->sources.hosts, /* only copied */
	};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;

	if (resolver->sources.hosts)
		mask |= ARES_OPT_HOSTS_FILE;

	if (resolver->channel)
		return true;
	if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS)
		return false;
	/* A list that c-ares does not take leaves it with the machine's own. */
	return !resolver->sources.servers ||
	       ares_set_servers_ports_csv(resolver->channel, resolver->sources.servers) ==
		       ARES_SUCCESS;
}

static void collect(const struct ares_addrinfo *info, struct resolve_list *ret)
{
	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		if (ret->len == RESOLVE_MAX || node->ai_addrlen > sizeof(ret->items[0]))
			continue;
		memcpy(&ret->items[ret->len++], node->ai_addr, node->ai_addrlen);
	}
}

static void finish(struct resolve_query *query, const struct resolve_list *list,
		   const struct err *why)
{
	query->finished = true;
	if (query->done)
		query->done(query->owner, list, why);
	if (!query->starting)
		free(query);
}

static void on_answer(void *user, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolve_query *query = user;
	struct resolve_list list = { 0 };
	struct err err;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		query->done = NULL;
	if (status == ARES_SUCCESS)
		collect(info, &list);
	ares_freeaddrinfo(info);
	if (list.len > 0) {
		finish(query, &list, NULL);
		return;
	}
	err_set(&err, status == ARES_ETIMEOUT ? ERR_TIMEOUT : ERR_PROTOCOL, "cannot resolve %s: %s",
		query->name, status == ARES_SUCCESS ? "no address" : ares_strerror(status));
	finish(query, NULL, &err);
}

struct resolve_query *resolver_query(struct resolver *resolver, const char *name, uint16_t port,
				     resolve_done *done, void *owner)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
					     .ai_socktype = SOCK_STREAM,
					     .ai_flags = ARES_AI_NUMERICSERV };
	struct resolve_query *query = new_zero(struct resolve_query);
	char service[8];
	struct err err;

	query->done = done;
	query->owner = owner;
	query->starting = true;
	snprintf(query->name, sizeof(query->name), "%s", name);
	snprintf(service, sizeof(service), "%u", port);
	if (start(resolver)) {
		ares_getaddrinfo(resolver->channel, name, service, &hints, on_answer, query);
		arm(resolver);
	} else {
		err_set(&err, ERR_UNAVAILABLE, "cannot resolve %s: no resolver", query->name);
		finish(query, NULL, &err);
	}
	query->starting = false;
	if (query->finished) {
		free(query);
		return NULL;
	}
	return query;
}

void resolve_cancel(struct resolve_query *query)
{
	query->done = NULL;
}
