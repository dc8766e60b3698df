/* SPDX-License-Identifier: MIT */
/* Kubeconfig files: which cluster and user a context leads to, and what plugins give. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/backends/kube/kubeconfig.h"
#include "init/base/fs.h"

#define FIRST                                                                   \
	"apiVersion: v1\n"                                                      \
	"kind: Config\n"                                                        \
	"current-context: dev\n"                                                \
	"clusters:\n"                                                           \
	"- name: a\n"                                                           \
	"  cluster:\n"                                                          \
	"    server: https://a:6443\n"                                          \
	"    certificate-authority-data: UEVN\n"                                \
	"- name: b\n"                                                           \
	"  cluster: {server: 'https://b', certificate-authority: pki/ca.crt}\n" \
	"users:\n"                                                              \
	"- name: ann\n"                                                         \
	"  user: {token: first}\n"                                              \
	"- name: bob\n"                                                         \
	"  user:\n"                                                             \
	"    client-certificate: bob.crt\n"                                     \
	"    client-key: /keys/bob.key\n"                                       \
	"    unknown: [1, 2.5, ~, yes]\n"                                       \
	"contexts:\n"                                                           \
	"- name: dev\n"                                                         \
	"  context: {cluster: a, user: ann, namespace: team}\n"                 \
	"- name: ops\n"                                                         \
	"  context: {cluster: b, user: bob}\n"                                  \
	"- name: nobody\n"                                                      \
	"  context: {cluster: a}\n"                                             \
	"- name: lost\n"                                                        \
	"  context: {cluster: gone, user: ann}\n"

static void add(struct kubeconfig *config, const char *text)
{
	struct err err = { 0 };

	if (kubeconfig_add(config, "/etc/site/.kube/config", span_of_str(text), &err) < 0)
		fail_msg("%s", err.text);
}

static void a_context_leads_to_a_cluster_and_a_user(void **state)
{
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	cleanup(kube_access_finish) struct kube_access dev = { 0 }, ops = { 0 }, nobody = { 0 };

	(void)state;
	add(&config, FIRST);
	assert_int_equal(kubeconfig_choose(&config, NULL, &dev, NULL), 0);
	assert_string_equal(dev.context, "dev");
	assert_string_equal(dev.server, "https://a:6443");
	assert_string_equal(dev.namespace, "team");
	assert_string_equal(dev.token, "first");
	assert_true(span_equal_str(buf_span(&dev.authorities), "PEM"));
	assert_false(dev.is_unchecked);
	assert_int_equal(kubeconfig_choose(&config, "ops", &ops, NULL), 0);
	assert_string_equal(ops.authorities_file, "/etc/site/.kube/pki/ca.crt");
	assert_string_equal(ops.certificate_file, "/etc/site/.kube/bob.crt");
	assert_string_equal(ops.key_file, "/keys/bob.key");
	assert_null(ops.namespace);
	assert_null(ops.token);
	assert_int_equal(kubeconfig_choose(&config, "nobody", &nobody, NULL), 0);
	assert_null(nobody.token);
}

static void of_several_files_the_first_wins(void **state)
{
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	cleanup(kube_access_finish) struct kube_access access = { 0 };

	(void)state;
	add(&config, "users: [{name: ann, user: {token: other}}]\n");
	add(&config, "");
	add(&config, "users:\ncurrent-context: nobody\n");
	add(&config, FIRST);
	assert_int_equal(kubeconfig_choose(&config, "dev", &access, NULL), 0);
	assert_string_equal(access.token, "other");
	assert_string_equal(config.current, "nobody");
}

static void json_is_a_kubeconfig_too(void **state)
{
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	cleanup(kube_access_finish) struct kube_access access = { 0 };

	(void)state;
	add(&config, "{\"clusters\": [{\"name\": \"c\", \"cluster\": {\"server\": \"http://c\"}}],"
		     "\"contexts\": [{\"name\": \"x\", \"context\": {\"cluster\": \"c\"}}]}");
	assert_int_equal(kubeconfig_choose(&config, "x", &access, NULL), 0);
	assert_string_equal(access.server, "http://c");
}

static void refuses(const char *text, const char *context, enum err_kind kind, const char *words)
{
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	cleanup(kube_access_finish) struct kube_access access = { 0 };
	struct err err = { 0 };

	if (kubeconfig_add(&config, "k", span_of_str(text), &err) == 0)
		assert_int_equal(kubeconfig_choose(&config, context, &access, &err), -1);
	if (err.kind != kind || !strstr(err.text, words))
		fail_msg("%d: %s", (int)err.kind, err.text);
}

#define ONE(cluster, user)                                        \
	"contexts: [{name: x, context: {cluster: c, user: u}}]\n" \
	"clusters: [{name: c, cluster: {" cluster "}}]\nusers: [{name: u, user: {" user "}}]\n"
#define EXEC(more) \
	ONE("server: http://c", "exec: {apiVersion: client.authentication.k8s.io/v1" more "}")

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	refuses("", NULL, ERR_INVALID, "current context");
	refuses(FIRST, "dve", ERR_NOT_FOUND, "no context 'dve': there are dev, ops, nobody, lost");
	refuses(FIRST, "lost", ERR_NOT_FOUND, "no cluster 'gone': there are a, b");
	refuses("", "x", ERR_NOT_FOUND, "there is none");
	refuses("a: [", NULL, ERR_INVALID, "k:2:");
	refuses("a: &b c\nd: *b\n", NULL, ERR_INVALID, "aliases");
	refuses("a: 1\na: 2\n", NULL, ERR_INVALID, "k:2:");
	refuses("[a]", NULL, ERR_INVALID, "no kubeconfig");
	refuses("users: {a: b}", NULL, ERR_INVALID, "k: users: a list");
	refuses("users: [{name: a}]", NULL, ERR_INVALID, "item 1 needs a name and a user");
	refuses(ONE("", ""), "x", ERR_INVALID, "has no server");
	refuses(ONE("server: http://c, proxy-url: x", ""), "x", ERR_INVALID, "socks5://");
	refuses(ONE("server: http://c, proxy-url: 'ftp://x'", ""), "x", ERR_INVALID, "proxy-url");
	refuses(ONE("server: http://c, tls-server-name: a/b", ""), "x", ERR_INVALID, "no name");
	refuses(ONE("server: http://c, insecure-skip-tls-verify: true, certificate-authority: a",
		    ""),
		"x", ERR_INVALID, "leave one of them out");
	refuses(ONE("server: http://c", "as-groups: [a]"), "x", ERR_INVALID, "no 'as'");
	refuses(ONE("server: http://c", "as: \"a\\nb\""), "x", ERR_INVALID, "Impersonate-User");
	refuses(ONE("server: http://c", "auth-provider: {}"), "x", ERR_UNSUPPORTED, "exec plugin");
	refuses(ONE("server: http://c", "token: 'a b'"), "x", ERR_INVALID, "token");
	refuses(ONE("server: http://c, certificate-authority-data: '!'", ""), "x", ERR_INVALID,
		"not base64");
	refuses(ONE("server: http://c", "client-key-data: UEV"), "x", ERR_INVALID, "not base64");
	refuses(ONE("server: http://c", "exec: {apiVersion: v1alpha1}"), "x", ERR_UNSUPPORTED,
		"apiVersion");
	refuses(EXEC(""), "x", ERR_INVALID, "no command");
	refuses(EXEC(", command: a, interactiveMode: Always"), "x", ERR_UNSUPPORTED, "terminal");
	refuses(EXEC(", command: a, args: [1]"), "x", ERR_INVALID, "quotes");
	refuses(EXEC(", command: a, env: [{name: A=B, value: c}]"), "x", ERR_INVALID, "env");
}

static void a_cluster_is_reached_as_it_says(void **state)
{
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	cleanup(kube_access_finish) struct kube_access access = { 0 };

	(void)state;
	add(&config,
	    ONE("server: https://c, tls-server-name: api.example, proxy-url: socks5://p, "
		"insecure-skip-tls-verify: true",
		"as: ann, as-uid: '7', as-groups: [a, b c], as-user-extra: {scopes/x: [v]}"));
	assert_int_equal(kubeconfig_choose(&config, "x", &access, NULL), 0);
	assert_true(access.is_unchecked);
	assert_string_equal(access.server_name, "api.example");
	assert_string_equal(access.proxy, "socks5://p");
	assert_int_equal(access.as.len, 5);
	assert_string_equal(access.as.items[0], "Impersonate-User: ann");
	assert_string_equal(access.as.items[1], "Impersonate-Uid: 7");
	assert_string_equal(access.as.items[3], "Impersonate-Group: b c");
	assert_string_equal(access.as.items[4], "Impersonate-Extra-scopes%2Fx: v");
}

static void a_plugin_may_know_all_of_the_cluster(void **state)
{
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	cleanup(kube_access_finish) struct kube_access access = { 0 };
	cleanup_free char *told = NULL;

	(void)state;
	add(&config,
	    ONE("server: https://c, tls-server-name: n, proxy-url: http://p, extensions: [{"
		"name: client.authentication.k8s.io/exec, extension: {audience: a}}]",
		"exec: {apiVersion: client.authentication.k8s.io/v1, command: p, "
		"interactiveMode: Never, provideClusterInfo: true}"));
	assert_int_equal(kubeconfig_choose(&config, "x", &access, NULL), 0);
	told = json_dumps(access.plugin.cluster, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(told, "{\"config\":{\"audience\":\"a\"},\"proxy-url\":\"http://p\","
				  "\"server\":\"https://c\",\"tls-server-name\":\"n\"}");
}

static void deep_nesting_is_refused(void **state)
{
	char text[81];

	(void)state;
	memset(text, '[', 40);
	memset(text + 40, ']', 40);
	text[80] = '\0';
	refuses(text, NULL, ERR_LIMIT, "nested deeper");
}

static char dir[] = "/tmp/berth-unit-kube.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return fs_remove_tree(dir, NULL);
}

static void put(const char *name, const char *text)
{
	cleanup_free char *path = fs_join(dir, name);

	assert_int_equal(fs_write_file(path, span_of_str(text), 0700, NULL), 0);
}

static void files_that_a_context_names_are_read(void **state)
{
	cleanup(kube_access_finish) struct kube_access access = { 0 }, again = { 0 };
	cleanup_free char *paths = str_printf("/nowhere:%s/one::%s/two", dir, dir);
	struct err err = { 0 };

	(void)state;
	put("one", ONE("server: https://c, certificate-authority: ca", "client-certificate: crt, "
								       "client-key: key"));
	put("two", "current-context: x\n");
	put("ca", "CA");
	put("crt", "CRT");
	assert_int_equal(kube_access_find(paths, NULL, &access, &err), -1);
	assert_non_null(strstr(err.text, "key"));
	put("key", "KEY");
	assert_int_equal(kube_access_find(paths, NULL, &again, &err), 0);
	assert_true(span_equal_str(buf_span(&again.authorities), "CA"));
	assert_true(span_equal_str(buf_span(&again.certificate), "CRT"));
	assert_true(span_equal_str(buf_span(&again.key), "KEY"));
	assert_int_equal(kube_access_find("/nowhere", NULL, &access, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "/nowhere"));
}

static void a_pod_has_its_service_account(void **state)
{
	cleanup(kube_access_finish) struct kube_access access = { 0 }, none = { 0 };
	cleanup_free char *token = fs_join(dir, "token");

	(void)state;
	put("namespace", "team\n");
	assert_int_equal(kube_access_in_pod(dir, "fd00::1", "443", &access, NULL), 0);
	assert_string_equal(access.server, "https://[fd00::1]:443");
	assert_string_equal(access.namespace, "team");
	assert_string_equal(access.token_file, token);
	assert_int_equal(kube_access_in_pod("/nowhere", "a", "1", &none, NULL), -1);
}

#define V1 "client.authentication.k8s.io/v1"

static int run_plugin(const char *script, struct kube_credential *ret, struct err *err)
{
	cleanup(json_release) json_t *exec =
		json_pack("{s:s, s:s, s:[s,s], s:[{s:s,s:s}], s:s, s:b}", "apiVersion", V1,
			  "command", "sh", "args", "-c", script, "env", "name", "WORD", "value",
			  "two words", "installHint", "get\033 it", "provideClusterInfo", 1);
	cleanup(json_release) json_t *cluster = json_pack("{s:s}", "server", "https://c");
	struct kube_plugin plugin = { 0 };
	int result;

	assert_int_equal(kube_plugin_read(exec, cluster, &plugin, err), 0);
	result = kube_plugin_run(&plugin, ret, err);
	kube_plugin_finish(&plugin);
	return result;
}

static void a_plugin_prints_a_credential_and_is_told_about_the_cluster(void **state)
{
	cleanup(kube_credential_finish) struct kube_credential got = { 0 };
	struct err err = { 0 };

	(void)state;
	if (run_plugin("case $KUBERNETES_EXEC_INFO in *'\"server\":\"https://c\"'*) ;; *) exit 1; "
		       "esac; [ \"$WORD\" = 'two words' ] && echo '{\"apiVersion\":\"" V1 "\","
		       "\"status\":{\"token\":\"t\",\"clientCertificateData\":\"C\","
		       "\"clientKeyData\":\"K\"}}'",
		       &got, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(got.token, "t");
	assert_string_equal(got.certificate, "C");
	assert_string_equal(got.key, "K");
}

static void a_plugin_that_fails_is_told_in_its_words(void **state)
{
	struct kube_credential got = { 0 };
	struct kube_plugin plugin = { .version = str_dup(V1), .hint = str_dup("get\033 it") };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(run_plugin("echo secret; echo log in first >&2; exit 3", &got, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_string_equal(err.text, "sh ended with status 3: log in first");
	assert_int_equal(run_plugin("echo secret", &got, &err), -1);
	assert_string_equal(err.text, "sh: it printed no ExecCredential");
	argv_add(&plugin.command, "/nowhere/plugin");
	assert_int_equal(kube_plugin_run(&plugin, &got, &err), -1);
	assert_non_null(strstr(err.text, "get? it"));
	kube_plugin_finish(&plugin);
}

static void what_is_no_credential_is_refused(void **state)
{
	static const char *const no[] = {
		"[]",
		"{}",
		"{\"apiVersion\": \"client.authentication.k8s.io/v1beta1\"}",
		"{\"apiVersion\": \"" V1 "\"}",
		"{\"apiVersion\": \"" V1 "\", \"status\": {\"token\": \"\"}}",
		"{\"apiVersion\": \"" V1 "\", \"status\": {\"token\": \"a b\"}}",
		"{\"apiVersion\": \"" V1 "\", \"status\": {\"clientKeyData\": \"a\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		struct kube_credential got = { 0 };
		struct err err = { 0 };

		assert_int_equal(kube_credential_read(span_of_str(no[i]), V1, &got, &err), -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_context_leads_to_a_cluster_and_a_user),
		cmocka_unit_test(of_several_files_the_first_wins),
		cmocka_unit_test(json_is_a_kubeconfig_too),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_cluster_is_reached_as_it_says),
		cmocka_unit_test(a_plugin_may_know_all_of_the_cluster),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(files_that_a_context_names_are_read),
		cmocka_unit_test(a_pod_has_its_service_account),
		cmocka_unit_test(a_plugin_prints_a_credential_and_is_told_about_the_cluster),
		cmocka_unit_test(a_plugin_that_fails_is_told_in_its_words),
		cmocka_unit_test(what_is_no_credential_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
