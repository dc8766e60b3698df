/* SPDX-License-Identifier: MIT */
/*
 * berth-tunnel stat: what the job uses, once or again and again. Rates need two looks, so that also
 * for one row two lines are asked for, and the second is shown.
 */
#include "cmd.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/text.h"
#include "tunnel/cmd/remote.h"
#include "tunnel/cmd/stat_table.h"
#include "tunnel/wire/reason.h"

#define STATUS_OK 200
#define ONCE_MS 500
/* The names of the columns are shown again after so many rows. */
#define ROWS_PER_HEAD 20
#define REASON_MAX 256

struct args {
	struct remote_args remote;
	uint64_t interval_ns;
	const char *output;
};

static const struct opt opts[] = {
	OPT_DURATION('i', "interval", struct args, interval_ns, "TIME",
		     "go on, with a line each time (once)"),
	OPT_STR('o', "output", struct args, output, "FORMAT", "table (default) or json"),
	REMOTE_OPTS(struct args, remote),
	OPT_END,
};

struct watch {
	struct remote remote;
	const struct args *args;
	bool as_json, over;
	uint64_t lines;
	int status;
	struct buf line, reason;
};

static void fail(struct watch *s, const struct err *why)
{
	s->over = true;
	remote_fail(&s->remote, why);
}

static int print(struct watch *s, struct span line, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(2 * STAT_LINE_MAX);
	uint64_t row = s->args->interval_ns ? s->lines : 0;

	if (s->as_json) {
		cleanup_free char *safe = str_dup_len((const char *)line.ptr, line.len);

		/* JSON has no control characters; what a job sends may. */
		text_make_printable(safe);
		if (!buf_printf(&text, "%s\n", safe))
			return err_set(err, ERR_LIMIT, "a line is too long");
		return fd_write_all(STDOUT_FILENO, buf_span(&text), err);
	}
	if (row % ROWS_PER_HEAD == 0 && !stat_table_head(&text))
		return err_set(err, ERR_INTERNAL, "no room for a table");
	if (stat_table_row(line, &text, err) < 0)
		return err_wrap(err, "the job's answer");
	return fd_write_all(STDOUT_FILENO, buf_span(&text), err);
}

static void on_line(struct watch *s, struct span line)
{
	struct err err;

	/* The first has no rates: where only one is shown, it is the second. */
	if (s->args->interval_ns == 0 && s->lines++ == 0)
		return;
	if (print(s, line, &err) < 0)
		fail(s, &err);
	else if (s->args->interval_ns == 0)
		remote_end(&s->remote, 0);
	s->over = s->over || s->args->interval_ns == 0;
	s->lines++;
}

static void take_lines(struct watch *s, struct span bytes)
{
	while (bytes.len > 0 && !s->over) {
		const uint8_t *newline = memchr(bytes.ptr, '\n', bytes.len);
		struct span part =
			span_cut(&bytes, newline ? (size_t)(newline - bytes.ptr) : bytes.len);

		if (!buf_append_span(&s->line, part)) {
			fail(s, &(struct err){ ERR_PROTOCOL, 0,
					       "the job sends a line that is too long" });
			return;
		}
		if (!newline)
			return;
		span_cut(&bytes, 1);
		on_line(s, buf_span(&s->line));
		buf_clear(&s->line);
	}
}

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct watch *s = user;

	(void)stream;
	s->status = status;
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct watch *s = user;

	if (s->status == STATUS_OK)
		take_lines(s, bytes);
	else
		reason_add(&s->reason, bytes);
	h3_stream_consumed(stream, bytes.len);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct watch *s = user;
	struct err err;

	(void)stream;
	if (s->over)
		return;
	if (s->status != STATUS_OK && s->status != 0)
		err_set(&err, ERR_UNAVAILABLE, "%s: %s", remote_name(&s->remote),
			reason_text(&s->reason, "refused"));
	else
		err_set(&err, why ? why->kind : ERR_PROTOCOL, "%s: %s", remote_name(&s->remote),
			why ? why->text : "the job sends no more");
	fail(s, &err);
}

static const struct h3_stream_ops stream_ops = {
	.response = on_response,
	.body = on_body,
	.closed = on_closed,
};

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct watch *s = owner;
	uint64_t ms = s->args->interval_ns ? s->args->interval_ns / NSEC_PER_MSEC : ONCE_MS;
	cleanup_free char *path = str_printf("/stat?interval=%llums", (unsigned long long)ms);
	const struct h3_request request = { .method = "GET", .authority = "job", .path = path };
	struct h3_stream *stream;
	struct err err;

	if (h3_conn_request(conn, &request, &stream_ops, s, &stream, &err) < 0)
		fail(s, &err);
	else
		h3_stream_end(stream);
}

static const struct remote_ops ops = { .connected = on_connected };

static int run(void *user, int argc, char **argv, struct err *err)
{
	static struct watch s;
	const struct args *args = user;
	int result;

	(void)argc;
	(void)argv;
	s.args = args;
	s.as_json = args->output && strcmp(args->output, "json") == 0;
	if (args->output && !s.as_json && strcmp(args->output, "table") != 0)
		return err_set(err, ERR_INVALID, "--output: table or json, not '%s'", args->output);
	buf_init(&s.line, STAT_LINE_MAX);
	buf_init(&s.reason, REASON_MAX);
	result = remote_run(&s.remote, &args->remote, &ops, &s, err);
	buf_finish(&s.line);
	buf_finish(&s.reason);
	return result;
}

const struct verb cmd_stat = {
	.name = "stat",
	.operands = "",
	.summary = "show what a job uses",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.run = run,
};
