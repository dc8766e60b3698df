/* SPDX-License-Identifier: MIT */
/* A simulated path; see link.h. */
#include "tests/sim/link.h"

#include <stdlib.h>

#include "init/base/alloc.h"

struct datagram {
	struct link_head head;
	size_t len;
	uint8_t bytes[];
};

struct entry {
	uint64_t at, order; /* order: first in, first out at the same time */
	struct datagram *datagram;
};

struct link {
	struct link_settings settings;
	struct link_stats stats;
	uint64_t random;
	uint64_t free_at; /* when the rate lets the next datagram go */
	uint64_t order;
	bool in_burst;
	struct entry *heap; /* a binary heap by time */
	size_t count, size;
	struct datagram *lent;
};

struct link *link_new(const struct link_settings *settings, uint64_t seed)
{
	struct link *link = new_zero(struct link);

	link->settings = *settings;
	link->random = seed;
	return link;
}

void link_clear(struct link *link)
{
	while (link->count > 0)
		free(link->heap[--link->count].datagram);
}

struct link *link_free(struct link *link)
{
	if (!link)
		return NULL;
	link_clear(link);
	free(link->heap);
	free(link->lent);
	free(link);
	return NULL;
}

struct link_settings *link_settings(struct link *link)
{
	return &link->settings;
}

const struct link_stats *link_stats(const struct link *link)
{
	return &link->stats;
}

/* splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t next_random(struct link *link)
{
	uint64_t z = link->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool happens(struct link *link, double probability)
{
	return probability > 0 && (double)(next_random(link) >> 11) * 0x1p-53 < probability;
}

/* Whether this datagram falls into a burst of losses. */
static bool is_in_burst(struct link *link)
{
	const struct link_settings *s = &link->settings;

	if (happens(link, link->in_burst ? s->burst_end : s->burst_begin))
		link->in_burst = !link->in_burst;
	return link->in_burst;
}

static bool is_before(const struct entry *a, const struct entry *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct link *link, struct entry new)
{
	size_t at = link->count++;

	if (link->count > link->size) {
		link->size = link->size ? 2 * link->size : 64;
		link->heap = alloc_grow(link->heap, link->size, sizeof(*link->heap));
	}
	for (size_t up; at > 0 && is_before(&new, &link->heap[up = (at - 1) / 2]); at = up)
		link->heap[at] = link->heap[up];
	link->heap[at] = new;
}

static struct datagram *heap_pop(struct link *link)
{
	struct datagram *top = link->heap[0].datagram;
	struct entry last = link->heap[--link->count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < link->count &&
		    is_before(&link->heap[child + 1], &link->heap[child]))
			child++;
		if (child >= link->count || !is_before(&link->heap[child], &last))
			break;
		link->heap[at] = link->heap[child];
		at = child;
	}
	link->heap[at] = last;
	return top;
}

/* When a datagram that is sent now has left the sender; false: the queue is full. */
static bool pass_rate(struct link *link, uint64_t now, size_t len, uint64_t *ret)
{
	const struct link_settings *s = &link->settings;
	uint64_t begin = MAX(now, link->free_at);

	*ret = now;
	if (s->rate_bps == 0)
		return true;
	if (s->queue_max &&
	    (double)(begin - now) * (double)s->rate_bps / 8e9 > (double)s->queue_max)
		return false;
	link->free_at = begin + (uint64_t)((double)len * 8e9 / (double)s->rate_bps);
	*ret = link->free_at;
	return true;
}

static void put_under_way(struct link *link, uint64_t at, const struct link_head *head,
			  struct span bytes)
{
	struct datagram *d = alloc_grow(NULL, 1, sizeof(*d) + bytes.len);

	d->head = *head;
	d->len = bytes.len;
	memcpy(d->bytes, bytes.ptr, bytes.len);
	if (happens(link, link->settings.corrupt))
		d->bytes[next_random(link) % d->len] ^= (uint8_t)(1 + next_random(link) % 255);
	at += link->settings.delay_ns;
	if (happens(link, link->settings.reorder))
		at += link->settings.reorder_delay_ns;
	heap_push(link, (struct entry){ .at = at, .order = link->order++, .datagram = d });
}

void link_send(struct link *link, uint64_t now, const struct link_head *head, struct span bytes)
{
	const struct link_settings *s = &link->settings;
	uint64_t left_at;

	link->stats.sent++;
	link->stats.bytes += bytes.len;
	if (s->tap)
		s->tap(s->tap_user, head, bytes);
	if (s->is_cut || bytes.len == 0 || (s->datagram_max && bytes.len > s->datagram_max) ||
	    happens(link, s->loss) || is_in_burst(link) ||
	    !pass_rate(link, now, bytes.len, &left_at)) {
		link->stats.lost++;
		return;
	}
	put_under_way(link, left_at, head, bytes);
	if (happens(link, s->duplicate))
		put_under_way(link, left_at, head, bytes);
}

uint64_t link_deadline(const struct link *link)
{
	return link->count ? link->heap[0].at : QUIC_NEVER;
}

bool link_receive(struct link *link, uint64_t now, struct link_head *ret_head,
		  struct span *ret_bytes)
{
	free(take_ptr(link->lent));
	if (link_deadline(link) > now)
		return false;
	link->lent = heap_pop(link);
	link->stats.delivered++;
	*ret_head = link->lent->head;
	*ret_bytes = span_of(link->lent->bytes, link->lent->len);
	return true;
}
