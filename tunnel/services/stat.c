/* SPDX-License-Identifier: MIT */
/*
 * GET /stat: what the job uses, as one line of JSON; with ?interval=2s a line every two seconds,
 * until the client has enough. The processes are read in a thread of libuv's, GPUs are asked of a
 * child, and both run at the same time:
 *
 *	idle --timer--> reading and asking --both done--> a line --> idle
 *
 * A client that does not read gets no line, rather than a backlog of old ones.
 */
#include <unistd.h>

#include "gpu.h"
#include "init/base/alloc.h"
#include "init/base/text.h"
#include "service.h"
#include "stat_read.h"
#include "stat_text.h"

#define LINE_MAX_LEN (32 * 1024)
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS (3600 * 1000)

struct stat_stream {
	struct service_env *env;
	struct h3_stream *stream; /* NULL after its closed() */
	uint64_t interval_ms;	  /* 0: one line */
	uint64_t due_ms;	  /* on the loop's clock: when the next look is due */
	struct stat_source source;
	struct stat_sample sample;     /* the thread's while it reads */
	uint64_t last_ns, last_cpu_ns; /* of the look before; 0: there was none */
	uv_work_t work;
	bool reading, asking;
	struct gpu_query gpus;
	uv_timer_t timer;
	unsigned int holds; /* handles and the thread: what keeps the memory */
};

static void release(struct stat_stream *s)
{
	struct service_env *env = s->env;

	if (--s->holds > 0)
		return;
	free(s);
	service_leave(env);
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(container_of((uv_timer_t *)handle, struct stat_stream, timer));
}

static void on_gpus_closed(struct gpu_query *query)
{
	release(container_of(query, struct stat_stream, gpus));
}

/* A member with a number, or null when it is not known. */
static bool add_number(struct buf *b, const char *name, uint64_t value)
{
	if (value == UINT64_MAX)
		return buf_printf(b, ",\"%s\":null", name);
	return buf_printf(b, ",\"%s\":%llu", name, (unsigned long long)value);
}

static bool add_seconds(struct buf *b, const char *name, uint64_t ns)
{
	if (ns == UINT64_MAX)
		return buf_printf(b, ",\"%s\":null", name);
	return buf_printf(b, ",\"%s\":%.2f", name, (double)ns / 1e9);
}

/* Of one core, since the look before; null in the first. It never goes back: processes may end. */
static bool add_percent(const struct stat_stream *s, struct buf *b)
{
	const struct stat_sample *now = &s->sample;

	if (s->last_ns == 0 || now->monotonic_ns <= s->last_ns)
		return buf_printf(b, ",\"cpu_percent\":null");
	return buf_printf(b, ",\"cpu_percent\":%.1f",
			  now->cpu_ns <= s->last_cpu_ns
				  ? 0.0
				  : 100.0 * (double)(now->cpu_ns - s->last_cpu_ns) /
					    (double)(now->monotonic_ns - s->last_ns));
}

static bool add_tree(const struct stat_stream *s, struct buf *b)
{
	const struct stat_sample *sample = &s->sample;

	return buf_printf(b, "\"tree\":{\"truncated\":%s", sample->truncated ? "true" : "false") &&
	       add_number(b, "processes", sample->processes) &&
	       add_number(b, "threads", sample->threads) &&
	       add_number(b, "running", sample->running) &&
	       add_seconds(b, "cpu_s", sample->cpu_ns) && add_percent(s, b) &&
	       add_number(b, "rss", sample->rss) && add_number(b, "read", sample->read) &&
	       add_number(b, "written", sample->written) && buf_printf(b, "}");
}

static bool add_cgroup(const struct stat_cgroup *cgroup, struct buf *b)
{
	if (cgroup->version == 0)
		return buf_printf(b, ",\"cgroup\":null");
	return buf_printf(b, ",\"cgroup\":{\"version\":%d", cgroup->version) &&
	       add_seconds(b, "cpu_s", cgroup->cpu_ns) && add_number(b, "memory", cgroup->memory) &&
	       add_number(b, "memory_peak", cgroup->memory_peak) &&
	       add_number(b, "memory_max", cgroup->memory_max) &&
	       add_number(b, "read", cgroup->read) && add_number(b, "written", cgroup->written) &&
	       add_number(b, "processes", cgroup->processes) && buf_printf(b, "}");
}

static bool add_gpu(const struct stat_gpu *gpu, bool first, struct buf *b)
{
	return buf_printf(b, "%s{\"index\":%u,\"name\":\"", first ? "" : ",", gpu->index) &&
	       text_append_json(b, gpu->name) && buf_printf(b, "\"") &&
	       add_number(b, "percent", gpu->percent < 0 ? UINT64_MAX : (uint64_t)gpu->percent) &&
	       add_number(b, "memory", gpu->total ? gpu->used : UINT64_MAX) &&
	       add_number(b, "memory_max", gpu->total ? gpu->total : UINT64_MAX) &&
	       buf_printf(b, "}");
}

static bool format(const struct stat_stream *s, struct buf *b)
{
	bool ok = buf_printf(b, "{\"version\":1,\"rank\":%u,\"time\":%.3f,\"cores\":%ld,",
			     s->env->config.rank, s->sample.time, sysconf(_SC_NPROCESSORS_ONLN)) &&
		  add_tree(s, b) && add_cgroup(&s->sample.cgroup, b) &&
		  buf_printf(b, ",\"gpus\":[");

	for (size_t i = 0; ok && i < s->gpus.len; i++)
		ok = add_gpu(&s->gpus.gpus[i], i == 0, b);
	return ok && buf_printf(b, "]}\n");
}

static void look(struct stat_stream *s);

static void on_timer(uv_timer_t *timer)
{
	look(container_of(timer, struct stat_stream, timer));
}

static void plan_next(struct stat_stream *s)
{
	uint64_t now = uv_now(s->env->config.loop);

	/* A look that took longer than the interval is followed by another at once, not by two. */
	s->due_ms = MAX(s->due_ms + s->interval_ms, now);
	uv_timer_start(&s->timer, on_timer, s->due_ms - now, 0);
}

static void finish_look(struct stat_stream *s)
{
	cleanup(buf_finish) struct buf line = BUF_INIT(LINE_MAX_LEN);

	if (!s->stream || s->reading || s->asking)
		return;
	if (format(s, &line) && h3_stream_room(s->stream) >= buf_len(&line) &&
	    !h3_stream_write(s->stream, buf_span(&line)))
		h3_stream_reset(s->stream);
	s->last_ns = s->sample.monotonic_ns;
	s->last_cpu_ns = s->sample.cpu_ns;
	if (s->interval_ms > 0)
		plan_next(s);
	else
		h3_stream_end(s->stream);
}

static void read_in_thread(uv_work_t *work)
{
	struct stat_stream *s = container_of(work, struct stat_stream, work);

	stat_read(&s->source, &s->sample);
}

static void on_read(uv_work_t *work, int status)
{
	struct stat_stream *s = container_of(work, struct stat_stream, work);

	(void)status;
	s->reading = false;
	finish_look(s);
	release(s);
}

static void on_asked(struct gpu_query *query)
{
	struct stat_stream *s = container_of(query, struct stat_stream, gpus);

	s->asking = false;
	finish_look(s);
}

static void look(struct stat_stream *s)
{
	s->asking = gpu_ask(&s->gpus, on_asked);
	s->reading = true;
	s->holds++;
	uv_queue_work(s->env->config.loop, &s->work, read_in_thread, on_read);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct stat_stream *s = user;

	(void)stream;
	(void)why;
	s->stream = NULL;
	gpu_close(&s->gpus, on_gpus_closed);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

static const struct h3_stream_ops stream_ops = { .closed = on_closed };

static bool parse_interval(const char *path, uint64_t *ret_ms)
{
	struct span value;
	char text[32];
	uint64_t ns;

	*ret_ms = 0;
	if (!stat_query(path, "interval", &value))
		return true;
	if (value.len == 0 || value.len >= sizeof(text))
		return false;
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	if (!text_parse_duration(text, &ns))
		return false;
	*ret_ms = ns / NSEC_PER_MSEC;
	return *ret_ms >= INTERVAL_MIN_MS && *ret_ms <= INTERVAL_MAX_MS;
}

static void open_stat(struct service_env *env, struct h3_stream *stream,
		      const struct h3_request *request)
{
	struct stat_stream *s;
	uint64_t interval_ms;
	struct err err;

	if (!parse_interval(request->path, &interval_ms)) {
		err_set(&err, ERR_INVALID, "interval: a duration between 100ms and 1h, please");
		service_reject(stream, &err);
		return;
	}
	s = new_zero(struct stat_stream);
	s->env = env;
	s->stream = stream;
	s->interval_ms = interval_ms;
	s->due_ms = uv_now(env->config.loop);
	s->source = env->config.stat;
	if (!s->source.proc)
		s->source = (struct stat_source){ "/proc", "/sys/fs/cgroup", getppid() };
	uv_timer_init(env->config.loop, &s->timer);
	gpu_open(&s->gpus, env);
	s->holds = 2;
	service_enter(env);
	h3_stream_set_ops(stream, &stream_ops, s);
	h3_stream_respond(stream, 200);
	look(s);
}

const struct service service_stat = { .method = "GET", .path = "/stat", .open = open_stat };
