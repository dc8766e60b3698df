/* SPDX-License-Identifier: MIT */
/* berth-tunnel serve: the job's side, started and restarted by berth-init. */
#include "cmd.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/endpoint.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/job_watch.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/log_watch.h"
#include "tunnel/net/presence.h"
#include "tunnel/net/punch.h"
#include "tunnel/net/rest.h"
#include "tunnel/net/server.h"
#include "tunnel/services/ending.h"
#include "tunnel/services/service.h"
#include "tunnel/services/sessions.h"

/* How long an orderly end may take, all in all. */
#define END_MS 3000
/* berth-init writes how the command ended while it ends us. */
#define STATUS_MS 500
#define STATUS_POLL_MS 10

extern char **environ;

struct args {
	const char *dir, *listen;
	uint64_t rank, ranks, pid;
};

static const struct opt opts[] = {
	OPT_STR(0, "dir", struct args, dir, "DIR", "the job directory: tunnel.json is read there"),
	OPT_UINT(0, "rank", struct args, rank, "N", "which process of the job this is (0)"),
	OPT_UINT(0, "ranks", struct args, ranks, "COUNT",
		 "how many there are in each task of the array that this is"),
	OPT_UINT(0, "pid", struct args, pid, "PID", "the job's main command"),
	OPT_STR(0, "listen", struct args, listen, "ADDRESS:PORT",
		"listen there only (every address, and the last port)"),
	OPT_END,
};

struct serve {
	uv_loop_t loop;
	const struct args *args;
	struct job_file job;
	struct tls_context *tls;
	char *job_path; /* of tunnel.json */
	struct job_watch watch;
	struct secret reset_key;
	struct hub *hub;
	struct punches *punches;
	struct server *server;
	struct presence *presence;
	struct key_pair key; /* of this rank */
	struct quic_tag tag;
	struct service_ways ways;
	struct service_env services;
	struct sessions sessions;
	uv_signal_t term, interrupt;
	uv_timer_t limit;
	struct log_watch logs;
	struct rest rest;
	char *endpoint;	    /* path */
	unsigned int polls; /* of the status file, at the end */
	bool ending;
};

static void on_request(void *owner, struct h3_stream *stream, const struct h3_request *request)
{
	struct serve *s = owner;

	service_open(&s->services, stream, request);
}

/* Whoever comes waits until it is known that its key was not revoked meanwhile. */
static uint64_t on_arrived(void *owner)
{
	struct serve *s = owner;

	return job_watch_look(&s->watch);
}

static void on_stranger(void *owner)
{
	struct serve *s = owner;

	job_watch_stranger(&s->watch);
}

static size_t count_connections(void *owner)
{
	const struct serve *s = owner;

	return server_count(s->server);
}

static size_t list_connections(void *owner, struct server_entry *ret, size_t max)
{
	const struct serve *s = owner;

	return server_list(s->server, ret, max);
}

static size_t list_paths(void *owner, struct presence_entry ret[PRESENCE_MAX])
{
	const struct serve *s = owner;

	return presence_list(s->presence, ret);
}

static const struct server_ops server_ops = { on_request, on_arrived, on_stranger };

/* A workstation has another key, or none: whoever came with the old one has to go. */
static void on_keys_changed(struct job_watch *watch, const struct key_set *peers)
{
	struct serve *s = container_of(watch, struct serve, watch);

	if (s->ending)
		return;
	tls_context_set_peers(s->tls, peers);
	log_info("serve: the keys of workstations have changed: %zu are let in", peers->len);
	server_drop(s->server);
}

static void on_looked(struct job_watch *watch, uint64_t serial)
{
	struct serve *s = container_of(watch, struct serve, watch);

	if (!s->ending)
		server_admit(s->server, serial);
}

static bool has_clients(struct job_watch *watch)
{
	struct serve *s = container_of(watch, struct serve, watch);

	return !s->ending && server_count(s->server) > 0;
}

static const struct job_watch_ops watch_ops = { on_keys_changed, on_looked, has_clients };

/* Ending: no connection, no stream, no process of ours, no handle. */

static void on_services_closed(void *owner)
{
	struct serve *s = owner;

	uv_close((uv_handle_t *)&s->limit, NULL);
	rest_close(&s->rest);
	job_watch_close(&s->watch);
	log_watch_close(&s->logs);
	/* A thread that waits for a file system must not hold up the end. */
	if (s->watch.reading || s->logs.looking)
		uv_stop(&s->loop);
}

static void on_presence_closed(void *owner)
{
	struct serve *s = owner;

	punches_close(s->punches, NULL, NULL);
	hub_close(s->hub, NULL, NULL);
}

static void on_server_closed(void *owner)
{
	struct serve *s = owner;

	presence_close(s->presence, on_presence_closed, s);
	service_env_close(&s->services, on_services_closed, s);
}

static void on_limit(uv_timer_t *timer)
{
	struct serve *s = timer->data;

	log_warn("serve: streams were still open at the end");
	uv_stop(&s->loop);
}

static void end_because(struct serve *s, const char *reason)
{
	uv_timer_start(&s->limit, on_limit, END_MS, 0);
	server_close(s->server, reason, on_server_closed);
}

/* Every client hears how the job ended, if that becomes known soon. */
static void on_poll(uv_timer_t *timer)
{
	struct serve *s = timer->data;
	cleanup_free char *path =
		str_printf("%s/status.%u.json", s->args->dir, (unsigned int)s->args->rank);
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);
	char reason[ENDING_MAX];
	int ended = -1;

	if (fs_read_file(path, JSONFILE_MAX, &text, NULL) == 0)
		ended = ending_parse(buf_span(&text), reason, NULL);
	if (ended == 0 && ++s->polls < STATUS_MS / STATUS_POLL_MS)
		return;
	end_because(s, ended > 0 ? reason : NULL);
}

static void on_signal(uv_signal_t *watcher, int number)
{
	struct serve *s = watcher->data;

	if (s->ending)
		return;
	s->ending = true;
	log_info("serve: ending on signal %d", number);
	service_env_end(&s->services);
	log_watch_look(&s->logs);
	unlink(s->endpoint);
	uv_close((uv_handle_t *)&s->term, NULL);
	uv_close((uv_handle_t *)&s->interrupt, NULL);
	/* The second one, from whoever else ends the job, would end us in the middle of it. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	uv_timer_start(&s->limit, on_poll, 0, STATUS_POLL_MS);
}

/*
 * What a scheduler tells every process of a job (Slurm: scancel --signal=USR1) is meant for the
 * command, and no reason to end sessions. Not ignored: what stops and continues, and what the
 * kernel raises on a fault. Sessions start with default dispositions.
 */
static void ignore_what_is_not_for_us(void)
{
	static const int others[] = {
		SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGTERM, SIGINT,
		SIGILL,	 SIGTRAP, SIGABRT, SIGBUS,  SIGFPE,  SIGSEGV, SIGSYS
	};

	for (int number = 1; number <= SIGRTMAX; number++) {
		bool is_other = false;

		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			is_other = is_other || number == others[i];
		/* Those that cannot be ignored are not, and stay as they are. */
		if (!is_other)
			signal(number, SIG_IGN);
	}
}

static void watch_signals(struct serve *s)
{
	uv_timer_init(&s->loop, &s->limit);
	uv_signal_init(&s->loop, &s->term);
	uv_signal_init(&s->loop, &s->interrupt);
	s->limit.data = s;
	s->term.data = s;
	s->interrupt.data = s;
	uv_signal_start(&s->term, on_signal, SIGTERM);
	uv_signal_start(&s->interrupt, on_signal, SIGINT);
}

/* Starting */

static int read_keys(struct serve *s, struct err *err)
{
	cleanup_free char *path = fs_join(s->args->dir, "tunnel.json");
	cleanup_free char *info = str_printf("berth reset %u", (unsigned int)s->args->rank);
	struct key_set peers;

	if (job_file_read(path, &s->job, err) < 0 ||
	    key_pair_of_rank(&s->job.secret, (unsigned int)s->args->rank, &s->key, err) < 0 ||
	    key_derive(&s->job.secret, info, &s->reset_key, err) < 0)
		return -1;
	key_tag(&s->key.public, s->tag.bytes);
	job_file_keys(&s->job, &peers);
	s->tls = tls_context_new(TLS_SERVER, &s->key, &peers.keys[0], err);
	if (!s->tls)
		return -1;
	tls_context_set_peers(s->tls, &peers);
	return 0;
}

/*
 * A restarted tunnel takes its old port if it can: clients find it without reading the file again.
 * Where nobody can read it, as in a pod, the port was agreed upon before.
 */
static struct quic_addr listen_address(const struct serve *s)
{
	struct quic_addr addr = { 0 };
	struct endpoint before;

	if (s->args->listen)
		(void)!addr_parse_listen(s->args->listen, &addr);
	else if (endpoint_read(s->endpoint, &before, NULL) == 0)
		addr = addr_any(AF_INET6, addr_port(&before.addresses.items[0]));
	else if (s->sessions.file.port)
		addr = addr_any(AF_INET6, (uint16_t)s->sessions.file.port);
	return addr;
}

static int listen_somewhere(struct serve *s, struct err *err)
{
	struct hub_config config = { .loop = &s->loop, .listen = listen_address(s) };
	struct err why = { 0 };

	s->hub = hub_new(&config, &why);
	if (!s->hub && why.kind == ERR_EXISTS && !s->args->listen) {
		config.listen = (struct quic_addr){ 0 };
		s->hub = hub_new(&config, &why);
	}
	if (s->hub)
		s->punches = punches_new(&s->loop, s->hub, &why);
	if (!s->punches && err)
		*err = why;
	return s->punches ? 0 : -1;
}

static int open_server(struct serve *s, struct err *err)
{
	struct server_config config = {
		.loop = &s->loop,
		.hub = s->hub,
		.tls = s->tls,
		.reset_key = &s->reset_key,
		.tag = s->tag,
		.settings = QUIC_SETTINGS_DEFAULT,
		.connections = (size_t)s->job.connections,
		.ops = &server_ops,
		.owner = s,
	};

	config.settings.idle_timeout_ns = s->job.idle_timeout_s * NSEC_PER_SEC;
	s->server = server_new(&config, err);
	return s->server ? 0 : -1;
}

/* Where else the job is met; whatever fails there is told, and no reason to fail. */
static void open_presence(struct serve *s)
{
	const struct presence_config config = {
		.loop = &s->loop,
		.hub = s->hub,
		.server = s->server,
		.punches = s->punches,
		.job = &s->job,
		.key = &s->key,
		.listen = *hub_local(s->hub),
	};

	s->presence = presence_new(&config);
}

/* Every address that leads to a socket which listens there. */
static void list_addresses(const struct quic_addr *local, struct addr_list *ret)
{
	if (addr_is_any(local))
		addr_list_local(addr_family(local) == AF_INET ? AF_INET : AF_UNSPEC,
				addr_port(local), ret);
	else
		(void)addr_list_add(ret, local);
}

static int write_endpoint(const struct serve *s, struct err *err)
{
	const struct quic_addr *local = hub_local(s->hub);
	struct endpoint endpoint = { .rank = (unsigned int)s->args->rank,
				     .uid = getuid(),
				     .started = clock_wall() };
	struct quic_addr tcp;
	char text[ADDR_TEXT_MAX];

	gethostname(endpoint.host, sizeof(endpoint.host) - 1);
	list_addresses(local, &endpoint.addresses);
	if (presence_tcp(s->presence, &tcp))
		list_addresses(&tcp, &endpoint.tcp);
	if (endpoint_write(s->endpoint, &endpoint, err) < 0)
		return -1;
	addr_format(local, text);
	log_info("serve: rank %u listens on %s, %zu addresses", endpoint.rank, text,
		 endpoint.addresses.len);
	return 0;
}

static int start(struct serve *s, struct err *err)
{
	struct service_config services = {
		.loop = &s->loop,
		.rank = (unsigned int)s->args->rank,
		.ranks = (unsigned int)s->args->ranks,
		.dir = s->args->dir,
		.main_pid = (pid_t)s->args->pid,
		.environment = environ,
	};
	struct key_set peers;

	if (read_keys(s, err) < 0)
		return -1;
	services.allow = s->job.allow;
	services.allow_len = s->job.allow_len;
	sessions_open(&s->sessions, s->args->dir, services.rank, environ);
	sessions_configure(&s->sessions, &services);
	if (listen_somewhere(s, err) < 0 || open_server(s, err) < 0)
		return -1;
	services.punches = path_mask_has(s->job.paths, PATH_PUNCHED) ? s->punches : NULL;
	open_presence(s);
	s->ways = (struct service_ways){ count_connections, list_connections, list_paths, s };
	services.ways = &s->ways;
	if (service_env_open(&s->services, &services, err) < 0 || write_endpoint(s, err) < 0)
		return -1;
	watch_signals(s);
	rest_open(&s->rest, &s->loop, REST_AFTER_MS);
	job_file_keys(&s->job, &peers);
	job_watch_open(&s->watch, &s->loop, s->job_path, &peers, &watch_ops);
	log_watch_open(&s->logs, &s->loop, s->args->dir, services.rank, services.ranks);
	return 0;
}

static int check(const struct args *args, struct err *err)
{
	struct quic_addr addr;

	if (!args->dir)
		return err_set(err, ERR_INVALID, "--dir is needed");
	if (args->rank > UINT_MAX)
		return err_set(err, ERR_INVALID, "--rank: too large");
	if (args->ranks > UINT_MAX)
		return err_set(err, ERR_INVALID, "--ranks: too large");
	if (args->pid > INT_MAX)
		return err_set(err, ERR_INVALID, "--pid: too large");
	if (args->listen && !addr_parse_listen(args->listen, &addr))
		return err_set(err, ERR_INVALID, "--listen: '%s' is not ADDRESS:PORT",
			       args->listen);
	return 0;
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	static struct serve s;

	(void)argc;
	(void)argv;
	s.args = user;
	if (check(s.args, err) < 0)
		return -1;
	log_setup("berth-tunnel", STDERR_FILENO, LOG_LEVEL_INFO, LOG_FORMAT_AUTO);
	ignore_what_is_not_for_us();
	uv_loop_init(&s.loop);
	s.job_path = fs_join(s.args->dir, "tunnel.json");
	s.endpoint = str_printf("%s/endpoint.%u.json", s.args->dir, (unsigned int)s.args->rank);
	/* After a failure the process ends, and with it whatever had been opened. */
	if (start(&s, err) < 0)
		return -1;
	uv_run(&s.loop, UV_RUN_DEFAULT);
	sessions_close(&s.sessions);
	if (!s.logs.looking)
		log_watch_finish(&s.logs);
	tls_context_free(s.tls);
	key_pair_finish(&s.key);
	secret_finish(&s.reset_key);
	job_file_finish(&s.job);
	free(s.job_path);
	free(s.endpoint);
	return 0;
}

const struct verb cmd_serve = {
	.name = "serve",
	.operands = "",
	.summary = "let the workstation into this job",
	.details = "Started by berth-init beside the job's main command. Ends on SIGTERM.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
