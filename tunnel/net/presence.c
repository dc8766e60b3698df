/* SPDX-License-Identifier: MIT */
/* The ways to a job; see presence.h. */
#include "presence.h"

#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/link.h"
#include "tunnel/net/route.h"
#include "tunnel/net/stream_listener.h"

#define TOLD_MAX 8

/* At one relay. */
struct registration {
	struct presence *presence;
	const struct relay_site *site;
	struct link *link; /* NULL: it cannot be */
	struct err why;	   /* why it is not up */
	/* What was told of that since it was up, hashed: reasons alternate, of UDP and of TCP. */
	uint64_t told[TOLD_MAX];
	size_t told_len;
};

struct presence {
	struct presence_config config;
	struct key_pair key;
	struct registration *registrations;
	size_t len;
	struct stream_listener *listener; /* NULL: none */
	struct err listener_why;
	struct route route;
	unsigned int closing; /* links and the route that are not closed yet */
	void (*closed)(void *owner);
	void *owner;
};

/* Relays */

/* What the relays see is where a way through NATs may begin. */
static void tell_observed(const struct presence *p)
{
	struct quic_addr seen[PUNCHES_OBSERVED_MAX];
	size_t count = 0;

	for (size_t i = 0; i < p->len && count < ARRAY_LEN(seen); i++)
		if (p->registrations[i].link &&
		    link_observed(p->registrations[i].link, &seen[count]))
			count++;
	if (p->config.punches)
		punches_observed(p->config.punches, seen, count);
}

static void on_up(struct link *link, void *owner)
{
	struct registration *r = owner;
	struct quic_addr seen;
	char text[ADDR_TEXT_MAX] = "an address it does not tell";

	if (link_observed(link, &seen))
		addr_format(&seen, text);
	log_info("relay %s: registered over %s, from %s", r->site->url,
		 path_kind_name(link_path(link)->kind), text);
	r->why = (struct err){ 0 };
	r->told_len = 0;
	tell_observed(r->presence);
}

static void on_peer(struct link *link, void *owner, const struct quic_tag *tag, bool is_here)
{
	const struct registration *r = owner;

	server_path_peer(r->presence->config.server, link_path(link), tag, is_here);
}

static void on_moved(struct link *link, void *owner)
{
	const struct registration *r = owner;

	/* The clients hear of it by themselves, and answers go where the link is now. */
	log_debug("relay %s: over %s now", r->site->url, path_kind_name(link_path(link)->kind));
	tell_observed(r->presence);
}

static uint64_t hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return value;
}

/* False for what was told before, or when there was enough of it. */
static bool is_news(struct registration *r, const char *text)
{
	uint64_t value = hash(text);

	for (size_t i = 0; i < r->told_len; i++)
		if (r->told[i] == value)
			return false;
	if (r->told_len == TOLD_MAX)
		return false;
	r->told[r->told_len++] = value;
	return true;
}

/* It is tried again for as long as the job lasts: each reason is told once. */
static void on_down(struct link *link, void *owner, const struct err *why, bool is_final)
{
	struct registration *r = owner;

	(void)link;
	r->why = *why;
	if (is_news(r, why->text))
		log_warn("relay %s: %s%s", r->site->url, why->text,
			 is_final ? "" : "; trying again from time to time");
}

static const struct link_ops link_ops = {
	.up = on_up, .peer = on_peer, .moved = on_moved, .down = on_down
};

static void register_at(struct registration *r, unsigned int number)
{
	struct presence *p = r->presence;
	struct link_config config = {
		.loop = p->config.loop,
		.hub = p->config.hub,
		.site = r->site,
		.number = number,
		.role = LINK_JOB,
		.key = &p->key,
		.udp = path_mask_has(p->config.job->paths, PATH_RELAY),
		.tcp = path_mask_has(p->config.job->paths, PATH_RELAY_TCP),
		.ops = &link_ops,
		.owner = r,
	};

	key_id(&p->key.public, &config.id);
	key_tag(&p->key.public, config.tag.bytes);
	r->link = link_new(&config, &r->why);
	if (!r->link) {
		log_warn("relay %s: %s", r->site->url, r->why.text);
		return;
	}
	if (server_add_path(p->config.server, link_path(r->link)) < 0)
		err_set(&r->why, ERR_LIMIT, "too many paths");
}

static void register_everywhere(struct presence *p)
{
	const struct job_file *job = p->config.job;

	if (!path_mask_has(job->paths, PATH_RELAY) && !path_mask_has(job->paths, PATH_RELAY_TCP))
		return;
	p->len = job->relays.len;
	p->registrations = new_array(struct registration, p->len + 1);
	for (size_t i = 0; i < p->len; i++) {
		struct registration *r = &p->registrations[i];

		*r = (struct registration){ .presence = p, .site = &job->relays.items[i] };
		register_at(r, (unsigned int)i);
	}
}

/* Byte streams */

static void on_accepted(void *owner, struct path *path)
{
	const struct presence *p = owner;

	if (server_add_path(p->config.server, path) < 0)
		path_close(path);
}

static void listen_for_streams(struct presence *p)
{
	struct stream_listener_config config = {
		.loop = p->config.loop,
		.listen = p->config.listen,
		.accepted = on_accepted,
		.owner = p,
	};

	if (!path_mask_has(p->config.job->paths, PATH_LOGIN))
		return;
	p->listener = stream_listener_new(&config, &p->listener_why);
	if (!p->listener)
		log_warn("serve: nobody can come through a login node: %s", p->listener_why.text);
}

bool presence_tcp(const struct presence *p, struct quic_addr *ret)
{
	if (!p->listener)
		return false;
	*ret = *stream_listener_local(p->listener);
	return true;
}

/* What there is */

static void describe(const struct registration *r, struct presence_entry *ret)
{
	*ret = (struct presence_entry){ .kind = PATH_RELAY, .url = r->site->url };
	if (r->link) {
		ret->kind = link_path(r->link)->kind;
		ret->is_up = link_is_up(r->link);
		if (!link_observed(r->link, &ret->address))
			ret->address = (struct quic_addr){ 0 };
	}
	if (ret->is_up)
		ret->rtt_ns = link_rtt(r->link);
	else if (r->why.text[0])
		ret->why = r->why.text;
}

size_t presence_list(const struct presence *p, struct presence_entry ret[PRESENCE_MAX])
{
	size_t count = 0;

	ret[count++] = (struct presence_entry){ .kind = PATH_DIRECT,
						.address = *hub_local(p->config.hub),
						.is_up = true };
	for (size_t i = 0; i < p->len; i++)
		describe(&p->registrations[i], &ret[count++]);
	if (!path_mask_has(p->config.job->paths, PATH_LOGIN))
		return count;
	ret[count] = (struct presence_entry){ .kind = PATH_LOGIN };
	ret[count].is_up = presence_tcp(p, &ret[count].address);
	ret[count].why = ret[count].is_up ? NULL : p->listener_why.text;
	return count + 1;
}

/* Opening and closing */

static void on_route_changed(void *owner)
{
	struct presence *p = owner;

	for (size_t i = 0; i < p->len; i++)
		if (p->registrations[i].link)
			link_wake(p->registrations[i].link, true);
}

struct presence *presence_new(const struct presence_config *config)
{
	struct presence *p = new_zero(struct presence);

	p->config = *config;
	p->key = *config->key;
	register_everywhere(p);
	listen_for_streams(p);
	p->route.owner = p;
	if (p->len > 0)
		route_open(&p->route, config->loop, on_route_changed, p);
	return p;
}

static void on_part_closed(void *owner)
{
	struct presence *p = owner;

	if (--p->closing > 0)
		return;
	key_pair_finish(&p->key);
	free(p->registrations);
	if (p->closed)
		p->closed(p->owner);
	free(p);
}

void presence_close(struct presence *p, void (*closed)(void *owner), void *owner)
{
	size_t len = p->len;

	p->closed = closed;
	p->owner = owner;
	p->closing = 1;
	p->len = 0;
	stream_listener_close(p->listener);
	for (size_t i = 0; i < len; i++) {
		if (!p->registrations[i].link)
			continue;
		p->closing++;
		link_close(p->registrations[i].link, on_part_closed, p);
	}
	route_close(&p->route, on_part_closed);
}
