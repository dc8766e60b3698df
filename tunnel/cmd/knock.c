/* SPDX-License-Identifier: MIT */
/*
 * berth-tunnel knock: comes in, and leaves. It shows that a key is accepted, and makes the tunnel
 * look which keys are (net/job_watch.h). It leaves no tickets behind.
 */
#include "cmd.h"

#include "fetch.h"
#include "remote.h"

/* While a key is not known yet: a stranger makes the tunnel look. */
#define AGAIN_MS 60
#define ANSWER_MAX (64 * 1024)

struct args {
	struct remote_args remote;
	uint64_t wait_ns;
};

static const struct opt opts[] = {
	REMOTE_OPTS(struct args, remote),
	OPT_DURATION(0, "wait", struct args, wait_ns, "TIME",
		     "go on while the key is not accepted, for so long"),
	OPT_END,
};

struct knock {
	struct remote remote;
	const struct args *args;
	uint64_t until_ms;
};

static void on_answer(void *owner, struct buf *body, const struct err *why)
{
	struct knock *k = owner;

	if (body)
		remote_end(&k->remote, 0);
	/* A connection that is over has its say in on_lost(). */
	else if (why->kind != ERR_DENIED)
		remote_fail(&k->remote, why);
}

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct knock *k = owner;
	const struct fetch_request request = { .method = "GET",
					       .path = "/info",
					       .max = ANSWER_MAX };

	fetch(conn, &request, on_answer, k);
}

static bool on_lost(void *owner, const struct err *why)
{
	struct knock *k = owner;

	if (why->kind != ERR_DENIED || uv_now(&k->remote.loop) >= k->until_ms)
		return false;
	remote_reconnect(&k->remote, AGAIN_MS);
	return true;
}

static const struct remote_ops ops = { .connected = on_connected, .lost = on_lost };

static int run(void *user, int argc, char **argv, struct err *err)
{
	static struct knock k;
	struct err why;

	(void)argc;
	(void)argv;
	k.args = user;
	if (remote_open(&k.remote, &k.args->remote, &ops, &k, err) < 0)
		return -1;
	k.remote.no_tickets = true;
	k.until_ms = uv_now(&k.remote.loop) + k.args->wait_ns / NSEC_PER_MSEC;
	if (remote_connect(&k.remote, &why) < 0)
		remote_fail(&k.remote, &why);
	return remote_loop(&k.remote, err);
}

const struct verb cmd_knock = {
	.name = "knock",
	.operands = "",
	.summary = "come in and leave: is the key accepted?",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
