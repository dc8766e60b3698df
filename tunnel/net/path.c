/* SPDX-License-Identifier: MIT */
/* What all kinds of paths share; see path.h. */
#include "path.h"

#include <stdio.h>
#include <string.h>

#include "tunnel/net/addr.h"

const char *path_kind_name(enum path_kind kind)
{
	static const char *const names[] = {
#define PATH_KIND_NAME(name, text) [name] = text,
		PATH_KINDS(PATH_KIND_NAME)
#undef PATH_KIND_NAME
	};

	return kind < PATH_KIND_COUNT ? names[kind] : "unknown";
}

bool path_kind_parse(const char *name, enum path_kind *ret)
{
	for (unsigned int i = 0; i < PATH_KIND_COUNT; i++) {
		if (strcmp(name, path_kind_name((enum path_kind)i)) != 0)
			continue;
		*ret = (enum path_kind)i;
		return true;
	}
	return false;
}

struct quic_addr path_synthetic(unsigned int link)
{
	static uint32_t last;

	return quic_addr_synthetic((uint8_t)link, ++last);
}

void path_use(struct path *path, const struct path_user_ops *ops, void *user)
{
	path->user_ops = ops;
	path->user = user;
}

bool path_send(struct path *path, const struct quic_batch *batch)
{
	return path->ops->send(path, batch);
}

int path_renew(struct path *path, struct err *err)
{
	return path->ops->renew(path, err);
}

bool path_is_misplaced(const struct path *path)
{
	return path->ops->is_misplaced && path->ops->is_misplaced(path);
}

void path_close(struct path *path)
{
	if (!path)
		return;
	path_use(path, NULL, NULL);
	path->ops->close(path);
}

void path_format(const struct path *path, char out[PATH_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX] = "";
	const char *name = path->name;

	if (!name && path->remote.len > 0) {
		addr_format(&path->remote, text);
		name = text;
	}
	snprintf(out, PATH_TEXT_MAX, "%s%s%s", path_kind_name(path->kind), name ? " " : "",
		 name ? name : "");
}

void path_received(struct path *path, const struct udp_datagrams *d)
{
	struct udp_datagrams seen = *d;

	if (!path->user_ops)
		return;
	seen.path = path->address;
	path->user_ops->received(path, path->user, &seen);
}

void path_turn(struct path *path)
{
	if (path->user_ops && path->user_ops->turn)
		path->user_ops->turn(path, path->user);
}

void path_writable(struct path *path)
{
	path->blocked = false;
	if (path->user_ops)
		path->user_ops->writable(path, path->user);
}

void path_refused(struct path *path)
{
	if (path->user_ops)
		path->user_ops->refused(path, path->user);
}

void path_over(struct path *path, const struct err *why)
{
	if (path->user_ops)
		path->user_ops->over(path, path->user, why);
}
