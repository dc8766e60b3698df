/* SPDX-License-Identifier: MIT */
/* One QUIC connection on ngtcp2; see conn.h. */
#include "tunnel/quic/conn.h"

#include <assert.h>

#include "init/base/alloc.h"
#include "tunnel/quic/internal.h"

/*
 * The peer's credit: where it begins, and how far it grows while the data is taken as fast as it
 * comes.
 */
#define STREAM_WINDOW_FIRST (1024 * 1024)
#define STREAM_WINDOW_MAX (16 * 1024 * 1024)
#define CONN_WINDOW_FIRST (4 * 1024 * 1024)
#define CONN_WINDOW_MAX (32 * 1024 * 1024)
#define UNI_WINDOW (64 * 1024)

#define STREAMS_BIDI_MAX 4096

/* The same of connections that are small. */
#define SMALL_WINDOW (16 * 1024)
#define SMALL_CONN_WINDOW (64 * 1024)
#define SMALL_STREAMS_MAX 4

#define STREAMS_UNI_MAX 3 /* the control stream and QPACK's two (RFC 9114 section 6.2) */

/* Migration needs a connection id that was not used yet; ngtcp2's default of 2 leaves one. */
#define CONNECTION_IDS 8

/*
 * What path MTU discovery tries, in this order: Ethernet first, then the larger ones (ngtcp2 skips
 * what a success or a failure has already answered), then what tunnels leave of Ethernet.
 */
static const uint16_t probes[] = { 1452, 8952, QUIC_DATAGRAM_MAX, 1420, 1392, 1350, 1280 };

static ngtcp2_conn *conn_of_ref(ngtcp2_crypto_conn_ref *ref)
{
	const struct quic_conn *conn = ref->user_data;

	return conn->tp;
}

static void init_library(void)
{
	static bool done;

	/* Fetches ciphers once; without it every packet pays for the lookup. */
	if (!done)
		done = ngtcp2_crypto_ossl_init() == 0;
}

struct quic_conn *quic_conn_alloc(const struct tls_context *tls,
				  const struct quic_settings *settings, struct err *err)
{
	cleanup(quic_conn_free) struct quic_conn *conn = new_zero(struct quic_conn);

	init_library();
	conn->tls = tls;
	conn->settings = *settings;
	conn->ref.get_conn = conn_of_ref;
	conn->ref.user_data = conn;
	if (quic_conn_open_tls(conn, err) < 0)
		return NULL;
	return take_ptr(conn);
}

/* Keeps the probes that the settings allow; returns how many. */
static size_t choose_probes(size_t datagram_max, uint16_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		if (probes[i] <= datagram_max)
			ret[n++] = probes[i];
	return n;
}

static void make_small(ngtcp2_settings *settings, ngtcp2_transport_params *params)
{
	settings->max_window = SMALL_CONN_WINDOW;
	settings->max_stream_window = SMALL_WINDOW;
	settings->no_pmtud = 1;
	settings->max_tx_udp_payload_size = NGTCP2_MAX_UDP_PAYLOAD_SIZE;
	params->initial_max_stream_data_bidi_local = SMALL_WINDOW;
	params->initial_max_stream_data_bidi_remote = SMALL_WINDOW;
	params->initial_max_stream_data_uni = SMALL_WINDOW;
	params->initial_max_data = SMALL_CONN_WINDOW;
	params->initial_max_streams_bidi = MIN(params->initial_max_streams_bidi, SMALL_STREAMS_MAX);
}

void quic_conn_fill_settings(struct quic_conn *conn, ngtcp2_settings *settings,
			     ngtcp2_transport_params *params, uint64_t now)
{
	bool is_server = quic_conn_is_server(conn);
	static uint16_t chosen[ARRAY_LEN(probes)]; /* ngtcp2 copies them */

	ngtcp2_settings_default(settings);
	settings->initial_ts = now;
	settings->cc_algo =
		conn->settings.congestion == QUIC_CUBIC ? NGTCP2_CC_ALGO_CUBIC : NGTCP2_CC_ALGO_BBR;
	settings->handshake_timeout = conn->settings.handshake_timeout_ns;
	if (conn->settings.initial_rtt_ns)
		settings->initial_rtt = conn->settings.initial_rtt_ns;
	settings->max_window = CONN_WINDOW_MAX;
	settings->max_stream_window = STREAM_WINDOW_MAX;
	settings->ack_thresh = QUIC_ACK_THRESHOLD;
	settings->pmtud_probes = chosen;
	settings->pmtud_probeslen = choose_probes(conn->settings.datagram_max, chosen);
	settings->max_tx_udp_payload_size = NGTCP2_MAX_UDP_PAYLOAD_SIZE;
	settings->no_pmtud = settings->pmtud_probeslen == 0;
	for (size_t i = 0; i < settings->pmtud_probeslen; i++)
		settings->max_tx_udp_payload_size =
			MAX(settings->max_tx_udp_payload_size, chosen[i]);

	ngtcp2_transport_params_default(params);
	params->initial_max_stream_data_bidi_local = STREAM_WINDOW_FIRST;
	params->initial_max_stream_data_bidi_remote = STREAM_WINDOW_FIRST;
	params->initial_max_stream_data_uni = UNI_WINDOW;
	params->initial_max_data = CONN_WINDOW_FIRST;
	params->initial_max_streams_bidi = is_server ? STREAMS_BIDI_MAX : 0;
	params->initial_max_streams_uni = STREAMS_UNI_MAX;
	params->max_idle_timeout = conn->settings.idle_timeout_ns;
	params->active_connection_id_limit = CONNECTION_IDS;
	/* STUN will share the socket: the fixed bit is what tells the two apart (RFC 9443). */
	params->grease_quic_bit = 0;
	if (conn->settings.is_small)
		make_small(settings, params);
}

void quic_conn_attach_tls(struct quic_conn *conn)
{
	ngtcp2_conn_set_tls_native_handle(conn->tp, conn->crypto);
	conn->deadline = ngtcp2_conn_get_expiry(conn->tp);
}

void quic_conn_set_tag(struct quic_conn *conn, const struct quic_tag *tag)
{
	conn->has_tag = tag != NULL;
	if (tag)
		conn->tag = *tag;
}

struct quic_conn *quic_conn_connect(const struct quic_client_config *config, struct err *err)
{
	cleanup(quic_conn_free) struct quic_conn *conn =
		quic_conn_alloc(config->tls, &config->settings, err);
	struct quic_path path = config->path;
	ngtcp2_path borrowed = quic_path_borrow(&path);
	ngtcp2_cid dcid, scid;
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	int rv;

	assert(tls_context_role(config->tls) == TLS_CLIENT);
	if (!conn)
		return NULL;
	quic_conn_set_tag(conn, config->tag);
	quic_cid_make(&dcid, config->peer_tag);
	quic_cid_make(&scid, config->tag);
	quic_conn_fill_settings(conn, &settings, &params, config->now);
	rv = ngtcp2_conn_client_new(&conn->tp, &dcid, &scid, &borrowed, NGTCP2_PROTO_VER_V1,
				    &quic_callbacks, &settings, &params, NULL, conn);
	if (rv != 0) {
		err_from_ngtcp2(err, rv, "QUIC connection");
		return NULL;
	}
	quic_conn_attach_tls(conn);
	if (config->ticket)
		quic_conn_use_ticket(conn, config->ticket);
	if (config->settings.keep_alive_ns)
		quic_conn_set_keep_alive(conn, config->settings.keep_alive_ns);
	return take_ptr(conn);
}

struct quic_conn *quic_conn_free(struct quic_conn *conn)
{
	if (!conn)
		return NULL;
	if (conn->route)
		quic_route_leave(conn->route);
	quic_conn_close_tls(conn);
	ngtcp2_conn_del(conn->tp);
	secret_finish(&conn->exporter);
	buf_finish(&conn->copy);
	free(conn->close_packet);
	free(conn);
	return NULL;
}

void quic_conn_set_app(struct quic_conn *conn, const struct quic_app_ops *ops, void *app)
{
	conn->ops = ops;
	conn->app = app;
}

bool quic_conn_is_server(const struct quic_conn *conn)
{
	return tls_context_role(conn->tls) == TLS_SERVER;
}

bool quic_conn_is_accepted(const struct quic_conn *conn)
{
	return !conn->has_peer || tls_context_accepts(conn->tls, &conn->peer);
}

bool quic_conn_is_ready(const struct quic_conn *conn)
{
	return conn->state == QUIC_READY;
}

bool quic_conn_was_reset(const struct quic_conn *conn)
{
	return conn->was_reset;
}

bool quic_conn_is_over(const struct quic_conn *conn)
{
	return conn->state == QUIC_OVER;
}

static void ask_for_write(struct quic_conn *conn)
{
	if (conn->route)
		quic_route_wants_write(conn->route);
	if (conn->ops)
		conn->ops->wants_write(conn->app);
}

void quic_conn_wants_write(struct quic_conn *conn)
{
	conn->is_urgent = true;
	ask_for_write(conn);
}

void quic_conn_owes_credit(struct quic_conn *conn)
{
	conn->owes_credit = true;
	ask_for_write(conn);
}

void quic_conn_end_turn(struct quic_conn *conn)
{
	if (!conn->ops)
		return;
	conn->ops->after(conn->app);
	/* The tickets are on their way. */
	if (conn->state == QUIC_READY && conn->ssl && quic_conn_is_server(conn))
		quic_conn_close_tls(conn);
	if (conn->state == QUIC_OVER && !conn->announced) {
		conn->announced = true;
		conn->ops->over(conn->app, &conn->why);
	}
}

void quic_conn_read(struct quic_conn *conn, const struct quic_path *path, uint8_t ecn,
		    struct span packet, uint64_t now)
{
	struct quic_path copy = *path;
	ngtcp2_path borrowed = quic_path_borrow(&copy);
	ngtcp2_pkt_info info = { .ecn = ecn };
	int rv;

	if (conn->state >= QUIC_CLOSING || packet.len == 0)
		return;
	if (quic_conn_is_server(conn))
		quic_path_mix(conn, packet, &copy);
	rv = ngtcp2_conn_read_pkt(conn->tp, &borrowed, &info, packet.ptr, packet.len, now);
	quic_conn_note_packet(conn, ecn, now);
	conn->deadline = ngtcp2_conn_get_expiry(conn->tp);
	if (rv != 0)
		quic_conn_fail(conn, rv);
	else
		quic_conn_look_home(conn);
	quic_conn_end_turn(conn);
}

uint64_t quic_conn_deadline(const struct quic_conn *conn)
{
	if (conn->state == QUIC_OVER)
		return QUIC_NEVER;
	return conn->state == QUIC_CLOSING ? 0 : conn->deadline;
}

void quic_conn_expire(struct quic_conn *conn, uint64_t now)
{
	int rv;

	if (conn->state >= QUIC_CLOSING)
		return;
	conn->is_urgent = true;
	rv = ngtcp2_conn_handle_expiry(conn->tp, now);
	conn->deadline = ngtcp2_conn_get_expiry(conn->tp);
	if (rv != 0)
		quic_conn_fail(conn, rv);
	quic_conn_end_turn(conn);
}

static int migrate(struct quic_conn *conn, const struct quic_path *path, bool at_once, uint64_t now,
		   struct err *err)
{
	struct quic_path copy = *path;
	ngtcp2_path borrowed = quic_path_borrow(&copy);
	int rv;

	assert(!quic_conn_is_server(conn));
	if (conn->state >= QUIC_CLOSING)
		return err_set(err, ERR_UNAVAILABLE, "the connection is closed");
	rv = at_once ? ngtcp2_conn_initiate_immediate_migration(conn->tp, &borrowed, now)
		     : ngtcp2_conn_initiate_migration(conn->tp, &borrowed, now);
	if (rv == NGTCP2_ERR_INVALID_STATE)
		return err_set(err, ERR_UNAVAILABLE, "the handshake is not confirmed yet");
	if (rv == NGTCP2_ERR_CONN_ID_BLOCKED)
		return err_set(err, ERR_LIMIT, "the peer answered none of the last moves");
	if (rv != 0)
		return err_from_ngtcp2(err, rv, "migration");
	conn->burst = 0;
	quic_conn_wants_write(conn);
	return 0;
}

int quic_conn_migrate(struct quic_conn *conn, const struct quic_path *path, uint64_t now,
		      struct err *err)
{
	return migrate(conn, path, true, now, err);
}

int quic_conn_try(struct quic_conn *conn, const struct quic_path *path, uint64_t now,
		  struct err *err)
{
	return migrate(conn, path, false, now, err);
}

void quic_conn_set_keep_alive(struct quic_conn *conn, uint64_t keep_alive_ns)
{
	assert(!quic_conn_is_server(conn));
	conn->settings.keep_alive_ns = keep_alive_ns;
	ngtcp2_conn_set_keep_alive_timeout(conn->tp, keep_alive_ns ? keep_alive_ns : UINT64_MAX);
	conn->deadline = ngtcp2_conn_get_expiry(conn->tp);
}

void quic_conn_path(const struct quic_conn *conn, struct quic_path *ret)
{
	quic_conn_take_path(conn, ngtcp2_conn_get_path(conn->tp), ret);
}

void quic_conn_stats(const struct quic_conn *conn, struct quic_stats *ret)
{
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(conn->tp, &info);
	*ret = (struct quic_stats){
		.rtt_ns = info.smoothed_rtt,
		.rtt_min_ns = info.min_rtt,
		.received_at = conn->received_at,
		.cwnd = info.cwnd,
		.in_flight = info.bytes_in_flight,
		.bytes_sent = info.bytes_sent,
		.bytes_received = info.bytes_recv,
		.bytes_lost = info.bytes_lost,
		.packets_sent = info.pkt_sent,
		.packets_received = info.pkt_recv,
		.packets_lost = info.pkt_lost,
		.datagram = quic_mtu_size(conn),
	};
}

bool quic_conn_open_bidi(struct quic_conn *conn, int64_t *ret)
{
	return ngtcp2_conn_open_bidi_stream(conn->tp, ret, NULL) == 0;
}

bool quic_conn_open_uni(struct quic_conn *conn, int64_t *ret)
{
	return ngtcp2_conn_open_uni_stream(conn->tp, ret, NULL) == 0;
}

/*
 * These fail only for a stream that is gone, which is no news to anyone, or for want of memory, of
 * which there is always enough (init/base/alloc.h).
 */
void quic_conn_extend_stream(struct quic_conn *conn, int64_t stream, size_t len)
{
	(void)ngtcp2_conn_extend_max_stream_offset(conn->tp, stream, len);
}

void quic_conn_extend_conn(struct quic_conn *conn, size_t len)
{
	ngtcp2_conn_extend_max_offset(conn->tp, len);
}

void quic_conn_extend_streams(struct quic_conn *conn)
{
	ngtcp2_conn_extend_max_streams_bidi(conn->tp, 1);
}

void quic_conn_shutdown_stream(struct quic_conn *conn, int64_t stream, enum quic_shutdown how,
			       uint64_t code)
{
	switch (how) {
	case QUIC_SHUTDOWN_BOTH:
		(void)ngtcp2_conn_shutdown_stream(conn->tp, 0, stream, code);
		break;
	case QUIC_SHUTDOWN_READ:
		(void)ngtcp2_conn_shutdown_stream_read(conn->tp, 0, stream, code);
		break;
	case QUIC_SHUTDOWN_WRITE:
		(void)ngtcp2_conn_shutdown_stream_write(conn->tp, 0, stream, code);
		break;
	}
	quic_conn_wants_write(conn);
}
