/* SPDX-License-Identifier: MIT */
/* Connection ids, hashed with chaining; see cids.h. */
#include "tunnel/quic/cids.h"

#include "init/base/alloc.h"
#include "tunnel/quic/app.h"

#define BUCKETS_FIRST 64

struct entry {
	struct entry *next;
	void *value;
	size_t len;
	uint8_t cid[QUIC_CID_MAX];
};

struct quic_cids {
	uint64_t key[2];
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
};

struct quic_cids *quic_cids_new(void)
{
	struct quic_cids *cids = new_zero(struct quic_cids);

	quic_random((uint8_t *)cids->key, sizeof(cids->key));
	cids->bucket_count = BUCKETS_FIRST;
	cids->buckets = new_array(struct entry *, BUCKETS_FIRST);
	return cids;
}

struct quic_cids *quic_cids_free(struct quic_cids *cids)
{
	if (!cids)
		return NULL;
	for (size_t i = 0; cids->buckets && i < cids->bucket_count; i++) {
		struct entry *next;

		for (struct entry *e = cids->buckets[i]; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(cids->buckets);
	free(cids);
	return NULL;
}

static uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
static uint64_t hash(const struct quic_cids *cids, struct span cid)
{
	uint64_t v[4] = {
		cids->key[0] ^ UINT64_C(0x736f6d6570736575),
		cids->key[1] ^ UINT64_C(0x646f72616e646f6d),
		cids->key[0] ^ UINT64_C(0x6c7967656e657261),
		cids->key[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word = 0;

	for (size_t i = 0; i < cid.len; i++) {
		word |= (uint64_t)cid.ptr[i] << (8 * (i % 8));
		if (i % 8 != 7)
			continue;
		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
		word = 0;
	}
	word |= (uint64_t)cid.len << 56;
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Where the pointer to the entry is, or would be appended. */
static struct entry **locate(const struct quic_cids *cids, struct span cid)
{
	struct entry **at = &cids->buckets[hash(cids, cid) & (cids->bucket_count - 1)];

	while (*at && !span_equal(span_of((*at)->cid, (*at)->len), cid))
		at = &(*at)->next;
	return at;
}

static void grow(struct quic_cids *cids)
{
	struct entry **old = cids->buckets;
	size_t old_count = cids->bucket_count;

	cids->bucket_count *= 2;
	cids->buckets = new_array(struct entry *, cids->bucket_count);
	for (size_t i = 0; i < old_count; i++) {
		struct entry *next;

		for (struct entry *e = old[i]; e; e = next) {
			next = e->next;
			e->next = NULL;
			*locate(cids, span_of(e->cid, e->len)) = e;
		}
	}
	free(old);
}

bool quic_cids_add(struct quic_cids *cids, struct span cid, void *value)
{
	struct entry *e;

	if (cid.len > QUIC_CID_MAX || *locate(cids, cid))
		return false;
	if (cids->count >= cids->bucket_count)
		grow(cids);
	e = new_zero(struct entry);
	e->value = value;
	e->len = cid.len;
	if (cid.len)
		memcpy(e->cid, cid.ptr, cid.len);
	*locate(cids, cid) = e;
	cids->count++;
	return true;
}

void *quic_cids_find(const struct quic_cids *cids, struct span cid)
{
	const struct entry *e = *locate(cids, cid);

	return e ? e->value : NULL;
}

void quic_cids_remove(struct quic_cids *cids, struct span cid)
{
	struct entry **at = locate(cids, cid), *e = *at;

	if (!e)
		return;
	*at = e->next;
	free(e);
	cids->count--;
}

size_t quic_cids_count(const struct quic_cids *cids)
{
	return cids->count;
}
