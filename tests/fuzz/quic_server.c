/* SPDX-License-Identifier: MIT */
/*
 * Datagrams for a server and for its client: raw ones, and those of a real handshake, changed. The
 * input is a list of steps, each a byte and what it needs:
 *
 *	0 LEN(2) BYTES   a datagram out of the blue, to the server
 *	1 LEN(2) BYTES   the same, to the client
 *	2 AT(2) XOR      the next real datagram, with one byte changed
 *	3                the next real datagram as it is
 *	4                the next real datagram twice
 *	5                the next real datagram is lost
 *	6 LEN(2)         the next real datagram is cut to that length
 *	7                time passes until the next timer
 *	8                the server restarts
 *
 * Whatever comes, neither side breaks, and what they send fits where it goes.
 */
#include "tests/fuzz/fuzz.h"

#include "init/base/log.h"
#include "tests/sim/peer.h"

/* Datagrams on their way, in both directions, oldest first. */
struct mail {
	bool to_server;
	size_t len;
	uint8_t bytes[2048];
};

struct scene {
	struct world *w;
	struct world_client *client;
	struct mail mail[64];
	size_t first, count;
};

static void collect(struct scene *scene, bool to_server)
{
	const struct quic_batch *batch = scene->w->batch;
	struct span bytes = span_of(batch->bytes, batch->len);

	assert(batch->segment > 0 && batch->len <= sizeof(batch->bytes));
	while (bytes.len > 0) {
		struct span one = span_cut(&bytes, MIN(batch->segment, bytes.len));
		struct mail *mail =
			&scene->mail[(scene->first + scene->count) % ARRAY_LEN(scene->mail)];

		if (scene->count == ARRAY_LEN(scene->mail) || one.len > sizeof(mail->bytes))
			continue;
		*mail = (struct mail){ .to_server = to_server, .len = one.len };
		memcpy(mail->bytes, one.ptr, one.len);
		scene->count++;
	}
}

static void write_all(struct scene *scene)
{
	struct world *w = scene->w;

	while (quic_conn_write(h3_conn_quic(scene->client->h3), w->batch, w->now))
		collect(scene, true);
	while (quic_server_write(w->server, w->batch, w->now))
		collect(scene, false);
	for (size_t i = 0; i < w->accepted_count; i++)
		if (w->accepted[i] && quic_conn_is_over(h3_conn_quic(w->accepted[i])))
			w->accepted[i] = h3_conn_free(w->accepted[i]);
}

static void deliver(struct scene *scene, bool to_server, struct span bytes)
{
	const struct quic_path *path = &scene->client->path;
	const struct quic_path back = { .local = path->remote, .remote = path->local };

	if (to_server)
		quic_server_read(scene->w->server, &back, 0, bytes, scene->w->now);
	else
		quic_conn_read(h3_conn_quic(scene->client->h3), path, 0, bytes, scene->w->now);
	write_all(scene);
}

static void pass_time(struct scene *scene)
{
	struct quic_conn *quic = h3_conn_quic(scene->client->h3);
	uint64_t next = MIN(quic_conn_deadline(quic), quic_server_deadline(scene->w->server));

	if (next == QUIC_NEVER)
		return;
	scene->w->now = MAX(scene->w->now, next);
	quic_conn_expire(quic, scene->w->now);
	quic_server_expire(scene->w->server, scene->w->now);
	write_all(scene);
}

static size_t take_number(struct span *s)
{
	struct span two;

	if (s->len < 2)
		return 0;
	two = span_cut(s, 2);
	return (size_t)two.ptr[0] << 8 | two.ptr[1];
}

/* Steps 2 to 6. */
static void step_mail(struct scene *scene, uint8_t op, struct span *s)
{
	size_t number = op == 2 || op == 6 ? take_number(s) : 0;
	struct mail *mail = &scene->mail[scene->first];

	if (scene->count == 0)
		return;
	scene->first = (scene->first + 1) % ARRAY_LEN(scene->mail);
	scene->count--;
	if (op == 5)
		return;
	if (op == 2 && s->len > 0)
		mail->bytes[number % mail->len] ^= *span_cut(s, 1).ptr;
	if (op == 6)
		mail->len = MIN(mail->len, number);
	if (op == 4)
		deliver(scene, mail->to_server, span_of(mail->bytes, mail->len));
	deliver(scene, mail->to_server, span_of(mail->bytes, mail->len));
}

static void step(struct scene *scene, struct span *s)
{
	uint8_t op = (uint8_t)(*span_cut(s, 1).ptr % 9);
	size_t len;

	if (op <= 1) {
		len = take_number(s);
		deliver(scene, op == 0, span_cut(s, MIN(len, s->len)));
	} else if (op <= 6) {
		step_mail(scene, op, s);
	} else if (op == 7) {
		pass_time(scene);
	} else if (scene->w->accepted_count > 0) {
		world_restart_server(scene->w);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct scene scene;
	struct span s = span_of(bytes, len);
	struct peer_client owner = { 0 };
	struct peer_stream stream = { .to_send = 3000, .checks = true };

	log_setup("fuzz", 2, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	scene = (struct scene){ .w = world_new(&(struct world_config){ .seed = 1 }) };
	scene.client = world_connect(scene.w, &peer_client_ops, &owner);
	peer_request(scene.client, scene.w, "/echo", &stream);
	write_all(&scene);
	/* The table of accepted connections is as long as this. */
	for (int i = 0; s.len > 0 && i < 120; i++)
		step(&scene, &s);
	assert(!stream.is_wrong);
	world_free(scene.w);
	return 0;
}
