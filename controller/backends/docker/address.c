/* SPDX-License-Identifier: MIT */
/* Where the engine is; see address.h. */
#include "address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"

#define PEM_MAX (1024 * 1024)
#define TLS_PORT ":2376"

void address_finish(struct address *address)
{
	free(address->url);
	free(address->name);
	free(address->login);
	buf_wipe(&address->authorities);
	buf_wipe(&address->certificate);
	buf_wipe(&address->key);
	*address = (struct address){ 0 };
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

/* The sockets of an engine on this machine, in the order in which they are tried. */
static void list_sockets(char *ret[4])
{
	const char *set = environment("XDG_RUNTIME_DIR");
	cleanup_free char *run =
		set ? str_dup(set) : str_printf("/run/user/%u", (unsigned int)getuid());

	ret[0] = str_dup("/var/run/docker.sock");
	ret[1] = str_printf("%s/docker.sock", run);
	ret[2] = str_printf("%s/podman/podman.sock", run);
	ret[3] = str_dup("/run/podman/podman.sock");
}

static int find_socket(char **ret, struct err *err)
{
	char *sockets[4];
	const char *denied = NULL, *found = NULL;
	int result = 0;

	list_sockets(sockets);
	for (size_t i = 0; i < ARRAY_LEN(sockets) && !found; i++) {
		if (access(sockets[i], R_OK | W_OK) == 0)
			found = sockets[i];
		else if (errno == EACCES && !denied)
			denied = sockets[i];
	}
	if (found)
		*ret = str_printf("unix:%s", found);
	else if (denied)
		result = err_set(err, ERR_DENIED,
				 "you may not use %s: become a member of its group (docker), or "
				 "start a rootless engine ('systemctl --user start podman.socket')",
				 denied);
	else
		result =
			err_set(err, ERR_UNAVAILABLE,
				"no container engine runs here: start one ('systemctl start "
				"docker', 'systemctl --user start podman.socket'), or set 'url' of "
				"the cluster, or DOCKER_HOST");
	for (size_t i = 0; i < ARRAY_LEN(sockets); i++)
		free(sockets[i]);
	return result;
}

static int read_pem(const char *dir, const char *name, struct buf *buf, struct span *ret,
		    struct err *err)
{
	cleanup_free char *path = fs_join(dir, name);

	buf_init(buf, PEM_MAX);
	if (fs_read_file(path, PEM_MAX, buf, err) < 0)
		return -1;
	*ret = buf_span(buf);
	return 0;
}

static int read_tls(const char *dir, struct address *address, struct err *err)
{
	address->has_tls = true;
	if (read_pem(dir, "ca.pem", &address->authorities, &address->tls.authorities, err) < 0 ||
	    read_pem(dir, "cert.pem", &address->certificate, &address->tls.certificate, err) < 0 ||
	    read_pem(dir, "key.pem", &address->key, &address->tls.key, err) < 0)
		return err_wrap(err, "certificates for %s", address->name);
	return 0;
}

/* path: without the slash before it. Docker writes three of them, and one is as good. */
static void use_socket(const char *path, struct address *address)
{
	struct stat st;

	address->url = str_printf("unix:/%s", path);
	address->is_here = true;
	/* One that is not there has nobody; who asks it is told. */
	if (stat(address->url + strlen("unix:"), &st) == 0)
		address->uid = st.st_uid;
}

/* $DOCKER_CERT_PATH; of who only wishes to verify, where Docker's client has its configuration. */
static char *find_certificates(void)
{
	const char *set = environment("DOCKER_CERT_PATH"), *own = environment("DOCKER_CONFIG");
	const char *home = environment("HOME");
	cleanup_free char *dir = NULL, *file = NULL;

	if (set)
		return str_dup(set);
	if (!environment("DOCKER_TLS_VERIFY") || (!own && !home))
		return NULL;
	dir = own ? str_dup(own) : fs_join(home, ".docker");
	file = fs_join(dir, "cert.pem");
	return fs_exists(file) ? take_ptr(dir) : NULL;
}

/* As Docker's own client decides: certificates, or a wish to verify, mean TLS. */
static int use_tcp(const char *host, const char *tls_dir, struct address *address, struct err *err)
{
	cleanup_free char *dir = tls_dir ? str_dup(tls_dir) : find_certificates();
	size_t len = strlen(host), port = strlen(TLS_PORT);
	bool wants_tls = dir || environment("DOCKER_TLS_VERIFY") ||
			 (len > port && strcmp(host + len - port, TLS_PORT) == 0);

	address->url = str_printf("%s://%s", wants_tls ? "https" : "http", host);
	return dir ? read_tls(dir, address, err) : 0;
}

int address_find(const char *url, const char *tls_dir, struct address *ret, struct err *err)
{
	cleanup(address_finish) struct address address = { 0 };
	cleanup_free char *found = NULL;

	if (!url)
		url = environment("DOCKER_HOST");
	if (!url && find_socket(&found, err) < 0)
		return -1;
	url = url ? url : found;
	address.name = str_dup(url);
	if (strncmp(url, "unix:", 5) == 0) {
		use_socket(url + 5 + strspn(url + 5, "/"), &address);
	} else if (strncmp(url, "tcp://", 6) == 0) {
		if (use_tcp(url + 6, tls_dir, &address, err) < 0)
			return -1;
	} else if (strncmp(url, "ssh://", 6) == 0) {
		address.login = str_dup(url + 6);
		address.url = str_dup("http://localhost");
	} else {
		address.url = str_dup(url);
		if (tls_dir && read_tls(tls_dir, &address, err) < 0)
			return -1;
	}
	*ret = address;
	address = (struct address){ 0 };
	return 0;
}
