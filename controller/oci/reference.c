/* SPDX-License-Identifier: MIT */
/* Names of images in registries; see reference.h. */
#include "reference.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

#define DEFAULT_REGISTRY "docker.io"
#define DEFAULT_HOST "registry-1.docker.io"
#define DEFAULT_TAG "latest"
#define DIGEST_PREFIX "sha256:"
#define DIGEST_DIGITS 64
#define TAG_MAX 128
#define REPOSITORY_MAX 255
#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *const default_names[] = { DEFAULT_REGISTRY, "index.docker.io", DEFAULT_HOST };

/* What names no registry, and what is meant by it. */
static const struct {
	const char *begin;
	const char *what;
} elsewhere[] = {
	{ "/", "a file" },
	{ "./", "a file" },
	{ "../", "a file" },
	{ "~", "a file" },
	{ "oci:", "a folder" },
	{ "oci-archive:", "an archive" },
	{ "docker-archive:", "an archive" },
	{ "dir:", "a folder" },
	{ "docker-daemon:", "of a daemon here" },
	{ "dockerd://", "of a daemon here" },
	{ "podman://", "of podman here" },
	{ "containers-storage:", "of podman here" },
	{ "library://", "of a library of Singularity" },
	{ "shub://", "of a library of Singularity" },
	{ "oras://", "a file in a registry" },
};

void oci_reference_finish(struct oci_reference *reference)
{
	free(reference->registry);
	free(reference->repository);
	free(reference->tag);
	*reference = (struct oci_reference){ 0 };
}

bool oci_digest_is_valid(const char *text)
{
	return strncmp(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0 &&
	       strlen(text) == strlen(DIGEST_PREFIX) + DIGEST_DIGITS &&
	       strspn(text + strlen(DIGEST_PREFIX), DIGITS "abcdef") == DIGEST_DIGITS;
}

bool oci_registry_is_default(const char *registry)
{
	for (size_t i = 0; i < ARRAY_LEN(default_names); i++) {
		if (strcmp(registry, default_names[i]) == 0)
			return true;
	}
	return false;
}

/* A host, an address, or an IPv6 address in brackets; then perhaps a port. */
static bool is_registry(const char *text)
{
	size_t len = text[0] == '[' ? strspn(text + 1, DIGITS "abcdefABCDEF:.") + 2
				    : strspn(text, DIGITS LOWER UPPER ".-_");

	if (strlen(text) > 255 || strlen(text) < len || len == 0 || strchr(".-", text[0]) ||
	    (text[0] == '[' && text[len - 1] != ']'))
		return false;
	if (text[len] == '\0')
		return true;
	return text[len] == ':' && text[len + 1] && strlen(text + len + 1) <= 5 &&
	       strspn(text + len + 1, DIGITS) == strlen(text + len + 1);
}

/* Docker's own rule: otherwise it is the first folder of a name in the default registry. */
static bool looks_like_registry(const char *text, size_t len)
{
	if (len == strlen("localhost") && strncmp(text, "localhost", len) == 0)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' || text[i] == ':' || isupper((unsigned char)text[i]))
			return true;
	}
	return false;
}

/* Parts of lower-case letters and digits, joined by '.', '_', "__" or dashes. */
static bool is_component(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t word = strspn(text + i, LOWER DIGITS), dashes;

		if (word == 0)
			return false;
		i += word;
		if (i >= len)
			return i == len;
		dashes = strspn(text + i, "-");
		if (dashes > 0)
			i += dashes;
		else if (text[i] == '_')
			i += strncmp(text + i, "__", 2) == 0 ? 2 : 1;
		else if (text[i] == '.')
			i++;
		else
			return false;
	}
	return false;
}

static bool is_repository(const char *text)
{
	if (strlen(text) > REPOSITORY_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(text, "/");

		if (!is_component(text, len))
			return false;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

static bool is_tag(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= TAG_MAX && !strchr(".-", text[0]) &&
	       strspn(text, LOWER UPPER DIGITS "_.-") == len;
}

/* Cuts at the separator; NULL when it is not there. */
static char *cut(char *text, char separator)
{
	char *at = strrchr(text, separator);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

/* Splits the name into registry and repository, as Docker and enroot do. */
static void split_name(char *name, struct oci_reference *ret)
{
	char *repository = strchr(name, '#');
	size_t len = strcspn(name, "/");

	if (repository) {
		*repository++ = '\0';
	} else if (name[len] == '/' && looks_like_registry(name, len)) {
		name[len] = '\0';
		repository = name + len + 1;
	} else {
		repository = name;
		name = NULL;
	}
	ret->registry = str_dup(!name || oci_registry_is_default(name) ? DEFAULT_REGISTRY : name);
	ret->repository =
		str_printf("%s%s",
			   strcmp(ret->registry, DEFAULT_REGISTRY) == 0 && !strchr(repository, '/')
				   ? "library/"
				   : "",
			   repository);
}

static int parse_parts(char *name, struct oci_reference *ret, struct err *err)
{
	char *digest = cut(name, '@');
	char *tag = strrchr(name, ':');

	/* A colon before a slash is that of a port. */
	tag = tag && !strpbrk(tag, "/#") ? cut(name, ':') : NULL;
	if (digest && !oci_digest_is_valid(digest))
		return err_set(err, ERR_INVALID,
			       "'%.80s' is no digest: write sha256: and 64 digits", digest);
	if (tag && !is_tag(tag))
		return err_set(err, ERR_INVALID, "'%.80s' is no tag", tag);
	split_name(name, ret);
	/* enroot's form could name one that reads as a folder everywhere else. */
	if (!is_registry(ret->registry) ||
	    !looks_like_registry(ret->registry, strlen(ret->registry)))
		return err_set(err, ERR_INVALID, "'%.80s' is no registry", ret->registry);
	if (!is_repository(ret->repository))
		return err_set(err, ERR_INVALID,
			       "'%.80s' is no name of an image: it has lower-case letters, digits, "
			       "and between them . _ - or /",
			       ret->repository);
	if (digest)
		snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
	ret->tag = tag ? str_dup(tag) : digest ? NULL : str_dup(DEFAULT_TAG);
	return 0;
}

static int check(const char *text, struct err *err)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			return err_set(err, ERR_INVALID, "spaces or odd characters in it");
	}
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		if (strncmp(text, elsewhere[i].begin, strlen(elsewhere[i].begin)) == 0)
			return err_set(err, ERR_UNSUPPORTED, "it is %s, not an image in a registry",
				       elsewhere[i].what);
	}
	if (!text[0] || strlen(text) > OCI_REFERENCE_MAX)
		return err_set(err, ERR_INVALID, "empty, or longer than %d characters",
			       OCI_REFERENCE_MAX);
	return 0;
}

int oci_reference_parse(const char *text, struct oci_reference *ret, struct err *err)
{
	cleanup(oci_reference_finish) struct oci_reference found = { 0 };
	cleanup_free char *name = NULL;
	cleanup_free char *shown = str_dup(text);

	text_make_printable(shown);
	if (strncmp(text, "docker://", strlen("docker://")) == 0)
		text += strlen("docker://");
	name = str_dup(text);
	if (check(name, err) < 0 || parse_parts(name, &found, err) < 0)
		return err_wrap(err, "image '%.120s'", shown);
	*ret = found;
	found = (struct oci_reference){ 0 };
	return 0;
}

char *oci_reference_text(const struct oci_reference *reference)
{
	return str_printf("%s/%s%s%s%s%s", reference->registry, reference->repository,
			  reference->tag ? ":" : "", reference->tag ? reference->tag : "",
			  reference->digest[0] ? "@" : "", reference->digest);
}

const char *oci_reference_which(const struct oci_reference *reference)
{
	return reference->digest[0] ? reference->digest : reference->tag;
}

const char *oci_reference_host(const struct oci_reference *reference)
{
	return oci_registry_is_default(reference->registry) ? DEFAULT_HOST : reference->registry;
}
