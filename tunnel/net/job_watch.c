/* SPDX-License-Identifier: MIT */
/* Notices that tunnel.json names other peers; see job_watch.h. */
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
		job_file_keys(&file, &w->found);
}

static void begin(struct job_watch *w);

/* Whoever asked after this look had begun waits for the next one. */
static void answer(struct job_watch *w)
{
	uv_timer_stop(&w->patience);
	w->is_hung = false;
	w->ops->looked(w, w->begun);
}

static void on_read(uv_work_t *work, int status)
{
	struct job_watch *w = work->data;

	w->reading = false;
	if (!w->ops)
		return;
	if (status == 0 && w->has_found && !key_set_equal(&w->found, &w->peers)) {
		w->peers = w->found;
		w->ops->changed(w, &w->peers);
	}
	answer(w);
	if (!w->again)
		return;
	w->again = false;
	begin(w);
}

static void on_patience_lost(uv_timer_t *timer)
{
	struct job_watch *w = timer->data;

	if (!w->is_hung)
		log_warn("serve: %s does not answer; going on with the keys that are known",
			 w->path);
	w->is_hung = true;
	w->again = false;
	/* Those, too, who were promised the next look. */
	w->ops->looked(w, ++w->begun);
}

static void begin(struct job_watch *w)
{
	w->begun++;
	w->reading = uv_queue_work(w->timer.loop, &w->work, read_file, on_read) == 0;
	if (w->reading)
		uv_timer_start(&w->patience, on_patience_lost, JOB_WATCH_PATIENCE_MS, 0);
}

static void on_timer(uv_timer_t *timer);

uint64_t job_watch_look(struct job_watch *w)
{
	/* Whoever asks has a client, and goes on looking as long as there is one. */
	if (w->ops && !uv_is_active((const uv_handle_t *)&w->timer))
		uv_timer_start(&w->timer, on_timer, JOB_WATCH_INTERVAL_MS, JOB_WATCH_INTERVAL_MS);
	if (w->is_hung || !w->ops)
		return 0;
	if (w->reading) {
		w->again = true;
		return w->begun + 1;
	}
	begin(w);
	return w->reading ? w->begun : 0;
}

void job_watch_stranger(struct job_watch *w)
{
	uint64_t now = uv_now(w->timer.loop);

	if (now < w->strangers_at)
		return;
	w->strangers_at = now + JOB_WATCH_STRANGER_MS;
	(void)!job_watch_look(w);
}

static void on_timer(uv_timer_t *timer)
{
	struct job_watch *w = timer->data;

	if (!w->ops || !w->ops->has_clients(w))
		uv_timer_stop(timer);
	else if (!w->reading)
		begin(w);
}

void job_watch_open(struct job_watch *w, uv_loop_t *loop, const char *path,
		    const struct key_set *peers, const struct job_watch_ops *ops)
{
	*w = (struct job_watch){ .path = path, .peers = *peers, .ops = ops };
	w->work.data = w;
	uv_timer_init(loop, &w->timer);
	uv_timer_init(loop, &w->patience);
	w->timer.data = w;
	w->patience.data = w;
	uv_unref((uv_handle_t *)&w->timer);
	uv_unref((uv_handle_t *)&w->patience);
}

void job_watch_close(struct job_watch *w)
{
	w->ops = NULL;
	/* One that has begun cannot be cancelled. */
	if (w->reading && uv_cancel((uv_req_t *)&w->work) < 0)
		log_debug("job watch: still reading at the end");
	uv_close((uv_handle_t *)&w->timer, NULL);
	uv_close((uv_handle_t *)&w->patience, NULL);
}
