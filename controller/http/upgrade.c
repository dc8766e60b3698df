/* SPDX-License-Identifier: MIT */
/*
 * Connections that stop being HTTP (http_upgrade() in http.h). libcurl makes the connection, with
 * TLS where that is wanted; the request and the head of the answer are written and read here, byte
 * for byte, because what follows the head is no longer libcurl's to look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controller/http/head.h"
#include "controller/http/internal.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"

#define REQUEST_MAX (1024 * 1024)
#define REFUSAL_MAX 65536
#define PIECE 65536

struct upgrade {
	struct http *http;
	CURL *easy;
	int socket; /* libcurl's */
	uint64_t deadline;
	char why[CURL_ERROR_SIZE];
};

static void upgrade_finish(struct upgrade *u)
{
	if (u->easy)
		u->http->curl->easy_cleanup(u->easy);
}
DEFINE_CLEANUP_VALUE(struct upgrade, upgrade_finish)

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int open_connection(struct upgrade *u, struct err *err)
{
	__typeof__(curl_easy_setopt) *set = u->http->curl->easy_setopt;
	curl_socket_t socket = CURL_SOCKET_BAD;
	CURLcode code;

	u->easy = u->http->curl->easy_init();
	if (!u->easy)
		return err_set(err, ERR_INTERNAL, "libcurl makes no handle");
	http_set_target(u->http, u->easy);
	set(u->easy, CURLOPT_ERRORBUFFER, u->why);
	set(u->easy, CURLOPT_URL, u->http->base);
	set(u->easy, CURLOPT_CONNECT_ONLY, 1L);
	set(u->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	set(u->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
	code = u->http->curl->easy_perform(u->easy);
	if (code == CURLE_OK)
		code = u->http->curl->easy_getinfo(u->easy, CURLINFO_ACTIVESOCKET, &socket);
	u->socket = (int)socket;
	return code == CURLE_OK ? 0 : http_explain(u->http, u->why, code, 0, err);
}

/* "host:port" of the address, which may go on with a path. */
static bool add_request(struct buf *text, const struct http *http,
			const struct http_request *request)
{
	const char *host = strstr(http->base, "://") + 3;
	const char *path = strchrnul(host, '/');
	bool ok = buf_printf(text, "%s %s%s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: berth/%s\r\n",
			     request->method ? request->method : "GET", path, request->path,
			     (int)(path - host), host, BERTH_VERSION);

	for (const char *const *header = request->headers; header && *header; header++)
		ok = ok && buf_printf(text, "%s\r\n", *header);
	if (request->content_type)
		ok = ok && buf_printf(text, "Content-Type: %s\r\n", request->content_type);
	if (request->body.len > 0)
		ok = ok && buf_printf(text, "Content-Length: %zu\r\n", request->body.len);
	return ok && buf_append(text, "\r\n", 2) && buf_append_span(text, request->body);
}

/* Waits for the connection until the deadline; false when that passes. */
static bool wait_for(const struct upgrade *u, short events)
{
	struct pollfd wait = { .fd = u->socket, .events = events };
	uint64_t now = now_ms();

	return now < u->deadline &&
	       poll(&wait, 1, (int)MIN(u->deadline - now, (uint64_t)INT32_MAX)) > 0;
}

static int send_all(struct upgrade *u, struct span text, struct err *err)
{
	while (text.len > 0) {
		size_t sent = 0;
		CURLcode code = u->http->curl->easy_send(u->easy, text.ptr, text.len, &sent);

		if (code == CURLE_AGAIN && !wait_for(u, POLLOUT))
			code = CURLE_OPERATION_TIMEDOUT;
		if (code != CURLE_OK && code != CURLE_AGAIN)
			return http_explain(u->http, u->why, code, 0, err);
		span_cut(&text, sent);
	}
	return 0;
}

/* One byte, or as many as there are up to max. 0: the end. */
static int receive(struct upgrade *u, size_t max, struct buf *ret, size_t *ret_len, struct err *err)
{
	uint8_t *room = buf_reserve(ret, max);

	if (!room)
		return err_set(err, ERR_PROTOCOL, "%s: the head of its answer is too long",
			       u->http->url);
	for (;;) {
		CURLcode code = u->http->curl->easy_recv(u->easy, room, max, ret_len);

		if (code == CURLE_OK) {
			buf_commit(ret, *ret_len);
			return 0;
		}
		if (code == CURLE_AGAIN && !wait_for(u, POLLIN))
			code = CURLE_OPERATION_TIMEDOUT;
		if (code != CURLE_AGAIN)
			return http_explain(u->http, u->why, code, 0, err);
	}
}

static bool ends_head(struct span text)
{
	return text.len >= 4 && memcmp(text.ptr + text.len - 4, "\r\n\r\n", 4) == 0;
}

static void take_wanted(struct span head, struct http_wanted *wanted)
{
	for (; wanted && wanted->name; wanted++) {
		struct span value = http_head_field(head, wanted->name);

		if (value.len >= sizeof(wanted->value))
			value.len = 0;
		snprintf(wanted->value, sizeof(wanted->value), "%.*s", (int)value.len,
			 value.len ? (const char *)value.ptr : "");
	}
}

/* To the byte, so that nothing is taken of what follows. */
static int read_head(struct upgrade *u, struct http_wanted *wanted, struct http_head *ret,
		     struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(HTTP_HEAD_MAX);
	size_t len = 1;

	while (!ends_head(buf_span(&text)) && len > 0) {
		if (receive(u, 1, &text, &len, err) < 0)
			return -1;
	}
	if (!http_head_parse(buf_span(&text), ret))
		return err_set(err, ERR_PROTOCOL, "%s does not speak HTTP as it should",
			       u->http->url);
	take_wanted(buf_span(&text), wanted);
	return 0;
}

/* Why not, as far as it says so in time. */
static void read_refusal(struct upgrade *u, const struct http_head *head, struct buf *ret)
{
	size_t len = 1,
	       left = head->has_length ? MIN(head->length, (uint64_t)REFUSAL_MAX) : REFUSAL_MAX;

	while (len > 0 && left > 0 && receive(u, MIN(left, buf_room(ret)), ret, &len, NULL) == 0)
		left -= len;
}

/* From us to the server; false at an end. */
static bool carry_out(struct upgrade *u, int ours, uint8_t *bytes)
{
	ssize_t n = read(ours, bytes, PIECE);

	u->deadline = UINT64_MAX;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && send_all(u, span_of(bytes, (size_t)n), NULL) == 0;
}

/* All that is there, since TLS may hold some back that poll() does not see. */
static bool carry_in(struct upgrade *u, int ours, uint8_t *bytes)
{
	for (;;) {
		size_t n = 0;
		CURLcode code = u->http->curl->easy_recv(u->easy, bytes, PIECE, &n);

		if (code == CURLE_AGAIN)
			return true;
		if (code != CURLE_OK || n == 0 || fd_write_all(ours, span_of(bytes, n), NULL) < 0)
			return false;
	}
}

attr_noreturn static void be_carrier(struct upgrade *u, int ours)
{
	struct pollfd ends[] = { { .fd = ours, .events = POLLIN },
				 { .fd = u->socket, .events = POLLIN } };
	uint8_t *bytes = new_array(uint8_t, PIECE);
	bool goes_on = carry_in(u, ours, bytes);

	while (goes_on) {
		if (poll(ends, ARRAY_LEN(ends), -1) < 0)
			continue;
		if (ends[1].revents)
			goes_on = carry_in(u, ours, bytes);
		if (goes_on && ends[0].revents)
			goes_on = carry_out(u, ours, bytes);
	}
	_exit(0);
}

/*
 * The connection is the child's alone: libcurl, which is about to end it politely, finds something
 * else in its place.
 */
static void leave_socket(const struct upgrade *u)
{
	cleanup_close int nothing = fd_open("/dev/null", O_RDWR);

	if (nothing >= 0)
		dup3(nothing, u->socket, O_CLOEXEC);
}

/*
 * The child is nobody's to wait for: its parent has ended at once. Both ends of the pair but its
 * own are closed in it, so that it sees the other's end.
 */
static int start_carrier(struct upgrade *u, int *ret_fd, struct err *err)
{
	int pair[2];
	pid_t middle;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	middle = fork();
	if (middle == 0) {
		close(pair[0]);
		if (fork() == 0)
			be_carrier(u, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	if (middle < 0) {
		close(pair[0]);
		return err_set_errno(err, errno, "fork");
	}
	while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
		continue;
	leave_socket(u);
	*ret_fd = pair[0];
	return 0;
}

static int hand_over(struct upgrade *u, int *ret_fd, struct err *err)
{
	int fd;

	if (strncasecmp(u->http->base, "https:", 6) == 0)
		return start_carrier(u, ret_fd, err);
	fd = fcntl(u->socket, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_set_errno(err, errno, "dup");
	*ret_fd = fd;
	return fd_set_nonblock(fd, false, err);
}

int http_upgrade(struct http *http, const struct http_request *request, int *ret_fd,
		 struct http_response *ret, struct err *err)
{
	cleanup(upgrade_finish) struct upgrade u = { .http = http };
	cleanup(buf_wipe) struct buf text = BUF_INIT(REQUEST_MAX);
	struct http_head head;

	u.deadline = now_ms() + (request->timeout_ms ? request->timeout_ms : HTTP_TIMEOUT_MS);
	buf_wipe(&ret->body);
	buf_init(&ret->body, REFUSAL_MAX);
	ret->status = 0;
	if (!add_request(&text, http, request))
		return err_set(err, ERR_LIMIT, "the request is larger than %d bytes", REQUEST_MAX);
	if (open_connection(&u, err) < 0 || send_all(&u, buf_span(&text), err) < 0 ||
	    read_head(&u, request->wanted, &head, err) < 0)
		return -1;
	ret->status = head.status;
	if (head.status == 101 || head.status == 200)
		return hand_over(&u, ret_fd, err);
	read_refusal(&u, &head, &ret->body);
	return http_refuse(head.status, err);
}
