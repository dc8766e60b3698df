/* SPDX-License-Identifier: MIT */
/*
 * berth-tunnel doctor: why a job cannot be reached, or only slowly. Relays, and each way to the job
 * by itself, are tried at the same time, and after LIMIT_MS what has not answered is what does not.
 */
#include "cmd.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/log.h"
#include "tunnel/cmd/doctor_relay.h"
#include "tunnel/cmd/doctor_way.h"
#include "tunnel/net/endpoint.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/resolve.h"

/* With starting and saying goodbye it stays below five seconds on a busy machine, too. */
#define LIMIT_MS 4000
#define LOOK_MS 20
/* For the last packets, and for an ssh that is told to end. */
#define GOODBYE_MS 100

struct args {
	const char *client_file, *endpoint, *relays, *name, *output;
	uint64_t rank, limit_ns;
	bool verbose;
};

static const struct opt opts[] = {
	OPT_STR(0, "client-file", struct args, client_file, "FILE", "the job's keys (keygen)"),
	OPT_STR(0, "endpoint", struct args, endpoint, "FILE", "where the job listens"),
	OPT_UINT(0, "rank", struct args, rank, "N", "which process of the job (0)"),
	OPT_STR(0, "name", struct args, name, "NAME", "what to call the job in messages (job)"),
	OPT_STR(0, "relays", struct args, relays, "FILE",
		"these relays, without a job: an array as in tunnel.json"),
	OPT_STR('o', "output", struct args, output, "FORMAT", "table (default) or json"),
	OPT_DURATION(0, "limit", struct args, limit_ns, "TIME",
		     "how long to wait for answers at most (4s)"),
	OPT_FLAG('v', "verbose", struct args, verbose, "say what happens on standard error"),
	OPT_END,
};

static const enum path_kind kinds[] = { PATH_DIRECT, PATH_RELAY, PATH_RELAY_TCP, PATH_LOGIN };

struct doctor {
	const struct args *args;
	uv_loop_t loop;
	uv_timer_t limit, look;
	struct hub *hub;
	struct resolver *resolver;
	struct client_file file;
	struct relay_sites sites; /* without a job */
	const struct relay_sites *relays;
	struct key_public job;
	struct tls_context *tls;
	struct endpoint endpoint;
	struct err no_endpoint;
	struct relay_probe *probes[RELAY_SITES_MAX];
	struct way_probe ways[ARRAY_LEN(kinds)];
	size_t ways_len;
	struct findings findings;
};

/* What there is to look at */

static int read_job(struct doctor *d, struct err *err)
{
	cleanup(key_pair_finish) struct key_pair rank = { 0 };
	const struct args *args = d->args;

	if (client_file_read(args->client_file, &d->file, err) < 0 ||
	    key_pair_of_rank(&d->file.secret, (unsigned int)args->rank, &rank, err) < 0)
		return -1;
	d->job = rank.public;
	d->relays = &d->file.relays;
	d->tls = tls_context_new(TLS_CLIENT, &d->file.key, &rank.public, err);
	if (!d->tls)
		return -1;
	if (!args->endpoint)
		err_set(&d->no_endpoint, ERR_NOT_FOUND, "no endpoint file was given");
	else
		(void)!endpoint_read(args->endpoint, &d->endpoint, &d->no_endpoint);
	return 0;
}

static int read_files(struct doctor *d, struct err *err)
{
	const struct args *args = d->args;

	if (args->rank > UINT_MAX)
		return err_set(err, ERR_INVALID, "--rank: too large");
	if (args->output && strcmp(args->output, "table") != 0 && strcmp(args->output, "json") != 0)
		return err_set(err, ERR_INVALID, "--output: table or json, not '%s'", args->output);
	if (!args->client_file == !args->relays)
		return err_set(err, ERR_INVALID,
			       "give --client-file for a job, or --relays without one");
	if (args->client_file)
		return read_job(d, err);
	d->relays = &d->sites;
	return relay_sites_read(args->relays, &d->sites, err);
}

/* The probes */

static const char *missing(const struct doctor *d, enum path_kind kind)
{
	bool is_relayed = kind == PATH_RELAY || kind == PATH_RELAY_TCP;

	if (!path_mask_has(d->file.paths, kind))
		return "the job's configuration does not allow it (paths)";
	if (is_relayed)
		return d->relays->len ? NULL : "no relay is configured";
	if (kind == PATH_LOGIN && !d->file.login)
		return "no login node is configured";
	if (d->no_endpoint.kind != ERR_NONE)
		return "where the job listens is not known";
	if (kind == PATH_LOGIN && d->endpoint.tcp.len == 0)
		return "the job takes no TCP connections: its tunnel may be older";
	return NULL;
}

static bool has_relay_for(const struct relay_sites *sites, enum path_kind kind)
{
	for (size_t i = 0; i < sites->len; i++) {
		if (kind != PATH_RELAY || !sites->items[i].ca)
			return true;
	}
	return false;
}

static void open_ways(struct doctor *d)
{
	const struct client_config config = {
		.loop = &d->loop,
		.name = d->args->name ? d->args->name : "job",
		.endpoint = d->args->endpoint,
		.tls = d->tls,
		.key = &d->file.key.public,
		.rank = (unsigned int)d->args->rank,
		.job = &d->job,
		.relays = d->relays,
		.login = d->file.login,
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *why = missing(d, kinds[i]);

		if (!why && kinds[i] == PATH_RELAY && !has_relay_for(d->relays, PATH_RELAY))
			why = "the relays are reached by TCP only";
		way_probe_open(&d->ways[d->ways_len++], kinds[i], &config, why);
	}
}

static int open_relays(struct doctor *d, struct err *err)
{
	struct relay_probe_config config = {
		.loop = &d->loop,
		.hub = d->hub,
		.resolver = d->resolver,
		.job = d->tls ? &d->job : NULL,
		.udp = path_mask_has(d->file.paths, PATH_RELAY),
		.tcp = path_mask_has(d->file.paths, PATH_RELAY_TCP),
	};

	for (size_t i = 0; i < d->relays->len && i < RELAY_SITES_MAX; i++) {
		config.site = &d->relays->items[i];
		config.number = (unsigned int)i;
		if (!config.udp && !config.tcp)
			continue;
		d->probes[i] = relay_probe_new(&config, err);
		if (!d->probes[i])
			return -1;
	}
	return 0;
}

static void on_limit(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void on_look(uv_timer_t *timer)
{
	struct doctor *d = timer->data;
	bool is_done = true;

	for (size_t i = 0; i < ARRAY_LEN(d->probes); i++) {
		if (!d->probes[i])
			continue;
		relay_probe_look(d->probes[i]);
		is_done = relay_probe_is_done(d->probes[i]) && is_done;
	}
	for (size_t i = 0; i < d->ways_len; i++)
		is_done = way_probe_is_done(&d->ways[i]) && is_done;
	if (is_done)
		uv_stop(timer->loop);
}

static uint64_t limit_ms(const struct args *args)
{
	return args->limit_ns ? MIN(args->limit_ns / NSEC_PER_MSEC, (uint64_t)LIMIT_MS) : LIMIT_MS;
}

static int examine(struct doctor *d, struct err *err)
{
	const struct hub_config hub = { .loop = &d->loop };

	d->hub = hub_new(&hub, err);
	if (!d->hub)
		return -1;
	d->resolver = resolver_new(&d->loop, &(const struct resolve_sources){ 0 });
	if (open_relays(d, err) < 0)
		return -1;
	if (d->tls)
		open_ways(d);
	uv_timer_start(&d->limit, on_limit, limit_ms(d->args), 0);
	uv_timer_start(&d->look, on_look, 0, LOOK_MS);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	return 0;
}

/* What was found */

static void tell_endpoint(struct doctor *d)
{
	struct finding *f = findings_add(&d->findings, "endpoint", "");
	bool has_relays = d->relays->len > 0;

	if (d->no_endpoint.kind == ERR_NONE)
		finding_say(f, FINDING_OK, "the job listens on host %s", d->endpoint.host);
	else
		finding_say(f, has_relays ? FINDING_NOTE : FINDING_FAILURE, "%s: %s",
			    d->no_endpoint.text,
			    has_relays ? "relays have to do"
				       : "the job has not started, or has ended, or its tunnel "
					 "did not start");
}

static void tell(struct doctor *d)
{
	struct way_facts ways[ARRAY_LEN(kinds)];

	for (size_t i = 0; i < ARRAY_LEN(d->probes); i++) {
		if (d->probes[i])
			relay_probe_tell(d->probes[i], &d->findings);
	}
	if (!d->tls)
		return;
	tell_endpoint(d);
	for (size_t i = 0; i < d->ways_len; i++) {
		way_probe_close(&d->ways[i]);
		ways[i] = d->ways[i].facts;
	}
	diagnose_ways(ways, d->ways_len, &d->findings);
}

/* Relays and the job need not wait for silence to know that we have left. */
static void say_goodbye(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_LEN(d->probes); i++) {
		if (d->probes[i])
			relay_probe_close(d->probes[i]);
	}
	uv_timer_stop(&d->look);
	uv_timer_start(&d->limit, on_limit, GOODBYE_MS, 0);
	uv_run(&d->loop, UV_RUN_DEFAULT);
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	static struct doctor d;

	(void)argc;
	(void)argv;
	d.args = user;
	if (read_files(&d, err) < 0)
		return -1;
	log_setup("berth-tunnel", STDERR_FILENO,
		  d.args->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&d.loop);
	uv_timer_init(&d.loop, &d.limit);
	uv_timer_init(&d.loop, &d.look);
	d.look.data = &d;
	/* The process ends with this, and whatever was opened with it. */
	if (examine(&d, err) < 0)
		return -1;
	tell(&d);
	if (d.args->output && strcmp(d.args->output, "json") == 0)
		findings_print_json(&d.findings, stdout);
	else
		findings_print(&d.findings, stdout);
	say_goodbye(&d);
	return findings_status(&d.findings);
}

const struct verb cmd_doctor = {
	.name = "doctor",
	.operands = "",
	.summary = "find out why a job cannot be reached, or only slowly",
	.details = "Tries relays, and every way to the job by itself, in less than five seconds, "
		   "and changes nothing.\nThe exit status is 0 when all is well, 1 when something "
		   "could be better, 2 when something\ndoes not work.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
