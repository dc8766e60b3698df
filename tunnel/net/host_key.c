/* SPDX-License-Identifier: MIT */
/* The user's SSH host key file; see host_key.h. */
#include "host_key.h"

#include "init/base/fs.h"
#include "init/base/text.h"
#include "tunnel/net/jsonfile.h"

#define FILE_MAX 256
#define KEY_TYPE "ssh-ed25519"

int host_key_parse(struct span text, struct key_pair *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	cleanup(secret_finish) struct secret seed = { 0 };

	if (!object)
		return -1;
	if (jsonfile_bytes32(object, "key", seed.bytes, err) < 0)
		return -1;
	return key_pair_from_seed(&seed, ret, err);
}

int host_key_read(const char *path, struct key_pair *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (jsonfile_read_private(path, &text, err) < 0)
		return -1;
	if (host_key_parse(buf_span(&text), ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

bool host_key_format(const struct key_pair *key, struct buf *b)
{
	char seed[TEXT_BASE64_SIZE(SECRET_LEN)];
	bool done;

	text_base64(span_of(key->seed.bytes, SECRET_LEN), seed, sizeof(seed));
	done = buf_printf(b, "{\"version\": 1, \"key\": \"%s\"}\n", seed);
	explicit_bzero(seed, sizeof(seed));
	return done;
}

int host_key_ensure(const char *path, struct key_pair *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(FILE_MAX);
	cleanup(key_pair_finish) struct key_pair key = { 0 };
	struct err why;

	if (fs_exists(path))
		return host_key_read(path, ret, err);
	if (key_pair_generate(&key, err) < 0)
		return -1;
	if (!host_key_format(&key, &text))
		return err_set(err, ERR_INTERNAL, "%s: too large", path);
	if (fs_create_file(path, buf_span(&text), 0600, &why) < 0 && why.kind != ERR_EXISTS) {
		if (err)
			*err = why;
		return -1;
	}
	/* Whoever came first made it. */
	return host_key_read(path, ret, err);
}

bool host_key_known_hosts(const struct key_public *key, const char *alias, struct buf *b)
{
	char base64[TEXT_BASE64_SIZE(sizeof(uint32_t) * 2 + sizeof(KEY_TYPE) - 1 + KEY_PUBLIC_LEN)];
	cleanup(buf_finish) struct buf blob = BUF_INIT(sizeof(base64));

	if (!buf_append_u32(&blob, sizeof(KEY_TYPE) - 1) ||
	    !buf_append_span(&blob, span_of_str(KEY_TYPE)) ||
	    !buf_append_u32(&blob, KEY_PUBLIC_LEN) ||
	    !buf_append(&blob, key->bytes, KEY_PUBLIC_LEN))
		return false;
	text_base64(buf_span(&blob), base64, sizeof(base64));
	return buf_printf(b, "%s %s %s\n", alias, KEY_TYPE, base64);
}
