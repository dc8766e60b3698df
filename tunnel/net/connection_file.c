/* SPDX-License-Identifier: MIT */
/* The state of a connection as a file; see connection_file.h. */
#include "connection_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "init/base/text.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"

#define FIRST_MS 1000
#define EVERY_MS 5000
#define IDLE_S 60
/* Heartbeats are no use. */
#define IDLE_BYTES 1024
#define FILE_MAX 4096
#define STAT_MAX 4096
#define STAT_STARTED 22 /* proc(5) */

static const char *absolute(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static char *make_dir(void)
{
	const char *base = absolute("XDG_RUNTIME_DIR"), *under = "berth/connections";
	cleanup_free char *dir = NULL;
	struct err err;

	if (!base)
		base = absolute("XDG_STATE_HOME");
	if (!base) {
		base = absolute("HOME");
		under = ".local/state/berth/connections";
	}
	if (!base)
		return NULL;
	dir = fs_join(base, under);
	if (fs_make_dirs(dir, 0700, &err) < 0) {
		log_debug("connections are not told: %s", err.text);
		return NULL;
	}
	return take_ptr(dir);
}

static char *make_path(void)
{
	cleanup_free char *dir = make_dir();
	char name[32];

	if (!dir)
		return NULL;
	snprintf(name, sizeof(name), "%ld.json", (long)getpid());
	return fs_join(dir, name);
}

/* The name in parentheses may hold anything: what counts begins behind the last one. */
static uint64_t read_started(void)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(STAT_MAX);
	const char *at;

	if (fs_read_file("/proc/self/stat", STAT_MAX, &text, NULL) < 0)
		return 0;
	at = strrchr(buf_str(&text), ')');
	for (int field = 2; at && field < STAT_STARTED; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

bool connection_state_format(const struct connection_state *s, struct buf *b)
{
	return buf_printf(b,
			  "{\"version\": 1, \"pid\": %" PRIu64 ", \"pid_started\": %" PRIu64
			  ", \"job\": \"",
			  s->pid, s->pid_started) &&
	       text_append_json(b, s->job) &&
	       buf_printf(b, "\", \"rank\": %u, \"path\": \"%s\", \"remote\": \"", s->rank,
			  path_kind_name(s->kind)) &&
	       text_append_json(b, s->remote) &&
	       buf_printf(b,
			  "\", \"rtt_us\": %" PRIu64 ", \"packets_sent\": %" PRIu64
			  ", \"packets_lost\": %" PRIu64 ", \"bytes_sent\": %" PRIu64
			  ", \"bytes_received\": %" PRIu64,
			  s->stats.rtt_ns / 1000, s->stats.packets_sent, s->stats.packets_lost,
			  s->stats.bytes_sent, s->stats.bytes_received) &&
	       buf_printf(b, ", \"heard\": %.3f, \"since\": %.3f, \"written\": %.3f}\n", s->heard,
			  s->since, s->written);
}

static void write_state(struct connection_file *f, const struct quic_stats *stats)
{
	const struct path *path = attempt_path(f->config.attempt);
	cleanup(buf_finish) struct buf text = BUF_INIT(FILE_MAX);
	char address[ADDR_TEXT_MAX] = "";
	struct connection_state state = {
		.job = f->config.job,
		.rank = f->config.rank,
		.kind = path->kind,
		.remote = path->name,
		.stats = *stats,
		.since = f->since,
		.written = clock_wall(),
		.pid = (uint64_t)getpid(),
		.pid_started = f->pid_started,
	};
	struct err err;

	if (!path->name && path->remote.len > 0)
		addr_format(&path->remote, address);
	state.remote = path->name ? path->name : address;
	state.heard = state.written - (double)(clock_now() - stats->received_at) / NSEC_PER_SEC;
	f->written = state.written;
	f->address = path->address.local;
	f->bytes = stats->bytes_sent + stats->bytes_received;
	if (!connection_state_format(&state, &text) ||
	    fs_write_file_unsynced(f->path, buf_span(&text), 0600, &err) == 0) {
		f->is_written = true;
		return;
	}
	log_debug("connections are not told: %s", err.text);
	free(f->path);
	f->path = NULL;
	uv_timer_stop(&f->timer);
}

static void on_timer(uv_timer_t *timer)
{
	struct connection_file *f = timer->data;
	struct quic_stats stats;

	quic_conn_stats(h3_conn_quic(attempt_h3(f->config.attempt)), &stats);
	if (f->is_written && clock_wall() - f->written < IDLE_S &&
	    stats.bytes_sent + stats.bytes_received < f->bytes + IDLE_BYTES &&
	    quic_addr_equal(&f->address, &attempt_path(f->config.attempt)->address.local))
		return;
	if (!f->is_written) {
		f->path = make_path();
		f->pid_started = read_started();
	}
	if (f->path)
		write_state(f, &stats);
	else
		uv_timer_stop(timer);
}

void connection_file_open(struct connection_file *f, const struct connection_file_config *config)
{
	*f = (struct connection_file){ .config = *config, .open = true, .since = clock_wall() };
	uv_timer_init(config->loop, &f->timer);
	f->timer.data = f;
	uv_timer_start(&f->timer, on_timer, FIRST_MS, EVERY_MS);
}

static void on_closed(uv_handle_t *handle)
{
	struct connection_file *f = handle->data;

	f->closed(f->owner);
}

void connection_file_close(struct connection_file *f, void (*closed)(void *owner), void *owner)
{
	if (!f->open) {
		closed(owner);
		return;
	}
	f->open = false;
	f->closed = closed;
	f->owner = owner;
	if (f->is_written && f->path)
		unlink(f->path);
	free(f->path);
	f->path = NULL;
	uv_close((uv_handle_t *)&f->timer, on_closed);
}
