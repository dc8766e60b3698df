/* SPDX-License-Identifier: MIT */
/* The words for what goes wrong; whole handshakes are in tests/sim/handshake.c. */
#include "tests/unit/unit.h"

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
		cmocka_unit_test(openssl_errors_leave_the_queue_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
