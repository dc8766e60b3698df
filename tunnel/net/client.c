/* SPDX-License-Identifier: MIT */
/* The connection to a job, from its beginning to its end; see client.h. */
#include "client.h"

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/attempt.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/connection_file.h"
#include "tunnel/net/keeper.h"
#include "tunnel/net/race.h"
#include "tunnel/net/relays.h"
#include "tunnel/net/ticket.h"

/* How long a connection that was short waits for the ticket of the next one. */
#define LINGER_MS 1000
#define LINGER_YOUNG (5 * NSEC_PER_SEC)

struct client {
	struct client_config config;
	struct race race;
	struct keeper keeper;
	struct connection_file file;
	struct relays *relays; /* NULL: none; longer than all attempts */
	struct attempt *winner;
	uv_timer_t linger;
	uint64_t started;
	bool closing, reported;
	bool is_told;	 /* connected() was called */
	bool has_ticket; /* of this connection, for the next one */
	unsigned int handles;
};

static bool may_use(const struct client *c, enum path_kind kind)
{
	return path_mask_has(c->config.paths, kind);
}

static void report(struct client *c, const struct err *why)
{
	struct err err = *why;

	if (c->reported)
		return;
	c->reported = true;
	err_wrap(&err, "%s", c->config.name);
	c->config.ops->closed(c->config.owner, &err);
}

/* Looking after the winner */

static void on_gone(void *owner, const struct err *why)
{
	report(owner, why);
}

static void on_silent(void *owner, uint64_t since_ns)
{
	struct client *c = owner;

	if (!c->closing && !c->reported && c->config.ops->silent)
		c->config.ops->silent(c->config.owner, since_ns);
}

static void look_after(struct client *c)
{
	static const struct keeper_ops ops = { .gone = on_gone, .silent = on_silent };
	const struct connection_file_config file = {
		.loop = c->config.loop,
		.job = c->config.name,
		.rank = c->config.rank,
		.attempt = c->winner,
	};
	const struct keeper_config config = {
		.loop = c->config.loop,
		.name = c->config.name,
		.endpoint = c->config.endpoint,
		.started = c->race.endpoint.started,
		.refresh = c->config.refresh,
		.attempt = c->winner,
		.relays = c->relays,
		.addresses = may_use(c, PATH_DIRECT) ? &c->race.addresses : NULL,
		.silence_ns = c->config.silence_ns,
		.ops = &ops,
		.owner = c,
	};

	keeper_open(&c->keeper, &config);
	if (c->config.tells)
		connection_file_open(&c->file, &file);
}

static void on_lingered(uv_timer_t *timer);

static void on_winner_over(struct attempt *attempt, void *owner, const struct err *why)
{
	struct client *c = owner;
	struct err err = *why;

	(void)attempt;
	if (c->closing) {
		/* It waited for a ticket. */
		uv_timer_start(&c->linger, on_lingered, 0, 0);
		return;
	}
	if (err.kind == ERR_NONE)
		err_set(&err, ERR_UNAVAILABLE, "the job has ended");
	report(c, &err);
}

static void on_winner_ready(struct attempt *attempt, void *owner)
{
	(void)attempt;
	(void)owner;
}

static void on_ticket(struct attempt *attempt, void *owner, const struct quic_ticket *got)
{
	struct client *c = owner;
	cleanup(ticket_finish) struct ticket ticket;
	struct quic_stats stats;

	/* A ticket names the address that it is good for. */
	if (!c->config.tickets || attempt_path(attempt)->remote.len == 0)
		return;
	ticket_init(&ticket);
	quic_conn_stats(h3_conn_quic(attempt_h3(attempt)), &stats);
	ticket.started = c->race.endpoint.started;
	ticket.expires = (uint64_t)clock_wall() + TLS_TICKET_LIFETIME_S;
	ticket.remote = attempt_path(attempt)->remote;
	ticket.rtt_us = stats.rtt_ns / 1000;
	ticket.key = *c->config.key;
	if (!buf_append_span(&ticket.session, got->session) ||
	    !buf_append_span(&ticket.params, got->params))
		return;
	ticket_keep(c->config.tickets, c->config.rank, &ticket);
	c->has_ticket = true;
	/* Not now: this is a callback of the connection that would be closed. */
	if (c->closing)
		uv_timer_start(&c->linger, on_lingered, 0, 0);
}

static void on_moved(struct attempt *attempt, void *owner)
{
	struct client *c = owner;

	(void)attempt;
	if (!c->closing)
		keeper_look(&c->keeper);
}

static const struct attempt_ops winner_ops = { on_winner_ready, on_winner_over, on_ticket,
					       on_moved };

/* The race */

static void on_early(void *owner, struct attempt *early)
{
	struct client *c = owner;

	c->is_told = true;
	c->config.ops->connected(c->config.owner, attempt_h3(early));
}

static void on_won(void *owner, struct attempt *winner, struct attempt *early)
{
	struct client *c = owner;
	char text[PATH_TEXT_MAX];

	c->winner = winner;
	attempt_set_ops(winner, &winner_ops, c);
	path_format(attempt_path(winner), text);
	log_debug("%s: connected: %s", c->config.name, text);
	look_after(c);
	if (early) {
		h3_conn_adopt(attempt_h3(winner), attempt_h3(early));
		attempt_close(early);
		c->config.ops->moved(c->config.owner, attempt_h3(winner));
	}
	if (!c->is_told)
		c->config.ops->connected(c->config.owner, attempt_h3(winner));
	c->is_told = true;
	if (c->config.ops->proven)
		c->config.ops->proven(c->config.owner);
}

static void on_failed(void *owner, const struct err *why)
{
	report(owner, why);
}

/* The relays */

static void on_relays_changed(void *owner)
{
	struct client *c = owner;

	if (c->closing)
		return;
	if (c->winner)
		keeper_look(&c->keeper);
	else
		race_look(&c->race);
}

static void on_relay_moved(void *owner, struct path *path)
{
	struct client *c = owner;

	if (c->winner && !c->closing && attempt_path(c->winner) == path)
		keeper_move(&c->keeper, "another way to the relay");
}

static struct relays *open_relays(struct client *c, const struct quic_tag *tag)
{
	static const struct relays_ops ops = { on_relays_changed, on_relay_moved };
	const struct relays_config config = {
		.loop = c->config.loop,
		.sites = c->config.relays,
		.job = c->config.job,
		.tag = *tag,
		.udp = may_use(c, PATH_RELAY),
		.tcp = may_use(c, PATH_RELAY_TCP),
		.punched = may_use(c, PATH_PUNCHED),
		.ops = &ops,
		.owner = c,
	};
	struct relays *relays;
	struct err err;

	if (!c->config.relays || c->config.relays->len == 0 || (!config.udp && !config.tcp))
		return NULL;
	relays = relays_new(&config, &err);
	if (!relays)
		log_warn("%s: relays cannot be used: %s", c->config.name, err.text);
	return relays;
}

static void open_race(struct client *c)
{
	static const struct race_ops ops = { on_early, on_won, on_failed };
	struct race_config race = {
		.loop = c->config.loop,
		.name = c->config.name,
		.endpoint = c->config.endpoint,
		.refresh = c->config.refresh,
		.tls = c->config.tls,
		.key = c->config.key,
		.tickets = c->config.ops->moved ? c->config.tickets : NULL,
		.rank = c->config.rank,
		.direct = may_use(c, PATH_DIRECT),
		.login = may_use(c, PATH_LOGIN) ? c->config.login : NULL,
		.through = may_use(c, PATH_LOGIN) ? c->config.through : NULL,
		.ops = &ops,
		.owner = c,
	};

	quic_tag_random(&race.tag);
	if (c->config.job)
		key_tag(c->config.job, race.peer_tag.bytes);
	c->relays = open_relays(c, &race.tag);
	race.relays = c->relays;
	race_open(&c->race, &race);
}

struct client *client_new(const struct client_config *config)
{
	struct client *c = new_zero(struct client);

	c->config = *config;
	c->started = clock_now();
	uv_timer_init(config->loop, &c->linger);
	c->linger.data = c;
	open_race(c);
	return c;
}

static void on_handle_closed(void *owner)
{
	struct client *c = owner;

	if (--c->handles == 0)
		free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_handle_closed(handle->data);
}

static void end(struct client *c)
{
	attempt_close(c->winner);
	if (c->relays)
		relays_close(c->relays, on_handle_closed, c);
	uv_close((uv_handle_t *)&c->linger, on_timer_closed);
}

static void on_lingered(uv_timer_t *timer)
{
	end(timer->data);
}

/* A short command is often over before the ticket for the next one has come. */
static bool may_linger(const struct client *c)
{
	return c->config.lingers && c->config.tickets && !c->has_ticket && c->winner &&
	       attempt_is_ready(c->winner) && clock_now() - c->started < LINGER_YOUNG;
}

void client_close(struct client *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	c->handles = c->relays ? 5 : 4;
	race_close(&c->race, on_handle_closed, c);
	keeper_close(&c->keeper, on_handle_closed, c);
	connection_file_close(&c->file, on_handle_closed, c);
	if (!may_linger(c)) {
		end(c);
		return;
	}
	h3_conn_abandon(attempt_h3(c->winner));
	uv_timer_start(&c->linger, on_lingered, LINGER_MS, 0);
}
