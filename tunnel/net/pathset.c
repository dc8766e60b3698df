/* SPDX-License-Identifier: MIT */
/* The paths of a server; see pathset.h. */
#include "pathset.h"

#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"

struct pathset_entry {
	struct pathset_entry *next;
	struct pathset *set;
	struct path *path;
	struct quic_path address;
	struct quic_tag peers[QUIC_SERVER_RESETS_MAX]; /* the latest first */
	size_t peer_count;
};

static struct pathset_entry *entry_of(const struct pathset *set, const struct path *path)
{
	struct pathset_entry *entry = set->first;

	while (entry && entry->path != path)
		entry = entry->next;
	return entry;
}

static struct pathset_entry *find(const struct pathset *set, const struct quic_addr *remote)
{
	struct pathset_entry *entry = set->first;

	if (!quic_addr_is_synthetic(remote))
		return NULL;
	while (entry && !quic_addr_equal(&entry->address.remote, remote))
		entry = entry->next;
	return entry;
}

static void on_received(struct path *path, void *user, const struct udp_datagrams *d)
{
	struct pathset_entry *entry = user;

	(void)path;
	entry->set->ops->received(entry->set->owner, &entry->address, d);
}

static void on_writable(struct path *path, void *user)
{
	const struct pathset_entry *entry = user;

	(void)path;
	entry->set->ops->unblocked(entry->set->owner);
}

static void on_refused(struct path *path, void *user)
{
	/* A hint for clients, who could go elsewhere. */
	(void)path;
	(void)user;
}

static void drop(struct pathset_entry *entry)
{
	struct pathset *set = entry->set;
	struct pathset_entry **link = &set->first;

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	set->len--;
	path_close(entry->path);
	free(entry);
	/* Whoever waited for it has to be asked, or would never move. */
	set->ops->unblocked(set->owner);
}

static void on_over(struct path *path, void *user, const struct err *why)
{
	char text[PATH_TEXT_MAX];

	path_format(path, text);
	log_debug("path %s: %s", text, why->text);
	drop(user);
}

static const struct path_user_ops user_ops = {
	.received = on_received,
	.writable = on_writable,
	.refused = on_refused,
	.over = on_over,
};

int pathset_add(struct pathset *set, struct path *path)
{
	uint8_t link = quic_addr_link(&path->address.local);
	struct pathset_entry *entry;

	if (set->len == PATHSET_MAX)
		return -1;
	entry = new_zero(struct pathset_entry);
	entry->set = set;
	entry->path = path;
	entry->address.remote = quic_addr_synthetic(link, ++set->numbers);
	entry->address.local = entry->address.remote;
	entry->next = set->first;
	set->first = entry;
	set->len++;
	path_use(path, &user_ops, entry);
	return 0;
}

void pathset_remove(struct pathset *set, struct path *path)
{
	struct pathset_entry *entry = entry_of(set, path);

	if (entry)
		drop(entry);
}

struct path *pathset_find(const struct pathset *set, const struct quic_addr *remote)
{
	const struct pathset_entry *entry = find(set, remote);

	return entry ? entry->path : NULL;
}

void pathset_note_peer(struct pathset *set, const struct path *path, const struct quic_tag *tag,
		       bool is_here)
{
	struct pathset_entry *entry = entry_of(set, path);
	struct quic_tag kept[QUIC_SERVER_RESETS_MAX];
	size_t count = 0;

	if (!entry)
		return;
	if (is_here)
		kept[count++] = *tag;
	for (size_t i = 0; i < entry->peer_count && count < ARRAY_LEN(kept); i++)
		if (!quic_tag_equal(&entry->peers[i], tag))
			kept[count++] = entry->peers[i];
	memcpy(entry->peers, kept, count * sizeof(kept[0]));
	entry->peer_count = count;
}

size_t pathset_peers(const struct pathset *set, const struct quic_addr *remote,
		     struct quic_tag ret[QUIC_SERVER_RESETS_MAX])
{
	const struct pathset_entry *entry = find(set, remote);

	if (!entry)
		return 0;
	memcpy(ret, entry->peers, entry->peer_count * sizeof(ret[0]));
	return entry->peer_count;
}

void pathset_finish(struct pathset *set)
{
	while (set->first)
		drop(set->first);
}
