/* SPDX-License-Identifier: MIT */
/* Token buckets by address; see limit.h. */
#include "limit.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/crypto/sha256.h"
#include "tunnel/quic/app.h"

#define BUCKETS 4096

struct bucket {
	uint64_t filled_at;
	uint64_t nanos; /* what is there, in units of a billionth */
};

struct limit {
	uint64_t burst, per_second;
	uint8_t key[16];
	struct bucket buckets[BUCKETS];
};

struct limit *limit_new(uint32_t burst, uint32_t per_second)
{
	struct limit *limit = new_zero(struct limit);

	limit->burst = burst * NSEC_PER_SEC;
	limit->per_second = per_second;
	quic_random(limit->key, sizeof(limit->key));
	for (size_t i = 0; i < BUCKETS; i++)
		limit->buckets[i].nanos = limit->burst;
	return limit;
}

struct limit *limit_free(struct limit *limit)
{
	free(limit);
	return NULL;
}

static struct bucket *find(struct limit *limit, const struct quic_addr *address, uint64_t now)
{
	cleanup(sha256_free) struct sha256 *hash = sha256_new();
	uint8_t digest[SHA256_LEN];
	struct bucket *bucket;
	uint64_t passed;

	sha256_add(hash, span_of(limit->key, sizeof(limit->key)));
	if (address->any.sa_family == AF_INET6)
		sha256_add(hash, span_of(&address->v6.sin6_addr, 8));
	else
		sha256_add(hash, span_of(&address->v4.sin_addr, 4));
	sha256_end(hash, digest);
	bucket = &limit->buckets[(digest[0] | digest[1] << 8) % BUCKETS];
	/* An hour fills it however slowly, and the product stays small. */
	passed = MIN(now - bucket->filled_at, 3600 * NSEC_PER_SEC);
	bucket->nanos = MIN(limit->burst, bucket->nanos + passed * limit->per_second);
	bucket->filled_at = now;
	return bucket;
}

bool limit_has(struct limit *limit, const struct quic_addr *address, uint64_t now)
{
	return find(limit, address, now)->nanos >= NSEC_PER_SEC;
}

bool limit_spend(struct limit *limit, const struct quic_addr *address, uint64_t now)
{
	struct bucket *bucket = find(limit, address, now);

	if (bucket->nanos < NSEC_PER_SEC)
		return false;
	bucket->nanos -= NSEC_PER_SEC;
	return true;
}
