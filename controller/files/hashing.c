/* SPDX-License-Identifier: MIT */
/* Sums of files on their way; see hashing.h. */
#include "hashing.h"

#include <pthread.h>
#include <string.h>

#include "init/base/alloc.h"

/* So much at a time, between looks at whether somebody wants it to stop. */
#define STEP (UINT64_C(4) * 1024 * 1024)

struct hashing {
	int fd;
	uint64_t size;
	pthread_t thread;
	bool has_thread;
	/* Behind the lock: */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t allowed;
	bool is_stopped;
	/* The thread's, until it has ended. */
	struct sum sum;
	struct err why;
};

/* How far it may go now; at where it is already: it is to stop. */
static uint64_t wait_for_more(struct hashing *h, uint64_t at)
{
	uint64_t until;

	pthread_mutex_lock(&h->lock);
	while (h->allowed <= at && !h->is_stopped)
		pthread_cond_wait(&h->changed, &h->lock);
	until = h->is_stopped ? at : MIN(h->allowed, at + STEP);
	pthread_mutex_unlock(&h->lock);
	return until;
}

static void *hash(void *opaque)
{
	struct hashing *h = opaque;

	sum_begin(&h->sum, SUM_SHA256);
	for (uint64_t at = 0, until; at < h->size && h->why.kind == ERR_NONE; at = until) {
		until = wait_for_more(h, at);
		if (until == at)
			break;
		(void)!sum_add_file(&h->sum, h->fd, at, until - at, &h->why);
	}
	return NULL;
}

struct hashing *hashing_begin(int fd, uint64_t size)
{
	struct hashing *h = new_zero(struct hashing);

	h->fd = fd;
	h->size = size;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
	sum_prepare();
	h->has_thread = pthread_create(&h->thread, NULL, hash, h) == 0;
	return h;
}

void hashing_allow(struct hashing *h, uint64_t bytes)
{
	pthread_mutex_lock(&h->lock);
	h->allowed = bytes;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void join(struct hashing *h)
{
	if (h->has_thread)
		pthread_join(h->thread, NULL);
	h->has_thread = false;
}

int hashing_end(struct hashing *h, char ret[SUM_TEXT_SIZE], struct err *err)
{
	/* Where there are no more threads. */
	if (!h->has_thread)
		hash(h);
	join(h);
	if (h->why.kind != ERR_NONE)
		return err_set(err, h->why.kind, "%s", h->why.text);
	sum_end(&h->sum, ret);
	return 0;
}

struct hashing *hashing_free(struct hashing *h)
{
	if (h) {
		pthread_mutex_lock(&h->lock);
		h->is_stopped = true;
		pthread_cond_signal(&h->changed);
		pthread_mutex_unlock(&h->lock);
		join(h);
		sum_finish(&h->sum);
		pthread_cond_destroy(&h->changed);
		pthread_mutex_destroy(&h->lock);
		free(h);
	}
	return NULL;
}
