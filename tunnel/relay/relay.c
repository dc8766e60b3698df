/* SPDX-License-Identifier: MIT */
/* The relay on its sockets; see relay.h. */
#include "relay.h"

#include <malloc.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/timer.h"
#include "tunnel/net/turn.h"
#include "tunnel/relay/control.h"
#include "tunnel/relay/listen_tcp.h"
#include "tunnel/relay/metrics.h"
#include "tunnel/relay/report.h"
#include "tunnel/relay/second.h"

/* Batches of our own a turn may send before the loop looks at what is to be forwarded. */
#define TURN_BATCHES_MAX 16
/* How long goodbyes may take. */
#define GOODBYE_NS NSEC_PER_SEC
/* Who is told to go may come again after that: the next relay is up by then. */
#define RETRY_MS 2000

/* How often memory is looked after. */
#define TIDY_NS (10 * NSEC_PER_SEC)

enum relay_state { RELAY_RUNS, RELAY_DRAINS, RELAY_ENDS, RELAY_CLOSED };

struct relay {
	struct relay_config config;
	struct udp udp;
	struct timer timer;
	struct turn turn;
	struct core *core;
	struct front *front;
	struct listen_tcp *tcp, *plain; /* the second behind a proxy that ends TLS */
	struct metrics *metrics;
	struct second *second;
	enum relay_state state;
	uint64_t end_at; /* of draining, of goodbyes */
	double started;
	unsigned int handles;
	uint64_t tidy_at, tidied; /* when next, and how many registrations there had been by then */
	bool is_dirty;
};

/* Packets */

static void on_send(void *owner, const struct quic_path *path, uint8_t ecn, size_t segment,
		    struct span bytes)
{
	struct relay *relay = owner;

	if (!udp_pass(&relay->udp, path, ecn, segment, bytes))
		core_drop(relay->core, CORE_DROP_BLOCKED, 1);
}

static uint64_t wall_seconds(void)
{
	return (uint64_t)clock_wall();
}

static const struct core_ops core_ops = { on_send };

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	struct relay *relay = owner;

	(void)udp;
	if (relay->state == RELAY_CLOSED)
		return;
	front_received(relay->front, d, clock_now());
	relay->is_dirty = true;
}

static void on_turn(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static void on_writable(struct udp *udp, void *owner)
{
	struct relay *relay = owner;

	(void)udp;
	relay->is_dirty = true;
}

static const struct udp_ops udp_ops = { on_received, on_turn, on_writable, on_turn };

/*
 * A handshake takes more memory for a moment than its connection does for a day. What it leaves
 * lies between what stays, and goes back to the kernel in whole pages, once many have come or gone.
 */
static void tidy(struct relay *relay, uint64_t now)
{
	uint64_t seen = relay->core->stats.registered[0] + relay->core->stats.registered[1];

	if (now < relay->tidy_at)
		return;
	relay->tidy_at = now + TIDY_NS;
	if (seen == relay->tidied || front_handshakes(relay->front) > 0)
		return;
	relay->tidied = seen;
	malloc_trim(0);
}

static void on_deadline(struct timer *timer, void *owner)
{
	struct relay *relay = owner;
	uint64_t now = clock_now();

	(void)timer;
	if (relay->state == RELAY_CLOSED)
		return;
	front_expire(relay->front, now);
	core_expire(relay->core, now);
	tidy(relay, now);
	relay->is_dirty = true;
}

static void flush(struct relay *relay)
{
	uint64_t deadline;
	int batches = 0;

	relay->is_dirty = false;
	core_turn(relay->core);
	while (!udp_is_blocked(&relay->udp) && batches++ < TURN_BATCHES_MAX) {
		if (!front_write(relay->front, udp_batch(&relay->udp), clock_now()))
			break;
		(void)udp_send(&relay->udp);
	}
	front_turn(relay->front);
	deadline = MIN(front_deadline(relay->front), core_deadline(relay->core));
	if (relay->state != RELAY_RUNS)
		deadline = MIN(deadline, relay->end_at);
	timer_set(&relay->timer, batches > TURN_BATCHES_MAX ? 0 : deadline);
}

/* The end */

static void on_handle_closed(void *owner)
{
	struct relay *relay = owner;

	if (--relay->handles > 0)
		return;
	if (relay->config.closed)
		relay->config.closed(relay->config.owner);
	free(relay);
}

static void on_udp_closed(struct udp *udp, void *owner)
{
	(void)udp;
	on_handle_closed(owner);
}

static void close_handles(struct relay *relay)
{
	if (relay->state == RELAY_CLOSED)
		return;
	relay->state = RELAY_CLOSED;
	second_close(relay->second);
	relay->second = NULL;
	relay->front = front_free(relay->front);
	listen_tcp_close(relay->tcp, on_handle_closed, relay);
	listen_tcp_close(relay->plain, on_handle_closed, relay);
	relay->core = core_free(relay->core);
	metrics_close(relay->metrics);
	relay->metrics = NULL;
	udp_close(&relay->udp, on_udp_closed);
	timer_close(&relay->timer, on_handle_closed);
	turn_close(&relay->turn, on_handle_closed);
}

static size_t registrations(const struct relay *relay)
{
	return legs_count(relay->core->legs, RELAY_JOB) +
	       legs_count(relay->core->legs, RELAY_CLIENT);
}

static void on_turn_end(void *owner)
{
	struct relay *relay = owner;
	bool is_late;

	if (relay->state == RELAY_CLOSED || !relay->is_dirty)
		return;
	flush(relay);
	if (relay->state == RELAY_RUNS)
		return;
	is_late = clock_now() >= relay->end_at;
	if (relay->state == RELAY_DRAINS && (is_late || registrations(relay) == 0))
		relay_close(relay);
	else if (relay->state == RELAY_ENDS && (is_late || front_count(relay->front) == 0))
		close_handles(relay);
}

void relay_drain(struct relay *relay)
{
	if (relay->state != RELAY_RUNS) {
		relay_close(relay);
		return;
	}
	log_info("relay: draining %zu registrations, for %llu s at most", registrations(relay),
		 (unsigned long long)(relay->config.drain_ns / NSEC_PER_SEC));
	relay->state = RELAY_DRAINS;
	relay->end_at = clock_now() + relay->config.drain_ns;
	core_drain(relay->core, RETRY_MS);
	front_drain(relay->front);
	listen_tcp_drain(relay->tcp);
	listen_tcp_drain(relay->plain);
	relay->is_dirty = true;
}

void relay_close(struct relay *relay)
{
	if (relay->state >= RELAY_ENDS)
		return;
	log_info("relay: ending with %zu registrations", registrations(relay));
	relay->state = RELAY_ENDS;
	relay->end_at = clock_now() + GOODBYE_NS;
	front_close(relay->front, "the relay is shutting down");
	relay->is_dirty = true;
}

/* Tokens and figures */

static int load_tokens(struct relay *relay, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(ADMIT_FILE_MAX);

	if (fs_read_file(relay->config.tokens, text.max, &text, err) < 0)
		return -1;
	if (core_load(relay->core, buf_span(&text), err) < 0)
		return err_wrap(err, "%s", relay->config.tokens);
	return 0;
}

void relay_reload(struct relay *relay)
{
	struct err err;

	if (relay->state >= RELAY_ENDS)
		return;
	relay->is_dirty = true;
	if (load_tokens(relay, &err) < 0)
		log_error("relay: the old tokens stay: %s", err.text);
	else
		log_info("relay: %zu tokens, %zu registrations", admit_count(relay->core->admit),
			 registrations(relay));
}

static void on_metrics(void *owner, struct buf *b)
{
	const struct relay *relay = owner;
	const struct report_figures figures = {
		.connections = front_count(relay->front),
		.handshakes = front_handshakes(relay->front),
		.streams = listen_tcp_count(relay->tcp) + listen_tcp_count(relay->plain),
		.streams_refused =
			listen_tcp_refused(relay->tcp) + listen_tcp_refused(relay->plain),
		.kernel_dropped = relay->udp.dropped,
		.started = relay->started,
	};

	report_write(relay->core, &figures, b);
}

static bool is_healthy(void *owner)
{
	const struct relay *relay = owner;

	return relay->state == RELAY_RUNS;
}

static const struct metrics_ops metrics_ops = { on_metrics, is_healthy };

const struct quic_addr *relay_local(const struct relay *relay)
{
	return &relay->udp.local;
}

const struct quic_addr *relay_metrics_local(const struct relay *relay)
{
	return relay->metrics ? metrics_local(relay->metrics) : NULL;
}

/* Starting */

static void on_stream_dirty(void *owner)
{
	struct relay *relay = owner;

	relay->is_dirty = true;
}

/* TCP on the port that UDP got, and plain HTTP for a proxy, if there is one. */
static int open_tcp(struct relay *relay, struct err *err)
{
	struct listen_tcp_config config = {
		.loop = relay->config.loop,
		.core = relay->core,
		.keys = relay->config.keys,
		.listen = relay->udp.local,
		.dirty = on_stream_dirty,
		.owner = relay,
	};

	relay->tcp = listen_tcp_new(&config, err);
	if (!relay->tcp)
		return err_wrap(err, "TCP");
	if (relay->config.behind_proxy.len == 0)
		return 0;
	config.listen = relay->config.behind_proxy;
	config.is_plain = true;
	relay->plain = listen_tcp_new(&config, err);
	return relay->plain ? 0 : err_wrap(err, "--behind-proxy");
}

static int open_all(struct relay *relay, struct err *err)
{
	const struct relay_config *config = &relay->config;
	const struct udp_config udp = { .listen = config->listen, .ops = &udp_ops, .owner = relay };
	const struct front_config front = { relay->core, config->keys, config->connections };

	relay->front = front_new(&front, err);
	if (!relay->front || load_tokens(relay, err) < 0 ||
	    udp_open(&relay->udp, config->loop, &udp, err) < 0 ||
	    timer_open(&relay->timer, config->loop, on_deadline, relay, err) < 0 ||
	    open_tcp(relay, err) < 0)
		return -1;
	if (config->second.len > 0) {
		relay->second = second_new(config->loop, relay->core, &config->second, err);
		if (!relay->second)
			return -1;
	}
	if (config->metrics.len > 0) {
		relay->metrics =
			metrics_new(config->loop, &config->metrics, &metrics_ops, relay, err);
		if (!relay->metrics)
			return -1;
	}
	turn_open(&relay->turn, config->loop, on_turn_end, relay);
	return 0;
}

struct relay *relay_new(const struct relay_config *config, struct err *err)
{
	struct relay *relay = new_zero(struct relay);
	const struct core_config core = {
		.ops = &core_ops,
		.owner = relay,
		.wall = wall_seconds,
		.second = control_address(&config->second),
		.address_rate = config->address_rate,
	};

	relay->config = *config;
	relay->handles = 5; /* each is closed, whether it was opened or not */
	relay->started = clock_wall();
	relay->udp.owner = relay->timer.owner = relay->turn.owner = relay;
	relay->core = core_new(&core);
	if (open_all(relay, err) < 0) {
		relay->config.closed = NULL;
		close_handles(relay);
		return NULL;
	}
	relay->is_dirty = true;
	return relay;
}
