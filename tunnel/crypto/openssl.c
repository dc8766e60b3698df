/* SPDX-License-Identifier: MIT */
/* OpenSSL's errors as ours; see openssl.h. */
#include "tunnel/crypto/openssl.h"

#include <openssl/err.h>

int err_from_openssl(struct err *err, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return err_set(err, ERR_INTERNAL, "%s: %s", what, reason ? reason : "OpenSSL refused");
}
