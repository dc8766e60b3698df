/* SPDX-License-Identifier: MIT */
/* The words for what goes wrong; whole handshakes are in tests/sim/handshake.c. */
#include "tests/unit/unit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tunnel/crypto/openssl.h"
#include "tunnel/crypto/tls.h"

static void assert_alert(enum tls_role role, bool is_ours, uint8_t alert, enum err_kind kind,
			 const char *text)
{
	struct err err = { 0 };

	assert_int_equal(tls_alert_error(role, is_ours, alert, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.text, text);
}

static void an_alert_about_a_key_says_whose(void **state)
{
	(void)state;
	assert_alert(TLS_CLIENT, true, SSL_AD_BAD_CERTIFICATE, ERR_DENIED,
		     "the job's key is not the expected one");
	assert_alert(TLS_CLIENT, false, SSL_AD_BAD_CERTIFICATE, ERR_DENIED,
		     "the job does not accept this key");
	assert_alert(TLS_CLIENT, false, SSL_AD_CERTIFICATE_REQUIRED, ERR_DENIED,
		     "the job does not accept this key");
	assert_alert(TLS_SERVER, true, SSL_AD_BAD_CERTIFICATE, ERR_DENIED,
		     "the client's key is not the expected one");
	assert_alert(TLS_SERVER, false, SSL_AD_BAD_CERTIFICATE, ERR_DENIED,
		     "the client does not accept this job's key");
}

static void other_alerts_are_named(void **state)
{
	(void)state;
	assert_alert(TLS_CLIENT, false, SSL_AD_NO_APPLICATION_PROTOCOL, ERR_PROTOCOL,
		     "the peer does not speak h3");
	assert_alert(TLS_CLIENT, true, SSL_AD_DECODE_ERROR, ERR_PROTOCOL,
		     "TLS handshake failed: decode error");
}

static void a_session_that_shook_no_hands_proves_no_key(void **state)
{
	cleanup(key_pair_finish) struct key_pair pair = { 0 };
	cleanup(tls_context_free) struct tls_context *tls = NULL;
	cleanup(ssl_free) SSL *ssl = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(key_pair_generate(&pair, &err), 0);
	tls = tls_context_new(TLS_CLIENT, &pair, &pair.public, &err);
	assert_non_null(tls);
	assert_int_equal(tls_context_role(tls), TLS_CLIENT);
	ssl = tls_session_new(tls);
	assert_non_null(ssl);
	assert_int_equal(tls_session_check(tls, ssl, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
}

static void pump(SSL *from, SSL *to)
{
	char bytes[4096];
	int len;

	while ((len = BIO_read(SSL_get_wbio(from), bytes, sizeof(bytes))) > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(to), bytes, len), len);
}

static void use_memory(SSL *ssl)
{
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
}

/* Over memory BIOs, as over TCP: whether both ends finish, and what they share. */
static bool shake_hands(const struct tls_context *relay, const struct tls_context *client,
			bool *ret_same, struct err *err)
{
	cleanup(ssl_free) SSL *server = tls_session_new(relay), *dialler = tls_session_new(client);
	struct secret a, b;

	use_memory(server);
	use_memory(dialler);
	for (int i = 0; i < 4; i++) {
		(void)SSL_do_handshake(dialler);
		pump(dialler, server);
		(void)SSL_do_handshake(server);
		pump(server, dialler);
	}
	if (!SSL_is_init_finished(dialler) || !SSL_is_init_finished(server))
		return false;
	assert_int_equal(tls_session_check(relay, server, err), 0);
	assert_int_equal(tls_session_export(server, &a, err), 0);
	assert_int_equal(tls_session_export(dialler, &b, err), 0);
	*ret_same = secret_equal(&a, &b);
	return tls_session_check(client, dialler, err) == 0;
}

static void a_relay_proves_its_key_to_who_has_none(void **state)
{
	cleanup(key_pair_finish) struct key_pair pair = { 0 }, other = { 0 };
	cleanup(tls_context_free) struct tls_context *relay = NULL, *client = NULL, *astray = NULL,
						     *quic = NULL;
	struct err err = { 0 };
	bool same = false;

	(void)state;
	assert_int_equal(key_pair_generate(&pair, &err), 0);
	assert_int_equal(key_pair_generate(&other, &err), 0);
	relay = tls_context_new_relay(&pair, TLS_ALPN_HTTP1, &err);
	client = tls_context_new_to_relay(&pair.public, TLS_ALPN_HTTP1, &err);
	astray = tls_context_new_to_relay(&other.public, TLS_ALPN_HTTP1, &err);
	quic = tls_context_new_to_relay(&pair.public, TLS_ALPN, &err);
	assert_true(tls_context_is_relay(relay) && tls_context_is_relay(client));
	assert_true(shake_hands(relay, client, &same, &err));
	assert_true(same);
	/* Another key than was given, and another protocol than the port speaks. */
	assert_false(shake_hands(relay, astray, &same, &err));
	assert_false(shake_hands(relay, quic, &same, &err));
	tls_context_alert_error(astray, true, SSL_AD_BAD_CERTIFICATE, &err);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_non_null(strstr(err.text, "the relay's key is not the expected one"));
	ERR_clear_error();
}

static void openssl_errors_leave_the_queue_empty(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)"short", 5));
	assert_int_equal(err_from_openssl(&err, "a key"), -1);
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_int_equal(strncmp(err.text, "a key: ", 7), 0);
	assert_string_not_equal(err.text, "a key: OpenSSL refused");
	assert_int_equal(err_from_openssl(&err, "nothing"), -1);
	assert_string_equal(err.text, "nothing: OpenSSL refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alert_about_a_key_says_whose),
		cmocka_unit_test(other_alerts_are_named),
		cmocka_unit_test(a_session_that_shook_no_hands_proves_no_key),
		cmocka_unit_test(a_relay_proves_its_key_to_who_has_none),
		cmocka_unit_test(openssl_errors_leave_the_queue_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
