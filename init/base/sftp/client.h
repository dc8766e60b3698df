/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The other end of server.h: requests that are under way, any number at once up to a limit, each
 * with a function that gets its answer. No I/O: bytes in, bytes out.
 *
 *	struct sftp_client client;
 *
 *	sftp_client_init(&client);
 *	sftp_client_ask(&client, &request, on_answer, user);
 *	...write client.out to the server, append what it says to in
 *	if (sftp_client_feed(&client, &in, &err) < 0)
 *		...it is no server
 *
 * What a server sends is checked here for its form; whoever asks checks whether the answer fits the
 * request: sftp_answer_check().
 */

#include "proto.h"

#define SFTP_CLIENT_REQUESTS_MAX 1024
/* Requests that wait to be written; askers hold WRITEs back long before. */
#define SFTP_CLIENT_OUT_MAX (64 * 1024 * 1024)

/* The answer is borrowed for the call, which may ask anew. */
typedef void sftp_answered(void *user, const struct sftp_answer *answer);

struct sftp_client_slot {
	sftp_answered *answered; /* NULL: free */
	void *user;
	uint32_t next_free; /* one more than its index; 0: none */
};

struct sftp_client {
	struct buf out;
	bool greeted; /* the server's version came */
	struct sftp_client_slot slots[SFTP_CLIENT_REQUESTS_MAX];
	uint32_t first_free;
	size_t under_way;
};

/* Puts the greeting into out; requests may be asked at once. */
void sftp_client_init(struct sftp_client *client);
void sftp_client_finish(struct sftp_client *client);

/* request->id is set here. More than the limits is a mistake of the caller. */
void sftp_client_ask(struct sftp_client *client, struct sftp_request *request,
		     sftp_answered *answered, void *user);

/* Takes complete answers off in and calls whoever asked. */
int sftp_client_feed(struct sftp_client *client, struct buf *in, struct err *err) attr_must_use;

/*
 * The server is gone: whoever waits for an answer is told CONNECTION_LOST, and whoever asks from
 * now on will be at the next call.
 */
void sftp_client_drop(struct sftp_client *client);

/*
 * 0 if the answer is of the type, and a STATUS is OK; otherwise -1 and the reason: the server's own
 * words where it has some. ERR_NOT_FOUND, ERR_DENIED and ERR_UNSUPPORTED follow from the status.
 */
int sftp_answer_check(const struct sftp_answer *answer, enum sftp_type type, struct err *err)
	attr_must_use;
