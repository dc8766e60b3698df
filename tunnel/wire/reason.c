/* SPDX-License-Identifier: MIT */
/* Reasons of a peer; see reason.h. */
#include "tunnel/wire/reason.h"

#include "init/base/text.h"

void reason_add(struct buf *reason, struct span bytes)
{
	(void)!buf_append(reason, bytes.ptr, MIN(bytes.len, buf_room(reason)));
}

const char *reason_text(struct buf *reason, const char *otherwise)
{
	struct span text = buf_span(reason);
	char *said;

	while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
		text.len--;
	buf_truncate(reason, text.len);
	if (text.len == 0)
		return otherwise;
	said = (char *)(uintptr_t)buf_str(reason);
	text_make_printable(said);
	return said;
}
