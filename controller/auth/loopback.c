/* SPDX-License-Identifier: MIT */
/* Where the browser comes back to; see loopback.h. */
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "init/base/fd.h"

#define PAGE(title, text)                                                             \
	"<!doctype html><html><head><meta charset=utf-8><title>berth: " title         \
	"</title></head><body style=\"font-family:sans-serif;margin:4em\"><h1>" title \
	"</h1><p>" text "</p></body></html>\n"

struct connection {
	int fd; /* -1: free */
	struct buf request;
};

struct loopback {
	int fd;
	char *url;
	struct connection connections[LOOPBACK_CONNECTIONS];
};

static const struct answer {
	const char *status;
	const char *page;
} answers[] = {
	{ "403 Forbidden",
	  PAGE("Not logged in", "The terminal says why. You can close this page.") },
	{ "400 Bad Request",
	  PAGE("Not the answer", "This is not what berth waits for. You can close this page.") },
	{ "200 OK", PAGE("Logged in", "berth has what it needs. You can close this page.") },
};
static const struct answer not_found = { "404 Not Found",
					 PAGE("Nothing here", "You can close this page.") };

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int loopback_open(unsigned int port, struct loopback **ret, struct err *err)
{
	cleanup(loopback_close) struct loopback *loopback = new_zero(struct loopback);
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);

	for (size_t i = 0; i < LOOPBACK_CONNECTIONS; i++)
		loopback->connections[i] = (struct connection){ .fd = -1 };
	loopback->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (loopback->fd < 0)
		return err_set_errno(err, errno, "socket");
	if (bind(loopback->fd, (struct sockaddr *)&addr, len) < 0 ||
	    listen(loopback->fd, LOOPBACK_CONNECTIONS) < 0 ||
	    getsockname(loopback->fd, (struct sockaddr *)&addr, &len) < 0)
		return err_set_errno(err, errno, "listen on 127.0.0.1, port %u", port);
	loopback->url = str_printf("http://127.0.0.1:%u" LOOPBACK_PATH, ntohs(addr.sin_port));
	*ret = take_ptr(loopback);
	return 0;
}

static void drop(struct connection *connection)
{
	connection->fd = fd_close(connection->fd);
	buf_wipe(&connection->request);
}

struct loopback *loopback_close(struct loopback *loopback)
{
	if (loopback) {
		for (size_t i = 0; i < LOOPBACK_CONNECTIONS; i++)
			drop(&loopback->connections[i]);
		fd_close(loopback->fd);
		free(loopback->url);
		free(loopback);
	}
	return NULL;
}

const char *loopback_url(const struct loopback *loopback)
{
	return loopback->url;
}

int loopback_parse(struct span bytes, struct span *ret)
{
	static const char begin[] = "GET " LOOPBACK_PATH;
	const uint8_t *line = bytes.len ? memchr(bytes.ptr, '\n', bytes.len) : NULL;
	struct span target;
	const uint8_t *end;

	if (memcmp(bytes.ptr ? bytes.ptr : (const uint8_t *)begin, begin,
		   MIN(bytes.len, sizeof(begin) - 1)) != 0)
		return -1;
	if (!line || !memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4))
		return bytes.len < LOOPBACK_REQUEST_MAX ? 0 : -1;
	target = span_of(bytes.ptr, (size_t)(line - bytes.ptr));
	if (target.len < sizeof(begin))
		return -1;
	span_cut(&target, sizeof(begin) - 1);
	end = memchr(target.ptr, ' ', target.len);
	if (!end || (target.ptr[0] != '?' && target.ptr[0] != ' '))
		return -1;
	if (target.ptr[0] == '?')
		span_cut(&target, 1);
	*ret = span_of(target.ptr, (size_t)(end - target.ptr));
	return 1;
}

/* What does not fit into the socket is lost: a browser that does not read gets no page. */
static void answer(struct connection *connection, const struct answer *answer)
{
	cleanup_free char *text = str_printf("HTTP/1.1 %s\r\n"
					     "Content-Type: text/html; charset=utf-8\r\n"
					     "Content-Length: %zu\r\n"
					     "Cache-Control: no-store\r\n"
					     "Referrer-Policy: no-referrer\r\n"
					     "Content-Security-Policy: default-src 'none'; "
					     "style-src 'unsafe-inline'\r\n"
					     "Connection: close\r\n\r\n%s",
					     answer->status, strlen(answer->page), answer->page);
	ssize_t n = send(connection->fd, text, strlen(text), MSG_NOSIGNAL);

	(void)n;
	shutdown(connection->fd, SHUT_WR);
	drop(connection);
}

static void accept_one(struct loopback *loopback)
{
	int fd = accept4(loopback->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *free_one = NULL;

	for (size_t i = 0; i < LOOPBACK_CONNECTIONS && !free_one; i++) {
		if (loopback->connections[i].fd < 0)
			free_one = &loopback->connections[i];
	}
	/* The oldest ones go when somebody holds all of them. */
	if (fd >= 0 && !free_one) {
		free_one = &loopback->connections[0];
		drop(free_one);
	}
	if (fd >= 0) {
		free_one->fd = fd;
		buf_init(&free_one->request, LOOPBACK_REQUEST_MAX);
	}
}

/* 1: this was the answer. 0: wait on. */
static int read_one(struct connection *connection,
		    int (*take)(void *owner, struct span query, struct err *err), void *owner,
		    struct err *err)
{
	size_t room = MIN(buf_room(&connection->request), (size_t)4096);
	uint8_t *bytes = buf_reserve(&connection->request, room);
	ssize_t n = bytes && room ? recv(connection->fd, bytes, room, 0) : 0;
	struct span query;
	int state;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		drop(connection);
		return 0;
	}
	buf_commit(&connection->request, (size_t)n);
	state = loopback_parse(buf_span(&connection->request), &query);
	if (state == 0)
		return 0;
	if (state < 0) {
		answer(connection, &not_found);
		return 0;
	}
	state = take(owner, query, err);
	answer(connection, &answers[state == 0 ? 1 : state < 0 ? 0 : 2]);
	return state;
}

int loopback_wait(struct loopback *loopback, unsigned int timeout_ms,
		  int (*take)(void *owner, struct span query, struct err *err), void *owner,
		  struct err *err)
{
	uint64_t deadline = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd fds[LOOPBACK_CONNECTIONS + 1];
		uint64_t now = now_ms();
		int state = 0;

		for (size_t i = 0; i < LOOPBACK_CONNECTIONS; i++)
			fds[i] = (struct pollfd){ .fd = loopback->connections[i].fd,
						  .events = POLLIN };
		fds[LOOPBACK_CONNECTIONS] = (struct pollfd){ .fd = loopback->fd, .events = POLLIN };
		if (now >= deadline)
			return err_set(err, ERR_TIMEOUT, "nobody logged in within %u minutes",
				       timeout_ms / 60000);
		if (poll(fds, ARRAY_LEN(fds), (int)(deadline - now)) < 0 && errno != EINTR)
			return err_set_errno(err, errno, "poll");
		for (size_t i = 0; i < LOOPBACK_CONNECTIONS && state == 0; i++) {
			if (fds[i].revents)
				state = read_one(&loopback->connections[i], take, owner, err);
		}
		if (state != 0)
			return state < 0 ? -1 : 0;
		if (fds[LOOPBACK_CONNECTIONS].revents)
			accept_one(loopback);
	}
}
