/* SPDX-License-Identifier: MIT */
/* Images in registries; see oci.h. */
#include "oci.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/http/http.h"
#include "controller/http/url.h"
#include "controller/model/architecture.h"
#include "controller/model/digest.h"
#include "controller/model/json.h"
#include "controller/oci/credentials.h"
#include "controller/oci/manifest.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define TIMEOUT_MS 30000
#define TOKEN_MAX 65536
#define TOKEN_ANSWER_MAX ((size_t)256 * 1024)
#define REDIRECTS_MAX 3
#define CLIENT "berth"

/* A registry, as far as one image is concerned. */
struct registry {
	const struct oci_reference *reference;
	const char *host;
	char *server; /* with its scheme; NULL: not spoken to yet */
	struct http *http;
	struct credentials credentials;
	char *authorization;  /* a header; NULL: none is wanted */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
	unsigned int requests;
};

const char *oci_arch(const char *word)
{
	const char *name = architecture_name(word);

	return name ? name : word;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Every request is counted, and has what is left of the time. */
static int send_request(struct registry *registry, struct http *http, struct http_request *request,
			struct http_response *ret, struct err *err)
{
	uint64_t now = registry->deadline_ns ? now_ns() : 0;

	if (registry->deadline_ns && now + NSEC_PER_MSEC > registry->deadline_ns)
		return err_set(err, ERR_TIMEOUT, "registry %s takes too long",
			       registry->reference->registry);
	request->timeout_ms = TIMEOUT_MS;
	if (registry->deadline_ns)
		request->timeout_ms = (unsigned int)MIN(
			(registry->deadline_ns - now) / NSEC_PER_MSEC, (uint64_t)TIMEOUT_MS);
	registry->requests++;
	return http_send(http, request, ret, err);
}

static void forget_authorization(struct registry *registry)
{
	if (registry->authorization)
		explicit_bzero(registry->authorization, strlen(registry->authorization));
	free(registry->authorization);
	registry->authorization = NULL;
}

static void registry_finish(struct registry *registry)
{
	forget_authorization(registry);
	credentials_finish(&registry->credentials);
	http_close(registry->http);
	free(registry->server);
}
DEFINE_CLEANUP_VALUE(struct registry, registry_finish)

static int open_server(struct registry *registry, const char *scheme, struct err *err)
{
	cleanup_free char *server = str_printf("%s://%s", scheme, registry->host);

	registry->http = http_close(registry->http);
	if (http_open(server, &registry->http, err) < 0)
		return -1;
	free(registry->server);
	registry->server = take_ptr(server);
	return 0;
}

/* On this machine a registry may do without TLS, as Docker has it. */
static bool may_be_plain(const struct registry *registry)
{
	cleanup_free char *plain = str_printf("http://%s/", registry->host);

	return url_is_safe(plain);
}

static int get_once(struct registry *registry, struct http_request *request,
		    struct http_response *ret, struct err *err)
{
	const char *headers[] = { "Accept: " MANIFEST_ACCEPT, registry->authorization, NULL };

	request->headers = headers;
	request->body_max = MANIFEST_MAX;
	return send_request(registry, registry->http, request, ret, err);
}

static int send_first(struct registry *registry, struct http_request *request,
		      struct http_response *ret, struct err *err)
{
	if (registry->server)
		return get_once(registry, request, ret, err);
	if (open_server(registry, "https", err) < 0)
		return -1;
	if (get_once(registry, request, ret, err) == 0)
		return 0;
	if (!may_be_plain(registry) || open_server(registry, "http", err) < 0)
		return -1;
	return get_once(registry, request, ret, err);
}

static char *make_basic(const struct credentials *credentials)
{
	cleanup(buf_wipe) struct buf pair = BUF_INIT(TOKEN_MAX);
	cleanup_free char *encoded = NULL;
	char *header;
	size_t size;

	if (!buf_printf(&pair, "%s:%s", credentials->user, credentials->password))
		return NULL;
	size = TEXT_BASE64_SIZE(buf_len(&pair));
	encoded = alloc_zero(1, size);
	text_base64(buf_span(&pair), encoded, size);
	header = str_printf("Authorization: Basic %s", encoded);
	explicit_bzero(encoded, size);
	return header;
}

static int take_token(struct registry *registry, struct span text, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	const char *token = NULL;

	if (json_parse(text, TOKEN_ANSWER_MAX, &answer, NULL) == 0) {
		token = json_string_value(json_object_get(answer, "token"));
		if (!token)
			token = json_string_value(json_object_get(answer, "access_token"));
	}
	if (!token || strlen(token) > TOKEN_MAX || !url_is_visible(span_of_str(token)))
		return err_set(err, ERR_PROTOCOL, "it gives no token");
	registry->authorization = str_printf("Authorization: Bearer %s", token);
	return 0;
}

static bool add_wishes(struct buf *form, const struct registry *registry,
		       const struct challenge *challenge)
{
	cleanup_free char *scope =
		str_printf("repository:%s:pull", registry->reference->repository);

	return (!challenge->service[0] || url_add_field(form, "service", challenge->service)) &&
	       url_add_field(form, "scope", challenge->scope[0] ? challenge->scope : scope);
}

/* A form with the identity token, or a question with user and password, or as nobody. */
static int ask_token(struct registry *registry, const struct challenge *challenge,
		     struct http_response *ret, struct err *err)
{
	const struct credentials *credentials = &registry->credentials;
	cleanup(buf_wipe) struct buf form = BUF_INIT(TOKEN_MAX);
	cleanup(http_close) struct http *http = NULL;
	cleanup_free char *server = NULL;
	cleanup_free char *path = NULL;
	cleanup_free char *query = NULL;
	cleanup_free char *basic = NULL;
	const char *headers[] = { NULL, NULL };
	struct http_request request = { .body_max = TOKEN_ANSWER_MAX, .may_repeat = true };
	int result;

	url_split(challenge->realm, &server, &path);
	if (!add_wishes(&form, registry, challenge))
		return err_set(err, ERR_LIMIT, "the question for a token is too long");
	if (credentials->identity) {
		if (!url_add_field(&form, "grant_type", "refresh_token") ||
		    !url_add_field(&form, "client_id", CLIENT) ||
		    !url_add_field(&form, "refresh_token", credentials->identity))
			return err_set(err, ERR_LIMIT, "the identity token is too long");
		request.method = "POST";
		request.content_type = URL_FORM_TYPE;
		request.body = buf_span(&form);
		request.path = path;
	} else {
		query = str_printf("%s%c%s", path, strchr(path, '?') ? '&' : '?', buf_str(&form));
		request.path = query;
		basic = credentials->user ? make_basic(credentials) : NULL;
		headers[0] = basic;
		request.headers = headers;
	}
	if (http_open(server, &http, err) < 0)
		return -1;
	result = send_request(registry, http, &request, ret, err);
	if (basic)
		explicit_bzero(basic, strlen(basic));
	return result;
}

static bool has_credentials(const struct registry *registry)
{
	return registry->credentials.user || registry->credentials.identity;
}

static int refuse_login(const struct registry *registry, struct err *err)
{
	const char *name = registry->reference->registry;

	if (has_credentials(registry))
		return err_set(err, ERR_DENIED,
			       "registry %s does not let you see it: is the login right? "
			       "'docker login %s' or 'podman login %s' makes another",
			       name, name, name);
	return err_set(err, ERR_NOT_FOUND,
		       "registry %s has no such image, or shows it only to who logs in: "
		       "'docker login %s' or 'podman login %s'",
		       name, name, name);
}

static int log_in(struct registry *registry, const struct challenge *challenge, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };

	forget_authorization(registry);
	if (credentials_find(registry->reference, &registry->credentials, err) < 0)
		return -1;
	if (challenge->is_basic) {
		if (!registry->credentials.user)
			return refuse_login(registry, err);
		registry->authorization = make_basic(&registry->credentials);
		return 0;
	}
	if (!url_is_safe(challenge->realm))
		return err_set(err, ERR_PROTOCOL,
			       "registry %s sends us for a token to an address that is not https",
			       registry->reference->registry);
	if (ask_token(registry, challenge, &response, err) < 0)
		return err_wrap(err, "a token for registry %s", registry->reference->registry);
	if (response.status == 401 || response.status == 403)
		return refuse_login(registry, err);
	if (response.status != 200) {
		http_refuse(response.status, err);
		return err_wrap(err, "a token for registry %s", registry->reference->registry);
	}
	if (take_token(registry, buf_span(&response.body), err) < 0)
		return err_wrap(err, "a token for registry %s", registry->reference->registry);
	return 0;
}

static int explain(const struct registry *registry, int status, struct err *err)
{
	if (status == 401 || status == 403)
		return refuse_login(registry, err);
	if (status == 404)
		return err_set(err, ERR_NOT_FOUND,
			       "registry %s has no such image: are its name and tag right?",
			       registry->reference->registry);
	http_refuse(status, err);
	return err_wrap(err, "registry %s", registry->reference->registry);
}

/* Where a redirect leads: to the same server, or to another without any of our credentials. */
static int follow(struct registry *registry, const char *location, struct http_response *ret,
		  struct err *err)
{
	cleanup(http_close) struct http *http = NULL;
	cleanup_free char *full =
		str_printf("%s%s", location[0] == '/' ? registry->server : "", location);
	bool is_ours = strncmp(full, registry->server, strlen(registry->server)) == 0 &&
		       full[strlen(registry->server)] == '/';
	const char *const headers[] = { is_ours ? registry->authorization : NULL, NULL };
	struct http_request request = { .headers = headers, .body_max = MANIFEST_MAX };
	cleanup_free char *server = NULL;
	cleanup_free char *path = NULL;

	if (!is_ours && !url_is_safe(full))
		return err_set(err, ERR_PROTOCOL,
			       "registry %s sends us to an address that is not https",
			       registry->reference->registry);
	url_split(full, &server, &path);
	request.path = path;
	if (http_open(server, &http, err) < 0)
		return -1;
	return send_request(registry, http, &request, ret, err);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* kind: "manifests" or "blobs". digest: what it has to have; NULL: any. */
static int get(struct registry *registry, const char *kind, const char *which, const char *digest,
	       struct http_response *ret, struct err *err)
{
	enum { WANT_LOCATION, WANT_CHALLENGE };
	struct http_wanted wanted[] = { { .name = "Location" },
					{ .name = "WWW-Authenticate" },
					{ 0 } };
	cleanup_free char *path =
		str_printf("/v2/%s/%s/%s", registry->reference->repository, kind, which);
	struct http_request request = { .path = path, .wanted = wanted };
	char found[sizeof("sha256:") + DIGEST_HEX_SIZE] = "sha256:";
	struct challenge challenge;

	if (send_first(registry, &request, ret, err) < 0)
		return -1;
	if (ret->status == 401 && challenge_parse(wanted[WANT_CHALLENGE].value, &challenge)) {
		if (log_in(registry, &challenge, err) < 0 ||
		    send_first(registry, &request, ret, err) < 0)
			return -1;
	}
	/* Storage of blobs is often elsewhere. One way there is enough: nobody needs a chain. */
	if (is_redirect(ret->status) && follow(registry, wanted[WANT_LOCATION].value, ret, err) < 0)
		return -1;
	if (ret->status != 200)
		return explain(registry, ret->status, err);
	digest_sha256_hex(buf_span(&ret->body), found + strlen(found));
	if (digest && strcmp(found, digest) != 0)
		return err_set(err, ERR_PROTOCOL,
			       "registry %s gives something else than %s: somebody changed it",
			       registry->reference->registry, digest);
	return 0;
}

static void add_word(struct oci_words *words, const char *word)
{
	words->items = alloc_grow(words->items, words->len + 1, sizeof(*words->items));
	words->items[words->len++] = str_dup(word);
}

int oci_refuse(const struct oci_words *platforms, const char *arch, struct err *err)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(ERR_TEXT_MAX);

	for (size_t i = 0; i < platforms->len; i++) {
		if (!buf_printf(&list, "%s%s", i ? ", " : "", platforms->items[i]))
			break;
	}
	return err_set(err, ERR_UNSUPPORTED, "there is no linux/%s of it: it is for %s", arch,
		       buf_str(&list));
}

/* The machine that asks, where the image has something for it. */
static const struct manifest_platform *choose_any(const struct manifest *index)
{
	const char *here = architecture_here();
	const struct manifest_platform *found = here ? manifest_find(index, here) : NULL;

	return found ? found : &index->platforms[0];
}

/* The manifest of an image for one machine. 1: there is none. */
static int choose(struct registry *registry, const char *arch, struct manifest *manifest,
		  struct oci_image *image, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup(manifest_finish) struct manifest index = { 0 };
	const struct manifest_platform *found;

	index = *manifest;
	*manifest = (struct manifest){ 0 };
	for (size_t i = 0; i < index.platforms_len; i++)
		add_word(&image->platforms, index.platforms[i].name);
	found = arch ? manifest_find(&index, arch) : choose_any(&index);
	if (!found)
		return 1;
	if (get(registry, "manifests", found->digest, found->digest, &response, err) < 0 ||
	    manifest_parse(buf_span(&response.body), manifest, err) < 0)
		return -1;
	if (manifest->is_index)
		return err_set(err, ERR_UNSUPPORTED, "an index of indices");
	free(image->digest);
	image->digest = str_dup(found->digest);
	return 0;
}

static bool is_for(const struct oci_image *image, const char *arch)
{
	cleanup_free char *plain = str_printf("linux/%s", arch);
	size_t len = strlen(plain);

	return strncmp(image->platform, plain, len) == 0 &&
	       (image->platform[len] == '\0' || image->platform[len] == '/');
}

/* 1: it is not for this architecture, and image->platforms tells for which it is. */
static int inspect(struct registry *registry, const char *arch, struct oci_image *image,
		   struct err *err)
{
	const struct oci_reference *reference = registry->reference;
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup(http_response_finish) struct http_response config = { 0 };
	cleanup(manifest_finish) struct manifest manifest = { 0 };
	char digest[DIGEST_HEX_SIZE];

	if (get(registry, "manifests", oci_reference_which(reference),
		reference->digest[0] ? reference->digest : NULL, &response, err) < 0 ||
	    manifest_parse(buf_span(&response.body), &manifest, err) < 0)
		return -1;
	digest_sha256_hex(buf_span(&response.body), digest);
	image->digest = str_printf("sha256:%s", digest);
	if (manifest.is_index) {
		int chosen = choose(registry, arch, &manifest, image, err);

		if (chosen != 0)
			return chosen;
	}
	if (get(registry, "blobs", manifest.config, manifest.config, &config, err) < 0 ||
	    manifest_parse_config(buf_span(&config.body), image, err) < 0)
		return -1;
	if (image->platforms.len == 0)
		add_word(&image->platforms, image->platform);
	return arch && !is_for(image, arch) ? 1 : 0;
}

static int ask(const char *text, const char *arch, unsigned int limit_ms, struct oci_image *ret,
	       struct err *err)
{
	cleanup(oci_reference_finish) struct oci_reference parsed = { 0 };
	cleanup(oci_image_finish) struct oci_image image = { 0 };
	cleanup(registry_finish) struct registry registry = { .reference = &parsed };
	int result;

	if (oci_reference_parse(text, &parsed, err) < 0)
		return -1;
	registry.host = oci_reference_host(&parsed);
	registry.deadline_ns = limit_ms ? now_ns() + (uint64_t)limit_ms * NSEC_PER_MSEC : 0;
	image.name = oci_reference_text(&parsed);
	result = inspect(&registry, arch, &image, err);
	log_info("image %s: %u requests to its registry", image.name, registry.requests);
	if (result < 0)
		return err_wrap(err, "image '%s'", image.name);
	*ret = image;
	image = (struct oci_image){ 0 };
	return result;
}

int oci_ask(const struct oci_question *question, struct oci_image *ret, struct err *err)
{
	return ask(question->reference, oci_arch(question->arch), question->limit_ms, ret, err);
}

int oci_inspect(const char *reference, const char *arch, struct oci_image *ret, struct err *err)
{
	cleanup(oci_image_finish) struct oci_image image = { 0 };
	const char *name = arch ? oci_arch(arch) : NULL;
	int result = ask(reference, name, 0, &image, err);

	if (result < 0)
		return -1;
	if (result == 1) {
		oci_refuse(&image.platforms, name, err);
		return err_wrap(err, "image '%s'", image.name);
	}
	*ret = image;
	image = (struct oci_image){ 0 };
	return 0;
}
