/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Programs that print credentials: exec plugins of client.authentication.k8s.io, v1 and v1beta1.
 * A plugin is run without a terminal and is told so in KUBERNETES_EXEC_INFO; it prints an
 * ExecCredential with a token, a certificate and its key, or both.
 */

#include <time.h>

#include "controller/model/json.h"
#include "controller/run/argv.h"
#include "init/base/buf.h"

#define KUBE_PLUGIN_OUTPUT_MAX (1024 * 1024)
#define KUBE_PLUGIN_WORDS_MAX 256

struct kube_plugin {
	struct argv command; /* empty: there is none */
	struct argv env;     /* NAME=VALUE */
	char *version;	     /* its apiVersion */
	char *hint;	     /* how to install it, in its owner's words, or NULL */
	json_t *cluster;     /* what it wants to be told about the cluster, or NULL */
};

void kube_plugin_finish(struct kube_plugin *plugin);

struct kube_credential {
	char *token;		 /* or NULL */
	char *certificate, *key; /* PEM; or NULL, both */
	time_t expires_s;	 /* since the epoch; 0: it does not say */
};

void kube_credential_finish(struct kube_credential *credential); /* wipes */
DEFINE_CLEANUP_VALUE(struct kube_credential, kube_credential_finish)

/*
 * Reads "exec" of a user. cluster: server and authorities as ExecCredential has them, borrowed; it
 * is handed on when the plugin asks for it.
 */
int kube_plugin_read(const json_t *exec, json_t *cluster, struct kube_plugin *ret, struct err *err)
	attr_must_use;

/* What a plugin printed. ERR_PROTOCOL: it is no credential of this version. */
int kube_credential_read(struct span output, const char *version, struct kube_credential *ret,
			 struct err *err) attr_must_use;

/* ERR_NOT_FOUND with the hint: it is not installed. ERR_DENIED: it failed, in its words. */
int kube_plugin_run(const struct kube_plugin *plugin, struct kube_credential *ret, struct err *err)
	attr_must_use;

/* A bearer token goes into a header as it is: visible ASCII. */
bool kube_token_is_valid(const char *token);
