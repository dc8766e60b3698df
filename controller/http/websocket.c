/* SPDX-License-Identifier: MIT */
/* WebSockets to an HTTP server; see websocket.h. */
#include "websocket.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sha1.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"

#define KEY_SIZE 16
#define KEY_TEXT_SIZE 25
#define ACCEPT_TEXT_SIZE 29
#define PIECE 65536
/* A frame's head and our answers fit in any case. */
#define RESERVE (WEBSOCKET_HEAD_MAX + WEBSOCKET_ANSWER_MAX)
#define HEADERS_MAX 16

struct http_websocket {
	int fd;
	size_t protocol;
	struct websocket frames;
	struct buf out;
	uint8_t in[PIECE];
	uint8_t *at; /* in `in`: what was not read out */
	size_t left;
	bool is_over; /* the server hung up */
	bool is_deaf; /* or reads no more; what it says can still be read */
};

/* What proves that the server has understood (RFC 6455 section 4.2.2, step 5.4). */
static void make_accept(const char *key, char out[ACCEPT_TEXT_SIZE])
{
	uint8_t digest[SHA1_DIGEST_LENGTH];
	SHA1_CTX sha1;

	SHA1Init(&sha1);
	SHA1Update(&sha1, (const uint8_t *)key, strlen(key));
	SHA1Update(&sha1, (const uint8_t *)WEBSOCKET_GUID, strlen(WEBSOCKET_GUID));
	SHA1Final(digest, &sha1);
	text_base64(span_of(digest, sizeof(digest)), out, ACCEPT_TEXT_SIZE);
}

static int make_random(void *out, size_t len, struct err *err)
{
	if (getrandom(out, len, 0) != (ssize_t)len)
		return err_set_errno(err, errno, "no random numbers");
	return 0;
}

static char *join_protocols(const char *const *protocols)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);
	bool ok = buf_printf(&b, "Sec-WebSocket-Protocol: ");

	for (size_t i = 0; protocols[i]; i++)
		ok = ok && buf_printf(&b, "%s%s", i ? ", " : "", protocols[i]);
	assert(ok);
	return buf_take_str(&b);
}

/* The server's choice; none is the first. */
static int find_protocol(const char *const *protocols, const char *chosen, size_t *ret,
			 struct err *err)
{
	for (size_t i = 0; protocols[i]; i++) {
		if (chosen[0] == '\0' || strcmp(chosen, protocols[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return err_set(err, ERR_PROTOCOL, "the server speaks a protocol that nobody asked for");
}

enum { UPGRADE, ACCEPT, PROTOCOL, WANTED };

static int check_answer(int status, const struct http_wanted *wanted, const char *key,
			struct err *err)
{
	char accept[ACCEPT_TEXT_SIZE];

	make_accept(key, accept);
	if (status == 101 && strcasecmp(wanted[UPGRADE].value, "websocket") == 0 &&
	    strcmp(wanted[ACCEPT].value, accept) == 0)
		return 0;
	return err_set(err, ERR_PROTOCOL,
		       "the server opens no WebSocket: is there a proxy before it that does not "
		       "know them?");
}

static int ask(struct http *http, const struct http_request *request, const char *key,
	       const char *protocols, struct http_wanted *wanted, int *ret_fd,
	       struct http_response *response, struct err *err)
{
	cleanup_free char *key_header = str_printf("Sec-WebSocket-Key: %s", key);
	const char *headers[HEADERS_MAX] = { "Connection: Upgrade", "Upgrade: websocket",
					     "Sec-WebSocket-Version: 13", key_header, protocols };
	struct http_request own = *request;
	size_t len = 5;

	for (const char *const *header = request->headers; header && *header; header++) {
		assert(len < HEADERS_MAX - 1);
		headers[len++] = *header;
	}
	own.headers = headers;
	own.wanted = wanted;
	return http_upgrade(http, &own, ret_fd, response, err);
}

int http_websocket_open(struct http *http, const struct http_request *request,
			const char *const *protocols, struct http_websocket **ret,
			struct http_response *response, struct err *err)
{
	cleanup_free char *offered = join_protocols(protocols);
	struct http_wanted wanted[WANTED + 1] = {
		[UPGRADE] = { .name = "Upgrade" },
		[ACCEPT] = { .name = "Sec-WebSocket-Accept" },
		[PROTOCOL] = { .name = "Sec-WebSocket-Protocol" },
	};
	struct http_websocket *ws;
	cleanup_close int fd = -1;
	uint8_t random[KEY_SIZE];
	char key[KEY_TEXT_SIZE];
	size_t protocol;

	if (make_random(random, sizeof(random), err) < 0)
		return -1;
	text_base64(span_of(random, sizeof(random)), key, sizeof(key));
	if (ask(http, request, key, offered, wanted, &fd, response, err) < 0 ||
	    check_answer(response->status, wanted, key, err) < 0 ||
	    find_protocol(protocols, wanted[PROTOCOL].value, &protocol, err) < 0 ||
	    fd_set_nonblock(fd, true, err) < 0)
		return -1;
	ws = new_zero(struct http_websocket);
	ws->fd = take_fd(fd);
	ws->protocol = protocol;
	ws->frames = WEBSOCKET_INIT(WEBSOCKET_CLIENT);
	buf_init(&ws->out, HTTP_WEBSOCKET_WAITING + RESERVE);
	*ret = ws;
	return 0;
}

size_t http_websocket_protocol(const struct http_websocket *ws)
{
	return ws->protocol;
}

int http_websocket_fd(const struct http_websocket *ws)
{
	return ws->fd;
}

short http_websocket_events(const struct http_websocket *ws)
{
	short events = ws->left == 0 && !ws->is_over ? POLLIN : 0;

	return (short)(events | (buf_len(&ws->out) ? POLLOUT : 0));
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static int write_some(struct http_websocket *ws, struct err *err)
{
	struct span bytes = buf_span(&ws->out);
	ssize_t n;

	if (bytes.len == 0 || ws->is_over)
		return 0;
	n = send(ws->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
	if (n > 0)
		buf_consume(&ws->out, (size_t)n);
	else if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		ws->is_deaf = true;
	else if (n < 0 && !would_block())
		return err_set_errno(err, errno, "the WebSocket");
	if (ws->is_deaf)
		buf_clear(&ws->out);
	return 0;
}

static int read_some(struct http_websocket *ws, struct err *err)
{
	ssize_t n;

	if (ws->left > 0 || ws->is_over)
		return 0;
	n = recv(ws->fd, ws->in, sizeof(ws->in), 0);
	if (n < 0 && errno != ECONNRESET)
		return would_block() ? 0 : err_set_errno(err, errno, "the WebSocket");
	ws->at = ws->in;
	ws->left = n > 0 ? (size_t)n : 0;
	ws->is_over = n <= 0;
	return 0;
}

int http_websocket_turn(struct http_websocket *ws, struct err *err)
{
	return write_some(ws, err) < 0 || read_some(ws, err) < 0 ? -1 : 0;
}

static int put_answer(struct http_websocket *ws, struct err *err)
{
	struct websocket_key key;
	uint8_t *room = ws->is_deaf ? NULL : buf_reserve(&ws->out, WEBSOCKET_ANSWER_MAX);

	if (!room)
		return 0; /* asked again when there is room, and of several PINGs one counts */
	if (make_random(&key, sizeof(key), err) < 0)
		return -1;
	buf_commit(&ws->out, websocket_answer(&ws->frames, &key, room));
	return 0;
}

int http_websocket_read(struct http_websocket *ws, struct websocket_piece *ret, struct err *err)
{
	int result = websocket_next(&ws->frames, &ws->at, &ws->left, ret, err);

	if (result < 0 || (websocket_has_answer(&ws->frames) && put_answer(ws, err) < 0))
		return -1;
	if (ws->frames.is_closed)
		ws->left = 0;
	return result;
}

bool http_websocket_has_ended(const struct http_websocket *ws)
{
	return ws->left == 0 && (ws->is_over || ws->frames.is_closed);
}

size_t http_websocket_room(const struct http_websocket *ws)
{
	size_t room = buf_room(&ws->out);

	return room > RESERVE ? room - RESERVE : 0;
}

int http_websocket_send(struct http_websocket *ws, struct span head, struct span payload,
			struct err *err)
{
	size_t len = head.len + payload.len, at;
	struct websocket_key key;
	uint8_t *room;

	assert(len <= http_websocket_room(ws));
	if (ws->is_deaf)
		return 0;
	if (make_random(&key, sizeof(key), err) < 0)
		return -1;
	room = buf_reserve(&ws->out, WEBSOCKET_HEAD_MAX + len);
	assert(room);
	at = websocket_put_head(WEBSOCKET_CLIENT, len, &key, room);
	if (head.len)
		memcpy(room + at, head.ptr, head.len);
	if (payload.len)
		memcpy(room + at + head.len, payload.ptr, payload.len);
	websocket_mask(&key, 0, room + at, len);
	buf_commit(&ws->out, at + len);
	return 0;
}

int http_websocket_ping(struct http_websocket *ws, struct err *err)
{
	struct websocket_key key;
	uint8_t *room;

	if (ws->is_deaf || buf_len(&ws->out) > 0)
		return 0;
	if (make_random(&key, sizeof(key), err) < 0)
		return -1;
	room = buf_reserve(&ws->out, WEBSOCKET_HEAD_MAX);
	assert(room);
	buf_commit(&ws->out, websocket_put_ping(WEBSOCKET_CLIENT, &key, room));
	return 0;
}

struct http_websocket *http_websocket_close(struct http_websocket *ws)
{
	uint8_t bye[WEBSOCKET_ANSWER_MAX];
	struct websocket_key key = { { 1, 2, 3, 4 } };

	if (ws) {
		/* Only where it does not end up inside another frame. */
		if (buf_len(&ws->out) == 0 && !ws->is_over)
			(void)!send(ws->fd, bye, websocket_put_close(WEBSOCKET_CLIENT, &key, bye),
				    MSG_NOSIGNAL | MSG_DONTWAIT);
		fd_close(ws->fd);
		buf_finish(&ws->out);
		free(ws);
	}
	return NULL;
}
