/* SPDX-License-Identifier: MIT */
/* Sums that FirecREST makes, asked for while something else goes on; see firecrest_internal.h. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "controller/files/firecrest_internal.h"
#include "init/base/alloc.h"
#include "init/base/log.h"

struct fs_firecrest_asking {
	struct fs_firecrest *f;
	struct fs_transfer *transfer;
	char *path;
	pthread_t thread;
	bool has_thread;
	atomic_bool is_over;
	char sum[FS_DIGEST_SIZE];
	struct err why;
};

static void *ask(void *opaque)
{
	struct fs_firecrest_asking *a = opaque;

	(void)!a->f->base.ops->checksum(&a->f->base, a->path, a->sum, &a->why);
	atomic_store(&a->is_over, true);
	return NULL;
}

struct fs_firecrest_asking *fs_firecrest_ask_sum(struct fs_firecrest *f, const char *path,
						 struct fs_transfer *t)
{
	struct fs_firecrest_asking *a = new_zero(struct fs_firecrest_asking);

	a->f = f;
	a->transfer = t;
	a->path = str_dup(path);
	if (t->there[0] || t->has_no_sum) {
		atomic_store(&a->is_over, true);
		return a;
	}
	a->has_thread = pthread_create(&a->thread, NULL, ask, a) == 0;
	if (!a->has_thread)
		ask(a);
	return a;
}

bool fs_firecrest_asked_sum(const struct fs_firecrest_asking *a)
{
	return atomic_load(&a->is_over);
}

struct fs_firecrest_asking *fs_firecrest_take_sum(struct fs_firecrest_asking *a)
{
	struct fs_transfer *t;

	if (!a)
		return NULL;
	t = a->transfer;
	if (a->has_thread)
		pthread_join(a->thread, NULL);
	if (a->why.kind != ERR_NONE) {
		log_info("the server makes no sum of it: %s", a->why.text);
		t->has_no_sum = true;
	} else if (a->sum[0]) {
		snprintf(t->there, sizeof(t->there), "%s", a->sum);
	}
	free(a->path);
	free(a);
	return NULL;
}
