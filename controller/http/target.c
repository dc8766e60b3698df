/* SPDX-License-Identifier: MIT */
/* Where a server is, and how it is trusted; see http.h. */
#include <string.h>
#include <sys/socket.h>

#include "controller/http/internal.h"
#include "init/base/alloc.h"

static struct span copy_text(struct span text)
{
	uint8_t *copy = text.len ? alloc_zero(1, text.len) : NULL;

	if (copy)
		memcpy(copy, text.ptr, text.len);
	return span_of(copy, text.len);
}

/* A proxy for SOCKS is told names, as it is by Go: it may know those that we do not. */
static char *proxy_url(const char *url)
{
	static const char scheme[] = "socks5://";

	if (strncmp(url, scheme, strlen(scheme)) == 0)
		return str_printf("socks5h://%s", url + strlen(scheme));
	return str_dup(url);
}

/* https://HOST:PORT becomes https://NAME:PORT, which is found at HOST:PORT. */
static void rename_server(struct http *http, const char *name)
{
	static const char scheme[] = "https://";
	const char *place = http->base + strlen(scheme), *path = strchrnul(place, '/');
	cleanup_free char *host = str_dup_len(place, (size_t)(path - place));
	const char *bracket = strrchr(host, ']'), *colon = strchr(bracket ? bracket : host, ':');
	const char *port = colon ? colon + 1 : "443";
	cleanup_free char *to = str_printf(
		"::%.*s:%s", colon ? (int)(colon - host) : (int)strlen(host), host, port);
	cleanup_free char *base = str_printf("%s%s:%s%s", scheme, name, port, path);

	http->host = str_printf("Host: %s", host);
	http->connect_to = http->curl->slist_append(NULL, to);
	free(http->base);
	http->base = take_ptr(base);
}

int http_open_tls(const char *url, const struct http_tls *tls, struct http **ret, struct err *err)
{
	struct http *http;

	if (http_open(url, &http, err) < 0)
		return -1;
	http->tls = *tls;
	http->tls.authorities = copy_text(tls->authorities);
	http->tls.certificate = copy_text(tls->certificate);
	http->tls.key = copy_text(tls->key);
	http->proxy = tls->proxy ? proxy_url(tls->proxy) : NULL;
	if (tls->server_name && strncmp(http->base, "https:", 6) == 0)
		rename_server(http, tls->server_name);
	*ret = http;
	return 0;
}

static void set_blob(const struct http *http, CURL *easy, CURLoption option, struct span text)
{
	struct curl_blob blob = { .data = (void *)(uintptr_t)text.ptr,
				  .len = text.len,
				  .flags = CURL_BLOB_NOCOPY };

	if (text.len > 0)
		http->curl->easy_setopt(easy, option, &blob);
}

static curl_socket_t dial(void *opaque, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)purpose;
	if (!http_dial(opaque))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void http_set_target(const struct http *http, CURL *easy)
{
	__typeof__(curl_easy_setopt) *set = http->curl->easy_setopt;

	set(easy, CURLOPT_NOSIGNAL, 1L);
	set(easy, CURLOPT_NOPROGRESS, 1L);
	set(easy, CURLOPT_TCP_KEEPALIVE, http->program ? 0L : 1L);
	if (http->socket) {
		set(easy, CURLOPT_UNIX_SOCKET_PATH, http->socket);
		set(easy, CURLOPT_PROXY, "");
	}
	if (http->program) {
		set(easy, CURLOPT_OPENSOCKETFUNCTION, dial);
		set(easy, CURLOPT_OPENSOCKETDATA, http);
		set(easy, CURLOPT_ABSTRACT_UNIX_SOCKET, http->listening);
		set(easy, CURLOPT_PROXY, "");
	}
	if (http->proxy) {
		set(easy, CURLOPT_PROXY, http->proxy);
		set(easy, CURLOPT_NOPROXY, "");
	}
	if (http->connect_to)
		set(easy, CURLOPT_CONNECT_TO, http->connect_to);
	set_blob(http, easy, CURLOPT_CAINFO_BLOB, http->tls.authorities);
	set_blob(http, easy, CURLOPT_SSLCERT_BLOB, http->tls.certificate);
	set_blob(http, easy, CURLOPT_SSLKEY_BLOB, http->tls.key);
	if (http->tls.is_unchecked) {
		set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}
