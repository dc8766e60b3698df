/* SPDX-License-Identifier: MIT */
/* What the verbs of the workstation share; see remote.h. */
#include "remote.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "init/base/log.h"
#include "init/base/text.h"
#include "tunnel/net/ticket.h"

/* How long the last words may wait for somebody to read them. */
#define LAST_WORDS_MS 2000

/* ssh ends its ProxyCommand with SIGHUP, often before we see the end of the input. */
static const int end_signals[REMOTE_SIGNALS] = { SIGHUP, SIGINT, SIGTERM };

static void finish(struct remote *r)
{
	if (r->finished)
		return;
	r->finished = true;
	client_close(r->client);
	turn_close(&r->turn, NULL);
	uv_close((uv_handle_t *)&r->timer, NULL);
	for (size_t i = 0; i < REMOTE_SIGNALS; i++)
		uv_close((uv_handle_t *)&r->signals[i], NULL);
	if (r->ops->close)
		r->ops->close(r->owner);
}

void remote_end(struct remote *r, int status)
{
	if (r->ending)
		return;
	r->ending = true;
	r->status = status;
}

void remote_fail(struct remote *r, const struct err *why)
{
	if (!r->ending && !r->lost)
		r->why = *why;
	remote_end(r, 0);
}

static void on_turn(void *owner)
{
	struct remote *r = owner;

	if (!r->finished && !r->ending && r->ops->turn)
		r->ops->turn(r->owner);
	/* The verb may have decided in its turn, or in a callback that must not close anything. */
	if (r->ending)
		finish(r);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct remote *r = signal->data;

	if (r->ops->signal)
		r->ops->signal(r->owner, number);
	else
		remote_end(r, 128 + number);
}

static void watch_signals(struct remote *r)
{
	for (size_t i = 0; i < REMOTE_SIGNALS; i++) {
		uv_signal_init(&r->loop, &r->signals[i]);
		r->signals[i].data = r;
		uv_signal_start(&r->signals[i], on_signal, end_signals[i]);
	}
}

/* The connection */

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct remote *r = owner;

	r->ops->connected(r->owner, conn);
}

static void on_last_words(uv_timer_t *timer)
{
	remote_end(timer->data, 0);
}

static void on_lost(void *owner, const struct err *why)
{
	struct remote *r = owner;

	r->lost = true;
	r->why = *why;
	if (!r->ops->lost || !r->ops->lost(r->owner, why))
		remote_end(r, 0);
	else if (r->lost) /* and no new connection is on its way */
		uv_timer_start(&r->timer, on_last_words, LAST_WORDS_MS, 0);
}

static void on_moved(void *owner, struct h3_conn *conn)
{
	struct remote *r = owner;

	r->ops->moved(r->owner, conn);
}

static void on_proven(void *owner)
{
	struct remote *r = owner;

	if (r->ops->proven)
		r->ops->proven(r->owner);
}

/* A line that does not disturb a terminal which is in raw mode. */
static void on_silent(void *owner, uint64_t since_ns)
{
	struct remote *r = owner;
	char since[32];

	text_format_duration(since_ns, since, sizeof(since));
	if (since_ns)
		dprintf(STDERR_FILENO, "\rberth: no answer from %s for %s; still trying\r\n",
			remote_name(r), since);
	else
		dprintf(STDERR_FILENO, "\rberth: %s answers again\r\n", remote_name(r));
}

static int open_tls(struct remote *r, struct err *err)
{
	cleanup(client_file_finish) struct client_file file = { 0 };
	cleanup(key_pair_finish) struct key_pair rank = { 0 };
	struct tls_context *tls;

	if (client_file_read(r->args->client_file, &file, err) < 0)
		return -1;
	if (r->tls && secret_equal(&file.secret, &r->keys.secret) &&
	    key_public_equal(&file.key.public, &r->keys.key.public))
		return 0;
	if (key_pair_of_rank(&file.secret, (unsigned int)r->args->rank, &rank, err) < 0)
		return -1;
	tls = tls_context_new(TLS_CLIENT, &file.key, &rank.public, err);
	if (!tls)
		return -1;
	tls_context_free(r->tls);
	client_file_finish(&r->keys);
	r->tls = tls;
	r->keys = file;
	r->job = rank.public;
	file = (struct client_file){ 0 };
	return 0;
}

/* What the job's files allow, and of that what was asked for. */
static int choose_paths(const struct remote *r, struct client_config *config, struct err *err)
{
	unsigned int asked = 0;

	config->paths = r->keys.paths;
	if (!r->args->path)
		return 0;
	if (path_mask_parse_list(r->args->path, &asked, err) < 0)
		return err_wrap(err, "--path");
	if (r->keys.paths)
		asked &= r->keys.paths;
	if ((asked & ~PATH_MASK(PATH_PUNCHED)) == 0)
		return err_set(err, ERR_INVALID,
			       "--path %s: the configuration of %s does not allow it",
			       r->args->path, remote_name(r));
	if (!path_mask_has(asked, PATH_DIRECT) && r->keys.relays.len == 0 && !r->keys.login &&
	    r->args->through.len == 0)
		return err_set(err, ERR_INVALID,
			       "--path %s: no relay and no login node is configured for %s",
			       r->args->path, remote_name(r));
	config->paths = asked;
	/* A ticket is for an address. */
	if (!path_mask_has(asked, PATH_DIRECT))
		config->tickets = NULL;
	return 0;
}

int remote_connect(struct remote *r, struct err *err)
{
	static const struct client_ops plain = {
		.connected = on_connected,
		.closed = on_lost,
		.silent = on_silent,
		.proven = on_proven,
	};
	static const struct client_ops early = {
		.connected = on_connected,
		.closed = on_lost,
		.moved = on_moved,
		.silent = on_silent,
		.proven = on_proven,
	};
	struct client_config config = {
		.loop = &r->loop,
		.name = remote_name(r),
		.endpoint = r->args->endpoint,
		.rank = (unsigned int)r->args->rank,
		.lingers = r->lingers,
		.tells = true,
		.silence_ns = r->args->silence_ns,
		.ops = r->ops->moved && !r->again ? &early : &plain,
		.owner = r,
	};

	if (!r->tickets && !r->no_tickets)
		r->tickets = ticket_dir(r->args->client_file);
	config.tickets = r->tickets;
	if (open_tls(r, err) < 0)
		return -1;
	if (!r->args->endpoint && r->keys.relays.len == 0)
		return err_set(err, ERR_INVALID,
			       "--endpoint is needed: the client file names no relay");
	config.tls = r->tls;
	config.key = &r->keys.key.public;
	config.job = &r->job;
	config.relays = &r->keys.relays;
	if (choose_paths(r, &config, err) < 0)
		return -1;
	config.login = r->keys.login;
	memcpy(r->refresh, r->args->refresh.items, r->args->refresh.len * sizeof(*r->refresh));
	config.refresh = r->args->endpoint && r->args->refresh.len > 0 ? r->refresh : NULL;
	memcpy(r->through, r->args->through.items, r->args->through.len * sizeof(*r->through));
	config.through = r->args->through.len > 0 ? r->through : NULL;
	r->client = client_new(&config);
	return 0;
}

static void on_reconnect(uv_timer_t *timer)
{
	struct remote *r = timer->data;
	struct err err;

	if (r->ops->again && !r->ops->again(r->owner)) {
		remote_fail(r, &r->last);
		return;
	}
	/* Not earlier: the caller may be inside a callback of the client. */
	client_close(r->client);
	r->client = NULL;
	r->again = true;
	if (remote_connect(r, &err) < 0)
		remote_fail(r, &err);
}

void remote_reconnect(struct remote *r, uint64_t delay_ms)
{
	r->lost = false;
	r->last = r->why;
	r->why = (struct err){ 0 };
	uv_timer_start(&r->timer, on_reconnect, delay_ms, 0);
}

/* The whole */

const char *remote_name(const struct remote *r)
{
	return r->args->name ? r->args->name : "job";
}

static int check(const struct remote_args *args, struct err *err)
{
	if (!args->client_file)
		return err_set(err, ERR_INVALID, "--client-file is needed");
	if (args->rank > UINT_MAX)
		return err_set(err, ERR_INVALID, "--rank: too large");
	if (args->through.len > PATH_STREAM_WORDS)
		return err_set(err, ERR_LIMIT, "--through: at most %d words", PATH_STREAM_WORDS);
	return 0;
}

int remote_open(struct remote *r, const struct remote_args *args, const struct remote_ops *ops,
		void *owner, struct err *err)
{
	if (check(args, err) < 0)
		return -1;
	*r = (struct remote){ .args = args, .ops = ops, .owner = owner };
	log_setup("berth-tunnel", STDERR_FILENO, args->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
		  LOG_FORMAT_TEXT);
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&r->loop);
	uv_timer_init(&r->loop, &r->timer);
	r->timer.data = r;
	watch_signals(r);
	turn_open(&r->turn, &r->loop, on_turn, r);
	return 0;
}

int remote_loop(struct remote *r, struct err *err)
{
	uv_run(&r->loop, UV_RUN_DEFAULT);
	tls_context_free(r->tls);
	free(r->tickets);
	client_file_finish(&r->keys);
	uv_loop_close(&r->loop);
	if (r->why.kind == ERR_NONE)
		return r->status;
	if (err)
		*err = r->why;
	return -1;
}

int remote_run(struct remote *r, const struct remote_args *args, const struct remote_ops *ops,
	       void *owner, struct err *err)
{
	struct err why;

	if (remote_open(r, args, ops, owner, err) < 0)
		return -1;
	if (remote_connect(r, &why) < 0)
		remote_fail(r, &why);
	return remote_loop(r, err);
}
