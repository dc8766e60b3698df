/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The desktop's keyring (the Secret Service of freedesktop.org: GNOME Keyring, KWallet, KeePassXC),
 * by libsecret, which is loaded when a secret is first looked for: nothing else pays for it, and a
 * machine may do without. The few types that are needed are written down in keyring.c rather than
 * taken from its header, which would bring GLib's into every build; they are part of its stable
 * ABI. Without a session bus there is no keyring.
 *
 * A secret belongs to an issuer and a client there, so that clusters with the same login share it.
 * A keyring that is locked makes the desktop ask its user, which takes as long as that takes.
 */

#include "init/base/err.h"

struct keyring_name {
	const char *issuer;
	const char *client_id;
};

/* Each is ERR_UNAVAILABLE where there is no keyring, or it does not open. */

/* *ret is NULL when it has none; else wipe and free() it. */
int keyring_find(const struct keyring_name *name, char **ret, struct err *err) attr_must_use;
/* Replaces what was there. */
int keyring_keep(const struct keyring_name *name, const char *secret, struct err *err)
	attr_must_use;
/* What is not there is success. */
int keyring_forget(const struct keyring_name *name, struct err *err) attr_must_use;
