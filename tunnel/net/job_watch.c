/* SPDX-License-Identifier: MIT */
/* Notices that tunnel.json names another peer; see job_watch.h. */
#include "job_watch.h"

#include "init/base/log.h"
#include "tunnel/net/job_file.h"

/* In a thread: touches the file and its own members, nothing else. */
static void read_file(uv_work_t *work)
{
	struct job_watch *w = work->data;
	cleanup(job_file_finish) struct job_file file = { 0 };

	w->has_found = job_file_read(w->path, &file, NULL) == 0;
	if (w->has_found)
		w->found = file.peer;
}

static void on_read(uv_work_t *work, int status)
{
	struct job_watch *w = work->data;

	w->reading = false;
	if (status < 0 || !w->has_found || !w->changed || key_public_equal(&w->found, &w->peer))
		return;
	w->peer = w->found;
	w->changed(w, &w->peer);
}

static void on_timer(uv_timer_t *timer)
{
	struct job_watch *w = timer->data;

	if (!w->reading)
		w->reading = uv_queue_work(timer->loop, &w->work, read_file, on_read) == 0;
}

void job_watch_open(struct job_watch *w, uv_loop_t *loop, const char *path,
		    const struct key_public *peer,
		    void (*changed)(struct job_watch *watch, const struct key_public *peer))
{
	*w = (struct job_watch){ .path = path, .peer = *peer, .changed = changed };
	w->work.data = w;
	uv_timer_init(loop, &w->timer);
	w->timer.data = w;
	uv_timer_start(&w->timer, on_timer, JOB_WATCH_INTERVAL_MS, JOB_WATCH_INTERVAL_MS);
	uv_unref((uv_handle_t *)&w->timer);
}

void job_watch_close(struct job_watch *w)
{
	w->changed = NULL;
	/* One that has begun cannot be cancelled. */
	if (w->reading && uv_cancel((uv_req_t *)&w->work) < 0)
		log_debug("job watch: still reading at the end");
	uv_close((uv_handle_t *)&w->timer, NULL);
}
