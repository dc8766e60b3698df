/* SPDX-License-Identifier: MIT */
/* Why no address answered; see failure.h. */
#include "failure.h"

#include "init/base/buf.h"

static int weight(const struct err *why)
{
	switch (why->kind) {
	case ERR_DENIED:
		return 4;
	case ERR_PROTOCOL:
		return 3;
	case ERR_TIMEOUT:
		return 2;
	case ERR_NONE:
		return 0;
	case ERR_INVALID:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_LIMIT:
	case ERR_UNSUPPORTED:
	case ERR_UNAVAILABLE:
	case ERR_SYSTEM:
	case ERR_INTERNAL:
		break;
	}
	return 1;
}

bool failure_note(struct err *worst, const struct err *why)
{
	struct err noted = *why;

	if (noted.kind != ERR_DENIED && noted.kind != ERR_PROTOCOL && noted.kind != ERR_TIMEOUT)
		noted.kind = ERR_UNAVAILABLE;
	if (weight(&noted) > weight(worst))
		*worst = noted;
	return noted.kind == ERR_UNAVAILABLE;
}

/* "10.0.0.1:4000, 127.0.0.1:4000" */
static void list_addresses(const struct addr_list *addresses, struct buf *b)
{
	for (size_t i = 0; i < addresses->len; i++) {
		char text[ADDR_TEXT_MAX];

		addr_format(&addresses->items[i], text);
		if (!buf_printf(b, "%s%s", i ? ", " : "", text))
			return;
	}
}

void failure_tell(const struct err *worst, const struct addr_list *addresses, struct err *ret)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(ERR_TEXT_MAX / 2);

	if (worst->kind == ERR_DENIED || worst->kind == ERR_PROTOCOL) {
		*ret = *worst;
		return;
	}
	list_addresses(addresses, &list);
	err_set(ret, worst->kind,
		worst->kind == ERR_UNAVAILABLE
			? "nobody listens at %s: has the job ended, or its tunnel died?"
			: "no answer from %s: is the job's network reachable from here?",
		buf_str(&list));
}
