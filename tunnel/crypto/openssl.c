/* SPDX-License-Identifier: MIT */
/* OpenSSL's errors as ours; see openssl.h. */
#include "tunnel/crypto/openssl.h"

#include <openssl/err.h>

void openssl_ignore_config(void)
{
	/* Fails only without memory, and then whatever comes next says so. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

int err_from_openssl(struct err *err, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return err_set(err, ERR_INTERNAL, "%s: %s", what, reason ? reason : "OpenSSL refused");
}
