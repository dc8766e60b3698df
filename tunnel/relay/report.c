/* SPDX-License-Identifier: MIT */
/* Prometheus' text format; see report.h. */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "init/base/macro.h"

static const char *const role_names[] = { "job", "client" };

/* Lines that do not fit are left out: the first ones are the most important. */
static void attr_printf(2, 3) line(struct buf *b, const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len > 0 && (size_t)len < sizeof(text))
		(void)!buf_append(b, text, (size_t)len);
}

static void begin(struct buf *b, const char *name, const char *type, const char *help)
{
	line(b, "# HELP berth_relay_%s %s\n# TYPE berth_relay_%s %s\n", name, help, name, type);
}

static void write_counts(const struct core *core, struct buf *b)
{
	const struct core_stats *stats = &core->stats;

	begin(b, "registrations", "gauge", "registrations now");
	for (int role = RELAY_JOB; role <= RELAY_CLIENT; role++)
		line(b, "berth_relay_registrations{role=\"%s\"} %zu\n", role_names[role],
		     legs_count(core->legs, (enum relay_role)role));
	begin(b, "registered_total", "counter", "registrations that were accepted");
	for (int role = RELAY_JOB; role <= RELAY_CLIENT; role++)
		line(b, "berth_relay_registered_total{role=\"%s\"} %" PRIu64 "\n", role_names[role],
		     stats->registered[role]);
	begin(b, "forwarded_packets_total", "counter", "packets forwarded, by who sent them");
	for (int role = RELAY_JOB; role <= RELAY_CLIENT; role++)
		line(b, "berth_relay_forwarded_packets_total{from=\"%s\"} %" PRIu64 "\n",
		     role_names[role], stats->packets[role]);
	begin(b, "forwarded_bytes_total", "counter", "bytes of these");
	for (int role = RELAY_JOB; role <= RELAY_CLIENT; role++)
		line(b, "berth_relay_forwarded_bytes_total{from=\"%s\"} %" PRIu64 "\n",
		     role_names[role], stats->bytes[role]);
}

static void write_refusals(const struct core *core, struct buf *b)
{
	static const struct {
		enum relay_code code;
		const char *name;
	} codes[] = {
#define X(number, symbol, words) { RELAY_CODE_##symbol, #symbol },
		RELAY_CODES(X)
#undef X
	};

	begin(b, "dropped_packets_total", "counter", "packets that were not forwarded, and why");
	for (int i = 0; i < CORE_DROP_COUNT; i++)
		line(b, "berth_relay_dropped_packets_total{reason=\"%s\"} %" PRIu64 "\n",
		     core_drop_label((enum core_drop)i), core->stats.dropped[i]);
	begin(b, "refused_total", "counter", "streams that were refused or ended, and why");
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		char name[32];
		size_t len = 0;

		for (; codes[i].name[len] && len < sizeof(name) - 1; len++)
			name[len] =
				codes[i].name[len] == '_' ? '_' : (char)(codes[i].name[len] | 0x20);
		name[len] = '\0';
		line(b, "berth_relay_refused_total{code=\"%s\"} %" PRIu64 "\n", name,
		     core->stats.refused[codes[i].code]);
	}
}

static void write_users(const struct core *core, struct buf *b)
{
	begin(b, "user_registrations", "gauge", "registrations now, by whose token");
	for (const struct admit_user *user = admit_first(core->admit); user; user = user->next)
		for (int role = RELAY_JOB; role <= RELAY_CLIENT; role++)
			line(b, "berth_relay_user_registrations{user=\"%s\",role=\"%s\"} %zu\n",
			     user->name, role_names[role], user->count[role]);
	begin(b, "user_forwarded_bytes_total", "counter", "bytes forwarded, by whose token");
	for (const struct admit_user *user = admit_first(core->admit); user; user = user->next)
		line(b, "berth_relay_user_forwarded_bytes_total{user=\"%s\"} %" PRIu64 "\n",
		     user->name, user->bytes);
}

void report_write(const struct core *core, const struct report_figures *figures, struct buf *b)
{
	write_counts(core, b);
	begin(b, "connections", "gauge", "QUIC connections to the relay now");
	line(b, "berth_relay_connections %zu\n", figures->connections);
	begin(b, "handshakes", "gauge", "of these, still in their handshake");
	line(b, "berth_relay_handshakes %zu\n", figures->handshakes);
	begin(b, "streams", "gauge", "TCP connections to the relay now");
	line(b, "berth_relay_streams %zu\n", figures->streams);
	begin(b, "streams_refused_total", "counter", "TCP connections for which there was no room");
	line(b, "berth_relay_streams_refused_total %" PRIu64 "\n", figures->streams_refused);
	begin(b, "kernel_dropped_total", "counter", "datagrams that found the socket full");
	line(b, "berth_relay_kernel_dropped_total %" PRIu64 "\n", figures->kernel_dropped);
	begin(b, "moved_total", "counter", "registrations whose address changed");
	line(b, "berth_relay_moved_total %" PRIu64 "\n", core->stats.moved);
	begin(b, "draining", "gauge", "1 while it is shutting down");
	line(b, "berth_relay_draining %d\n", core->is_draining);
	begin(b, "start_time_seconds", "gauge", "when it was started");
	line(b, "berth_relay_start_time_seconds %.0f\n", figures->started);
	write_refusals(core, b);
	write_users(core, b);
}
