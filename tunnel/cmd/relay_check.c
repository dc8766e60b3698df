/* SPDX-License-Identifier: MIT */
/*
 * berth-tunnel relay check: whether a relay works from here, by each of the two ways, with the code
 * that jobs and workstations use. Each finding is a line: "ok" or "no", what, how long it took, and
 * a sentence.
 */
#include "relay.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/log.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/jsonfile.h"
#include "tunnel/net/link.h"
#include "tunnel/net/relay_site.h"
#include "tunnel/net/resolve.h"

#define LIMIT_MS 4500

struct way {
	struct check *check;
	const char *name;
	bool is_tcp, is_done, is_up;
	struct link *link;
	uint64_t took;
	struct err why;
};

struct check {
	uv_loop_t loop;
	uv_timer_t limit;
	struct hub *hub;
	struct resolver *resolver;
	struct relay_site site;
	uint64_t began;
	char addresses[RESOLVE_MAX * (ADDR_TEXT_MAX + 2)];
	uint64_t resolved;
	struct err unresolved;
	bool has_answer, is_over;
	struct way ways[2];
};

static double ms(uint64_t ns)
{
	return (double)ns / NSEC_PER_MSEC;
}

/* Ends the loop when nothing is open any more. */
static void stop_when_done(struct check *check, bool is_late)
{
	bool done = check->has_answer && check->ways[0].is_done && check->ways[1].is_done;

	if (check->is_over || (!done && !is_late))
		return;
	check->is_over = true;
	uv_stop(&check->loop);
}

static void on_limit(uv_timer_t *timer)
{
	stop_when_done(timer->data, true);
}

static void on_resolved(void *owner, const struct resolve_list *list, const struct err *why)
{
	struct check *check = owner;
	size_t at = 0;

	check->has_answer = true;
	check->resolved = clock_now() - check->began;
	if (why)
		check->unresolved = *why;
	for (size_t i = 0; list && i < list->len; i++) {
		struct quic_addr addr = addr_from_sockaddr(&list->items[i].any);
		char text[ADDR_TEXT_MAX];

		addr_format(&addr, text);
		at += (size_t)snprintf(check->addresses + at, sizeof(check->addresses) - at, "%s%s",
				       i ? ", " : "", text);
	}
	stop_when_done(check, false);
}

/* The ways */

static struct way *way_of(struct check *check, const struct link *link)
{
	return check->ways[1].link == link ? &check->ways[1] : &check->ways[0];
}

static void on_up(struct link *link, void *owner)
{
	struct way *way = way_of(owner, link);

	if (way->is_done)
		return;
	way->is_up = way->is_done = true;
	way->took = clock_now() - way->check->began;
	stop_when_done(way->check, false);
}

static void on_peer(struct link *link, void *owner, const struct quic_tag *tag, bool is_here)
{
	(void)link;
	(void)owner;
	(void)tag;
	(void)is_here;
}

static void on_moved(struct link *link, void *owner)
{
	(void)link;
	(void)owner;
}

/* It would go on trying: what it said last is what is told when the time is over. */
static void on_down(struct link *link, void *owner, const struct err *why, bool is_final)
{
	struct way *way = way_of(owner, link);

	if (way->is_done)
		return;
	way->why = *why;
	way->took = clock_now() - way->check->began;
	way->is_done = is_final || why->kind == ERR_DENIED || why->kind == ERR_LIMIT;
	stop_when_done(way->check, false);
}

static const struct link_ops link_ops = { on_up, on_peer, on_moved, on_down };

static int open_way(struct check *check, bool is_tcp, struct err *err)
{
	struct way *way = &check->ways[is_tcp];
	struct link_config config = {
		.loop = &check->loop,
		.hub = check->hub,
		.site = &check->site,
		.number = is_tcp,
		.role = LINK_CLIENT,
		.udp = !is_tcp,
		.tcp = is_tcp,
		.ops = &link_ops,
		.owner = check,
	};
	struct secret nobody;

	/* An id that no job has. */
	if (key_random_secret(&nobody, err) < 0)
		return -1;
	memcpy(config.id.bytes, nobody.bytes, sizeof(config.id.bytes));
	memcpy(config.peer_tag.bytes, nobody.bytes, sizeof(config.peer_tag.bytes));
	quic_tag_random(&config.tag);
	way->check = check;
	way->name = is_tcp ? "tcp" : "udp";
	way->is_tcp = is_tcp;
	way->link = link_new(&config, err);
	return way->link ? 0 : -1;
}

/* What was found */

static void print_name(const struct check *check)
{
	if (!check->has_answer)
		printf("no   name   no answer from the name server within %d ms\n", LIMIT_MS);
	else if (check->unresolved.kind != ERR_NONE)
		printf("no   name   %s\n", check->unresolved.text);
	else
		printf("ok   name   %s is %s (%.0f ms)\n", check->site.host, check->addresses,
		       ms(check->resolved));
}

/* Over UDP a relay does not answer who asks for another key: its tag is made of that. */
static void print_silence(const struct way *way)
{
	if (way->is_tcp)
		printf("no   tcp    no answer within %d ms: a firewall may drop TCP to port %u\n",
		       LIMIT_MS, way->check->site.port);
	else
		printf("no   udp    no answer within %d ms: a firewall may drop UDP to port %u, or "
		       "the relay has another key\n",
		       LIMIT_MS, way->check->site.port);
}

static void print_way(const struct way *way)
{
	const struct err *why =
		way->why.kind != ERR_NONE ? &way->why : link_error(way->link, way->is_tcp);

	if (way->is_up)
		printf("ok   %s    the relay answers, proves its key and admits the token (%.0f "
		       "ms)\n",
		       way->name, ms(way->took));
	else if (why && why->kind != ERR_NONE)
		printf("no   %s    %s\n", way->name, why->text);
	else
		print_silence(way);
}

static int conclude(const struct check *check, struct err *err)
{
	const struct way *udp = &check->ways[0], *tcp = &check->ways[1];
	uint64_t rtt = udp->is_up ? link_rtt(udp->link) : 0;
	struct quic_addr seen;
	char text[ADDR_TEXT_MAX];

	print_name(check);
	print_way(udp);
	print_way(tcp);
	if (rtt > 0)
		printf("ok   rtt    a round trip takes %.1f ms\n", ms(rtt));
	if (udp->is_up && link_observed(udp->link, &seen)) {
		addr_format(&seen, text);
		printf("ok   seen   the relay sees us as %s\n", text);
	}
	fflush(stdout);
	if (udp->is_up || tcp->is_up)
		return 0;
	return err_set(err, udp->why.kind != ERR_NONE ? udp->why.kind : ERR_UNAVAILABLE,
		       "%s does not work from here", check->site.url);
}

/* Which relay */

static int read_token(const char *path, char **ret, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(1024);
	char *token;

	if (jsonfile_read_private(path, &text, err) < 0)
		return -1;
	token = str_dup_len((const char *)buf_span(&text).ptr, buf_len(&text));
	token[strcspn(token, "\r\n")] = '\0';
	if (!relay_site_is_token(token)) {
		free(token);
		return err_set(err, ERR_INVALID, "%s: there is no token in its first line", path);
	}
	*ret = token;
	return 0;
}

/* The entry of a file of relays with this URL. */
static int find_site(const char *path, const char *url, struct relay_site *ret, struct err *err)
{
	cleanup(relay_sites_finish) struct relay_sites sites = { 0 };

	if (relay_sites_read(path, &sites, err) < 0)
		return -1;
	for (size_t i = 0; i < sites.len; i++) {
		if (strcmp(sites.items[i].url, url) != 0)
			continue;
		*ret = sites.items[i];
		sites.items[i] = (struct relay_site){ 0 };
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "%s: there is no %s in it", path, url);
}

static int choose_site(const struct relay_args *args, const char *url, struct relay_site *ret,
		       struct err *err)
{
	if (args->relays)
		return find_site(args->relays, url, ret, err);
	if (!args->relay_key || !args->token)
		return err_set(err, ERR_INVALID,
			       "check: give --relays FILE, or --relay-key BASE64 and --token FILE");
	if (relay_site_parse(url, ret, err) < 0)
		return -1;
	if (!text_parse_base64(args->relay_key, ret->key.bytes, sizeof(ret->key.bytes)))
		return err_set(err, ERR_INVALID,
			       "--relay-key: not what `berth-tunnel relay key` prints");
	return read_token(args->token, &ret->token, err);
}

int relay_check(const struct relay_args *args, const char *url, struct err *err)
{
	static struct check check;
	const struct hub_config hub = { .loop = &check.loop };
	int result;

	if (choose_site(args, url, &check.site, err) < 0)
		return -1;
	log_setup("berth-tunnel", STDERR_FILENO, LOG_LEVEL_WARN, LOG_FORMAT_AUTO);
	uv_loop_init(&check.loop);
	check.began = clock_now();
	check.hub = hub_new(&hub, err);
	/* The process ends with this, and whatever was opened with it. */
	if (!check.hub || open_way(&check, false, err) < 0 || open_way(&check, true, err) < 0)
		return -1;
	check.resolver = resolver_new(&check.loop, &(const struct resolve_sources){ 0 });
	(void)resolver_query(check.resolver, check.site.host, check.site.port, on_resolved, &check);
	uv_timer_init(&check.loop, &check.limit);
	check.limit.data = &check;
	uv_timer_start(&check.limit, on_limit, LIMIT_MS, 0);
	uv_run(&check.loop, UV_RUN_DEFAULT);
	result = conclude(&check, err);
	relay_site_finish(&check.site);
	return result;
}
