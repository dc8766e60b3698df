/* SPDX-License-Identifier: MIT */
/*
 * Load for a relay (`berth-tunnel relay`), over real sockets. Registrations are real ones, with
 * HTTP/3 control connections; what is forwarded are packets that only look like QUIC, since a relay
 * looks at nothing but their tags.
 *
 *	relay-load RELAY KEY TOKEN idle COUNT SECONDS	registers so many jobs and keeps them alive
 *	relay-load RELAY KEY TOKEN forward SIZE SECONDS	a client sends to a job, as fast as it goes
 *	relay-load RELAY KEY TOKEN echo SIZE COUNT	round trips, one at a time
 *
 * It prints a line when all are registered ("ready N"), and one with what was measured.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "init/base/alloc.h"
#include "init/base/text.h"
#include "tunnel/h3/conn.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/timer.h"
#include "tunnel/net/turn.h"
#include "tunnel/net/udp.h"
#include "tunnel/quic/tag.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/relay.h"

#define PER_SOCKET 50
#define UNDER_WAY_MAX 24 /* handshakes at a time: more would be asked to return a token first */
#define TICK_MS 10
#define ENDS_MAX 20000

struct load;

struct end {
	struct load *load;
	struct sock *sock;
	enum relay_role role;
	struct key_pair key;
	struct quic_tag tag, control_tag;
	struct relay_id id;
	struct h3_conn *control;
	struct h3_stream *stream;
	struct capsule_reader reader;
	struct quic_path path;
	bool is_welcome;
};

struct sock {
	struct load *load;
	struct udp udp;
	struct end *ends[PER_SOCKET];
	size_t count;
};

struct load {
	uv_loop_t loop;
	uv_timer_t tick;
	struct turn turn;
	struct tls_context *tls;
	struct quic_addr relay;
	struct quic_tag relay_tag;
	const char *token;
	struct sock **socks;
	size_t sock_count;
	struct end *ends[ENDS_MAX];
	size_t count, wanted, welcome;
	uint64_t began, ends_at, seconds;
	/* Forwarding: the client's batch, and what came to the job. */
	bool is_bulk, is_echo, is_started;
	size_t size;
	uint64_t bytes, batches, echoes, echoes_max, sent_at, *times;
};

static void die(const char *what)
{
	fprintf(stderr, "relay-load: %s\n", what);
	exit(1);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
	       (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

/* Control streams */

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

static int on_capsule(void *user, uint64_t type, struct span value, struct err *err)
{
	struct end *end = user;
	struct relay_refused refused;

	if (type == RELAY_WELCOME && !end->is_welcome) {
		end->is_welcome = true;
		end->load->welcome++;
	}
	if (type == RELAY_REFUSED && relay_refused_parse(value, &refused, err) == 0)
		die(relay_code_text(refused.code));
	return 0;
}

static const struct capsule_ops capsule_ops = { is_stream, on_piece, on_capsule };

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct end *end = user;
	struct err err;

	h3_stream_consumed(stream, bytes.len);
	if (capsule_reader_feed(&end->reader, bytes, &err) < 0)
		die(err.text);
}

static const struct h3_stream_ops stream_ops = { .body = on_body };

static void say_hello(struct end *end)
{
	struct relay_hello hello = { .role = end->role, .token = span_of_str(end->load->token) };
	cleanup(buf_finish) struct buf b = BUF_INIT(RELAY_VALUE_MAX);
	uint8_t message[RELAY_SIGNED_LEN];
	struct secret binding;
	struct err err = { 0 };

	memcpy(hello.tag, end->tag.bytes, sizeof(hello.tag));
	memcpy(hello.id, end->id.bytes, sizeof(hello.id));
	if (end->role == RELAY_JOB) {
		memcpy(hello.key, end->key.public.bytes, sizeof(hello.key));
		if (quic_conn_export(h3_conn_quic(end->control), RELAY_EXPORT_LABEL, &binding,
				     &err) < 0)
			die(err.text);
		relay_signed(binding.bytes, &hello, message);
		if (key_sign(&end->key, span_of(message, sizeof(message)), hello.signature, &err) <
		    0)
			die(err.text);
	}
	if (!relay_hello_format(&hello, &b) || !h3_stream_write(end->stream, buf_span(&b)))
		die("no room for HELLO");
}

static void on_ready(struct h3_conn *h3, void *owner)
{
	const struct h3_request request = { .method = "CONNECT",
					    .protocol = RELAY_PROTOCOL,
					    .authority = "relay",
					    .path = RELAY_PATH };
	struct end *end = owner;
	struct err err;

	if (h3_conn_request(h3, &request, &stream_ops, end, &end->stream, &err) < 0)
		die(err.text);
	say_hello(end);
}

static void on_wants_write(struct h3_conn *h3, void *owner)
{
	(void)h3;
	(void)owner;
}

static void on_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	(void)h3;
	(void)owner;
	die(why->text);
}

static const struct h3_conn_ops h3_ops = {
	.ready = on_ready,
	.wants_write = on_wants_write,
	.closed = on_closed,
};

/* Sockets */

static void flush(struct end *end)
{
	struct udp *udp = &end->sock->udp;

	while (!udp_is_blocked(udp) &&
	       quic_conn_write(h3_conn_quic(end->control), udp_batch(udp), clock_now()))
		(void)udp_send(udp);
}

static void start_echo(struct load *load);

static void on_packets(struct load *load, struct end *end, const struct udp_datagrams *d,
		       struct span packet)
{
	load->bytes += packet.len;
	if (!load->is_echo)
		return;
	if (end->role == RELAY_JOB) {
		/* Back to the client, with its tag. */
		uint8_t bytes[2048] = { 0x40 };

		memcpy(bytes + 1, load->ends[1]->tag.bytes, QUIC_TAG_LEN);
		(void)udp_pass(&end->sock->udp, &end->path, d->ecn, load->size,
			       span_of(bytes, load->size));
		return;
	}
	if (load->echoes < load->echoes_max)
		load->times[load->echoes] = clock_now() - load->sent_at;
	load->echoes++;
	start_echo(load);
}

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	struct sock *sock = owner;
	struct span rest = d->bytes;

	(void)udp;
	while (rest.len > 0) {
		struct span packet = span_cut(&rest, MIN(rest.len, d->segment));
		struct quic_tag tag;
		struct end *end = NULL;

		if (!quic_tag_of(packet, &tag))
			continue;
		for (size_t i = 0; i < sock->count && !end; i++)
			if (quic_tag_equal(&sock->ends[i]->control_tag, &tag))
				end = sock->ends[i];
		if (!end) {
			on_packets(sock->load, sock->ends[0], d, packet);
			continue;
		}
		quic_conn_read(h3_conn_quic(end->control), &end->path, d->ecn, packet, clock_now());
		flush(end);
	}
}

static void on_nothing(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static const struct udp_ops udp_ops = { on_received, on_nothing, on_nothing, on_nothing };

static struct sock *new_sock(struct load *load)
{
	struct sock *sock = new_zero(struct sock);
	struct udp_config config = { .ops = &udp_ops, .owner = sock };
	struct err err;

	sock->load = load;
	/* Connected, or thousands of them would share one hash of the kernel's. */
	config.remote = load->relay;
	if (udp_open(&sock->udp, &load->loop, &config, &err) < 0)
		die(err.text);
	load->socks = alloc_grow(load->socks, load->sock_count + 1, sizeof(struct sock *));
	load->socks[load->sock_count++] = sock;
	return sock;
}

static struct end *dial(struct load *load, enum relay_role role, const struct end *job)
{
	struct sock *sock = load->sock_count ? load->socks[load->sock_count - 1] : NULL;
	struct end *end = new_zero(struct end);
	struct quic_client_config config = {
		.tls = load->tls,
		.settings = QUIC_SETTINGS_DEFAULT,
		.tag = &end->control_tag,
		.peer_tag = &load->relay_tag,
		.now = clock_now(),
	};
	struct err err;

	if (!sock || sock->count == PER_SOCKET || load->is_bulk || load->is_echo)
		sock = new_sock(load);
	end->load = load;
	end->sock = sock;
	end->role = role;
	sock->ends[sock->count++] = end;
	load->ends[load->count++] = end;
	if (key_pair_generate(&end->key, &err) < 0)
		die(err.text);
	quic_tag_random(&end->control_tag);
	quic_tag_random(&end->tag);
	if (role == RELAY_JOB)
		key_tag(&end->key.public, end->tag.bytes);
	key_id(job ? &job->key.public : &end->key.public, &end->id);
	capsule_reader_init(&end->reader, &capsule_ops, end, RELAY_VALUE_MAX);
	end->path = (struct quic_path){ sock->udp.local, load->relay };
	config.path = end->path;
	config.settings.is_small = true;
	config.settings.keep_alive_ns = 25 * NSEC_PER_SEC;
	end->control = h3_conn_new(quic_conn_connect(&config, &err), &h3_ops, end);
	flush(end);
	return end;
}

/* Measuring */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void start_echo(struct load *load)
{
	struct end *client = load->ends[1];
	uint8_t bytes[2048] = { 0x40 };

	memcpy(bytes + 1, load->ends[0]->tag.bytes, QUIC_TAG_LEN);
	load->sent_at = clock_now();
	(void)udp_pass(&client->sock->udp, &client->path, 0, load->size,
		       span_of(bytes, load->size));
}

static void report(struct load *load)
{
	double seconds = (double)(clock_now() - load->began) / NSEC_PER_SEC;

	if (load->is_echo) {
		load->echoes = MIN(load->echoes, load->echoes_max);
		qsort(load->times, load->echoes, sizeof(*load->times), compare);
		printf("echo count %llu median_us %.1f p90_us %.1f\n",
		       (unsigned long long)load->echoes,
		       (double)load->times[load->echoes / 2] / 1e3,
		       (double)load->times[load->echoes * 9 / 10] / 1e3);
	} else if (load->is_bulk) {
		printf("forward gbit_s %.2f seconds %.2f\n",
		       (double)load->bytes * 8 / seconds / 1e9, seconds);
	} else {
		printf("idle count %zu seconds %.2f own_cpu %.2f\n", load->welcome, seconds,
		       cpu_seconds());
	}
	fflush(stdout);
	exit(0);
}

/* The client sends whole batches; what does not fit the socket is tried again in the next turn. */
static void send_bulk(struct load *load)
{
	static uint8_t bytes[64 * 1024];
	struct end *client = load->ends[1];
	size_t count = MIN(sizeof(bytes) / load->size, (size_t)QUIC_BATCH_SEGMENTS_MAX);

	if (bytes[0] == 0)
		for (size_t i = 0; i < count; i++) {
			bytes[i * load->size] = 0x40;
			memcpy(bytes + i * load->size + 1, load->ends[0]->tag.bytes, QUIC_TAG_LEN);
		}
	for (int i = 0; i < 4; i++)
		load->batches += udp_pass(&client->sock->udp, &client->path, 0, load->size,
					  span_of(bytes, count * load->size));
}

static void on_turn(void *owner)
{
	struct load *load = owner;

	if (load->is_started && load->is_bulk)
		send_bulk(load);
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle; /* that there is a next turn at once */
}

static void begin(struct load *load)
{
	static uv_idle_t idle;

	load->is_started = true;
	load->began = clock_now();
	load->ends_at = load->began + load->seconds * NSEC_PER_SEC;
	printf("ready %zu\n", load->welcome);
	fflush(stdout);
	if (load->is_echo)
		start_echo(load);
	if (!load->is_bulk)
		return;
	uv_idle_init(&load->loop, &idle);
	uv_idle_start(&idle, on_idle);
}

static void on_tick(uv_timer_t *timer)
{
	struct load *load = timer->data;
	uint64_t now = clock_now();

	for (size_t i = 0; i < load->count; i++) {
		struct quic_conn *quic = h3_conn_quic(load->ends[i]->control);

		if (quic_conn_deadline(quic) > now)
			continue;
		quic_conn_expire(quic, now);
		flush(load->ends[i]);
	}
	while (load->count < load->wanted && load->count - load->welcome < UNDER_WAY_MAX) {
		bool is_job = load->count == 0 || (!load->is_bulk && !load->is_echo);

		dial(load, is_job ? RELAY_JOB : RELAY_CLIENT, is_job ? NULL : load->ends[0]);
	}
	if (!load->is_started && load->welcome == load->wanted)
		begin(load);
	if (load->is_started && load->is_echo ? load->echoes >= load->echoes_max
					      : load->is_started && now >= load->ends_at)
		report(load);
}

static bool configure(struct load *load, char **argv)
{
	uint64_t first, second;
	struct key_public key;
	struct err err;

	if (!addr_parse(argv[1], &load->relay) ||
	    !text_parse_base64(argv[2], key.bytes, sizeof(key.bytes)) ||
	    !text_parse_uint(argv[5], ENDS_MAX, &first) ||
	    !text_parse_uint(argv[6], 1000000, &second) || first == 0 || second == 0)
		return false;
	load->token = argv[3];
	load->is_bulk = strcmp(argv[4], "forward") == 0;
	load->is_echo = strcmp(argv[4], "echo") == 0;
	if (!load->is_bulk && !load->is_echo && strcmp(argv[4], "idle") != 0)
		return false;
	load->wanted = load->is_bulk || load->is_echo ? 2 : (size_t)first;
	load->size = (size_t)MIN(MAX(first, (uint64_t)32), (uint64_t)2000);
	load->seconds = load->echoes_max = second;
	load->times = new_array(uint64_t, second);
	load->tls = tls_context_new_to_relay(&key, TLS_ALPN, &err);
	key_tag(&key, load->relay_tag.bytes);
	return load->tls != NULL;
}

int main(int argc, char **argv)
{
	static struct load load;

	if (argc != 7 || !configure(&load, argv)) {
		fprintf(stderr, "usage: %s RELAY KEY TOKEN idle|forward|echo NUMBER NUMBER\n",
			argv[0]);
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&load.loop);
	uv_timer_init(&load.loop, &load.tick);
	load.tick.data = &load;
	uv_timer_start(&load.tick, on_tick, 0, TICK_MS);
	turn_open(&load.turn, &load.loop, on_turn, &load);
	return uv_run(&load.loop, UV_RUN_DEFAULT);
}
