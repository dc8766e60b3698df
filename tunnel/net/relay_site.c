/* SPDX-License-Identifier: MIT */
/* Relays as files name them; see relay_site.h. */
#include "relay_site.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/wire/relay.h"

#define SCHEME "https://"

void relay_site_finish(struct relay_site *site)
{
	if (site->token)
		explicit_bzero(site->token, strlen(site->token));
	free(site->token);
	free(site->url);
	free(site->host);
	free(site->ca);
	*site = (struct relay_site){ 0 };
}

void relay_sites_finish(struct relay_sites *sites)
{
	for (size_t i = 0; i < sites->len; i++)
		relay_site_finish(&sites->items[i]);
	free(sites->items);
	*sites = (struct relay_sites){ 0 };
}

bool relay_site_is_token(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\')
			return false;
	return len > 0 && len <= RELAY_TOKEN_MAX;
}

/* What may stand in a host: letters, digits, '-', '.', '_', and of an address in brackets ':'. */
static bool is_host(const char *host, size_t len, bool is_bracketed)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._";
	static const char hex[] = "0123456789abcdefABCDEF:.";

	return len > 0 && strspn(host, is_bracketed ? hex : plain) == len;
}

static int refuse(const char *url, struct err *err)
{
	return err_set(err, ERR_INVALID, "'%s' is not https://HOST or https://HOST:PORT", url);
}

int relay_site_parse(const char *url, struct relay_site *ret, struct err *err)
{
	const char *host = url + strlen(SCHEME), *rest;
	uint64_t port = RELAY_SITE_PORT;
	bool is_bracketed;
	size_t len;

	if (strlen(url) > RELAY_SITE_URL_MAX)
		return err_set(err, ERR_INVALID, "the URL of a relay has at most %d characters",
			       RELAY_SITE_URL_MAX);
	if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
		return refuse(url, err);
	is_bracketed = *host == '[';
	host += is_bracketed;
	len = strcspn(host, is_bracketed ? "]" : ":/");
	rest = host + len + is_bracketed;
	if ((is_bracketed && host[len] != ']') || !is_host(host, len, is_bracketed))
		return refuse(url, err);
	if (*rest == ':') {
		size_t digits = strspn(rest + 1, "0123456789");
		cleanup_free char *number = str_dup_len(rest + 1, digits);

		if (!text_parse_uint(number, UINT16_MAX, &port) || port == 0)
			return refuse(url, err);
		rest += 1 + digits;
	}
	if (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0)
		return refuse(url, err);
	*ret = (struct relay_site){
		.url = str_dup(url),
		.host = str_dup_len(host, len),
		.port = (uint16_t)port,
	};
	return 0;
}

static int parse_entry(const json_t *entry, struct relay_site *site, struct err *err)
{
	const json_t *ca = json_object_get(entry, "ca");
	const char *url, *token;
	struct key_public key = { 0 };

	if (!json_is_object(entry))
		return err_set(err, ERR_INVALID, "is not an object");
	if (jsonfile_string(entry, "url", &url, err) < 0 ||
	    jsonfile_string(entry, "token", &token, err) < 0 ||
	    (!ca && jsonfile_bytes32(entry, "key", key.bytes, err) < 0))
		return -1;
	if (ca && (!json_string_length(ca) || json_object_get(entry, "key")))
		return err_set(err, ERR_INVALID,
			       "\"ca\" is the name of a file, or \"system\", instead of \"key\"");
	if (!relay_site_is_token(token))
		return err_set(err, ERR_INVALID, "\"token\" is no token");
	if (relay_site_parse(url, site, err) < 0)
		return -1;
	site->key = key;
	site->ca = ca ? str_dup(json_string_value(ca)) : NULL;
	site->token = str_dup(token);
	return 0;
}

int relay_sites_parse(const json_t *array, struct relay_sites *ret, struct err *err)
{
	cleanup(relay_sites_finish) struct relay_sites sites = { 0 };

	if (array && !json_is_array(array))
		return err_set(err, ERR_INVALID, "\"relays\" is not an array");
	if (json_array_size(array) > RELAY_SITES_MAX)
		return err_set(err, ERR_LIMIT, "\"relays\" has more than %d entries",
			       RELAY_SITES_MAX);
	sites.items = new_array(struct relay_site, json_array_size(array) + 1);
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (parse_entry(json_array_get(array, i), &sites.items[i], err) < 0)
			return err_wrap(err, "\"relays\": entry %zu", i + 1);
		sites.len++;
	}
	*ret = sites;
	sites = (struct relay_sites){ 0 };
	return 0;
}

json_t *relay_sites_json(const struct relay_sites *sites)
{
	json_t *array = json_array();

	for (size_t i = 0; i < sites->len; i++) {
		const struct relay_site *site = &sites->items[i];
		char key[TEXT_BASE64_SIZE(KEY_PUBLIC_LEN)];

		text_base64(span_of(site->key.bytes, sizeof(site->key.bytes)), key, sizeof(key));
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s}", "url", site->url,
						site->ca ? "ca" : "key", site->ca ? site->ca : key,
						"token", site->token));
	}
	return array;
}

int relay_sites_read(const char *path, struct relay_sites *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);
	cleanup(jsonfile_free) json_t *array = NULL;

	if (jsonfile_read_private(path, &text, err) < 0)
		return -1;
	array = jsonfile_load(buf_span(&text), err);
	if (!array || relay_sites_parse(array, ret, err) < 0)
		return err_wrap(err, "--relays: %s", path);
	return 0;
}
