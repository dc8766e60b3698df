/* SPDX-License-Identifier: MIT */
/* Sums of files; see sum.h. */
#include "sum.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

#define STEP ((size_t)1024 * 1024)

/* As openssl/evp.h declares them (EVP_DigestInit(3)), whose types are opaque. */
struct calls {
	void *(*new_state)(void);
	void (*free_state)(void *state);
	int (*begin)(void *state, const void *kind, void *engine);
	int (*add)(void *state, const void *bytes, size_t len);
	int (*end)(void *state, unsigned char *digest, unsigned int *len);
	const void *(*md5)(void);
	const void *(*sha256)(void);
};

static const struct {
	const char *name;
	size_t offset;
} names[] = {
	{ "EVP_MD_CTX_new", offsetof(struct calls, new_state) },
	{ "EVP_MD_CTX_free", offsetof(struct calls, free_state) },
	{ "EVP_DigestInit_ex", offsetof(struct calls, begin) },
	{ "EVP_DigestUpdate", offsetof(struct calls, add) },
	{ "EVP_DigestFinal_ex", offsetof(struct calls, end) },
	{ "EVP_md5", offsetof(struct calls, md5) },
	{ "EVP_sha256", offsetof(struct calls, sha256) },
};

/* NULL without libcrypto. */
static const struct calls *load(void)
{
	static struct calls loaded;
	static enum { UNKNOWN, THERE, MISSING } state;
	void *library;

	if (state != UNKNOWN)
		return state == THERE ? &loaded : NULL;
	state = MISSING;
	library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		void *call = library ? dlsym(library, names[i].name) : NULL;

		if (!call)
			return NULL;
		memcpy((char *)&loaded + names[i].offset, &call, sizeof(call));
	}
	state = THERE;
	return &loaded;
}

void sum_prepare(void)
{
	load();
}

void sum_begin(struct sum *sum, enum sum_kind kind)
{
	const struct calls *calls = load();

	sum->kind = kind;
	if (calls && !sum->by_crypto)
		sum->by_crypto = calls->new_state();
	/* A library that was built for certain users has no MD5. */
	if (sum->by_crypto &&
	    calls->begin(sum->by_crypto, kind == SUM_MD5 ? calls->md5() : calls->sha256(), NULL) !=
		    1)
		sum_finish(sum);
	if (kind == SUM_MD5)
		MD5Init(&sum->md5);
	else
		SHA256Init(&sum->sha256);
}

void sum_add(struct sum *sum, struct span bytes)
{
	if (sum->by_crypto)
		(void)!load()->add(sum->by_crypto, bytes.ptr, bytes.len);
	else if (sum->kind == SUM_MD5)
		MD5Update(&sum->md5, bytes.ptr, bytes.len);
	else
		SHA256Update(&sum->sha256, bytes.ptr, bytes.len);
}

void sum_end(struct sum *sum, char ret[SUM_TEXT_SIZE])
{
	size_t len = sum->kind == SUM_MD5 ? MD5_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
	uint8_t digest[SHA256_DIGEST_LENGTH] = { 0 };

	if (sum->by_crypto)
		(void)!load()->end(sum->by_crypto, digest, NULL);
	else if (sum->kind == SUM_MD5)
		MD5Final(digest, &sum->md5);
	else
		SHA256Final(digest, &sum->sha256);
	text_hex(span_of(digest, len), ret, SUM_TEXT_SIZE);
}

void sum_finish(struct sum *sum)
{
	if (sum->by_crypto)
		load()->free_state(take_ptr(sum->by_crypto));
}

int sum_add_file(struct sum *sum, int fd, uint64_t offset, uint64_t len, struct err *err)
{
	cleanup_free uint8_t *bytes = new_array(uint8_t, STEP);

	while (len > 0) {
		ssize_t n = pread(fd, bytes, (size_t)MIN(len, (uint64_t)STEP), (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "read");
		if (n == 0)
			return err_set(err, ERR_SYSTEM, "became shorter while it was read");
		sum_add(sum, span_of(bytes, (size_t)n));
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int sum_file(int fd, enum sum_kind kind, uint64_t offset, uint64_t len, char ret[SUM_TEXT_SIZE],
	     struct err *err)
{
	cleanup(sum_finish) struct sum sum = { 0 };

	sum_begin(&sum, kind);
	if (sum_add_file(&sum, fd, offset, len, err) < 0)
		return -1;
	sum_end(&sum, ret);
	return 0;
}
