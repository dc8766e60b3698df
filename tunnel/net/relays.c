/* SPDX-License-Identifier: MIT */
/* All relays of a connection; see relays.h. */
#include "relays.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/hub.h"

struct entry {
	struct relays *relays;
	const struct relay_site *site;
	struct link *link;
	bool is_over; /* refused for good */
	struct err why;
};

struct relays {
	struct relays_config config;
	struct hub *hub;
	struct punches *punches; /* NULL: none */
	struct entry entries[RELAY_SITES_MAX];
	size_t count, open;
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

/* What the relays see of us is where a peer may find us. */
static void note_observed(struct relays *r)
{
	struct quic_addr seen[RELAY_SITES_MAX];
	size_t count = 0;

	if (!r->punches)
		return;
	for (size_t i = 0; i < r->count; i++) {
		const struct link *link = r->entries[i].link;

		count += link && link_is_up(link) && link_observed(link, &seen[count]);
	}
	punches_observed(r->punches, seen, count);
}

static void on_up(struct link *link, void *owner)
{
	struct entry *entry = owner;

	(void)link;
	note_observed(entry->relays);
	entry->why = (struct err){ 0 };
	entry->relays->config.ops->changed(entry->relays->config.owner);
}

static void on_peer(struct link *link, void *owner, const struct quic_tag *tag, bool is_here)
{
	const struct entry *entry = owner;

	(void)link;
	(void)tag;
	(void)is_here;
	entry->relays->config.ops->changed(entry->relays->config.owner);
}

static void on_moved(struct link *link, void *owner)
{
	const struct entry *entry = owner;

	note_observed(entry->relays);
	entry->relays->config.ops->moved(entry->relays->config.owner, link_path(link));
}

static void on_down(struct link *link, void *owner, const struct err *why, bool is_final)
{
	struct entry *entry = owner;

	(void)link;
	entry->is_over = is_final;
	entry->why = *why;
	entry->relays->config.ops->changed(entry->relays->config.owner);
}

static const struct link_ops link_ops = { on_up, on_peer, on_moved, on_down };

/* One that cannot even be tried is one that was refused. */
static void add(struct relays *r, const struct relay_site *site)
{
	struct entry *entry = &r->entries[r->count];
	struct link_config config = {
		.loop = r->config.loop,
		.hub = r->hub,
		.site = site,
		.number = (unsigned int)r->count,
		.role = LINK_CLIENT,
		.tag = r->config.tag,
		.udp = r->config.udp,
		.tcp = r->config.tcp,
		.ops = &link_ops,
		.owner = entry,
	};

	*entry = (struct entry){ .relays = r, .site = site };
	key_id(r->config.job, &config.id);
	key_tag(r->config.job, config.peer_tag.bytes);
	entry->link = link_new(&config, &entry->why);
	entry->is_over = !entry->link;
	r->open += entry->link != NULL;
	r->count++;
}

struct relays *relays_new(const struct relays_config *config, struct err *err)
{
	struct relays *r = new_zero(struct relays);

	r->config = *config;
	r->hub = hub_new(&(struct hub_config){ .loop = config->loop }, err);
	if (!r->hub) {
		free(r);
		return NULL;
	}
	if (config->punched && config->udp)
		r->punches = punches_new(config->loop, r->hub, NULL);
	for (size_t i = 0; i < MIN(config->sites->len, (size_t)RELAY_SITES_MAX); i++)
		add(r, &config->sites->items[i]);
	return r;
}

static void on_hub_closed(void *owner)
{
	struct relays *r = owner;

	if (r->closed)
		r->closed(r->owner);
	free(r);
}

static void on_link_closed(void *owner)
{
	struct relays *r = owner;

	if (--r->open > 0)
		return;
	punches_close(r->punches, NULL, NULL);
	hub_close(r->hub, on_hub_closed, r);
}

void relays_close(struct relays *r, void (*closed)(void *owner), void *owner)
{
	r->closing = true;
	r->closed = closed;
	r->owner = owner;
	r->open++;
	for (size_t i = 0; i < r->count; i++)
		link_close(r->entries[i].link, on_link_closed, r);
	on_link_closed(r);
}

static bool is_open(const struct entry *entry)
{
	return entry->link && link_is_up(entry->link) && link_peer_is_here(entry->link);
}

struct path *relays_path(const struct relays *r, const struct path *but)
{
	const struct entry *best = NULL;

	for (size_t i = 0; i < r->count; i++) {
		const struct entry *entry = &r->entries[i];

		if (!is_open(entry) || link_path(entry->link) == but)
			continue;
		if (!best || link_rtt(entry->link) < link_rtt(best->link))
			best = entry;
	}
	return best ? link_path(best->link) : NULL;
}

static const struct entry *find(const struct relays *r, const struct path *path)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].link && link_path(r->entries[i].link) == path)
			return &r->entries[i];
	}
	return NULL;
}

bool relays_is_open(const struct relays *r, const struct path *path)
{
	const struct entry *entry = find(r, path);

	return entry && is_open(entry);
}

uint64_t relays_heard_at(const struct relays *r, const struct path *path)
{
	const struct entry *entry = find(r, path);

	return entry ? link_heard_at(entry->link) : 0;
}

bool relays_are_over(const struct relays *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (!r->entries[i].is_over)
			return false;
	}
	return true;
}

bool relays_have_answered(const struct relays *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (!r->entries[i].is_over && !link_is_up(r->entries[i].link))
			return false;
	}
	return true;
}

struct punches *relays_punches(const struct relays *r)
{
	return r->punches;
}

struct hub *relays_hub(const struct relays *r)
{
	return r->hub;
}

void relays_wake(struct relays *r, bool has_changed)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].link)
			link_wake(r->entries[i].link, has_changed);
	}
}

/* UDP's and TCP's reasons, as far as they are known and differ. */
static bool tell_reason(const struct entry *entry, struct buf *b)
{
	static const struct err none = { 0 };
	const struct err *udp = entry->link ? link_error(entry->link, false) : &none;
	const struct err *tcp = entry->link ? link_error(entry->link, true) : &none;

	if (entry->link && link_is_up(entry->link))
		return buf_printf(b, "the job is not registered there");
	if (entry->is_over && entry->why.kind != ERR_NONE)
		return buf_printf(b, "%s", entry->why.text);
	if (udp->kind != ERR_NONE && tcp->kind != ERR_NONE)
		return buf_printf(b, "UDP: %s, TCP: %s", udp->text, tcp->text);
	if (udp->kind != ERR_NONE || tcp->kind != ERR_NONE)
		return buf_printf(b, "%s", udp->kind != ERR_NONE ? udp->text : tcp->text);
	return buf_printf(b, "no answer yet");
}

bool relays_tell(const struct relays *r, struct buf *b)
{
	for (size_t i = 0; i < r->count; i++) {
		if (!buf_printf(b, "; relay %s: ", r->entries[i].site->host) ||
		    !tell_reason(&r->entries[i], b))
			return false;
	}
	return true;
}

enum err_kind relays_error_kind(const struct relays *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].is_over && r->entries[i].why.kind == ERR_DENIED)
			return ERR_DENIED;
	}
	return ERR_UNAVAILABLE;
}
