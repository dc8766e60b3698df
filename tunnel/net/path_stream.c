/* SPDX-License-Identifier: MIT */
/* Paths over a byte stream; see path_stream.h. */
#include "path_stream.h"

#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/carrier.h"
#include "tunnel/net/clock.h"

/*
 * Between one address and the next: as long as sshd may take to let somebody in, and less than it
 * takes to find that an address leads nowhere.
 */
#define NEXT_MS 2000
#define TRIES_MAX 4 /* that run at once */
#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 15000

struct path_stream {
	struct path path;
	uv_loop_t *loop;
	char *login, *name;
	const char *const *through; /* borrowed; or NULL */
	struct addr_list to;
	size_t next; /* address to try */

	struct carrier *carrier; /* the one in use; NULL: none is up */
	struct carrier *tries[TRIES_MAX];
	bool was_up, is_closed;
	unsigned int pause_ms;
	uv_timer_t timer;
	struct err why; /* of the first try that failed */

	void (*closed)(void *owner, const struct quic_addr *from); /* accepted ones */
	void *owner;
};

static struct path_stream *path_stream_of(struct path *path)
{
	return (struct path_stream *)path;
}

static void start(struct path_stream *p);

/* The stream in use */

static void on_datagrams(struct carrier *carrier, void *owner, const struct udp_datagrams *d)
{
	struct path_stream *p = owner;

	if (carrier == p->carrier)
		path_received(&p->path, d);
}

static void on_turn(struct carrier *carrier, void *owner)
{
	struct path_stream *p = owner;

	if (carrier == p->carrier)
		path_turn(&p->path);
}

static void on_writable(struct carrier *carrier, void *owner)
{
	struct path_stream *p = owner;

	if (carrier == p->carrier)
		path_writable(&p->path);
}

static bool send_batch(struct path *path, const struct quic_batch *batch)
{
	struct path_stream *p = path_stream_of(path);

	if (!p->carrier)
		return true; /* lost: QUIC repairs it once there is a stream again */
	path->blocked = !carrier_send_batch(p->carrier, batch);
	return !path->blocked;
}

/* Dialling */

static void close_tries(struct path_stream *p)
{
	for (size_t i = 0; i < TRIES_MAX; i++) {
		carrier_close(p->tries[i]);
		p->tries[i] = NULL;
	}
	uv_timer_stop(&p->timer);
}

static void on_up(struct carrier *carrier, void *owner)
{
	struct path_stream *p = owner;

	for (size_t i = 0; i < TRIES_MAX; i++) {
		if (p->tries[i] == carrier)
			p->tries[i] = NULL;
	}
	close_tries(p);
	carrier_close(p->carrier);
	p->carrier = carrier;
	p->was_up = true;
	p->pause_ms = PAUSE_MIN_MS;
	p->next = 0;
	log_debug("path %s: up", carrier_way(carrier));
	path_writable(&p->path);
}

static bool is_trying(const struct path_stream *p)
{
	for (size_t i = 0; i < TRIES_MAX; i++) {
		if (p->tries[i])
			return true;
	}
	return false;
}

static void on_pause(uv_timer_t *timer)
{
	start(timer->data);
}

/* Nothing runs and nothing is left to try. */
static void give_up(struct path_stream *p)
{
	struct err why = p->why;

	p->next = 0;
	if (p->carrier)
		return; /* the one in use is as good as it gets */
	if (!p->was_up) {
		if (why.kind == ERR_NONE)
			err_set(&why, ERR_UNAVAILABLE, "the job does not listen on TCP");
		path_over(&p->path, &why);
		return;
	}
	path_refused(&p->path);
	uv_timer_start(&p->timer, on_pause, p->pause_ms, 0);
	p->pause_ms = MIN(2 * p->pause_ms, PAUSE_MAX_MS);
}

static void try_next(struct path_stream *p);

static void on_over(struct carrier *carrier, void *owner, const struct err *why)
{
	struct path_stream *p = owner;
	bool was_in_use = carrier == p->carrier;

	log_debug("path: %s", why->text);
	if (was_in_use) {
		p->carrier = NULL;
		p->path.blocked = true;
	}
	for (size_t i = 0; i < TRIES_MAX; i++) {
		if (p->tries[i] == carrier)
			p->tries[i] = NULL;
	}
	carrier_close(carrier);
	if (p->closed) {
		path_over(&p->path, why);
		return;
	}
	if (is_trying(p) && was_in_use)
		return;
	if (p->why.kind == ERR_NONE)
		p->why = *why;
	if (!p->is_closed)
		try_next(p);
}

static const struct carrier_ops carrier_ops = {
	.up = on_up,
	.datagrams = on_datagrams,
	.turn = on_turn,
	.writable = on_writable,
	.over = on_over,
};

/* The program that is the stream to this address; false: none is, but TCP. */
static bool choose_program(const struct path_stream *p, const char *to,
			   const char *words[PATH_STREAM_WORDS + 2])
{
	/* A login node that goes without a word is noticed as soon as TCP itself would. */
	const char *const ssh[] = {
		"ssh", "-o",	"ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-W", to,
		"--",  p->login
	};
	size_t len = 0;

	for (; p->through && p->through[len] && len < PATH_STREAM_WORDS; len++)
		words[len] = p->through[len];
	if (len > 0)
		words[len++] = to;
	for (size_t i = 0; len == 0 && p->login && i < ARRAY_LEN(ssh); i++)
		words[i] = ssh[i];
	words[len > 0 ? len : ARRAY_LEN(ssh)] = NULL;
	return len > 0 || p->login;
}

static struct carrier *dial(struct path_stream *p, const struct quic_addr *to)
{
	char text[ADDR_TEXT_MAX], host[ADDR_TEXT_MAX], *end;
	const char *words[PATH_STREAM_WORDS + 2];
	struct carrier_config config = {
		.dial = { .loop = p->loop,
			  .host = host,
			  .port = addr_port(to),
			  .path = PATH_STREAM_PATH,
			  .protocol = PATH_STREAM_PROTOCOL },
		.ops = &carrier_ops,
		.owner = p,
	};

	addr_format(to, text);
	snprintf(host, sizeof(host), "%s", text[0] == '[' ? text + 1 : text);
	end = text[0] == '[' ? strchr(host, ']') : strrchr(host, ':');
	if (end)
		*end = '\0';
	if (choose_program(p, text, words))
		config.dial.command = words;
	return carrier_dial(&config);
}

static void on_next(uv_timer_t *timer)
{
	try_next(timer->data);
}

/* Another address beside those that are being tried, if there is one and room for it. */
static void try_next(struct path_stream *p)
{
	for (size_t i = 0; i < TRIES_MAX && p->next < p->to.len; i++) {
		if (p->tries[i])
			continue;
		p->tries[i] = dial(p, &p->to.items[p->next++]);
		uv_timer_start(&p->timer, on_next, NEXT_MS, 0);
		return;
	}
	if (!is_trying(p))
		give_up(p);
	else if (p->next < p->to.len)
		uv_timer_start(&p->timer, on_next, NEXT_MS, 0);
}

static void start(struct path_stream *p)
{
	close_tries(p);
	p->next = 0;
	p->why = (struct err){ 0 };
	try_next(p);
}

static int renew(struct path *path, struct err *err)
{
	struct path_stream *p = path_stream_of(path);

	if (p->closed)
		return err_set(err, ERR_UNSUPPORTED, "an accepted stream cannot be dialled again");
	path->address.local = path_synthetic(PATH_LINK_LOGIN);
	start(p);
	return 0;
}

/* The end */

static void on_timer_closed(uv_handle_t *handle)
{
	struct path_stream *p = handle->data;

	free(p->login);
	free(p->name);
	free(p);
}

static void close_path(struct path *path)
{
	struct path_stream *p = path_stream_of(path);

	if (p->is_closed)
		return;
	p->is_closed = true;
	close_tries(p);
	carrier_close(p->carrier);
	p->carrier = NULL;
	if (p->closed)
		p->closed(p->owner, &path->remote);
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

static struct path_stream *new_path(uv_loop_t *loop)
{
	static const struct path_ops ops = { .send = send_batch,
					     .renew = renew,
					     .close = close_path };
	struct path_stream *p = new_zero(struct path_stream);

	p->path = (struct path){
		.ops = &ops,
		.kind = PATH_LOGIN,
		.address = { .local = path_synthetic(PATH_LINK_LOGIN),
			     .remote = path_synthetic(PATH_LINK_LOGIN) },
		.datagram_max = QUIC_DATAGRAM_MAX,
	};
	p->loop = loop;
	p->pause_ms = PAUSE_MIN_MS;
	uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	return p;
}

struct path *path_stream_new(const struct path_stream_config *config)
{
	struct path_stream *p = new_path(config->loop);

	p->login = config->login ? str_dup(config->login) : NULL;
	p->through = config->through;
	p->to = *config->to;
	if (p->through)
		p->path.name = "the cluster";
	else if (p->login)
		p->path.name = p->login;
	else if (p->to.len > 0)
		p->path.remote = p->to.items[0];
	p->path.blocked = true;
	/* Not from inside here, so that path_use() comes first. */
	uv_timer_start(&p->timer, on_pause, 0, 0);
	return &p->path;
}

struct path *path_stream_accepted(struct stream *stream, uv_loop_t *loop,
				  void (*closed)(void *owner, const struct quic_addr *from),
				  void *owner)
{
	struct path_stream *p = new_path(loop);

	p->path.remote = *stream_remote(stream);
	p->closed = closed;
	p->owner = owner;
	p->carrier = carrier_new(stream, loop, &carrier_ops, p);
	return &p->path;
}
