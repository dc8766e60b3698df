/* SPDX-License-Identifier: MIT */
/* Programs that print credentials; see plugin.h. */
#include "plugin.h"

#include <string.h>

#include "controller/auth/token.h"
#include "controller/backends/kube/pod_state.h"
#include "controller/run/child.h"
#include "init/base/text.h"

#define GROUP "client.authentication.k8s.io/"
#define PLUGIN_TIMEOUT_MS 60000

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void kube_plugin_finish(struct kube_plugin *plugin)
{
	argv_finish(&plugin->command);
	argv_finish(&plugin->env);
	free(plugin->version);
	free(plugin->hint);
	json_decref(plugin->cluster);
	*plugin = (struct kube_plugin){ 0 };
}
DEFINE_CLEANUP_VALUE(struct kube_plugin, kube_plugin_finish)

void kube_credential_finish(struct kube_credential *credential)
{
	wipe(credential->token);
	wipe(credential->certificate);
	wipe(credential->key);
	*credential = (struct kube_credential){ 0 };
}

bool kube_token_is_valid(const char *token)
{
	size_t len = strlen(token);

	for (size_t i = 0; i < len; i++) {
		if (token[i] <= 0x20 || token[i] >= 0x7f)
			return false;
	}
	return len > 0 && len <= TOKEN_MAX;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int refuse(const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "exec: %s", what);
}

static int read_words(const json_t *exec, struct kube_plugin *plugin, struct err *err)
{
	const json_t *args = json_object_get(exec, "args"), *word;
	const char *command = text_of(exec, "command");
	size_t i;

	if (!command || command[0] == '\0')
		return refuse("has no command", err);
	if (json_array_size(args) > KUBE_PLUGIN_WORDS_MAX)
		return refuse("has too many args", err);
	argv_add(&plugin->command, command);
	json_array_foreach(args, i, word) {
		if (!json_is_string(word))
			return refuse("args are texts: write numbers in quotes", err);
		argv_add(&plugin->command, json_string_value(word));
	}
	return 0;
}

static int read_env(const json_t *exec, struct kube_plugin *plugin, struct err *err)
{
	const json_t *env = json_object_get(exec, "env"), *item;
	size_t i;

	if (json_array_size(env) > KUBE_PLUGIN_WORDS_MAX)
		return refuse("has too many variables in env", err);
	json_array_foreach(env, i, item) {
		const char *name = text_of(item, "name"), *value = text_of(item, "value");

		if (!name || name[0] == '\0' || strchr(name, '=') || !value)
			return refuse("env is a list of name and value, both texts", err);
		argv_addf(&plugin->env, "%s=%s", name, value);
	}
	return 0;
}

int kube_plugin_read(const json_t *exec, json_t *cluster, struct kube_plugin *ret, struct err *err)
{
	cleanup(kube_plugin_finish) struct kube_plugin plugin = { 0 };
	const char *version = text_of(exec, "apiVersion"), *mode = text_of(exec, "interactiveMode");
	const char *hint = text_of(exec, "installHint");

	if (!version || (strcmp(version, GROUP "v1") != 0 && strcmp(version, GROUP "v1beta1") != 0))
		return err_set(err, ERR_UNSUPPORTED,
			       "exec: apiVersion is none of " GROUP "v1 and v1beta1: renew the "
			       "kubeconfig with its cluster's tool");
	if (mode && strcmp(mode, "Always") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "exec: it wants a terminal (interactiveMode: Always), which it does "
			       "not get: set token_file or token_command of the cluster");
	if (read_words(exec, &plugin, err) < 0 || read_env(exec, &plugin, err) < 0)
		return -1;
	plugin.version = str_dup(version);
	plugin.hint = hint ? str_dup(hint) : NULL;
	if (json_is_true(json_object_get(exec, "provideClusterInfo")))
		plugin.cluster = json_incref(cluster);
	*ret = plugin;
	plugin = (struct kube_plugin){ 0 };
	return 0;
}

static char *copy(const json_t *status, const char *key)
{
	const char *text = text_of(status, key);

	return text && text[0] != '\0' ? str_dup(text) : NULL;
}

int kube_credential_read(struct span output, const char *version, struct kube_credential *ret,
			 struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup(kube_credential_finish) struct kube_credential credential = { 0 };
	const json_t *status;
	const char *said, *expires;

	if (json_parse(output, KUBE_PLUGIN_OUTPUT_MAX, &json, err) < 0) {
		/* The parser's words may hold a piece of the secret. */
		return err_set(err, ERR_PROTOCOL, "it printed no ExecCredential");
	}
	said = text_of(json, "apiVersion");
	status = json_object_get(json, "status");
	expires = text_of(status, "expirationTimestamp");
	if (!said || strcmp(said, version) != 0)
		return err_set(err, ERR_PROTOCOL, "it printed no ExecCredential of %.60s", version);
	credential.token = copy(status, "token");
	credential.certificate = copy(status, "clientCertificateData");
	credential.key = copy(status, "clientKeyData");
	credential.expires_s = (time_t)(kube_time(expires ? expires : "") / NSEC_PER_SEC);
	if (!credential.certificate != !credential.key)
		return err_set(err, ERR_PROTOCOL, "it gave a certificate or a key, and not both");
	if (!credential.token && !credential.certificate)
		return err_set(err, ERR_PROTOCOL, "it gave neither a token nor a certificate");
	if (credential.token && !kube_token_is_valid(credential.token))
		return err_set(err, ERR_PROTOCOL, "what it gave as a token is none");
	*ret = credential;
	credential = (struct kube_credential){ 0 };
	return 0;
}

static char *exec_info(const struct kube_plugin *plugin)
{
	cleanup(json_release) json_t *info =
		json_pack("{s:s, s:s, s:{s:b}}", "kind", "ExecCredential", "apiVersion",
			  plugin->version, "spec", "interactive", 0);
	cleanup_free char *text = NULL;

	if (plugin->cluster)
		json_object_set(json_object_get(info, "spec"), "cluster", plugin->cluster);
	text = json_dumps(info, JSON_COMPACT);
	return str_printf("KUBERNETES_EXEC_INFO=%s", text ? text : "{}");
}

int kube_plugin_run(const struct kube_plugin *plugin, struct kube_credential *ret, struct err *err)
{
	cleanup(argv_finish) struct argv env = { 0 };
	cleanup(child_finish) struct child child = { 0 };
	cleanup_free char *info = exec_info(plugin);
	struct child_plan plan = { .argv = argv_words(&plugin->command),
				   .timeout_ms = PLUGIN_TIMEOUT_MS };
	const char *name = plugin->command.items[0];
	struct err own = { 0 };
	char why[240];

	argv_add(&env, info);
	if (plugin->env.len > 0)
		argv_add_all(&env, argv_words(&plugin->env));
	plan.env = argv_words(&env);
	if (child_run(&plan, &child, &own) < 0) {
		if (plugin->hint)
			text_make_printable(plugin->hint);
		return err_set(err, own.kind, "%s%s%.200s", own.text, plugin->hint ? ": " : "",
			       plugin->hint ? plugin->hint : "");
	}
	if (child.status != 0) {
		child_complaint(&child, why, sizeof(why));
		return err_set(err, ERR_DENIED, "%.80s ended with status %d: %s", name,
			       child.status, why);
	}
	if (kube_credential_read(buf_span(&child.output), plugin->version, ret, err) < 0)
		return err_wrap(err, "%.80s", name);
	return 0;
}
