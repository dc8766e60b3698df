/* SPDX-License-Identifier: MIT */
/* berth-tunnel ssh: what ssh runs as its ProxyCommand to reach a job. */
#include "cmd.h"

#include <limits.h>
#include <signal.h>

#include "init/base/log.h"
#include "tunnel/cmd/face.h"
#include "tunnel/cmd/pipes.h"
#include "tunnel/net/client.h"
#include "tunnel/net/host_key.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/turn.h"

/* How long the last words may wait for somebody to read them. */
#define LAST_WORDS_MS 2000

struct args {
	const char *client_file, *endpoint, *host_key, *name;
	uint64_t rank, ssh_port;
	bool verbose;
};

static const struct opt opts[] = {
	OPT_STR(0, "client-file", struct args, client_file, "FILE", "the job's keys (keygen)"),
	OPT_STR(0, "endpoint", struct args, endpoint, "FILE", "where the job listens"),
	OPT_UINT(0, "rank", struct args, rank, "N", "which process of the job (0)"),
	OPT_STR(0, "host-key", struct args, host_key, "FILE", "the SSH host key to show (keygen)"),
	OPT_STR(0, "name", struct args, name, "NAME", "what to call the job in messages (job)"),
	OPT_UINT(0, "ssh-port", struct args, ssh_port, "PORT",
		 "pass everything on to this port in the job: its own sshd"),
	OPT_FLAG('v', "verbose", struct args, verbose, "say what happens on standard error"),
	OPT_END,
};

/* ssh ends its ProxyCommand with SIGHUP, often before we see the end of the input. */
static const int end_signals[] = { SIGHUP, SIGINT, SIGTERM };

struct session {
	uv_loop_t loop;
	struct pipes pipes;
	struct turn turn;
	uv_timer_t last_words;
	uv_signal_t signals[ARRAY_LEN(end_signals)];
	struct tls_context *tls;
	struct client *client;
	struct face *face;
	struct err why; /* ERR_NONE: all went well */
	bool ended;	/* whoever talked to us has left */
	bool lost;	/* the connection is over */
	bool finished;
};

static void finish(struct session *s)
{
	if (s->finished)
		return;
	s->finished = true;
	client_close(s->client);
	pipes_close(&s->pipes, NULL);
	turn_close(&s->turn, NULL);
	uv_close((uv_handle_t *)&s->last_words, NULL);
	for (size_t i = 0; i < ARRAY_LEN(end_signals); i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void on_last_words(uv_timer_t *timer)
{
	finish(timer->data);
}

static void write_output(struct session *s)
{
	struct span bytes;
	size_t len;

	while (!s->ended && (bytes = s->face->ops->output(s->face)).len > 0) {
		len = pipes_write(&s->pipes, bytes);
		if (len == 0)
			return;
		s->face->ops->output_taken(s->face, len);
	}
}

static void on_turn(void *owner)
{
	struct session *s = owner;
	struct err why = { 0 };
	bool over;

	if (s->finished)
		return;
	s->face->ops->turn(s->face);
	write_output(s);
	over = s->face->ops->is_over(s->face, &why);
	if (s->ended || (over && s->face->ops->output(s->face).len == 0)) {
		if (!s->lost)
			s->why = why;
		finish(s);
		return;
	}
	pipes_want_input(&s->pipes, !over && s->face->ops->wants_input(s->face));
}

static void on_input(void *owner, struct span bytes)
{
	struct session *s = owner;

	s->face->ops->input(s->face, bytes);
}

static void on_ended(void *owner)
{
	struct session *s = owner;

	s->ended = true;
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	on_ended(signal->data);
}

static void watch_signals(struct session *s)
{
	for (size_t i = 0; i < ARRAY_LEN(end_signals); i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, end_signals[i]);
	}
}

static void on_writable(void *owner)
{
	(void)owner; /* the turn writes */
}

static const struct pipes_ops pipes_ops = { on_input, on_ended, on_writable };

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct session *s = owner;

	s->face->ops->connected(s->face, conn);
}

static void on_lost(void *owner, const struct err *why)
{
	struct session *s = owner;

	s->lost = true;
	s->why = *why;
	s->face->ops->lost(s->face);
	uv_timer_start(&s->last_words, on_last_words, LAST_WORDS_MS, 0);
}

static const struct client_ops client_ops = { on_connected, on_lost };

static int open_tls(struct session *s, const struct args *args, struct err *err)
{
	cleanup(client_file_finish) struct client_file file = { 0 };
	cleanup(key_pair_finish) struct key_pair rank = { 0 };

	if (client_file_read(args->client_file, &file, err) < 0 ||
	    key_pair_of_rank(&file.secret, (unsigned int)args->rank, &rank, err) < 0)
		return -1;
	s->tls = tls_context_new(TLS_CLIENT, &file.key, &rank.public, err);
	return s->tls ? 0 : -1;
}

static int run_session(struct session *s, const struct args *args, struct err *err)
{
	struct client_config config = {
		.loop = &s->loop,
		.name = args->name ? args->name : "job",
		.endpoint = args->endpoint,
		.ops = &client_ops,
		.owner = s,
	};
	int result;

	uv_loop_init(&s->loop);
	uv_timer_init(&s->loop, &s->last_words);
	s->last_words.data = s;
	watch_signals(s);
	turn_open(&s->turn, &s->loop, on_turn, s);
	result = pipes_open(&s->pipes, &s->loop, &pipes_ops, s, err);
	if (result == 0) {
		/* ssh begins its key exchange while we make ours. */
		write_output(s);
		result = open_tls(s, args, err);
	}
	config.tls = s->tls;
	if (result == 0)
		s->client = client_new(&config);
	else
		finish(s);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	s->face->ops->free(s->face);
	tls_context_free(s->tls);
	uv_loop_close(&s->loop);
	return result;
}

static int check(const struct args *args, struct err *err)
{
	if (!args->client_file || !args->endpoint || (!args->host_key && !args->ssh_port))
		return err_set(
			err, ERR_INVALID,
			"--client-file, --endpoint and --host-key (or --ssh-port) are needed");
	if (args->rank > UINT_MAX)
		return err_set(err, ERR_INVALID, "--rank: too large");
	if (args->ssh_port > UINT16_MAX)
		return err_set(err, ERR_INVALID, "--ssh-port: not a port");
	return 0;
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	cleanup(key_pair_finish) struct key_pair host_key = { 0 };
	static struct session session;
	const struct args *args = user;

	(void)argc;
	(void)argv;
	if (check(args, err) < 0)
		return -1;
	log_setup("berth-tunnel", STDERR_FILENO, args->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
		  LOG_FORMAT_TEXT);
	signal(SIGPIPE, SIG_IGN);
	if (args->ssh_port) {
		session.face = face_plain_new((unsigned int)args->ssh_port);
	} else {
		if (host_key_read(args->host_key, &host_key, err) < 0)
			return -1;
		session.face = face_ssh_new(&host_key);
	}
	if (run_session(&session, args, err) < 0)
		return -1;
	if (session.why.kind == ERR_NONE)
		return 0;
	*err = session.why;
	return -1;
}

const struct verb cmd_ssh = {
	.name = "ssh",
	.operands = "",
	.summary = "connect ssh to a job: its ProxyCommand",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
