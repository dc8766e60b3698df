/* SPDX-License-Identifier: MIT */
/* Registering, and what follows; see control.h. */
#include "control.h"

#include <string.h>

#include "init/base/log.h"
#include "init/base/text.h"
#include "tunnel/net/addr.h"
#include "tunnel/quic/tag.h"

/* Many who were refused come back: not all at once, and not soon. */
#define RETRY_MS 5000
#define CAPSULE_MAX (RELAY_VALUE_MAX + CAPSULE_HEAD_MAX)

static const char *const role_names[] = { "job", "client" };

/* The lists */

static void leave_list(struct control *control)
{
	struct core *core = control->core;

	if (control->list == CONTROL_NO_LIST)
		return;
	if (control->prev)
		control->prev->next = control->next;
	else if (control->list == CONTROL_WAITING)
		core->waiting_first = control->next;
	else
		core->controls = control->next;
	if (control->next)
		control->next->prev = control->prev;
	else if (control->list == CONTROL_WAITING)
		core->waiting_last = control->prev;
	core->udp_count -= control->list == CONTROL_REGISTERED && !control->is_stream;
	control->prev = control->next = NULL;
	control->list = CONTROL_NO_LIST;
}

static void join_waiting(struct control *control)
{
	struct core *core = control->core;

	control->list = CONTROL_WAITING;
	control->prev = core->waiting_last;
	*(control->prev ? &control->prev->next : &core->waiting_first) = control;
	core->waiting_last = control;
}

static void join_registered(struct control *control)
{
	struct core *core = control->core;

	core->udp_count += !control->is_stream;
	control->list = CONTROL_REGISTERED;
	control->next = core->controls;
	if (control->next)
		control->next->prev = control;
	core->controls = control;
}

/* Sending */

/* What cannot be sent, as the endpoint does not read, is the end of it: but not from in here. */
static void say(struct control *control, const struct buf *capsule)
{
	if (control->is_over)
		return;
	if (control->ops->send(control->transport, buf_span(capsule)))
		return;
	control->is_broken = control->core->any_broken = true;
}

struct relay_address control_address(const struct quic_addr *from)
{
	struct relay_address address = { 0 };

	if (from->any.sa_family == AF_INET) {
		address.family = 4;
		memcpy(address.bytes, &from->v4.sin_addr, 4);
		address.port = ntohs(from->v4.sin_port);
	} else if (from->any.sa_family == AF_INET6) {
		address.family = 6;
		memcpy(address.bytes, &from->v6.sin6_addr, 16);
		address.port = ntohs(from->v6.sin6_port);
	}
	return address;
}

void control_peer(struct control *control, uint64_t tag, bool is_here)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CAPSULE_MAX);
	struct relay_peer peer = { .is_here = is_here };

	memcpy(peer.tag, &tag, sizeof(peer.tag));
	if (relay_peer_format(&peer, &b))
		say(control, &b);
}

void control_drain(struct control *control, uint32_t retry_ms)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CAPSULE_MAX);

	if (relay_drain_format(retry_ms, &b))
		say(control, &b);
}

static void welcome(struct control *control)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CAPSULE_MAX);
	const struct relay_welcome welcome = {
		.observed = control_address(&control->path.remote),
		.second = control->core->config.second,
		.keep_alive_ms = CORE_KEEP_ALIVE_MS,
	};

	if (relay_welcome_format(&welcome, &b))
		say(control, &b);
}

/* Leaving */

static struct leg *forget_leg(struct control *control)
{
	struct leg *leg = control->leg;

	leave_list(control);
	if (!leg)
		return NULL;
	control->leg = NULL;
	admit_leave(control->core->admit, control->user, leg->role);
	control->user = NULL;
	return leg;
}

static void unregister(struct control *control)
{
	struct leg *leg = forget_leg(control);

	/* The last, since it tells others; of this control there is nothing left to tell. */
	if (leg)
		legs_leave(control->core->legs, leg);
}

void control_refuse(struct control *control, enum relay_code code, uint32_t retry_ms,
		    const char *text)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CAPSULE_MAX);
	const char *words = text ? text : relay_code_text(code);
	struct relay_refused refused = { code, retry_ms, span_of_str(words) };

	if (control->is_over)
		return;
	refused.text.len = MIN(refused.text.len, (size_t)RELAY_TEXT_MAX);
	control->core->stats.refused[code]++;
	if (relay_refused_format(&refused, &b))
		say(control, &b);
	control->is_over = true;
	unregister(control);
	control->ops->end(control->transport);
}

static void log_end(const struct control *control, const char *how)
{
	char text[ADDR_TEXT_MAX];

	addr_format(&control->path.remote, text);
	log_info("%s %s of %s: %s, was at %s for %llu s, sent %llu bytes",
		 role_names[control->leg->role], control->name, control->user->name, how, text,
		 (unsigned long long)((control->now - control->since) / NSEC_PER_SEC),
		 (unsigned long long)control->leg->bytes);
}

void control_close(struct control *control)
{
	if (!control->is_open)
		return;
	control->is_over = true;
	if (control->leg)
		log_end(control, "gone");
	unregister(control);
	control->core->control_count--;
	control->is_open = false;
	capsule_reader_finish(&control->reader);
}

void control_replaced(struct control *control)
{
	log_end(control, "registered again");
	forget_leg(control);
	control_refuse(control, RELAY_CODE_REPLACED, 0, NULL);
}

/* Registering */

static bool is_proven(struct control *control, const struct relay_hello *hello)
{
	uint8_t binding[RELAY_BINDING_LEN], message[RELAY_SIGNED_LEN], tag[KEY_TAG_LEN];
	struct key_public key;
	struct relay_id id;
	struct err err;

	memcpy(key.bytes, hello->key, sizeof(key.bytes));
	key_id(&key, &id);
	key_tag(&key, tag);
	if (memcmp(id.bytes, hello->id, sizeof(id.bytes)) != 0 ||
	    memcmp(tag, hello->tag, sizeof(tag)) != 0 ||
	    control->ops->binding(control->transport, binding, &err) < 0)
		return false;
	relay_signed(binding, hello, message);
	return key_verify(&key, span_of(message, sizeof(message)), hello->signature);
}

/* Whose token it is, unless something is wrong with it or with who shows it. */
static struct admit_user *admit_hello(struct control *control, const struct relay_hello *hello,
				      enum relay_code *ret_code)
{
	struct core *core = control->core;
	const struct quic_addr *from = &control->path.remote;
	struct admit_user *user;

	*ret_code = RELAY_CODE_DRAINING;
	if (core->is_draining)
		return NULL;
	/* Who guesses tokens gets no more answers that tell anything, however right a guess is. */
	*ret_code = RELAY_CODE_TOO_OFTEN;
	if (!control->is_proxied && (!limit_has(core->failures, from, control->now) ||
				     !limit_spend(core->attempts, from, control->now)))
		return NULL;
	user = admit_find(core->admit, hello->token, core->config.wall(), ret_code);
	if (user && hello->role == RELAY_JOB && !is_proven(control, hello)) {
		*ret_code = RELAY_CODE_SIGNATURE;
		user = NULL;
	}
	if (!user && !control->is_proxied)
		(void)limit_spend(core->failures, from, control->now);
	return user;
}

static struct leg *join(struct control *control, const struct relay_hello *hello,
			struct admit_user *user, enum relay_code *ret_code)
{
	struct leg_config config = {
		.role = hello->role,
		.tag = leg_tag(hello->tag),
		.address = control->is_stream ? NULL : &control->path.remote,
		.user = user,
		.owner = control,
	};
	struct leg *leg;

	memcpy(config.id.bytes, hello->id, sizeof(config.id.bytes));
	/* Who comes again needs no second place. */
	*ret_code = RELAY_CODE_LIMIT;
	if (user->count[hello->role] >= user->max[hello->role] &&
	    !legs_would_replace(control->core->legs, &config))
		return NULL;
	leg = legs_join(control->core->legs, &config, ret_code);
	if (!leg || admit_enter(user, hello->role))
		return leg;
	legs_leave(control->core->legs, leg);
	*ret_code = RELAY_CODE_LIMIT;
	return NULL;
}

static void on_hello(struct control *control, const struct relay_hello *hello)
{
	struct core *core = control->core;
	enum relay_code code = RELAY_CODE_PROTOCOL;
	struct admit_user *user;
	char text[ADDR_TEXT_MAX];
	struct leg *leg = NULL;

	text_hex(span_of(hello->id, 4), control->name, sizeof(control->name));
	addr_format(&control->path.remote, text);
	user = admit_hello(control, hello, &code);
	if (user)
		leg = join(control, hello, user, &code);
	if (!leg) {
		if (code != RELAY_CODE_TOO_OFTEN)
			log_warn("%s %s from %s: refused: %s", role_names[hello->role],
				 control->name, text, relay_code_text(code));
		control_refuse(control, code, code == RELAY_CODE_TAG_TAKEN ? 0 : RETRY_MS, NULL);
		return;
	}
	leave_list(control);
	control->leg = leg;
	control->user = user;
	control->since = control->now;
	leg->path = control->is_stream ? (struct quic_path){ 0 } : control->path;
	join_registered(control);
	core->stats.registered[hello->role]++;
	log_info("%s %s of %s: registered from %s by %s", role_names[hello->role], control->name,
		 user->name, text, control->is_stream ? "tcp" : "udp");
	welcome(control);
	legs_introduce(core->legs, leg);
}

/* Capsules */

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	(void)user;
	(void)type;
	(void)bytes;
}

static int on_ping(struct control *control, struct span value, struct err *err)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CAPSULE_MAX);
	uint8_t bytes[RELAY_PING_LEN];

	if (relay_ping_parse(value, bytes, err) < 0)
		return -1;
	if (relay_ping_format(RELAY_PONG, bytes, &b))
		say(control, &b);
	return 0;
}

/* The datagrams at the front that go to the same place; they leave *bytes. */
static struct span cut_same(struct span *bytes, size_t segment, const struct quic_tag *tag)
{
	size_t len = MIN(segment, bytes->len);
	struct quic_tag next;

	while (len < bytes->len &&
	       quic_tag_of(span_of(bytes->ptr + len, MIN(segment, bytes->len - len)), &next) &&
	       quic_tag_equal(&next, tag))
		len += MIN(segment, bytes->len - len);
	return span_cut(bytes, len);
}

static void forward(struct control *control, size_t segment, struct span bytes)
{
	struct core *core = control->core;

	while (bytes.len > 0) {
		struct quic_tag tag;
		struct span same;
		struct leg *to;

		if (!quic_tag_of(span_of(bytes.ptr, MIN(segment, bytes.len)), &tag)) {
			span_cut(&bytes, MIN(segment, bytes.len));
			core_drop(core, CORE_DROP_FOREIGN, 1);
			continue;
		}
		same = cut_same(&bytes, segment, &tag);
		to = leg_peer(control->leg, leg_tag(tag.bytes));
		if (to)
			core_forward(core, control->leg, to, 0, segment, same, control->now);
		else
			core_drop(core, CORE_DROP_UNKNOWN, (same.len + segment - 1) / segment);
	}
}

static int on_whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct control *control = user;
	struct relay_hello hello;

	if (control->is_over)
		return 0;
	if (!control->leg) {
		if (type != RELAY_HELLO)
			return err_set(err, ERR_PROTOCOL, "the first capsule is not HELLO");
		if (relay_hello_parse(value, &hello, err) < 0)
			return -1;
		on_hello(control, &hello);
		return 0;
	}
	switch (type) {
	case RELAY_HELLO:
		return err_set(err, ERR_PROTOCOL, "HELLO came twice");
	case RELAY_PING:
		return on_ping(control, value, err);
	case RELAY_DATAGRAM:
		if (!control->is_stream)
			return err_set(err, ERR_PROTOCOL, "DATAGRAM is for streams over TCP");
		if (value.len > 0)
			forward(control, value.len, value);
		return 0;
	default:
		return 0; /* RFC 9297 section 3.2: unknown ones are skipped */
	}
}

static const struct capsule_ops capsule_ops = { is_stream, on_piece, on_whole };

void control_open(struct control *control, const struct control_config *config)
{
	*control = (struct control){
		.core = config->core,
		.ops = config->ops,
		.transport = config->transport,
		.path = config->path,
		.is_stream = config->is_stream,
		.is_proxied = config->is_proxied,
		.since = config->now,
		.heard_at = config->now,
		.now = config->now,
		.is_open = true,
	};
	capsule_reader_init(&control->reader, &capsule_ops, control,
			    config->is_stream ? RELAY_DATAGRAM_MAX : RELAY_VALUE_MAX);
	config->core->control_count++;
	join_waiting(control);
}

void control_feed(struct control *control, struct span bytes, uint64_t now)
{
	struct err err;

	if (!control->is_open || control->is_over)
		return;
	control->now = control->heard_at = now;
	if (capsule_reader_feed(&control->reader, bytes, &err) < 0)
		control_refuse(control, RELAY_CODE_PROTOCOL, 0, err.text);
}

void control_datagrams(struct control *control, size_t segment, struct span bytes, uint64_t now)
{
	if (!control->is_open || control->is_over)
		return;
	control->now = control->heard_at = now;
	if (control->leg)
		forward(control, segment, bytes);
	else
		control_refuse(control, RELAY_CODE_PROTOCOL, 0, "the first capsule is not HELLO");
}

void control_moved(struct control *control, const struct quic_path *path)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CAPSULE_MAX);
	const struct relay_address address = control_address(&path->remote);
	bool is_same = addr_equal(&control->path.remote, &path->remote);
	char text[ADDR_TEXT_MAX];

	control->path = *path;
	if (!control->leg || control->is_stream)
		return;
	legs_move(control->core->legs, control->leg, path);
	if (is_same)
		return;
	control->core->stats.moved++;
	addr_format(&path->remote, text);
	log_info("%s %s of %s: moved to %s", role_names[control->leg->role], control->name,
		 control->user->name, text);
	if (relay_observed_format(&address, &b))
		say(control, &b);
}
