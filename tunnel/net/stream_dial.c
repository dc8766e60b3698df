/* SPDX-License-Identifier: MIT */
/* A stream that is dialled: socket, proxy, TLS, Upgrade, one after the other; see stream.h. */
#include "tunnel/net/stream_internal.h"

#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"
#include "tunnel/net/addr.h"

/* IPv6 addresses stand in brackets before a port (RFC 3986 section 3.2.2). */
static void format_host(const char *host, uint16_t port, char *out, size_t size)
{
	snprintf(out, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static void describe_way(struct stream *s)
{
	char host[PROXY_HOST_MAX + 16], proxy[PROXY_HOST_MAX + 16];

	format_host(s->host, s->port, host, sizeof(host));
	format_host(s->proxy.host, s->proxy.port, proxy, sizeof(proxy));
	if (s->command)
		snprintf(s->way, sizeof(s->way), "%s through %s", host, s->command[0]);
	else if (s->proxy.host[0])
		snprintf(s->way, sizeof(s->way), "%s through the proxy %s", host, proxy);
	else
		snprintf(s->way, sizeof(s->way), "%s", host);
}

static void fail(struct stream *s, struct err *why)
{
	err_wrap(why, "%s", s->way);
	stream_fail(s, why);
}

/* Upgrade */

static void make_key(struct stream *s)
{
	uint8_t bytes[16] = { 0 };

	(void)uv_random(NULL, NULL, bytes, sizeof(bytes), 0, NULL);
	text_base64(span_of(bytes, sizeof(bytes)), s->websocket_key, sizeof(s->websocket_key));
}

static void ask(struct stream *s)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(HTTP1_HEAD_MAX);
	char host[PROXY_HOST_MAX + 16];
	bool fits;

	s->stage = STREAM_ASKING;
	if (!s->protocol) {
		stream_open(s);
		s->ops->up(s, s->owner);
		return;
	}
	format_host(s->host, s->port, host, sizeof(host));
	fits = buf_printf(&text, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n", s->path,
			  host);
	if (s->is_websocket) {
		make_key(s);
		fits = fits && buf_printf(&text,
					  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
					  "Sec-WebSocket-Key: %s\r\n"
					  "Sec-WebSocket-Protocol: %s\r\n\r\n",
					  s->websocket_key, s->protocol);
	} else {
		fits = fits && buf_printf(&text, "Upgrade: %s\r\n\r\n", s->protocol);
	}
	if (fits)
		stream_put_text(s, &text);
}

void stream_dial_secured(struct stream *s)
{
	ask(s);
}

/* There is a way to the host itself: what comes next is between it and us. */
static void go_on(struct stream *s)
{
	struct err why;

	if (!s->context)
		ask(s);
	else if (stream_start_tls(s, &why) < 0)
		fail(s, &why);
}

static void start(struct stream *s);

/* An intermediary that knows no protocol of ours may know WebSockets. */
static void start_websocket(struct stream *s)
{
	s->is_websocket = true;
	s->websocket = WEBSOCKET_INIT(WEBSOCKET_CLIENT);
	stream_put_goodbye(s);
	stream_close_socket(s);
	buf_finish(&s->out);
	buf_finish(&s->head);
	start(s);
}

static void copy_reason(const struct http1_head *head, char *out, size_t size)
{
	snprintf(out, size, "%u %.*s", head->status, (int)MIN(head->reason.len, 80),
		 (const char *)head->reason.ptr);
	text_make_printable(out);
}

static bool is_upgraded(const struct stream *s, const struct http1_head *head)
{
	char accept[STREAM_ACCEPT_LEN + 1];
	struct span given;

	if (head->status != 101 || !http1_has_token(head, "connection", "upgrade"))
		return false;
	if (!s->is_websocket)
		return http1_has_token(head, "upgrade", s->protocol);
	stream_websocket_accept(span_of_str(s->websocket_key), accept);
	return http1_has_token(head, "upgrade", "websocket") &&
	       http1_field(head, "sec-websocket-accept", &given) && span_equal_str(given, accept) &&
	       http1_field(head, "sec-websocket-protocol", &given) &&
	       span_equal_str(given, s->protocol);
}

int stream_dial_answered(struct stream *s, const struct http1_head *head, struct err *err)
{
	char reason[100];
	bool busy = head->status == 429 || head->status == 503;

	if (is_upgraded(s, head)) {
		stream_open(s);
		s->ops->up(s, s->owner);
		return 1;
	}
	if (s->may_websocket && !s->is_websocket && !s->command && !busy) {
		start_websocket(s);
		return 0;
	}
	copy_reason(head, reason, sizeof(reason));
	return err_set(err, busy ? ERR_UNAVAILABLE : ERR_PROTOCOL,
		       busy ? "%s answered %s"
			    : "%s answered %s: who listens there does not speak %s",
		       s->way, reason, s->protocol);
}

/* The proxy */

static void ask_proxy(struct stream *s)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(HTTP1_HEAD_MAX);
	char host[PROXY_HOST_MAX + 16], secret[TEXT_BASE64_SIZE(PROXY_CREDENTIALS_MAX)];
	bool fits;

	s->stage = STREAM_PROXYING;
	format_host(s->host, s->port, host, sizeof(host));
	fits = buf_printf(&text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", host, host);
	if (s->proxy.credentials[0]) {
		text_base64(span_of_str(s->proxy.credentials), secret, sizeof(secret));
		fits = fits && buf_printf(&text, "Proxy-Authorization: Basic %s\r\n", secret);
	}
	if (fits && buf_printf(&text, "\r\n"))
		stream_put_text(s, &text);
	buf_wipe(&text);
}

static int explain_407(const struct stream *s, const char *proxy, const struct http1_head *head,
		       struct err *err)
{
	if (!http1_has_token(head, "proxy-authenticate", "basic"))
		return err_set(err, ERR_UNSUPPORTED,
			       "the proxy %s wants to be logged in to in a way that is not "
			       "supported: ask who runs it for Basic, or except %s with no_proxy",
			       proxy, s->host);
	if (s->proxy.credentials[0])
		return err_set(err, ERR_DENIED,
			       "the proxy %s refuses the user and the password in %s", proxy,
			       s->proxy.variable);
	return err_set(err, ERR_DENIED,
		       "the proxy %s wants a user and a password: put them in %s as "
		       "http://USER:PASSWORD@HOST:PORT",
		       proxy, s->proxy.variable);
}

int stream_dial_proxied(struct stream *s, const struct http1_head *head, struct err *err)
{
	char proxy[PROXY_HOST_MAX + 16], host[PROXY_HOST_MAX + 16], reason[100];

	if (head->status >= 200 && head->status < 300) {
		go_on(s);
		return 1;
	}
	format_host(s->proxy.host, s->proxy.port, proxy, sizeof(proxy));
	format_host(s->host, s->port, host, sizeof(host));
	if (head->status == 407)
		return explain_407(s, proxy, head, err);
	copy_reason(head, reason, sizeof(reason));
	if (head->status >= 500)
		return err_set(err, ERR_UNAVAILABLE, "the proxy %s cannot reach %s: %s", proxy,
			       host, reason);
	return err_set(err, ERR_DENIED,
		       "the proxy %s does not allow a connection to %s: %s: ask who runs it to "
		       "allow CONNECT to this port",
		       proxy, host, reason);
}

/* The socket */

static void connected(struct stream *s, int fd)
{
	struct err why;

	if (stream_open_socket(s, fd, &why) < 0)
		fail(s, &why);
	else if (s->proxy.host[0] && !s->command)
		ask_proxy(s);
	else
		go_on(s);
}

static void on_connected(void *owner, int fd, const struct quic_addr *remote,
			 const struct err *reason)
{
	struct stream *s = owner;
	struct err why;

	s->race = NULL;
	if (fd >= 0) {
		s->remote = *remote;
		connected(s, fd);
		return;
	}
	why = *reason;
	if (s->proxy.host[0])
		err_wrap(&why, "the proxy %s:%u (from %s) cannot be reached", s->proxy.host,
			 s->proxy.port, s->proxy.variable);
	fail(s, &why);
}

static void on_child_ended(void *owner)
{
	struct stream *s = owner;

	s->child_ended = true;
	if (s->at_end)
		stream_ended(s);
}

static void start_child(struct stream *s)
{
	struct err why;
	int fd;

	s->child = stream_child_new(s->loop, (const char *const *)s->command, on_child_ended, s,
				    &fd, &why);
	if (s->child)
		connected(s, fd);
	else
		fail(s, &why);
}

static void start(struct stream *s)
{
	s->stage = STREAM_DIALLING;
	stream_start_timer(s, s->timeout_ns);
	if (s->command)
		start_child(s);
	else if (s->proxy.host[0])
		s->race = stream_race_new(s->loop, s->proxy.host, s->proxy.port, on_connected, s);
	else
		s->race = stream_race_new(s->loop, s->host, s->port, on_connected, s);
}

int stream_dial_timed_out(const struct stream *s, struct err *err)
{
	if (s->stage == STREAM_PROXYING || (s->stage == STREAM_DIALLING && s->proxy.host[0]))
		return err_set(err, ERR_TIMEOUT, "%s: the proxy does not answer", s->way);
	return err_set(err, ERR_TIMEOUT, "%s: no answer", s->way);
}

void stream_dial_stop(struct stream *s)
{
	stream_race_cancel(s->race);
	s->race = NULL;
	stream_child_close(s->child);
	s->child = NULL;
}

static char **copy_command(const char *const *command)
{
	size_t count = 0;
	char **copy;

	while (command[count])
		count++;
	copy = new_array(char *, count + 1);
	for (size_t i = 0; i < count; i++)
		copy[i] = str_dup(command[i]);
	return copy;
}

struct stream *stream_dial(const struct stream_dial_config *config, const struct stream_ops *ops,
			   void *owner)
{
	struct stream *s = stream_new(config->loop, ops, owner);
	struct err why;

	s->host = str_dup(config->host);
	s->port = config->port;
	s->path = config->path ? str_dup(config->path) : NULL;
	s->protocol = config->protocol ? str_dup(config->protocol) : NULL;
	s->command = config->command ? copy_command(config->command) : NULL;
	s->context = config->tls;
	s->may_websocket = config->websocket;
	if (config->timeout_ns)
		s->timeout_ns = config->timeout_ns;
	s->out.max = s->queue_max + 2 * STREAM_WRITE_MAX;
	if (config->use_proxy && !s->command &&
	    proxy_from_environment(s->host, &s->proxy, &why) < 0) {
		describe_way(s);
		stream_fail(s, &why);
		return s;
	}
	describe_way(s);
	start(s);
	return s;
}
