/* SPDX-License-Identifier: MIT */
/* The desktop's keyring by libsecret; see keyring.h. */
#include "keyring.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define LIBRARY "libsecret-1.so.0"
#define COLLECTION "default" /* the keyring that is open while the user is logged in */

/* GError of GLib. */
struct g_error {
	uint32_t domain;
	int code;
	char *message;
};

/* SecretSchema of libsecret; attributes end with a NULL name. */
struct secret_schema {
	const char *name;
	int flags;
	struct {
		const char *name;
		int type;
	} attributes[32];
	int reserved;
	void *reserved_too[7];
};

static const struct secret_schema schema = {
	.name = "berth.ClientSecret",
	.attributes = { { "issuer", 0 }, { "client", 0 } }, /* both are texts */
};

/* Attributes come last: name, value, ..., NULL. */
static struct {
	int (*secret_password_store_sync)(const struct secret_schema *schema,
					  const char *collection, const char *label,
					  const char *password, void *cancellable,
					  struct g_error **error, ...);
	char *(*secret_password_lookup_sync)(const struct secret_schema *schema, void *cancellable,
					     struct g_error **error, ...);
	int (*secret_password_clear_sync)(const struct secret_schema *schema, void *cancellable,
					  struct g_error **error, ...);
	void (*secret_password_free)(char *password);
	void (*g_error_free)(struct g_error *error);
} keyring;

#define CALLS(X)                       \
	X(secret_password_store_sync)  \
	X(secret_password_lookup_sync) \
	X(secret_password_clear_sync)  \
	X(secret_password_free)        \
	X(g_error_free)

static const struct {
	const char *name;
	size_t offset;
} calls[] = {
#define X(name) { #name, offsetof(__typeof__(keyring), name) },
	CALLS(X)
#undef X
};

/* libsecret would try to start a bus where there is none, which takes long and ends in nothing. */
static bool has_bus(void)
{
	const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
	const char *dir = getenv("XDG_RUNTIME_DIR");
	cleanup_free char *path = dir ? fs_join(dir, "bus") : NULL;

	return (address && address[0]) || (path && access(path, F_OK) == 0);
}

static int load(struct err *err)
{
	static bool is_loaded;
	void *library;

	if (!has_bus())
		return err_set(err, ERR_UNAVAILABLE, "there is no desktop session here");
	if (is_loaded)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(err, ERR_UNAVAILABLE,
			       "no libsecret on this machine (libsecret-1-0 on Debian)");
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		/* Those of GLib are found too: it came with libsecret. */
		void *call = dlsym(library, calls[i].name);

		if (!call)
			return err_set(err, ERR_UNAVAILABLE, "this libsecret has no %s",
				       calls[i].name);
		memcpy((char *)&keyring + calls[i].offset, &call, sizeof(call));
	}
	is_loaded = true;
	return 0;
}

static int explain(struct g_error *error, struct err *err)
{
	char why[200];

	snprintf(why, sizeof(why), "%s", error->message);
	keyring.g_error_free(error);
	text_make_printable(why);
	return err_set(err, ERR_UNAVAILABLE, "the keyring: %s", why);
}

int keyring_find(const struct keyring_name *name, char **ret, struct err *err)
{
	struct g_error *error = NULL;
	char *secret;

	if (load(err) < 0)
		return -1;
	secret = keyring.secret_password_lookup_sync(&schema, NULL, &error, "issuer", name->issuer,
						     "client", name->client_id, NULL);
	if (error)
		return explain(error, err);
	*ret = secret ? str_dup(secret) : NULL;
	keyring.secret_password_free(secret);
	return 0;
}

int keyring_keep(const struct keyring_name *name, const char *secret, struct err *err)
{
	cleanup_free char *label =
		str_printf("berth: client %s at %s", name->client_id, name->issuer);
	struct g_error *error = NULL;

	if (load(err) < 0)
		return -1;
	keyring.secret_password_store_sync(&schema, COLLECTION, label, secret, NULL, &error,
					   "issuer", name->issuer, "client", name->client_id, NULL);
	return error ? explain(error, err) : 0;
}

int keyring_forget(const struct keyring_name *name, struct err *err)
{
	struct g_error *error = NULL;

	if (load(err) < 0)
		return -1;
	keyring.secret_password_clear_sync(&schema, NULL, &error, "issuer", name->issuer, "client",
					   name->client_id, NULL);
	return error ? explain(error, err) : 0;
}
