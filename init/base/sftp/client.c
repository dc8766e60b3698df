/* SPDX-License-Identifier: MIT */
/* Requests under way; see client.h. */
#include "client.h"

#include <assert.h>
#include <stdlib.h>

/* INIT with our version. */
static const uint8_t greeting[] = { 0, 0, 0, 5, SFTP_TYPE_INIT, 0, 0, 0, SFTP_VERSION };

void sftp_client_init(struct sftp_client *client)
{
	*client = (struct sftp_client){ .out = BUF_INIT(SFTP_CLIENT_OUT_MAX), .first_free = 1 };
	for (uint32_t i = 0; i < SFTP_CLIENT_REQUESTS_MAX - 1; i++)
		client->slots[i].next_free = i + 2;
	if (!buf_append(&client->out, greeting, sizeof(greeting)))
		abort();
}

void sftp_client_finish(struct sftp_client *client)
{
	buf_finish(&client->out);
}

void sftp_client_ask(struct sftp_client *client, struct sftp_request *request,
		     sftp_answered *answered, void *user)
{
	struct sftp_client_slot *slot;

	assert(client->first_free > 0);
	request->id = client->first_free - 1;
	slot = &client->slots[request->id];
	client->first_free = slot->next_free;
	slot->answered = answered;
	slot->user = user;
	client->under_way++;
	if (!sftp_request_append(&client->out, request))
		abort();
}

/* Calls whoever asked; the slot is free again before. */
static void deliver(struct sftp_client *client, const struct sftp_answer *answer)
{
	struct sftp_client_slot *slot = &client->slots[answer->id], taken = *slot;

	slot->answered = NULL;
	slot->next_free = client->first_free;
	client->first_free = answer->id + 1;
	client->under_way--;
	taken.answered(taken.user, answer);
}

void sftp_client_drop(struct sftp_client *client)
{
	struct sftp_answer answer = { .type = SFTP_TYPE_STATUS,
				      .code = SFTP_STATUS_CONNECTION_LOST };

	buf_clear(&client->out);
	for (answer.id = 0; answer.id < SFTP_CLIENT_REQUESTS_MAX; answer.id++) {
		if (client->slots[answer.id].answered)
			deliver(client, &answer);
	}
}

static int dispatch(struct sftp_client *client, const struct sftp_answer *answer, struct err *err)
{
	if (!client->greeted) {
		client->greeted = answer->type == SFTP_TYPE_VERSION;
		if (!client->greeted || answer->id < SFTP_VERSION)
			return err_set(err, ERR_PROTOCOL, "the other side is no SFTP 3 server");
		return 0;
	}
	if (answer->id >= SFTP_CLIENT_REQUESTS_MAX || !client->slots[answer->id].answered ||
	    answer->type == SFTP_TYPE_VERSION)
		return err_set(err, ERR_PROTOCOL, "an answer to what nobody asked");
	deliver(client, answer);
	return 0;
}

int sftp_client_feed(struct sftp_client *client, struct buf *in, struct err *err)
{
	struct sftp_answer answer;
	struct span rest, packet;
	int found;

	for (;;) {
		rest = buf_span(in);
		found = sftp_packet_cut(&rest, &packet);
		if (found < 0)
			return err_set(err, ERR_PROTOCOL,
				       "the other side sends what is no packet of SFTP");
		if (found == 0)
			return 0;
		if (sftp_answer_parse(packet, &answer, err) < 0 ||
		    dispatch(client, &answer, err) < 0)
			return -1;
		buf_consume(in, SFTP_HEAD_LEN + packet.len);
	}
}

static enum err_kind kind_of(uint32_t code)
{
	switch (code) {
	case SFTP_STATUS_NO_SUCH_FILE:
		return ERR_NOT_FOUND;
	case SFTP_STATUS_PERMISSION_DENIED:
		return ERR_DENIED;
	case SFTP_STATUS_OP_UNSUPPORTED:
		return ERR_UNSUPPORTED;
	case SFTP_STATUS_CONNECTION_LOST:
		return ERR_UNAVAILABLE;
	default:
		return ERR_SYSTEM;
	}
}

int sftp_answer_check(const struct sftp_answer *answer, enum sftp_type type, struct err *err)
{
	const struct span *text = &answer->text;

	if (answer->type == SFTP_TYPE_STATUS && answer->code != SFTP_STATUS_OK)
		return err_set(err, kind_of(answer->code), "%.*s",
			       text->len ? (int)MIN(text->len, (size_t)200) : 64,
			       text->len ? (const char *)text->ptr
					 : sftp_status_word(answer->code));
	if (answer->type != type)
		return err_set(err, ERR_PROTOCOL, "the other side answers something else");
	return 0;
}
