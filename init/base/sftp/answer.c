/* SPDX-License-Identifier: MIT */
/* SFTP answers as a client reads them; see proto.h. */
#include "proto.h"

bool sftp_name_cut(struct span *body, struct sftp_name *ret)
{
	struct span rest = *body;
	struct sftp_name name = { 0 };

	if (!sftp_cut_string(&rest, &name.name) || !sftp_cut_string(&rest, &name.longname) ||
	    !sftp_cut_attrs(&rest, &name.attrs))
		return false;
	*ret = name;
	*body = rest;
	return true;
}

bool sftp_extension_cut(struct span *body, struct span *ret_name, struct span *ret_version)
{
	struct span rest = *body, name;

	if (!sftp_cut_string(&rest, &name) || !sftp_cut_string(&rest, ret_version))
		return false;
	*ret_name = name;
	*body = rest;
	return true;
}

/* Old servers leave out the text, the language, or both. */
static bool cut_status(struct span *s, struct sftp_answer *answer)
{
	struct span language;

	if (!sftp_cut_u32(s, &answer->code))
		return false;
	if (s->len > 0 && !sftp_cut_string(s, &answer->text))
		return false;
	return s->len == 0 || sftp_cut_string(s, &language);
}

/* Names are counted here, so that whoever goes through them cannot run short. */
static bool cut_names(struct span *s, struct sftp_answer *answer)
{
	struct sftp_name name;

	if (!sftp_cut_u32(s, &answer->count))
		return false;
	answer->body = *s;
	for (uint32_t i = 0; i < answer->count; i++) {
		if (!sftp_name_cut(s, &name))
			return false;
	}
	return true;
}

static bool cut_rest(struct span *s, struct sftp_answer *answer)
{
	answer->body = *s;
	(void)span_cut(s, s->len);
	return true;
}

static bool cut_bytes(struct span *s, struct sftp_answer *answer)
{
	return sftp_cut_string(s, &answer->bytes);
}

static bool cut_attrs(struct span *s, struct sftp_answer *answer)
{
	return sftp_cut_attrs(s, &answer->attrs);
}

static const struct {
	enum sftp_type type;
	bool (*cut)(struct span *s, struct sftp_answer *answer);
} shapes[] = {
	{ SFTP_TYPE_VERSION, cut_rest },	{ SFTP_TYPE_STATUS, cut_status },
	{ SFTP_TYPE_HANDLE, cut_bytes },	{ SFTP_TYPE_DATA, cut_bytes },
	{ SFTP_TYPE_NAME, cut_names },		{ SFTP_TYPE_ATTRS, cut_attrs },
	{ SFTP_TYPE_EXTENDED_REPLY, cut_rest },
};

int sftp_answer_parse(struct span packet, struct sftp_answer *ret, struct err *err)
{
	struct sftp_answer answer = { 0 };
	size_t i = 0;

	if (packet.len < 5)
		return err_set(err, ERR_PROTOCOL, "an answer without an id");
	answer.type = (enum sftp_type) * span_cut(&packet, 1).ptr;
	(void)!sftp_cut_u32(&packet, &answer.id);
	while (i < ARRAY_LEN(shapes) && shapes[i].type != answer.type)
		i++;
	if (i == ARRAY_LEN(shapes))
		return err_set(err, ERR_PROTOCOL, "answer type %u is not known",
			       (unsigned int)answer.type);
	if (!shapes[i].cut(&packet, &answer) || packet.len > 0)
		return err_set(err, ERR_PROTOCOL, "answer type %u has the wrong length",
			       (unsigned int)answer.type);
	*ret = answer;
	return 0;
}
