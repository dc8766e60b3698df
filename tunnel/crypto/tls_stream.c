/* SPDX-License-Identifier: MIT */
/* TLS for a byte stream; see tls_stream.h. */
#include "tunnel/crypto/tls_stream.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "init/base/alloc.h"
#include "tunnel/crypto/openssl.h"

struct tls_stream {
	const struct tls_context *context;
	SSL *ssl;
	struct span in;
	struct buf *out;
	bool ready;
	uint8_t alert; /* the last fatal one; 0: none */
	bool alert_is_ours;
};

/*
 * OpenSSL's own memory BIOs keep the memory of the largest burst; this one reads from what was fed
 * and writes to the mover's buffer.
 */
static int bio_read(BIO *bio, char *ret, size_t size, size_t *ret_len)
{
	struct tls_stream *tls = BIO_get_data(bio);
	struct span part = span_cut(&tls->in, MIN(size, tls->in.len));

	BIO_clear_retry_flags(bio);
	if (part.len == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(ret, part.ptr, part.len);
	*ret_len = part.len;
	return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len)
{
	struct tls_stream *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!buf_append(tls->out, bytes, len))
		return 0;
	*ret_len = len;
	return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static const BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *method;

	if (method)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "berth");
	if (!method || BIO_meth_set_read_ex(method, bio_read) != 1 ||
	    BIO_meth_set_write_ex(method, bio_write) != 1 ||
	    BIO_meth_set_ctrl(method, bio_control) != 1)
		return NULL;
	return method;
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct tls_stream *tls = SSL_get_app_data(ssl);
	bool fatal = value >> 8 == SSL3_AL_FATAL;

	if (!(where & SSL_CB_ALERT) || !tls || !fatal)
		return;
	tls->alert = (uint8_t)(value & 0xff);
	tls->alert_is_ours = where & SSL_CB_WRITE;
}

struct tls_stream *tls_stream_new(const struct tls_context *context, const char *host,
				  struct buf *out, struct err *err)
{
	struct tls_stream *tls = new_zero(struct tls_stream);
	const BIO_METHOD *method = bio_method();
	BIO *bio = method ? BIO_new(method) : NULL;

	tls->context = context;
	tls->out = out;
	tls->ssl = tls_session_new(context);
	if (!tls->ssl || !bio ||
	    (tls_context_is_web(context) && !tls_session_expect(tls->ssl, host))) {
		BIO_free(bio);
		tls_stream_free(tls);
		err_from_openssl(err, "TLS stream");
		return NULL;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_info_callback(tls->ssl, on_info);
	return tls;
}

struct tls_stream *tls_stream_free(struct tls_stream *tls)
{
	if (!tls)
		return NULL;
	if (tls->ssl && tls->ready && !tls->alert)
		SSL_shutdown(tls->ssl);
	tls_session_free(tls->ssl, tls->ready);
	ERR_clear_error();
	free(tls);
	return NULL;
}

void tls_stream_feed(struct tls_stream *tls, struct span bytes)
{
	tls->in = bytes;
}

static int fail(struct tls_stream *tls, struct err *err)
{
	if (tls_context_is_web(tls->context) && !tls->ready &&
	    SSL_get_verify_result(tls->ssl) != X509_V_OK) {
		ERR_clear_error();
		return tls_session_web_error(tls->ssl, err);
	}
	if (tls->alert) {
		ERR_clear_error();
		return tls_context_alert_error(tls->context, tls->alert_is_ours, tls->alert, err);
	}
	return err_from_openssl(err, "TLS");
}

/* 1: done; 0: more has to come; -1: failed. */
static int shake_hands(struct tls_stream *tls, struct err *err)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(tls->ssl);
	if (result == 1) {
		if (tls_session_check(tls->context, tls->ssl, err) < 0)
			return -1;
		tls->ready = true;
		return 1;
	}
	return SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ ? 0 : fail(tls, err);
}

ssize_t tls_stream_read(struct tls_stream *tls, uint8_t *ret, size_t size, struct err *err)
{
	size_t len = 0;
	int result;

	if (!tls->ready) {
		result = shake_hands(tls, err);
		if (result != 1)
			return result;
	}
	ERR_clear_error();
	result = SSL_read_ex(tls->ssl, ret, size, &len);
	if (result == 1)
		return (ssize_t)len;
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return err_set(err, ERR_UNAVAILABLE, "closed by the other end");
	default:
		return fail(tls, err);
	}
}

bool tls_stream_is_ready(const struct tls_stream *tls)
{
	return tls->ready;
}

int tls_stream_write(struct tls_stream *tls, struct span bytes, struct err *err)
{
	size_t written;

	if (bytes.len == 0)
		return 0;
	ERR_clear_error();
	/* Without SSL_MODE_ENABLE_PARTIAL_WRITE it is all or nothing. */
	if (SSL_write_ex(tls->ssl, bytes.ptr, bytes.len, &written) == 1)
		return 0;
	return fail(tls, err);
}

int tls_stream_export(const struct tls_stream *tls, const char *label, struct secret *ret,
		      struct err *err)
{
	cleanup(secret_finish) struct secret exporter = { 0 };

	if (!tls->ready)
		return err_set(err, ERR_UNAVAILABLE, "the handshake is not complete");
	if (tls_context_is_web(tls->context))
		return err_set(err, ERR_UNSUPPORTED, "TLS ends at a proxy");
	if (tls_session_export(tls->ssl, &exporter, err) < 0)
		return -1;
	return key_derive(&exporter, label, ret, err);
}
