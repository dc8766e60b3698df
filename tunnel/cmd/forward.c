/* SPDX-License-Identifier: MIT */
/*
 * berth-tunnel forward: ports and sockets of this machine that lead into the job, until the job
 * ends. A connection that is lost for good while the job may still run is made anew.
 */
#include "cmd.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "tunnel/cmd/forward_link.h"
#include "tunnel/cmd/listener.h"
#include "tunnel/cmd/remote.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/jsonfile.h"

/* A dead tunnel is restarted at once at first; one that does not come back is asked less often. */
#define BACKOFF_FIRST_MS UINT64_C(250)
#define BACKOFF_MAX_MS UINT64_C(30000)
#define GIVE_UP_NS (600 * NSEC_PER_SEC)

struct args {
	struct remote_args remote;
	struct opt_list address;
};

static const struct opt opts[] = {
	OPT_LIST(0, "address", struct args, address, "ADDRESS",
		 "listen there: an address of ours, or localhost (127.0.0.1; repeatable)"),
	REMOTE_OPTS(struct args, remote),
	OPT_END,
};

struct forward {
	struct remote remote;
	const struct args *args;
	struct forward_spec *specs;
	struct one {
		struct listener listener;
		struct forward *forward;
		const struct forward_spec *spec;
	} * ones;
	size_t ones_len;
	struct forward_links links;
	uv_timer_t pause; /* accepting, while descriptors are short */
	bool paused, said;
	bool was_there;	  /* the job, so that it may be there again */
	uint64_t lost_at; /* 0: there is a connection */
	struct err lost_why;
	uint64_t backoff_ms;
};

/* Connections that come in */

static void set_pause(struct forward *f, bool pause)
{
	if (f->paused == pause)
		return;
	f->paused = pause;
	for (size_t i = 0; i < f->ones_len; i++)
		listener_pause(&f->ones[i].listener, pause);
}

static void on_pause_over(uv_timer_t *timer)
{
	struct forward *f = timer->data;

	set_pause(f, f->links.len >= FORWARD_LINKS_MAX);
}

static void on_freed(struct forward_links *links)
{
	struct forward *f = container_of(links, struct forward, links);

	/* Not at once: many may go in this turn. */
	if (f->paused && !uv_is_active((uv_handle_t *)&f->pause))
		uv_timer_start(&f->pause, on_pause_over, 0, 0);
}

static void on_accepted(struct listener *listener, int fd)
{
	struct one *one = container_of(listener, struct one, listener);
	struct forward *f = one->forward;

	forward_links_add(&f->links, fd, &one->spec->remote);
	if (f->links.len < FORWARD_LINKS_MAX)
		return;
	log_warn("%s: %d connections are open: more have to wait", remote_name(&f->remote),
		 FORWARD_LINKS_MAX);
	set_pause(f, true);
}

static const struct listener_ops listener_ops = { on_accepted };

/* The connection to the job */

static void say_forwarding(const struct forward *f)
{
	for (size_t i = 0; i < f->ones_len; i++) {
		char local[FORWARD_TEXT_MAX], remote[FORWARD_TEXT_MAX];

		forward_end_format(&f->ones[i].listener.local, local);
		forward_end_format(&f->ones[i].spec->remote, remote);
		printf("Forwarding from %s -> %s\n", local, remote);
	}
	fflush(stdout);
}

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct forward *f = owner;

	if (!f->said)
		say_forwarding(f);
	f->said = true;
	forward_links_connect(&f->links, conn);
}

/* What was asked for went along; all else is asked of this one. */
static void on_moved(void *owner, struct h3_conn *conn)
{
	forward_links_connect(&((struct forward *)owner)->links, conn);
}

static void on_proven(void *owner)
{
	struct forward *f = owner;

	if (f->lost_at)
		log_warn("%s; connected again", f->lost_why.text);
	f->lost_at = 0;
	f->backoff_ms = 0;
	f->was_there = true;
}

/* What berth-init wrote beside the endpoint file: status.RANK.json. */
static bool has_command_ended(const struct forward *f)
{
	const char *endpoint = f->args->remote.endpoint;
	const char *slash = endpoint ? strrchr(endpoint, '/') : NULL;
	cleanup_free char *path = NULL;
	cleanup(buf_finish) struct buf text = BUF_INIT(JSONFILE_MAX);
	cleanup(jsonfile_free) json_t *object = NULL;
	const char *state;

	/* Without an endpoint file there is nothing beside it. */
	if (!endpoint)
		return false;
	path = str_printf("%.*sstatus.%u.json", slash ? (int)(slash + 1 - endpoint) : 0, endpoint,
			  (unsigned int)f->args->remote.rank);
	if (fs_read_file(path, JSONFILE_MAX, &text, NULL) < 0)
		return false;
	object = jsonfile_parse(buf_span(&text), NULL);
	return object && jsonfile_string(object, "state", &state, NULL) == 0 &&
	       strcmp(state, "exited") == 0;
}

/* Whether there may be a tunnel again. */
static bool is_worth_waiting(void *owner)
{
	const struct forward *f = owner;

	return fs_exists(f->args->remote.client_file) && !has_command_ended(f) &&
	       clock_now() - f->lost_at < GIVE_UP_NS;
}

/*
 * The first time nothing is said: the tunnel may be the first that ends with the job, or it is back
 * in a moment. Dialling then looks for it for some seconds.
 */
static bool on_lost(void *owner, const struct err *why)
{
	struct forward *f = owner;
	bool first = f->lost_at == 0;

	forward_links_disconnect(&f->links);
	if (!f->was_there || why->kind == ERR_DENIED || why->kind == ERR_INVALID)
		return false;
	if (first) {
		f->lost_at = clock_now();
		f->lost_why = *why;
		f->backoff_ms = BACKOFF_FIRST_MS;
	} else if ((f->args->remote.endpoint && !fs_exists(f->args->remote.endpoint)) ||
		   !is_worth_waiting(f)) {
		return false;
	} else if (f->backoff_ms == 2 * BACKOFF_FIRST_MS) {
		log_warn("%s: connecting again", why->text);
	}
	remote_reconnect(&f->remote, f->backoff_ms);
	f->backoff_ms = MIN(2 * f->backoff_ms, BACKOFF_MAX_MS);
	return true;
}

static void on_turn(void *owner)
{
	forward_links_turn(&((struct forward *)owner)->links);
}

static void on_close(void *owner)
{
	struct forward *f = owner;

	for (size_t i = 0; i < f->ones_len; i++)
		listener_close(&f->ones[i].listener);
	forward_links_close(&f->links);
	uv_close((uv_handle_t *)&f->pause, NULL);
}

static const struct remote_ops remote_ops = {
	.connected = on_connected,
	.moved = on_moved,
	.proven = on_proven,
	.lost = on_lost,
	.again = is_worth_waiting,
	.turn = on_turn,
	.close = on_close,
};

/* The beginning */

static int listen_on(struct forward *f, const struct forward_spec *spec, const char *host,
		     uint16_t port, struct err *err)
{
	struct one *one = &f->ones[f->ones_len];
	struct forward_end local = spec->local;

	if (!local.path[0]) {
		snprintf(local.host, sizeof(local.host), "%s", host);
		local.port = port;
	}
	one->forward = f;
	one->spec = spec;
	if (listener_open(&one->listener, &f->remote.loop, &local, &listener_ops, err) < 0)
		return -1;
	f->ones_len++;
	return 0;
}

/* Both loopback addresses, at one port; where there is no IPv6, the one that there is. */
static int listen_on_localhost(struct forward *f, const struct forward_spec *spec, struct err *err)
{
	uint16_t port;

	if (listen_on(f, spec, "127.0.0.1", spec->local.port, err) < 0)
		return -1;
	port = f->ones[f->ones_len - 1].listener.local.port;
	if (listen_on(f, spec, "::1", port, NULL) < 0)
		log_debug("forward: nothing listens on [::1]:%u", port);
	return 0;
}

static int listen_everywhere(struct forward *f, const struct forward_spec *spec, struct err *err)
{
	const struct opt_list *list = &f->args->address;
	bool is_said = spec->local.path[0] || spec->local.host[0] || list->len == 0;

	for (size_t i = 0; i < (is_said ? 1 : list->len); i++) {
		const char *host = is_said ? spec->local.host : list->items[i];

		if (strcmp(host, "localhost") == 0
			    ? listen_on_localhost(f, spec, err) < 0
			    : listen_on(f, spec, host[0] ? host : "127.0.0.1", spec->local.port,
					err) < 0)
			return -1;
	}
	return 0;
}

/* Each connection has a descriptor. */
static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int start(struct forward *f, size_t len, struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		if (listen_everywhere(f, &f->specs[i], err) < 0)
			return -1;
	}
	return remote_connect(&f->remote, err);
}

static int run(void *user, int argc, char **argv, struct err *err)
{
	static struct forward f;
	size_t len = (size_t)argc;
	struct err why;
	int result = 0;

	f.args = user;
	f.specs = new_array(struct forward_spec, len);
	f.ones = new_array(struct one, 2 * len * MAX(f.args->address.len, (size_t)1));
	for (size_t i = 0; i < len && result == 0; i++)
		result = forward_spec_parse(argv[i], &f.specs[i], err);
	if (result == 0)
		result = remote_open(&f.remote, &f.args->remote, &remote_ops, &f, err);
	if (result == 0) {
		raise_files();
		uv_timer_init(&f.remote.loop, &f.pause);
		f.pause.data = &f;
		f.links = (struct forward_links){ .loop = &f.remote.loop,
						  .name = remote_name(&f.remote),
						  .freed = on_freed };
		if (start(&f, len, &why) < 0)
			remote_fail(&f.remote, &why);
		result = remote_loop(&f.remote, err);
	}
	free(f.ones);
	free(f.specs);
	return result;
}

const struct verb cmd_forward = {
	.name = "forward",
	.operands = "[[ADDRESS:]LOCAL:][HOST:]REMOTE...",
	.summary = "let ports and sockets of this machine lead into a job",
	.details =
		"LOCAL and REMOTE are ports, or paths of Unix sockets; LOCAL 0 is any free port.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 256,
	.run = run,
};
