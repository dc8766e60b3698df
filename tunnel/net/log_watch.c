/* SPDX-License-Identifier: MIT */
/* Notes when logs grow; see log_watch.h. */
#include "log_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fd.h"
#include "init/base/fs.h"
#include "init/base/log.h"

/* What follows up to on_looked() is the thread's: it touches files and what describes them. */

static void read_notes(struct log_watched *file)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LOG_TIMES_TEXT_MAX);

	/* Of a tunnel before this one. */
	if (fs_read_file(file->notes, LOG_TIMES_TEXT_MAX, &text, NULL) < 0 ||
	    log_times_parse(buf_span(&text), &file->times, NULL) < 0)
		file->times.len = 0;
	file->is_read = true;
}

static int replace_notes(const struct log_watched *file, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LOG_TIMES_TEXT_MAX);

	if (!log_times_format(&file->times, &text))
		return err_set(err, ERR_LIMIT, "%s: too long", file->notes);
	return fs_write_file_unsynced(file->notes, buf_span(&text), 0600, err);
}

static int append_note(const struct log_watched *file, struct err *err)
{
	const struct log_time *last = &file->times.items[file->times.len - 1];
	cleanup_close int fd =
		open(file->notes, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	char line[64];
	int len =
		snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu64 "\n", last->second, last->size);

	if (fd < 0 || write(fd, line, (size_t)len) != len)
		return err_set_errno(err, errno, "write %s", file->notes);
	return 0;
}

/* Whether it is there, and the kernel tells when it grows after this. */
static bool look_at(struct log_watched *file, int inotify)
{
	/* Before the look at its size: nothing is missed. */
	bool is_told = inotify_add_watch(inotify, file->log, IN_MODIFY | IN_ONESHOT) >= 0;
	enum log_times_change change;
	struct stat st;
	struct err err;

	if (stat(file->log, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (!file->is_read)
		read_notes(file);
	change = log_times_note(&file->times, (uint64_t)time(NULL), (uint64_t)st.st_size);
	if ((change == LOG_TIMES_APPENDED && append_note(file, &err) < 0) ||
	    (change == LOG_TIMES_REPLACED && replace_notes(file, &err) < 0))
		log_debug("serve: %s", err.text);
	return is_told;
}

static void look(uv_work_t *work)
{
	struct log_watch *w = work->data;

	w->missing = 0;
	for (size_t i = 0; i < w->len; i++)
		w->missing += !look_at(&w->files[i], w->inotify);
}

static void on_timer(uv_timer_t *timer)
{
	log_watch_look(timer->data);
}

static void look_in(struct log_watch *w, uint64_t ms)
{
	if (!w->is_closed && !uv_is_active((const uv_handle_t *)&w->timer))
		uv_timer_start(&w->timer, on_timer, ms, 0);
}

static void on_looked(uv_work_t *work, int status)
{
	struct log_watch *w = work->data;

	(void)status;
	w->looking = false;
	if (w->again)
		look_in(w, LOG_WATCH_INTERVAL_MS);
	else if (w->inotify < 0)
		look_in(w, LOG_WATCH_BLIND_MS);
	else if (w->missing > 0 && w->tries < LOG_WATCH_TRIES)
		look_in(w, (uint64_t)LOG_WATCH_INTERVAL_MS << w->tries++);
	w->again = false;
}

void log_watch_look(struct log_watch *w)
{
	if (w->is_closed)
		return;
	uv_timer_stop(&w->timer);
	w->again = w->looking;
	if (!w->looking)
		w->looking = uv_queue_work(w->timer.loop, &w->work, look, on_looked) == 0;
}

/* What is printed within the interval is noted together. */
static void on_told(uv_poll_t *poll, int status, int events)
{
	struct log_watch *w = poll->data;
	char dropped[4096];

	(void)status;
	(void)events;
	while (read(w->inotify, dropped, sizeof(dropped)) > 0)
		;
	if (w->looking) {
		w->again = true;
		return;
	}
	/* Another one may wait for a log that is missing, which takes longer. */
	uv_timer_stop(&w->timer);
	look_in(w, LOG_WATCH_INTERVAL_MS);
}

static void add(struct log_watch *w, char *log)
{
	w->files[w->len++] =
		(struct log_watched){ .log = log, .notes = str_printf("%s.times", log) };
}

static void add_logs(struct log_watch *w, const char *log, unsigned int rank, unsigned int ranks)
{
	if (ranks <= 1) {
		if (rank == 0)
			add(w, str_dup(log));
		add(w, str_printf("%s.%u", log, rank));
		return;
	}
	if (rank % ranks == 0)
		add(w, str_printf("%s.%u", log, rank / ranks));
	add(w, str_printf("%s.%u.%u", log, rank / ranks, rank % ranks));
}

void log_watch_open(struct log_watch *w, uv_loop_t *loop, const char *dir, unsigned int rank,
		    unsigned int ranks)
{
	static const char *const names[] = { "stdout", "stderr" };

	memset(w, 0, sizeof(*w));
	w->work.data = w;
	uv_timer_init(loop, &w->timer);
	uv_unref((uv_handle_t *)&w->timer);
	w->timer.data = w;
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify >= 0) {
		uv_poll_init(loop, &w->told, w->inotify);
		uv_unref((uv_handle_t *)&w->told);
		w->told.data = w;
		uv_poll_start(&w->told, UV_READABLE, on_told);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_free char *log = fs_join(dir, names[i]);

		add_logs(w, log, rank, ranks);
	}
	log_watch_look(w);
}

void log_watch_close(struct log_watch *w)
{
	w->is_closed = true;
	if (w->looking && uv_cancel((uv_req_t *)&w->work) < 0)
		log_debug("serve: still looking at logs at the end");
	uv_close((uv_handle_t *)&w->timer, NULL);
	if (w->inotify >= 0)
		uv_close((uv_handle_t *)&w->told, NULL);
}

void log_watch_finish(struct log_watch *w)
{
	if (w->inotify >= 0)
		close(w->inotify);
	for (size_t i = 0; i < w->len; i++) {
		free(w->files[i].log);
		free(w->files[i].notes);
	}
}
