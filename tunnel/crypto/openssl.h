/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Scope guards for OpenSSL's objects, and the border where its errors become ours. For the files of
 * this folder and for others that call OpenSSL themselves.
 */

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"

static inline void evp_pkey_free_p(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

static inline void evp_kdf_free_p(EVP_KDF **p)
{
	EVP_KDF_free(*p);
}

static inline void evp_kdf_ctx_free_p(EVP_KDF_CTX **p)
{
	EVP_KDF_CTX_free(*p);
}

static inline void evp_md_ctx_free_p(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}

static inline void ssl_free_p(SSL **p)
{
	SSL_free(*p);
}

static inline void ssl_ctx_free_p(SSL_CTX **p)
{
	SSL_CTX_free(*p);
}

/*
 * Before anything else: OpenSSL's configuration file is not read. In a job it is the image's, which
 * has no say in our keys and ciphers and no business in loading modules into us; on the workstation
 * it costs time in each connection.
 */
void openssl_ignore_config(void);

/* Takes the newest error off OpenSSL's queue and empties it: -1, and "what: reason" in *err. */
int err_from_openssl(struct err *err, const char *what);
