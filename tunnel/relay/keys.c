/* SPDX-License-Identifier: MIT */
/* The keys of a relay and their file; see keys.h. */
#include "keys.h"

#include <string.h>

#include "init/base/fs.h"
#include "init/base/text.h"
#include "tunnel/net/jsonfile.h"

void relay_keys_finish(struct relay_keys *keys)
{
	key_pair_finish(&keys->pair);
	secret_finish(&keys->reset);
	secret_finish(&keys->retry);
}

int relay_keys_derive(const struct secret *secret, struct relay_keys *ret, struct err *err)
{
	cleanup(relay_keys_finish) struct relay_keys keys = { 0 };
	cleanup(secret_finish) struct secret seed = { 0 };

	if (key_derive(secret, "berth relay key", &seed, err) < 0 ||
	    key_pair_from_seed(&seed, &keys.pair, err) < 0 ||
	    key_derive(secret, "berth relay reset", &keys.reset, err) < 0 ||
	    key_derive(secret, "berth relay retry", &keys.retry, err) < 0)
		return -1;
	key_tag(&keys.pair.public, keys.tag.bytes);
	*ret = keys;
	return 0;
}

int relay_keys_read(const char *path, struct relay_keys *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);
	cleanup(secret_finish) struct secret secret = { 0 };
	cleanup(jsonfile_free) json_t *object = NULL;

	if (jsonfile_read_private(path, &text, err) < 0)
		return -1;
	object = jsonfile_parse(buf_span(&text), err);
	if (!object || jsonfile_bytes32(object, "relay", secret.bytes, err) < 0)
		return err_wrap(err, "%s", path);
	return relay_keys_derive(&secret, ret, err);
}

int relay_keys_make(const char *path, struct relay_keys *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(256);
	cleanup(secret_finish) struct secret secret = { 0 };
	char base64[TEXT_BASE64_SIZE(SECRET_LEN)];
	bool done;

	if (key_random_secret(&secret, err) < 0 || relay_keys_derive(&secret, ret, err) < 0)
		return -1;
	text_base64(span_of(secret.bytes, SECRET_LEN), base64, sizeof(base64));
	done = buf_printf(&text, "{\"version\": 1, \"relay\": \"%s\"}\n", base64);
	explicit_bzero(base64, sizeof(base64));
	if (!done)
		return err_set(err, ERR_INTERNAL, "%s: too large", path);
	return fs_create_file(path, buf_span(&text), 0600, err);
}
