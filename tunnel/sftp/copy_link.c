/* SPDX-License-Identifier: MIT */
/* A symbolic link: read there, made here beside its place, renamed. Its target is kept as it is. */
#include "copy_internal.h"

#include <limits.h>

#include "init/base/alloc.h"

struct link {
	struct copy *copy;
	struct copy_dir *dir;
	char *from, *to, *part;
};

static void finish(struct link *link, bool is_source, const struct err *why)
{
	struct copy *copy = link->copy;

	if (why)
		copy_fail(copy, is_source, is_source ? link->from : link->to, why);
	else
		copy->totals.files++;
	copy->loose--;
	copy_dir_release(copy, link->dir);
	free(link->from);
	free(link->to);
	free(link->part);
	free(link);
}

static void on_named(void *user, const struct sftp_answer *answer)
{
	struct link *link = user;
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_STATUS, &why) < 0) {
		struct sftp_request remove = { .op = SFTP_REMOVE, .path = span_of_str(link->part) };

		copy_ask_loosely(link->copy, link->copy->config.to, &remove, NULL);
		finish(link, false, &why);
		return;
	}
	finish(link, false, NULL);
}

static void on_made(void *user, const struct sftp_answer *answer)
{
	struct link *link = user;
	struct sftp_request request = { .op = SFTP_POSIX_RENAME,
					.path = span_of_str(link->part),
					.path2 = span_of_str(link->to) };
	struct err why = { 0 };

	if (sftp_answer_check(answer, SFTP_TYPE_STATUS, &why) < 0)
		finish(link, false, &why);
	else
		sftp_client_ask(link->copy->config.to, &request, on_named, link);
}

static void on_target(void *user, const struct sftp_answer *answer)
{
	struct link *link = user;
	struct sftp_request request = { .op = SFTP_SYMLINK, .path2 = span_of_str(link->part) };
	struct err why = { 0 };
	struct sftp_name name;
	struct span body = answer->body;

	if (sftp_answer_check(answer, SFTP_TYPE_NAME, &why) == 0 &&
	    (!sftp_name_cut(&body, &name) || name.name.len == 0 || name.name.len >= PATH_MAX))
		err_set(&why, ERR_PROTOCOL, "a link with a target that none can have");
	if (why.kind != ERR_NONE) {
		finish(link, true, &why);
		return;
	}
	request.path = name.name;
	sftp_client_ask(link->copy->config.to, &request, on_made, link);
}

void copy_link_start(struct copy *copy, struct copy_dir *dir, char *from, char *to)
{
	struct sftp_request request = { .op = SFTP_READLINK, .path = span_of_str(from) };
	struct link *link = new_zero(struct link);

	*link = (struct link){ copy, dir, from, to, copy_part_path(to, false) };
	copy->loose++;
	sftp_client_ask(copy->config.from, &request, on_target, link);
}
