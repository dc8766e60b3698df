/* SPDX-License-Identifier: MIT */
/* A stream that was accepted, and what its request is answered; see stream.h. */
#include "tunnel/net/stream_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "init/base/text.h"
#include "tunnel/crypto/sha1.h"
#include "tunnel/net/addr.h"

/* What the longest key may be: 24 characters by the RFC. */
#define KEY_MAX 64

void stream_websocket_accept(struct span key, char out[STREAM_ACCEPT_LEN + 1])
{
	uint8_t joined[KEY_MAX + sizeof(WEBSOCKET_GUID)], digest[SHA1_LEN];
	size_t len = MIN(key.len, KEY_MAX);

	memcpy(joined, key.ptr, len);
	memcpy(joined + len, WEBSOCKET_GUID, strlen(WEBSOCKET_GUID));
	sha1_of(span_of(joined, len + strlen(WEBSOCKET_GUID)), digest);
	text_base64(span_of(digest, sizeof(digest)), out, STREAM_ACCEPT_LEN + 1);
}

void stream_asked(struct stream *s, const struct http1_head *head)
{
	if (!http1_has_no_body(head)) {
		stream_respond(s, 400, "a request with a body");
		return;
	}
	s->ops->request(s, s->owner, head);
	if (!s->closing && s->stage == STREAM_ASKING)
		stream_respond(s, 404, "there is no such thing here");
}

static bool asks_for_websocket(const struct http1_head *head, const char *protocol,
			       struct span *ret_key)
{
	struct span version;

	return http1_has_token(head, "upgrade", "websocket") &&
	       http1_has_token(head, "sec-websocket-protocol", protocol) &&
	       http1_field(head, "sec-websocket-version", &version) &&
	       span_equal_str(version, "13") && http1_field(head, "sec-websocket-key", ret_key) &&
	       ret_key->len == STREAM_SOCKET_KEY_LEN;
}

static void put_101(struct stream *s, const char *upgrade, const char *fields)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(1024);

	if (buf_printf(&text,
		       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
		       "Upgrade: %s\r\n%s\r\n",
		       upgrade, fields))
		stream_put_text(s, &text);
}

bool stream_accept(struct stream *s, const struct http1_head *head, const char *protocol)
{
	char accept[STREAM_ACCEPT_LEN + 1], fields[256];
	struct span key;

	if (s->stage != STREAM_ASKING || !span_equal_str(head->method, "GET") ||
	    !http1_has_token(head, "connection", "upgrade"))
		return false;
	if (http1_has_token(head, "upgrade", protocol)) {
		put_101(s, protocol, "");
	} else if (asks_for_websocket(head, protocol, &key)) {
		stream_websocket_accept(key, accept);
		snprintf(fields, sizeof(fields),
			 "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n", accept,
			 protocol);
		put_101(s, "websocket", fields);
		s->is_websocket = true;
		s->websocket = WEBSOCKET_INIT(WEBSOCKET_SERVER);
	} else {
		return false;
	}
	if (s->stage == STREAM_ASKING)
		stream_open(s);
	return true;
}

static const char *reason_of(unsigned int status)
{
	static const struct {
		unsigned int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Refused";
}

void stream_respond(struct stream *s, unsigned int status, const char *words)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(2048);
	struct err why;

	if (s->stage != STREAM_ASKING)
		return;
	if (buf_printf(&text,
		       "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: text/plain\r\n"
		       "Content-Length: %zu\r\n\r\n%s\n",
		       status, reason_of(status), strlen(words) + 1, words))
		stream_put_text(s, &text);
	err_set(&why, ERR_NONE, "answered with %u", status);
	stream_finish(s, &why);
}

struct stream *stream_new_accepted(const struct stream_accept_config *config,
				   const struct stream_ops *ops, void *owner)
{
	struct stream *s = stream_new(config->loop, ops, owner);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct err why;

	s->is_server = true;
	s->context = config->tls;
	if (config->timeout_ns)
		s->timeout_ns = config->timeout_ns;
	if (config->queue_max)
		s->queue_max = config->queue_max;
	s->out.max = s->queue_max + 2 * STREAM_WRITE_MAX;
	if (getpeername(config->fd, (struct sockaddr *)&from, &len) == 0)
		s->remote = addr_from_sockaddr((const struct sockaddr *)&from);
	addr_format(&s->remote, s->way);
	stream_tune(config->fd);
	s->stage = STREAM_ASKING;
	stream_start_timer(s, s->timeout_ns);
	if (stream_open_socket(s, config->fd, &why) < 0 ||
	    (s->context && stream_start_tls(s, &why) < 0))
		stream_fail(s, &why);
	return s;
}
