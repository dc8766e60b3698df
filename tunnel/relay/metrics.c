/* SPDX-License-Identifier: MIT */
/* Prometheus' text and health over HTTP/1.0; see metrics.h. */
#include "metrics.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/addr.h"

struct metrics_conn {
	struct metrics_conn *next;
	struct metrics *metrics;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	unsigned int handles;
	struct buf head, answer;
	bool is_closing, is_answered;
	char room[512];
};

struct metrics {
	const struct metrics_ops *ops;
	void *owner;
	uv_tcp_t tcp;
	struct quic_addr local;
	struct metrics_conn *conns;
	size_t conn_count;
	bool is_closing, is_closed;
};

static void maybe_free(struct metrics *metrics)
{
	if (metrics->is_closed && !metrics->conns)
		free(metrics);
}

static void on_conn_closed(uv_handle_t *handle)
{
	struct metrics_conn *conn = handle->data, **link = &conn->metrics->conns;
	struct metrics *metrics = conn->metrics;

	if (--conn->handles > 0)
		return;
	while (*link != conn)
		link = &(*link)->next;
	*link = conn->next;
	metrics->conn_count--;
	buf_finish(&conn->head);
	buf_finish(&conn->answer);
	free(conn);
	maybe_free(metrics);
}

static void close_conn(struct metrics_conn *conn)
{
	if (conn->is_closing)
		return;
	conn->is_closing = true;
	uv_close((uv_handle_t *)&conn->tcp, on_conn_closed);
	uv_close((uv_handle_t *)&conn->timer, on_conn_closed);
}

static void on_time(uv_timer_t *timer)
{
	close_conn(timer->data);
}

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	close_conn(write->data);
}

/* Requests */

int metrics_parse(struct span head, enum metrics_page *ret)
{
	static const struct {
		const char *start;
		enum metrics_page page;
	} pages[] = {
		{ "GET /metrics ", METRICS_PAGE_METRICS },
		{ "GET /health ", METRICS_PAGE_HEALTH },
	};

	if (!head.len || !memmem(head.ptr, head.len, "\r\n\r\n", 4))
		return head.len >= METRICS_HEAD_MAX ? 431 : 0;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		size_t len = strlen(pages[i].start);

		if (head.len > len + 5 && memcmp(head.ptr, pages[i].start, len) == 0 &&
		    memcmp(head.ptr + len, "HTTP/", 5) == 0) {
			*ret = pages[i].page;
			return 200;
		}
	}
	return memcmp(head.ptr, "GET ", 4) == 0 ? 404 : 405;
}

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Service Unavailable";
	}
}

static void send_answer(struct metrics_conn *conn, int status, struct span body)
{
	uv_buf_t out;

	conn->is_answered = true;
	uv_read_stop((uv_stream_t *)&conn->tcp);
	if (!buf_printf(&conn->answer,
			"HTTP/1.0 %d %s\r\nContent-Type: text/plain; version=0.0.4; "
			"charset=utf-8\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
			status, reason_of(status), body.len) ||
	    !buf_append_span(&conn->answer, body)) {
		close_conn(conn);
		return;
	}
	out = uv_buf_init((char *)conn->answer.mem + conn->answer.head,
			  (unsigned int)buf_len(&conn->answer));
	if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &out, 1, on_written) != 0)
		close_conn(conn);
}

static void answer(struct metrics_conn *conn, int status, enum metrics_page page)
{
	const struct metrics *metrics = conn->metrics;
	cleanup(buf_finish) struct buf body = BUF_INIT(METRICS_TEXT_MAX);

	if (status == 200 && page == METRICS_PAGE_METRICS) {
		metrics->ops->write(metrics->owner, &body);
		send_answer(conn, 200, buf_span(&body));
	} else if (status == 200 && metrics->ops->is_healthy(metrics->owner)) {
		send_answer(conn, 200, span_of_str("ok\n"));
	} else if (status == 200) {
		send_answer(conn, 503, span_of_str("draining\n"));
	} else {
		send_answer(conn, status, span_of_str("try /metrics or /health\n"));
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct metrics_conn *conn = handle->data;

	(void)suggested;
	*ret = uv_buf_init(conn->room, sizeof(conn->room));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct metrics_conn *conn = stream->data;
	enum metrics_page page = METRICS_PAGE_HEALTH;
	int status;

	if (conn->is_answered)
		return;
	if (len < 0) {
		close_conn(conn);
		return;
	}
	if (!buf_append(&conn->head, buf->base, MIN((size_t)len, buf_room(&conn->head)))) {
		close_conn(conn);
		return;
	}
	status = metrics_parse(buf_span(&conn->head), &page);
	if (status != 0)
		answer(conn, status, page);
}

/* Listening */

static void on_listen_closed(uv_handle_t *handle)
{
	struct metrics *metrics = handle->data;

	metrics->is_closed = true;
	maybe_free(metrics);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct metrics *metrics = server->data;
	struct metrics_conn *conn;

	if (status < 0 || metrics->is_closing)
		return;
	conn = new_zero(struct metrics_conn);
	conn->metrics = metrics;
	conn->handles = 2;
	conn->next = metrics->conns;
	metrics->conns = conn;
	metrics->conn_count++;
	buf_init(&conn->head, METRICS_HEAD_MAX);
	buf_init(&conn->answer, METRICS_TEXT_MAX + 512);
	uv_tcp_init(server->loop, &conn->tcp);
	uv_timer_init(server->loop, &conn->timer);
	conn->tcp.data = conn->timer.data = conn->write.data = conn;
	uv_timer_start(&conn->timer, on_time, METRICS_TIME_MS, 0);
	/* One too many is taken off the queue and shut. */
	if (uv_accept(server, (uv_stream_t *)&conn->tcp) != 0 ||
	    metrics->conn_count > METRICS_CONNS_MAX ||
	    uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0)
		close_conn(conn);
}

const struct quic_addr *metrics_local(const struct metrics *metrics)
{
	return &metrics->local;
}

struct metrics *metrics_new(uv_loop_t *loop, const struct quic_addr *listen,
			    const struct metrics_ops *ops, void *owner, struct err *err)
{
	struct metrics *metrics = new_zero(struct metrics);
	struct sockaddr_storage at;
	int len = sizeof(at), rv;

	metrics->ops = ops;
	metrics->owner = owner;
	uv_tcp_init(loop, &metrics->tcp);
	metrics->tcp.data = metrics;
	rv = uv_tcp_bind(&metrics->tcp, &listen->any, 0);
	if (rv == 0)
		rv = uv_listen((uv_stream_t *)&metrics->tcp, METRICS_CONNS_MAX, on_connection);
	if (rv == 0)
		rv = uv_tcp_getsockname(&metrics->tcp, (struct sockaddr *)&at, &len);
	if (rv != 0) {
		char text[ADDR_TEXT_MAX];

		addr_format(listen, text);
		err_set(err, rv == UV_EADDRINUSE ? ERR_EXISTS : ERR_SYSTEM, "--metrics: %s: %s",
			text, uv_strerror(rv));
		metrics_close(metrics);
		return NULL;
	}
	metrics->local = addr_from_sockaddr((struct sockaddr *)&at);
	return metrics;
}

void metrics_close(struct metrics *metrics)
{
	if (!metrics || metrics->is_closing)
		return;
	metrics->is_closing = true;
	for (struct metrics_conn *conn = metrics->conns; conn; conn = conn->next)
		close_conn(conn);
	uv_close((uv_handle_t *)&metrics->tcp, on_listen_closed);
}
