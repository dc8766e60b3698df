/* SPDX-License-Identifier: MIT */
/* berth-tunnel relay: runs a relay, or makes and checks what belongs to one. */
#include "relay.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/cmd/cmd.h"
#include "tunnel/net/addr.h"
#include "tunnel/relay/relay.h"

#define DRAIN_DEFAULT_NS (30 * NSEC_PER_SEC)
#define LISTEN_DEFAULT "[::]:443"
#define PORT_TRIES_MAX 32

static const struct opt opts[] = {
	OPT_STR(0, "listen", struct relay_args, listen, "ADDRESS:PORT",
		"UDP and TCP port of the relay (" LISTEN_DEFAULT ")"),
	OPT_STR(0, "behind-proxy", struct relay_args, behind_proxy, "ADDRESS:PORT",
		"plain HTTP there, for a proxy that ends TLS"),
	OPT_STR(0, "listen2", struct relay_args, listen2, "ADDRESS:PORT",
		"another UDP address, by which endpoints tell what NAT they are behind"),
	OPT_STR(0, "key", struct relay_args, key, "FILE", "what `relay key FILE` made"),
	OPT_STR(0, "tokens", struct relay_args, tokens, "FILE",
		"whom it admits, a line a token; read again on SIGHUP"),
	OPT_STR(0, "metrics", struct relay_args, metrics, "ADDRESS:PORT",
		"answer /metrics (Prometheus) and /health there, over HTTP"),
	OPT_DURATION(0, "drain", struct relay_args, drain, "TIME",
		     "on SIGTERM wait so long for those that are there (30s)"),
	OPT_UINT(0, "connections", struct relay_args, connections, "N", "so many at once (65536)"),
	OPT_UINT(0, "address-rate", struct relay_args, address_rate, "N",
		 "registrations a second from one address (200)"),
	OPT_STR(0, "relay-key", struct relay_args, relay_key, "BASE64",
		"for check: the public key that the relay must prove"),
	OPT_STR(0, "token", struct relay_args, token, "FILE", "for check: a file with a token"),
	OPT_STR(0, "relays", struct relay_args, relays, "FILE",
		"for check: a file of relays that has both"),
	OPT_END,
};

struct program_state {
	uv_loop_t loop;
	uv_signal_t term, interrupt, hangup;
	struct relay *relay;
	struct relay_keys keys;
};

static void on_signal(uv_signal_t *handle, int number)
{
	struct program_state *state = handle->data;

	if (!state->relay)
		return;
	if (number == SIGHUP)
		relay_reload(state->relay);
	else
		relay_drain(state->relay);
}

static void on_closed(void *owner)
{
	struct program_state *state = owner;

	state->relay = NULL;
	uv_close((uv_handle_t *)&state->term, NULL);
	uv_close((uv_handle_t *)&state->interrupt, NULL);
	uv_close((uv_handle_t *)&state->hangup, NULL);
}

static void watch(struct program_state *state, uv_signal_t *handle, int number)
{
	uv_signal_init(&state->loop, handle);
	handle->data = state;
	uv_signal_start(handle, on_signal, number);
}

static int configure(const struct relay_args *args, struct relay_config *config, struct err *err)
{
	const char *listen = args->listen ? args->listen : LISTEN_DEFAULT;

	if (!args->key || !args->tokens)
		return err_set(err, ERR_INVALID,
			       "--key and --tokens are needed; `berth-tunnel relay key FILE` makes "
			       "the first, `relay token NAME` prints a line for the second");
	if (!addr_parse_listen(listen, &config->listen))
		return err_set(err, ERR_INVALID, "--listen: '%s' is not ADDRESS:PORT", listen);
	if (args->listen2 &&
	    (!addr_parse(args->listen2, &config->second) || addr_is_any(&config->second)))
		return err_set(err, ERR_INVALID, "--listen2: '%s' is not ADDRESS:PORT",
			       args->listen2);
	if (args->metrics && !addr_parse_listen(args->metrics, &config->metrics))
		return err_set(err, ERR_INVALID, "--metrics: '%s' is not ADDRESS:PORT",
			       args->metrics);
	if (args->behind_proxy && !addr_parse_listen(args->behind_proxy, &config->behind_proxy))
		return err_set(err, ERR_INVALID, "--behind-proxy: '%s' is not ADDRESS:PORT",
			       args->behind_proxy);
	if (args->connections > 1000000 || args->address_rate > 1000000)
		return err_set(err, ERR_INVALID,
			       "--connections and --address-rate: at most 1000000, please");
	config->tokens = args->tokens;
	config->connections = (size_t)args->connections;
	config->address_rate = (uint32_t)args->address_rate;
	config->drain_ns = args->drain ? args->drain : DRAIN_DEFAULT_NS;
	return 0;
}

/* One line that a site, or a test, can look for. */
static void say_where(const struct relay *relay, const struct relay_keys *keys)
{
	const struct quic_addr *metrics = relay_metrics_local(relay);
	char at[ADDR_TEXT_MAX], public[RELAY_KEY_TEXT_MAX];

	addr_format(relay_local(relay), at);
	relay_key_text(&keys->pair.public, public);
	log_info("relay: listens on %s with key %s", at, public);
	if (!metrics)
		return;
	addr_format(metrics, at);
	log_info("relay: metrics on %s", at);
}

/* A port that the kernel has chosen is free for UDP, and may be taken for TCP: another one then. */
static struct relay *start(const struct relay_config *config, struct err *err)
{
	struct relay *relay = relay_new(config, err);

	for (int i = 1; !relay && addr_port(&config->listen) == 0 && err->kind == ERR_EXISTS &&
			i < PORT_TRIES_MAX;
	     i++)
		relay = relay_new(config, err);
	return relay;
}

static int serve(const struct relay_args *args, struct err *err)
{
	static struct program_state state;
	struct relay_config config = {
		.loop = &state.loop,
		.keys = &state.keys,
		.closed = on_closed,
		.owner = &state,
	};

	if (configure(args, &config, err) < 0 || relay_keys_read(args->key, &state.keys, err) < 0)
		return -1;
	log_setup("berth-tunnel", STDERR_FILENO, LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&state.loop);
	/* After a failure the process ends, and with it whatever had been opened. */
	state.relay = start(&config, err);
	if (!state.relay)
		return -1;
	watch(&state, &state.term, SIGTERM);
	watch(&state, &state.interrupt, SIGINT);
	watch(&state, &state.hangup, SIGHUP);
	say_where(state.relay, &state.keys);
	uv_run(&state.loop, UV_RUN_DEFAULT);
	uv_loop_close(&state.loop);
	relay_keys_finish(&state.keys);
	return 0;
}

/* What it can do beside running a relay. */
static const struct {
	const char *name, *operand;
	int (*run)(const struct relay_args *args, const char *operand, struct err *err);
} deeds[] = {
	{ "key", "FILE", relay_make_key },
	{ "token", "NAME", relay_make_token },
	{ "check", "URL", relay_check },
};

static int run(void *user, int argc, char **argv, struct err *err)
{
	const struct relay_args *args = user;

	if (argc == 0)
		return serve(args, err);
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		if (strcmp(argv[0], deeds[i].name) != 0)
			continue;
		if (argc != 2)
			return err_set(err, ERR_INVALID, "usage: berth-tunnel relay %s %s",
				       deeds[i].name, deeds[i].operand);
		return deeds[i].run(args, argv[1], err);
	}
	return err_set(err, ERR_INVALID, "relay: '%s' is none of key, token and check", argv[0]);
}

const struct verb cmd_relay = {
	.name = "relay",
	.operands = "[key FILE | token NAME | check URL]",
	.summary = "join jobs and workstations that can only dial out",
	.details =
		"Without an operand it is a relay, until SIGTERM. `key` makes its key file and "
		"prints the public\nkey; `token` prints a new token and its line for --tokens;\n`check` looks whether a "
		"relay works from here.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct relay_args),
	.operands_max = 2,
	.run = run,
};
