/* SPDX-License-Identifier: MIT */
/*
 * The tunnel's JSON files. The first byte chooses which: what is accepted survives being written
 * and read again, and what is refused is refused with a text that shows none of it.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/net/endpoint.h"
#include "tunnel/net/host_key.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/session_file.h"
#include "tunnel/net/ticket.h"

static void try_endpoint(struct span text)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(JSONFILE_MAX);
	struct endpoint endpoint, again;
	struct err err;

	if (endpoint_parse(text, &endpoint, &err) < 0 || !endpoint_format(&endpoint, &b))
		return;
	assert(endpoint_parse(buf_span(&b), &again, &err) == 0);
	assert(strcmp(endpoint.host, again.host) == 0 && endpoint.rank == again.rank);
	assert(endpoint.addresses.len == again.addresses.len);
	assert(endpoint.tcp.len == again.tcp.len);
	for (size_t i = 0; i < endpoint.addresses.len; i++)
		assert(addr_equal(&endpoint.addresses.items[i], &again.addresses.items[i]));
}

static void try_job_file(struct span text)
{
	cleanup(job_file_finish) struct job_file file = { 0 }, again = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(JSONFILE_MAX);
	struct key_set keys, keys_again;
	struct err err;

	if (job_file_parse(text, &file, &err) < 0 || !job_file_format(&file, &b))
		return;
	assert(job_file_parse(buf_span(&b), &again, &err) == 0);
	assert(secret_equal(&file.secret, &again.secret));
	job_file_keys(&file, &keys);
	job_file_keys(&again, &keys_again);
	assert(key_set_equal(&keys, &keys_again) && keys.len > 0);
	assert(file.peers_len == again.peers_len && file.peers_len <= JOB_FILE_PEERS_MAX);
	for (size_t i = 0; i < file.peers_len; i++)
		assert(strcmp(file.peers[i].name, again.peers[i].name) == 0);
	assert(file.relays.len == again.relays.len);
	for (size_t i = 0; i < file.relays.len; i++) {
		assert(strcmp(file.relays.items[i].url, again.relays.items[i].url) == 0);
		assert(strcmp(file.relays.items[i].token, again.relays.items[i].token) == 0);
	}
	assert((file.paths | PATH_MASK(PATH_PUNCHED)) == (again.paths | PATH_MASK(PATH_PUNCHED)));
	assert(file.allow_len == again.allow_len && file.idle_timeout_s == again.idle_timeout_s);
	for (size_t i = 0; i < file.allow_len; i++)
		assert(strcmp(file.allow[i], again.allow[i]) == 0);
}

static void try_client_file(struct span text)
{
	cleanup(client_file_finish) struct client_file file = { 0 }, again = { 0 };
	cleanup(buf_finish) struct buf b = BUF_INIT(JSONFILE_MAX);
	struct err err;

	if (client_file_parse(text, &file, &err) < 0) {
		assert(strlen(err.text) < sizeof(err.text));
		return;
	}
	assert(!file.login || file.login[0] != '-');
	if (!client_file_format(&file, &b))
		return;
	assert(client_file_parse(buf_span(&b), &again, &err) == 0);
	assert(!file.login == !again.login);
	assert(path_mask_has(file.paths, PATH_LOGIN) == path_mask_has(again.paths, PATH_LOGIN));
}

static void try_host_key(struct span text)
{
	cleanup(key_pair_finish) struct key_pair key = { 0 };
	struct err err;

	if (host_key_parse(text, &key, &err) < 0)
		assert(strlen(err.text) < 200);
}

static void try_session_file(struct span text)
{
	cleanup(session_file_finish) struct session_file file = { 0 };

	if (session_file_parse(text, &file, NULL) < 0)
		return;
	assert(!file.shell || file.shell[0] == '/');
	assert(!file.uid || (file.uid[0] != '\0' && !strpbrk(file.uid, "/. ")));
	assert(file.time_limit_s <= SESSION_FILE_TIME_MAX_S);
}

static void try_ticket(struct span text)
{
	cleanup(ticket_finish) struct ticket ticket, again;
	cleanup(buf_finish) struct buf b = BUF_INIT(JSONFILE_MAX);
	struct err err;

	ticket_init(&ticket);
	ticket_init(&again);
	if (ticket_parse(text, &ticket, &err) < 0 || !ticket_format(&ticket, &b))
		return;
	assert(ticket_parse(buf_span(&b), &again, &err) == 0);
	assert(span_equal(buf_span(&ticket.session), buf_span(&again.session)));
	assert(span_equal(buf_span(&ticket.params), buf_span(&again.params)));
	assert(ticket.expires == again.expires && ticket.rtt_us == again.rtt_us);
	assert(key_public_equal(&ticket.key, &again.key));
	assert(addr_equal(&ticket.remote, &again.remote));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const targets[])(struct span) = { try_endpoint,	  try_job_file,
							try_client_file,  try_host_key,
							try_session_file, try_ticket };

	if (len > 0)
		targets[(size_t)(bytes[0] - 'a') % ARRAY_LEN(targets)](span_of(bytes + 1, len - 1));
	return 0;
}
