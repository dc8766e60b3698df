/* SPDX-License-Identifier: MIT */
/* What values may be, and the table of settings; see settings.h. */
#include "config.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "controller/config/settings.h"
#include "controller/model/architecture.h"
#include "controller/model/spec_file.h"
#include "init/base/text.h"

#define URL_SCHEME "https://"
#define KEY_LEN 32

static bool has_controls(const char *value)
{
	for (; *value; value++) {
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return true;
	}
	return false;
}

int config_check_name(const char *value, struct err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strlen(value);

	if (len == 0 || len > CONFIG_NAME_MAX || !strchr(letters, value[0]) ||
	    strspn(value, all) != len)
		return err_set(
			err, ERR_INVALID,
			"'%.60s' is no name: use a letter, then letters, digits, '-' or '_', "
			"at most %d characters",
			value, CONFIG_NAME_MAX);
	return 0;
}

int config_check_login(const char *value, struct err *err)
{
	if (value[0] == '\0' || value[0] == '-' || has_controls(value) || strchr(value, ' '))
		return err_set(
			err, ERR_INVALID,
			"'%.60s' is no destination of ssh: write it like login1 or user@login1",
			value);
	return 0;
}

int config_check_ssh_option(const char *value, struct err *err)
{
	if (!isalpha((unsigned char)value[0]) || has_controls(value) || !strpbrk(value, " ="))
		return err_set(err, ERR_INVALID,
			       "'%.60s' is no option of ssh: write it like 'Port 2222', as in "
			       "ssh_config(5)",
			       value);
	return 0;
}

int config_check_home(const char *value, struct err *err)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	bool ok = value[0] == '/' || strcmp(value, "~") == 0 || strncmp(value, "~/", 2) == 0;

	if (value[0] == '$') {
		size_t len = strspn(value + 1, name);

		ok = len > 0 && (value[len + 1] == '/' || value[len + 1] == '\0');
	}
	if (!ok || has_controls(value))
		return err_set(
			err, ERR_INVALID,
			"'%.60s' is no directory: write it like /scratch/me/berth, ~/berth or "
			"$SCRATCH/berth",
			value);
	return 0;
}

int config_check_path_kind(const char *value, struct err *err)
{
	static const char *const kinds[] = { "direct", "relay", "relay-tcp", "login" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(value, kinds[i]) == 0)
			return 0;
	}
	return err_set(err, ERR_INVALID,
		       "'%.60s' is no kind of path: there are direct, relay, relay-tcp and login",
		       value);
}

int config_check_allow(const char *value, struct err *err)
{
	const struct spec_option *option = spec_find_option("allow");

	return option->check(option->name, value, err);
}

int config_check_url(const char *value, struct err *err)
{
	static const char host[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	bool ok = strncmp(value, URL_SCHEME, strlen(URL_SCHEME)) == 0;
	const char *at = ok ? value + strlen(URL_SCHEME) : value;
	size_t len = at[0] == '[' ? strcspn(at, "]") + 1 : strspn(at, host);
	char port[8] = "1";
	uint64_t number;

	ok = ok && len > 0 && len <= 255 && strlen(at) >= len;
	if (ok && at[len] == ':' && strlen(at + len + 1) < sizeof(port))
		memcpy(port, at + len + 1, strlen(at + len + 1) + 1);
	else if (ok)
		ok = at[len] == '\0' || strcmp(at + len, "/") == 0;
	if (!ok || has_controls(value) || !text_parse_uint(port, 65535, &number) || number == 0)
		return err_set(err, ERR_INVALID,
			       "'%.60s' is no address of a relay: write it like "
			       "https://relay.example.org or https://relay.example.org:8443",
			       value);
	return 0;
}

int config_check_server(const char *value, struct err *err)
{
	static const char *const begins[] = { "http://", "https://", "unix:/", "tcp://", "ssh://" };

	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		size_t len = strlen(begins[i]);

		if (strncmp(value, begins[i], len) == 0 && value[len] && !has_controls(value) &&
		    !strchr(value, ' '))
			return 0;
	}
	return err_set(err, ERR_INVALID,
		       "'%.60s' is no address of a server: write it like http://host:6820, "
		       "https://host or unix:/path/of/socket; an engine's also tcp://host:2376 or "
		       "ssh://user@host",
		       value);
}

int config_check_issuer(const char *value, struct err *err)
{
	bool ok = strncmp(value, "https://", 8) == 0 || strncmp(value, "http://", 7) == 0;

	if (!ok || has_controls(value) || strpbrk(value, " ?#@\\"))
		return err_set(err, ERR_INVALID,
			       "'%.60s' is no issuer: write it like "
			       "https://auth.example.org/realms/main",
			       value);
	return 0;
}

int config_check_scope(const char *value, struct err *err)
{
	/* RFC 6749 section 3.3 */
	if (!value[0] || has_controls(value) || strpbrk(value, " \"\\"))
		return err_set(err, ERR_INVALID, "'%.60s' is no scope: give each on its own",
			       value);
	return 0;
}

int config_check_grant(const char *value, struct err *err)
{
	static const char *const grants[] = { "client-credentials", "device", "code" };

	for (size_t i = 0; i < ARRAY_LEN(grants); i++) {
		if (strcmp(value, grants[i]) == 0)
			return 0;
	}
	return err_set(err, ERR_INVALID,
		       "'%.60s' is no grant: there are client-credentials, device and code", value);
}

int config_check_version(const char *value, struct err *err)
{
	if (value[0] != 'v' || strspn(value, "v0123456789.") != strlen(value))
		return err_set(err, ERR_INVALID,
			       "'%.60s' is no version: write it like v0.0.40, or leave it out",
			       value);
	return 0;
}

int config_check_port(const char *value, struct err *err)
{
	uint64_t port;

	if (!text_parse_uint(value, UINT16_MAX, &port) || port == 0)
		return err_set(err, ERR_INVALID, "'%.60s' is not a port: it is from 1 to 65535",
			       value);
	return 0;
}

int config_check_age(const char *value, struct err *err)
{
	uint64_t ns;

	if (!text_parse_duration(value, &ns))
		return err_set(err, ERR_INVALID,
			       "'%.40s' is not a duration: write it like 5s or 1m, or 0s for never",
			       value);
	return 0;
}

int config_check_scheduler(const char *value, struct err *err)
{
	if (strcmp(value, "slurm") != 0 && strcmp(value, "pbs") != 0)
		return err_set(err, ERR_INVALID, "'%.40s' is none of slurm, pbs", value);
	return 0;
}

int config_check_architecture(const char *value, struct err *err)
{
	if (!architecture_name(value))
		return err_set(err, ERR_INVALID,
			       "'%.40s' is no architecture: there are " ARCHITECTURE_NAMES, value);
	return 0;
}

int config_check_image_entrypoint(const char *value, struct err *err)
{
	if (strcmp(value, "alone") != 0 && strcmp(value, "always") != 0)
		return err_set(err, ERR_INVALID, "'%.40s' is none of alone, always", value);
	return 0;
}

int config_check_key(const char *value, struct err *err)
{
	uint8_t bytes[KEY_LEN];

	if (!text_parse_base64(value, bytes, sizeof(bytes)))
		return err_set(err, ERR_INVALID,
			       "'%.60s' is no public key: 'berth-tunnel relay key' prints it",
			       value);
	return 0;
}

int config_check_file(const char *value, struct err *err)
{
	if ((value[0] != '/' && strncmp(value, "~/", 2) != 0) || has_controls(value))
		return err_set(err, ERR_INVALID,
			       "'%.60s' is no file: write it like /etc/berth/token or ~/.token",
			       value);
	return 0;
}

int config_check_size(const char *value, struct err *err)
{
	uint64_t bytes;

	if (!text_parse_size(value, &bytes))
		return err_set(err, ERR_INVALID,
			       "'%.40s' is not a size: write it like 500M, 10G or 2T", value);
	return 0;
}

int config_check_count(const char *value, struct err *err)
{
	uint64_t count;

	if (!text_parse_uint(value, UINT32_MAX, &count))
		return err_set(err, ERR_INVALID, "'%.40s' is not a number", value);
	return 0;
}

int config_check_word(const char *value, struct err *err)
{
	if (has_controls(value))
		return err_set(err, ERR_INVALID, "has control characters");
	return 0;
}

#define config_check_none NULL
#define STRUCT_TOP struct config
#define STRUCT_CONTEXT struct config_context
#define STRUCT_CLUSTER struct config_cluster
#define STRUCT_RELAY struct config_relay
#define X(place, kind, name, member, check, project, value, help)                       \
	{ CONFIG_##place,	CONFIG_##kind, name,  offsetof(STRUCT_##place, member), \
	  config_check_##check, project,       value, help },
const struct config_setting config_settings[] = { CONFIG_SETTINGS(X){ 0 } };
#undef X

const struct config_setting *config_find_setting(enum config_place place, const char *name)
{
	for (const struct config_setting *s = config_settings; s->name; s++) {
		if (s->place == place && strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}
