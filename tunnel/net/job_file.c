/* SPDX-License-Identifier: MIT */
/* tunnel.json and the client file; see job_file.h. */
#include "job_file.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"
#include "tunnel/net/jsonfile.h"

#define LOGIN_MAX 255

void job_file_finish(struct job_file *file)
{
	for (size_t i = 0; i < file->allow_len; i++)
		free(file->allow[i]);
	free(file->allow);
	relay_sites_finish(&file->relays);
	secret_finish(&file->secret);
	*file = (struct job_file){ 0 };
}

bool job_file_is_target(const char *text)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (!colon || colon == text || strpbrk(text, " /@\"\\"))
		return false;
	if (text[0] == '[' ? colon[-1] != ']' : memchr(text, ':', (size_t)(colon - text)) != NULL)
		return false;
	return strcmp(colon + 1, "*") == 0 ||
	       (text_parse_uint(colon + 1, UINT16_MAX, &port) && port > 0);
}

static int read_allow(const json_t *object, struct job_file *file, struct err *err)
{
	const json_t *array;

	if (jsonfile_array(object, "allow", &array, err) < 0)
		return -1;
	if (json_array_size(array) > JOB_FILE_ALLOW_MAX)
		return err_set(err, ERR_LIMIT, "\"allow\" has more than %d entries",
			       JOB_FILE_ALLOW_MAX);
	file->allow = new_array(char *, json_array_size(array) + 1);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (!text || !job_file_is_target(text))
			return err_set(err, ERR_INVALID, "\"allow\": entry %zu is not HOST:PORT",
				       i + 1);
		file->allow[file->allow_len++] = str_dup(text);
	}
	return 0;
}

static int read_connections(const json_t *object, struct job_file *file, struct err *err)
{
	file->connections = JOB_FILE_CONNECTIONS_DEFAULT;
	if (!json_object_get(object, "connections"))
		return 0;
	if (jsonfile_uint(object, "connections", JOB_FILE_CONNECTIONS_MAX, &file->connections,
			  err) < 0)
		return -1;
	if (file->connections == 0)
		return err_set(err, ERR_INVALID, "\"connections\" is 0: nobody could connect");
	return 0;
}

static int read_ways(const json_t *object, struct relay_sites *relays, unsigned int *paths,
		     struct err *err)
{
	if (path_mask_parse(json_object_get(object, "paths"), paths, err) < 0)
		return -1;
	return relay_sites_parse(json_object_get(object, "relays"), relays, err);
}

bool job_file_is_name(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-_";
	size_t len = strlen(text);

	return len > 0 && len <= JOB_FILE_NAME_MAX && strspn(text, plain) == len;
}

void job_file_keys(const struct job_file *file, struct key_set *ret)
{
	*ret = (struct key_set){ 0 };
	for (size_t i = 0; i < file->peers_len; i++) {
		key_set_add(ret, &file->peers[i].key);
		if (file->peers[i].has_next)
			key_set_add(ret, &file->peers[i].next);
	}
}

struct job_peer *job_file_find_peer(struct job_file *file, const struct key_public *key)
{
	for (size_t i = 0; i < file->peers_len; i++) {
		struct job_peer *peer = &file->peers[i];

		if (key_public_equal(&peer->key, key) ||
		    (peer->has_next && key_public_equal(&peer->next, key)))
			return peer;
	}
	return NULL;
}

static int read_name(const json_t *object, const char *member, struct job_peer *ret,
		     struct err *err)
{
	const char *text;

	if (jsonfile_string(object, member, &text, err) < 0)
		return -1;
	if (!job_file_is_name(text))
		return err_set(err, ERR_INVALID, "\"%s\" is no name of a workstation", member);
	memcpy(ret->name, text, strlen(text));
	return 0;
}

static int read_peer(const json_t *object, const char *member, struct job_peer *ret,
		     struct err *err)
{
	if (jsonfile_bytes32(object, member, ret->key.bytes, err) < 0)
		return -1;
	ret->has_next = json_object_get(object, "next") != NULL;
	return ret->has_next ? jsonfile_bytes32(object, "next", ret->next.bytes, err) : 0;
}

static int read_peers(const json_t *object, struct job_file *file, struct err *err)
{
	const json_t *others;

	if (read_peer(object, "peer", &file->peers[0], err) < 0 ||
	    (json_object_get(object, "peer_name") &&
	     read_name(object, "peer_name", &file->peers[0], err) < 0))
		return -1;
	file->peers_len = 1;
	if (!json_object_get(object, "others"))
		return 0;
	if (jsonfile_array(object, "others", &others, err) < 0)
		return -1;
	if (json_array_size(others) >= JOB_FILE_PEERS_MAX)
		return err_set(err, ERR_LIMIT, "\"others\" has more than %d entries",
			       JOB_FILE_PEERS_MAX - 1);
	for (size_t i = 0; i < json_array_size(others); i++) {
		const json_t *other = json_array_get(others, i);
		struct job_peer *peer = &file->peers[file->peers_len++];

		if (read_peer(other, "key", peer, err) < 0 ||
		    read_name(other, "name", peer, err) < 0)
			return err_wrap(err, "\"others\": entry %zu", i + 1);
	}
	return 0;
}

int job_file_parse(struct span text, struct job_file *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	cleanup(job_file_finish) struct job_file file = { 0 };

	if (!object)
		return -1;
	if (jsonfile_bytes32(object, "secret", file.secret.bytes, err) < 0 ||
	    read_peers(object, &file, err) < 0 ||
	    jsonfile_uint(object, "idle_timeout_s", JOB_FILE_IDLE_MAX_S, &file.idle_timeout_s,
			  err) < 0 ||
	    read_connections(object, &file, err) < 0 || read_allow(object, &file, err) < 0 ||
	    read_ways(object, &file.relays, &file.paths, err) < 0)
		return -1;
	*ret = file;
	file = (struct job_file){ 0 };
	return 0;
}

int job_file_read(const char *path, struct job_file *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (jsonfile_read_private(path, &text, err) < 0)
		return -1;
	if (job_file_parse(buf_span(&text), ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

static bool append_bytes32(struct buf *b, const char *name, const uint8_t bytes[32])
{
	char text[TEXT_BASE64_SIZE(32)];
	bool done;

	text_base64(span_of(bytes, 32), text, sizeof(text));
	done = buf_printf(b, ", \"%s\": \"%s\"", name, text);
	explicit_bzero(text, sizeof(text));
	return done;
}

/* Nothing of what is as if it were not said. */
static bool append_ways(struct buf *b, const struct relay_sites *relays, unsigned int paths)
{
	if (relays->len > 0 && !jsonfile_append(b, "relays", relay_sites_json(relays)))
		return false;
	return (paths | PATH_MASK(PATH_PUNCHED)) == PATH_MASK_ALL || paths == 0 ||
	       jsonfile_append(b, "paths", path_mask_json(paths));
}

static bool append_peer(struct buf *b, const char *member, const struct job_peer *peer)
{
	return append_bytes32(b, member, peer->key.bytes) &&
	       (!peer->has_next || append_bytes32(b, "next", peer->next.bytes));
}

static bool append_others(struct buf *b, const struct job_file *file)
{
	for (size_t i = 1; i < file->peers_len; i++) {
		if (!buf_printf(b, "%s{\"name\": \"%s\"", i > 1 ? ", " : ", \"others\": [",
				file->peers[i].name) ||
		    !append_peer(b, "key", &file->peers[i]) || !buf_append_u8(b, '}'))
			return false;
	}
	return file->peers_len < 2 || buf_append_u8(b, ']');
}

bool job_file_format(const struct job_file *file, struct buf *b)
{
	if (!buf_printf(b, "{\"version\": 1") || !append_bytes32(b, "secret", file->secret.bytes) ||
	    !append_peer(b, "peer", &file->peers[0]) ||
	    (file->peers[0].name[0] &&
	     !buf_printf(b, ", \"peer_name\": \"%s\"", file->peers[0].name)) ||
	    !append_others(b, file) || !buf_printf(b, ", \"allow\": ["))
		return false;
	for (size_t i = 0; i < file->allow_len; i++) {
		if (!buf_printf(b, "%s\"", i ? ", " : "") || !text_append_json(b, file->allow[i]) ||
		    !buf_printf(b, "\""))
			return false;
	}
	return buf_printf(b, "], \"idle_timeout_s\": %llu, \"connections\": %llu",
			  (unsigned long long)file->idle_timeout_s,
			  (unsigned long long)file->connections) &&
	       append_ways(b, &file->relays, file->paths) && buf_printf(b, "}\n");
}

void client_file_finish(struct client_file *file)
{
	secret_finish(&file->secret);
	key_pair_finish(&file->key);
	relay_sites_finish(&file->relays);
	free(file->login);
	file->login = NULL;
}

bool client_file_is_login(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr("\"'\\`$;&|<>(){}*?!#", text[i]))
			return false;
	return len > 0 && len <= LOGIN_MAX && text[0] != '-';
}

static int read_login(const json_t *object, struct client_file *file, struct err *err)
{
	const json_t *punch = json_object_get(object, "punch");
	const char *login;

	if (punch && !json_is_boolean(punch))
		return err_set(err, ERR_INVALID, "\"punch\" is not true or false");
	if (json_is_false(punch))
		file->paths &= ~PATH_MASK(PATH_PUNCHED);
	if (!json_object_get(object, "login"))
		return 0;
	if (jsonfile_string(object, "login", &login, err) < 0)
		return -1;
	if (!client_file_is_login(login))
		return err_set(err, ERR_INVALID, "\"login\" is not what ssh takes: [USER@]HOST");
	file->login = str_dup(login);
	return 0;
}

int client_file_parse(struct span text, struct client_file *ret, struct err *err)
{
	cleanup(jsonfile_free) json_t *object = jsonfile_parse(text, err);
	cleanup(client_file_finish) struct client_file file = { 0 };
	cleanup(secret_finish) struct secret seed = { 0 };

	if (!object)
		return -1;
	if (jsonfile_bytes32(object, "secret", file.secret.bytes, err) < 0 ||
	    jsonfile_bytes32(object, "key", seed.bytes, err) < 0 ||
	    key_pair_from_seed(&seed, &file.key, err) < 0 ||
	    read_ways(object, &file.relays, &file.paths, err) < 0 ||
	    read_login(object, &file, err) < 0)
		return -1;
	*ret = file;
	file = (struct client_file){ 0 };
	return 0;
}

int client_file_read(const char *path, struct client_file *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(JSONFILE_MAX);

	if (jsonfile_read_private(path, &text, err) < 0)
		return -1;
	if (client_file_parse(buf_span(&text), ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

void client_file_take_ways(struct client_file *file, const struct job_file *job)
{
	cleanup(jsonfile_free) json_t *array = relay_sites_json(&job->relays);

	relay_sites_finish(&file->relays);
	/* It was one a moment ago. */
	(void)!relay_sites_parse(array, &file->relays, NULL);
	file->paths = job->paths;
}

bool client_file_format(const struct client_file *file, struct buf *b)
{
	bool punches = path_mask_has(file->paths, PATH_PUNCHED) ||
		       !path_mask_has(file->paths, PATH_DIRECT);

	return buf_printf(b, "{\"version\": 1") &&
	       append_bytes32(b, "secret", file->secret.bytes) &&
	       append_bytes32(b, "key", file->key.seed.bytes) &&
	       append_ways(b, &file->relays, file->paths) &&
	       (!file->login || jsonfile_append(b, "login", json_string(file->login))) &&
	       (punches || jsonfile_append(b, "punch", json_false())) && buf_printf(b, "}\n");
}
