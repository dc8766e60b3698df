/* SPDX-License-Identifier: MIT */
/* The capsules of a `berth-process` stream; see process.h. */
#include "process.h"

#include "capsule.h"
#include "value.h"
#include "varint.h"

static int read_window(struct span *s, struct process_window *ret, struct err *err)
{
	uint32_t *fields[] = { &ret->columns, &ret->rows, &ret->width_px, &ret->height_px };
	uint64_t v = 0;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (value_read_uint(s, UINT32_MAX, &v, err, "window size") < 0)
			return -1;
		*fields[i] = (uint32_t)v;
	}
	return 0;
}

static int read_env(struct span *s, struct process_start *start, struct err *err)
{
	uint64_t count = 0;

	if (value_read_uint(s, PROCESS_ENV_MAX, &count, err, "number of variables") < 0)
		return -1;
	for (; start->env_len < count; start->env_len++) {
		struct process_env *env = &start->env[start->env_len];

		if (value_read_string(s, &env->name, err, "name of a variable") < 0 ||
		    value_read_string(s, &env->value, err, "value of a variable") < 0)
			return -1;
	}
	return 0;
}

static int read_pty(struct span *s, struct process_start *start, struct err *err)
{
	uint64_t has_pty = 0;

	if (value_read_uint(s, 1, &has_pty, err, "pty") < 0)
		return -1;
	start->has_pty = has_pty != 0;
	if (!start->has_pty)
		return 0;
	if (value_read_string(s, &start->term, err, "terminal type") < 0 ||
	    read_window(s, &start->window, err) < 0 ||
	    value_read_string(s, &start->modes, err, "terminal modes") < 0)
		return -1;
	return 0;
}

/* At least one argument, the first not empty, all of them ended. */
static int read_argv(struct span *s, struct process_start *start, struct err *err)
{
	struct span command = start->command;

	if (command.len == 0 || command.ptr[0] == '\0' || command.ptr[command.len - 1] != '\0')
		return err_set(err, ERR_PROTOCOL, "the arguments are no list");
	return value_read_string(s, &start->directory, err, "directory");
}

int process_start_parse(struct span value, struct process_start *ret, struct err *err)
{
	struct process_start start = { 0 };
	uint64_t kind = 0;

	if (value_read_uint(&value, PROCESS_ARGV, &kind, err, "kind") < 0 ||
	    value_read_string(&value, &start.command, err, "command") < 0)
		return err_wrap(err, "START");
	start.kind = (enum process_kind)kind;
	if (start.command.len > PROCESS_COMMAND_MAX)
		return err_set(err, ERR_LIMIT, "START: the command is longer than %d bytes",
			       PROCESS_COMMAND_MAX);
	if (start.kind == PROCESS_ARGV && read_argv(&value, &start, err) < 0)
		return err_wrap(err, "START");
	if (read_env(&value, &start, err) < 0 || read_pty(&value, &start, err) < 0 ||
	    value_end(value, err) < 0)
		return err_wrap(err, "START");
	*ret = start;
	return 0;
}

static bool append_window(struct buf *b, const struct process_window *w)
{
	return varint_append(b, w->columns) && varint_append(b, w->rows) &&
	       varint_append(b, w->width_px) && varint_append(b, w->height_px);
}

static bool append_start(struct buf *b, const struct process_start *start)
{
	if (!varint_append(b, start->kind) || !value_append_string(b, start->command) ||
	    (start->kind == PROCESS_ARGV && !value_append_string(b, start->directory)) ||
	    !varint_append(b, start->env_len))
		return false;
	for (size_t i = 0; i < start->env_len; i++) {
		if (!value_append_string(b, start->env[i].name) ||
		    !value_append_string(b, start->env[i].value))
			return false;
	}
	if (!varint_append(b, start->has_pty))
		return false;
	return !start->has_pty ||
	       (value_append_string(b, start->term) && append_window(b, &start->window) &&
		value_append_string(b, start->modes));
}

bool process_start_format(const struct process_start *start, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(PROCESS_VALUE_MAX);

	return append_start(&value, start) && capsule_append(b, PROCESS_START, buf_span(&value));
}

int process_window_parse(struct span value, struct process_window *ret, struct err *err)
{
	struct process_window window = { 0 };

	if (read_window(&value, &window, err) < 0 || value_end(value, err) < 0)
		return err_wrap(err, "WINDOW");
	*ret = window;
	return 0;
}

bool process_window_format(const struct process_window *window, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(4 * VARINT_LEN_MAX);

	return append_window(&value, window) && capsule_append(b, PROCESS_WINDOW, buf_span(&value));
}

int process_exit_parse(uint64_t type, struct span value, struct process_exit *ret, struct err *err)
{
	struct process_exit end = { .signalled = type == PROCESS_EXIT_SIGNAL };
	uint64_t v = 0;

	if (!end.signalled) {
		if (value_read_uint(&value, UINT32_MAX, &v, err, "status") < 0 ||
		    value_end(value, err) < 0)
			return err_wrap(err, "EXIT");
		end.status = (uint32_t)v;
	} else {
		if (value.len < 2 || value.ptr[0] > 1)
			return err_set(err, ERR_PROTOCOL, "EXIT_SIGNAL: no signal");
		end.core_dumped = span_cut(&value, 1).ptr[0] == 1;
		end.signal = value;
	}
	*ret = end;
	return 0;
}

bool process_exit_format(const struct process_exit *end, struct buf *b)
{
	cleanup(buf_finish) struct buf value = BUF_INIT(64);

	if (!end->signalled)
		return varint_append(&value, end->status) &&
		       capsule_append(b, PROCESS_EXIT, buf_span(&value));
	return buf_append_u8(&value, end->core_dumped) && buf_append_span(&value, end->signal) &&
	       capsule_append(b, PROCESS_EXIT_SIGNAL, buf_span(&value));
}
