/* SPDX-License-Identifier: MIT */
/* Memory that is given back at rest; see rest.h. */
#include "rest.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Pages of a segment that is never written are those of the file, now and later. The last page may
 * hold the beginning of the next segment, and is left alone.
 */
static int release_program(struct dl_phdr_info *info, size_t size, void *unused)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t begin = (info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t end = (info->dlpi_addr + p->p_vaddr + p->p_filesz) & ~(page - 1);

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && begin < end)
			(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 1; /* the first object is the program itself */
}

static void release(void)
{
	malloc_trim(0);
	dl_iterate_phdr(release_program, NULL);
}

static void on_timer(uv_timer_t *timer)
{
	struct rest *r = timer->data;

	if (r->stirred) {
		uv_timer_start(&r->timer, on_timer, r->after_ms, 0);
	} else {
		release();
		r->releases++;
	}
	r->stirred = false;
}

/* After each wait of the loop, whatever ended it. */
static void on_check(uv_check_t *check)
{
	struct rest *r = check->data;

	if (!uv_is_active((const uv_handle_t *)&r->timer))
		uv_timer_start(&r->timer, on_timer, r->after_ms, 0);
	else if (uv_timer_get_due_in(&r->timer) > 0)
		r->stirred = true; /* else it was this timer that ended the wait */
}

void rest_open(struct rest *r, uv_loop_t *loop, uint64_t after_ms)
{
	*r = (struct rest){ .after_ms = after_ms };
	uv_timer_init(loop, &r->timer);
	uv_check_init(loop, &r->check);
	r->timer.data = r->check.data = r;
	uv_check_start(&r->check, on_check);
	uv_timer_start(&r->timer, on_timer, r->after_ms, 0);
	/* Neither keeps the loop alive. */
	uv_unref((uv_handle_t *)&r->timer);
	uv_unref((uv_handle_t *)&r->check);
}

void rest_close(struct rest *r)
{
	uv_close((uv_handle_t *)&r->timer, NULL);
	uv_close((uv_handle_t *)&r->check, NULL);
}
