/* SPDX-License-Identifier: MIT */
/* Where a Kubernetes cluster is and who we are there; see kubeconfig.h. */
#include "kubeconfig.h"

#include <stdio.h>
#include <string.h>

#include "controller/model/yaml_json.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define NAMES_SHOWN 200

void kubeconfig_finish(struct kubeconfig *config)
{
	json_decref(config->clusters);
	json_decref(config->users);
	json_decref(config->contexts);
	free(config->current);
	*config = (struct kubeconfig){ 0 };
}

void kube_access_finish(struct kube_access *access)
{
	if (access->token)
		explicit_bzero(access->token, strlen(access->token));
	buf_finish(&access->authorities);
	buf_finish(&access->certificate);
	buf_wipe(&access->key);
	free(access->context);
	free(access->server);
	free(access->namespace);
	free(access->server_name);
	free(access->proxy);
	argv_finish(&access->as);
	free(access->authorities_file);
	free(access->certificate_file);
	free(access->key_file);
	free(access->token);
	free(access->token_file);
	kube_plugin_finish(&access->plugin);
	*access = (struct kube_access){ 0 };
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && text[0] != '\0' ? text : NULL;
}

static char *copy_of(const json_t *object, const char *key)
{
	const char *text = text_of(object, key);

	return text ? str_dup(text) : NULL;
}

/* A path in a file is relative to the directory of the file. */
static void resolve(json_t *object, const char *key, const char *file)
{
	const char *path = text_of(object, key), *slash = strrchr(file, '/');
	cleanup_free char *dir = NULL, *whole = NULL;

	if (!path || path[0] == '/' || !slash)
		return;
	dir = str_dup_len(file, (size_t)(slash - file));
	whole = fs_join(dir[0] ? dir : "/", path);
	json_object_set_new(object, key, json_string(whole));
}

static void resolve_all(json_t *entry, const char *file)
{
	static const char *const keys[] = { "certificate-authority", "client-certificate",
					    "client-key", "tokenFile" };
	json_t *exec = json_object_get(entry, "exec");
	const char *command = text_of(exec, "command");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		resolve(entry, keys[i], file);
	/* A command without a slash is looked up in PATH. */
	if (command && strchr(command, '/'))
		resolve(exec, "command", file);
}

/* The items of a list, each with its name and what stands below `member`; the first wins. */
static int merge(const json_t *root, const char *list, const char *member, const char *file,
		 json_t **into, struct err *err)
{
	const json_t *items = json_object_get(root, list), *item;
	size_t i;

	if (!*into)
		*into = json_object();
	if (items && !json_is_array(items) && !json_is_null(items))
		return err_set(err, ERR_INVALID, "%s: %s: a list is needed here", file, list);
	json_array_foreach(items, i, item) {
		const char *name = text_of(item, "name");
		json_t *entry = json_object_get(item, member);

		if (!name || !json_is_object(entry))
			return err_set(err, ERR_INVALID, "%s: %s: item %zu needs a name and a %s",
				       file, list, i + 1, member);
		if (json_object_get(*into, name))
			continue;
		resolve_all(entry, file);
		json_object_set(*into, name, entry);
	}
	return 0;
}

static int merge_all(struct kubeconfig *config, const char *file, const json_t *root,
		     struct err *err)
{
	if (!json_is_object(root))
		return err_set(err, ERR_INVALID, "%s: is no kubeconfig: it begins with a key",
			       file);
	if (merge(root, "clusters", "cluster", file, &config->clusters, err) < 0 ||
	    merge(root, "users", "user", file, &config->users, err) < 0 ||
	    merge(root, "contexts", "context", file, &config->contexts, err) < 0)
		return -1;
	if (!config->current)
		config->current = copy_of(root, "current-context");
	return 0;
}

int kubeconfig_add(struct kubeconfig *config, const char *file, struct span text, struct err *err)
{
	cleanup(yaml_close) struct yaml y = { 0 };
	cleanup(json_release) json_t *root = NULL;
	struct fy_node *node;

	if (text.len > KUBECONFIG_MAX)
		return err_set(err, ERR_LIMIT, "%s: larger than %d bytes", file, KUBECONFIG_MAX);
	if (yaml_open(&y, file, text, err) < 0)
		return -1;
	node = yaml_next(&y);
	if (!node)
		return yaml_check_end(&y, err);
	if (yaml_to_json(&y, node, &root, err) < 0)
		return -1;
	return merge_all(config, file, root, err);
}

int kubeconfig_load(struct kubeconfig *config, const char *paths, struct err *err)
{
	unsigned int files = 0;
	bool found = false;

	while (*paths) {
		size_t len = strcspn(paths, ":");
		cleanup_free char *path = str_dup_len(paths, len);
		cleanup(buf_wipe) struct buf text = BUF_INIT(KUBECONFIG_MAX);

		paths += len + (paths[len] == ':');
		if (len == 0 || !fs_exists(path))
			continue;
		if (++files > KUBECONFIG_FILES_MAX)
			return err_set(err, ERR_LIMIT, "more than %d kubeconfig files",
				       KUBECONFIG_FILES_MAX);
		if (fs_read_file(path, KUBECONFIG_MAX, &text, err) < 0 ||
		    kubeconfig_add(config, path, buf_span(&text), err) < 0)
			return -1;
		found = true;
	}
	return found;
}

static int no_such(const json_t *all, const char *what, const char *name, struct err *err)
{
	cleanup(buf_finish) struct buf names = BUF_INIT(NAMES_SHOWN);
	cleanup_free char *list = NULL;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)all, key, value) {
		if (!buf_printf(&names, "%s%s", buf_len(&names) ? ", " : "", key))
			break;
	}
	list = buf_take_str(&names);
	text_make_printable(list);
	return err_set(err, ERR_NOT_FOUND, "the kubeconfig has no %s '%.60s': there %s %s", what,
		       name, list[0] ? "are" : "is", list[0] ? list : "none");
}

/* Bytes that are in the file itself, as base64 of PEM. */
static int decode(const json_t *object, const char *key, struct buf *ret, struct err *err)
{
	const char *text = text_of(object, key);
	size_t len = text ? strlen(text) : 0, size = len / 4 * 3;
	uint8_t *bytes;

	*ret = BUF_INIT(KUBE_PEM_MAX);
	if (!text)
		return 0;
	for (size_t i = len; i > 0 && text[i - 1] == '=' && len - i < 2 && size > 0; i--)
		size--;
	bytes = size > 0 ? buf_reserve(ret, size) : NULL;
	if (size > KUBE_PEM_MAX)
		return err_set(err, ERR_LIMIT, "%s: larger than %d bytes", key, KUBE_PEM_MAX);
	if (!bytes || !text_parse_base64(text, bytes, size))
		return err_set(err, ERR_INVALID, "%s is not base64", key);
	buf_commit(ret, size);
	return 0;
}

/* What we know of and cannot do must not be passed over. */
static int refuse_unknown(const json_t *cluster, const json_t *user, struct err *err)
{
	static const struct {
		const char *key;
		const char *instead;
	} cannot[] = {
		{ "username", "API servers take no passwords any more: use a token" },
		{ "auth-provider", "kubectl has it no more: use an exec plugin" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cannot); i++) {
		if (json_object_get(cluster, cannot[i].key) || json_object_get(user, cannot[i].key))
			return err_set(err, ERR_UNSUPPORTED, "'%s' of the kubeconfig: %s",
				       cannot[i].key, cannot[i].instead);
	}
	return 0;
}

/* What goes into a header, or into an address, as it is. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= 0x1f || *text == 0x7f)
			return false;
	}
	return true;
}

static int add_as(struct argv *as, const char *header, const json_t *value, struct err *err)
{
	const char *text = json_string_value(value);

	if (!text || text[0] == '\0' || !is_plain(text))
		return err_set(err, ERR_INVALID, "the kubeconfig's user: as: '%s' is not a text",
			       header);
	if (as->len == KUBE_AS_MAX)
		return err_set(err, ERR_LIMIT, "the kubeconfig's user acts as more than %d groups",
			       KUBE_AS_MAX);
	argv_addf(as, "%s: %s", header, text);
	return 0;
}

/* "as-user-extra": keys become a part of the header's name. */
static int add_extra(struct argv *as, const json_t *extra, struct err *err)
{
	const char *key;
	json_t *values, *value;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)extra, key, values) {
		cleanup(buf_finish) struct buf name = BUF_INIT(1024);
		cleanup_free char *header = NULL;

		if (!buf_printf(&name, "Impersonate-Extra-") || !text_append_percent(&name, key))
			return err_set(err, ERR_LIMIT, "as-user-extra: a key is too long");
		header = buf_take_str(&name);
		json_array_foreach(values, i, value) {
			if (add_as(as, header, value, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int take_as(const json_t *user, struct argv *as, struct err *err)
{
	const json_t *name = json_object_get(user, "as"), *uid = json_object_get(user, "as-uid");
	const json_t *groups = json_object_get(user, "as-groups"), *group;
	const json_t *extra = json_object_get(user, "as-user-extra");
	size_t i;

	if (!name && (uid || groups || extra))
		return err_set(err, ERR_INVALID,
			       "the kubeconfig's user has as-uid, as-groups or as-user-extra, and "
			       "no 'as'");
	if ((name && add_as(as, "Impersonate-User", name, err) < 0) ||
	    (uid && add_as(as, "Impersonate-Uid", uid, err) < 0))
		return -1;
	json_array_foreach(groups, i, group) {
		if (add_as(as, "Impersonate-Group", group, err) < 0)
			return -1;
	}
	return add_extra(as, extra, err);
}

static bool is_proxy(const char *url)
{
	return (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0 ||
		strncmp(url, "socks5://", 9) == 0 || strncmp(url, "socks5h://", 10) == 0) &&
	       is_plain(url);
}

static int take_cluster(const json_t *cluster, struct kube_access *access, struct err *err)
{
	access->server = copy_of(cluster, "server");
	access->authorities_file = copy_of(cluster, "certificate-authority");
	access->is_unchecked = json_is_true(json_object_get(cluster, "insecure-skip-tls-verify"));
	access->server_name = copy_of(cluster, "tls-server-name");
	access->proxy = copy_of(cluster, "proxy-url");
	if (!access->server)
		return err_set(err, ERR_INVALID, "the cluster of the kubeconfig has no server");
	if (access->server_name && strpbrk(access->server_name, "/:@?# \t\r\n"))
		return err_set(err, ERR_INVALID, "tls-server-name of the kubeconfig is no name");
	if (access->proxy && !is_proxy(access->proxy))
		return err_set(err, ERR_INVALID,
			       "proxy-url of the kubeconfig is no address: http://, https:// and "
			       "socks5:// are known");
	if (access->is_unchecked &&
	    (access->authorities_file || text_of(cluster, "certificate-authority-data")))
		return err_set(err, ERR_INVALID,
			       "the cluster of the kubeconfig has insecure-skip-tls-verify and a "
			       "certificate authority: leave one of them out");
	return decode(cluster, "certificate-authority-data", &access->authorities, err);
}

/* What a plugin may be told about the cluster: the members that ExecCredential has, too. */
static json_t *describe(const json_t *cluster)
{
	static const char *const keys[] = { "server",
					    "certificate-authority-data",
					    "insecure-skip-tls-verify",
					    "tls-server-name",
					    "proxy-url",
					    "disable-compression" };
	const json_t *extensions = json_object_get(cluster, "extensions"), *item;
	json_t *told = json_object(), *value;
	size_t i;

	for (size_t n = 0; n < ARRAY_LEN(keys); n++) {
		value = json_object_get(cluster, keys[n]);
		if (value)
			json_object_set(told, keys[n], value);
	}
	json_array_foreach(extensions, i, item) {
		const char *name = text_of(item, "name");

		if (name && strcmp(name, "client.authentication.k8s.io/exec") == 0)
			json_object_set(told, "config", json_object_get(item, "extension"));
	}
	return told;
}

static int take_user(const json_t *user, const json_t *cluster, struct kube_access *access,
		     struct err *err)
{
	cleanup(json_release) json_t *told = describe(cluster);
	const json_t *exec = json_object_get(user, "exec");

	access->certificate_file = copy_of(user, "client-certificate");
	access->key_file = copy_of(user, "client-key");
	access->token_file = copy_of(user, "tokenFile");
	access->token = copy_of(user, "token");
	if (access->token && !kube_token_is_valid(access->token))
		return err_set(err, ERR_INVALID, "the token of the kubeconfig is none");
	if (decode(user, "client-certificate-data", &access->certificate, err) < 0 ||
	    decode(user, "client-key-data", &access->key, err) < 0 ||
	    take_as(user, &access->as, err) < 0)
		return -1;
	if (!json_is_object(exec))
		return 0;
	return kube_plugin_read(exec, told, &access->plugin, err);
}

int kubeconfig_choose(const struct kubeconfig *config, const char *context, struct kube_access *ret,
		      struct err *err)
{
	cleanup(kube_access_finish) struct kube_access access = { 0 };
	const char *name = context ? context : config->current;
	const json_t *chosen, *cluster, *user;
	const char *of_cluster, *of_user;

	if (!name)
		return err_set(err, ERR_INVALID,
			       "the kubeconfig has no current context: set kube_context of the "
			       "cluster, or run 'kubectl config use-context NAME'");
	chosen = json_object_get(config->contexts, name);
	if (!chosen)
		return no_such(config->contexts, "context", name, err);
	of_cluster = text_of(chosen, "cluster");
	of_user = text_of(chosen, "user");
	cluster = of_cluster ? json_object_get(config->clusters, of_cluster) : NULL;
	user = of_user ? json_object_get(config->users, of_user) : NULL;
	if (!cluster)
		return no_such(config->clusters, "cluster", of_cluster ? of_cluster : "", err);
	if (of_user && !user)
		return no_such(config->users, "user", of_user, err);
	access.context = str_dup(name);
	access.namespace = copy_of(chosen, "namespace");
	if (refuse_unknown(cluster, user, err) < 0 || take_cluster(cluster, &access, err) < 0 ||
	    take_user(user, cluster, &access, err) < 0)
		return -1;
	*ret = access;
	access = (struct kube_access){ 0 };
	return 0;
}

static int load(const char *path, struct buf *ret, struct err *err)
{
	if (!path || buf_len(ret) > 0)
		return 0;
	*ret = BUF_INIT(KUBE_PEM_MAX);
	return fs_read_file(path, KUBE_PEM_MAX, ret, err);
}

/* A plugin that is told about the cluster gets what is in the file, not where that is. */
static void tell_authorities(struct kube_access *access)
{
	static const char key[] = "certificate-authority-data";
	struct span pem = buf_span(&access->authorities);
	cleanup_free char *text = NULL;

	if (!access->plugin.cluster || pem.len == 0 || json_object_get(access->plugin.cluster, key))
		return;
	text = alloc_zero(1, pem.len / 3 * 4 + 8);
	text_base64(pem, text, pem.len / 3 * 4 + 8);
	json_object_set_new(access->plugin.cluster, key, json_string(text));
}

int kube_access_load(struct kube_access *access, struct err *err)
{
	if (load(access->authorities_file, &access->authorities, err) < 0 ||
	    load(access->certificate_file, &access->certificate, err) < 0 ||
	    load(access->key_file, &access->key, err) < 0)
		return -1;
	tell_authorities(access);
	if ((buf_len(&access->certificate) > 0) != (buf_len(&access->key) > 0))
		return err_set(err, ERR_INVALID,
			       "the user of the kubeconfig has a client certificate or a key, and "
			       "not both");
	return 0;
}

int kube_access_in_pod(const char *dir, const char *host, const char *port, struct kube_access *ret,
		       struct err *err)
{
	cleanup(kube_access_finish) struct kube_access access = { 0 };
	cleanup_free char *namespace = fs_join(dir, "namespace");
	cleanup(buf_finish) struct buf name = BUF_INIT(256);
	bool is_v6 = strchr(host, ':');
	char *text;

	if (fs_read_file(namespace, name.max, &name, err) < 0)
		return err_wrap(err, "the service account of this pod");
	text = buf_take_str(&name);
	text[strcspn(text, "\r\n")] = '\0';
	access.namespace = text;
	access.context = str_dup("in a pod");
	access.server = str_printf(is_v6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
	access.authorities_file = fs_join(dir, "ca.crt");
	access.token_file = fs_join(dir, "token");
	*ret = access;
	access = (struct kube_access){ 0 };
	return 0;
}

#define POD_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

static int find(const char *paths, const char *context, struct kube_access *ret, struct err *err)
{
	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
	const char *home = getenv("HOME"), *list = paths ? paths : getenv("KUBECONFIG");
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	cleanup_free char *usual = str_printf("%s/.kube/config", home ? home : "");
	int found;

	found = kubeconfig_load(&config, list && list[0] ? list : usual, err);
	if (found < 0)
		return -1;
	if (found)
		return kubeconfig_choose(&config, context, ret, err);
	if (!paths && !context && host && port && fs_exists(POD_DIR "/token"))
		return kube_access_in_pod(POD_DIR, host, port, ret, err);
	return err_set(err, ERR_NOT_FOUND,
		       "there is no kubeconfig at %.200s: get one of your cluster, and set "
		       "kubeconfig of the cluster, or KUBECONFIG",
		       list && list[0] ? list : usual);
}

int kube_access_find(const char *paths, const char *context, struct kube_access *ret,
		     struct err *err)
{
	cleanup(kube_access_finish) struct kube_access access = { 0 };

	if (find(paths, context, &access, err) < 0 || kube_access_load(&access, err) < 0)
		return -1;
	*ret = access;
	access = (struct kube_access){ 0 };
	return 0;
}
