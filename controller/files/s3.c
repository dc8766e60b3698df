/* SPDX-License-Identifier: MIT */
/* Large files to and from an S3 store; see s3.h. */
#include "s3.h"

#include <errno.h>
#include <inttypes.h>
#include <md5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/http/http.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define ROUNDS 4
#define TIMEOUT_MS (12 * 3600 * 1000U)
#define STALL_MS 60000
#define ANSWER_MAX (1024 * 1024)
#define COMPLETE_MAX (2 * 1024 * 1024)
#define WORD_SIZE 120

/* "http://host:9000/bucket/key?..." is a server and a path. */
struct address {
	char *base;
	const char *path; /* in the URL */
};

static void address_finish(struct address *address)
{
	free(address->base);
}
DEFINE_CLEANUP_VALUE(struct address, address_finish)

static int split_url(const char *url, struct address *ret, struct err *err)
{
	const char *host = strstr(url, "://"), *slash = host ? strchr(host + 3, '/') : NULL;

	if (!slash)
		return err_set(err, ERR_PROTOCOL, "'%.60s' is no URL of a store", url);
	ret->base = str_dup_len(url, (size_t)(slash - url));
	ret->path = slash;
	if (!http_url_is_valid(ret->base))
		return err_set(err, ERR_PROTOCOL, "'%.60s' is no URL of a store", ret->base);
	return 0;
}

/* What is between <name> and </name>, without what a terminal would act on. */
static void find_text(struct span body, const char *name, char out[WORD_SIZE])
{
	cleanup_free char *text = str_dup_len(body.len ? (const char *)body.ptr : "", body.len);
	cleanup_free char *tag = str_printf("<%s>", name);
	const char *at = strstr(text, tag);

	out[0] = '\0';
	if (!at)
		return;
	at += strlen(tag);
	snprintf(out, WORD_SIZE, "%.*s", (int)MIN(strcspn(at, "<"), (size_t)WORD_SIZE - 1), at);
	text_make_printable(out);
}

int s3_explain(int status, struct span body, struct err *err)
{
	char code[WORD_SIZE], message[WORD_SIZE];
	enum err_kind kind = err_kind_from_http(status);

	find_text(body, "Code", code);
	find_text(body, "Message", message);
	if (status < 400)
		kind = ERR_UNAVAILABLE;
	if (!code[0])
		return err_set(err, kind, "the store answered %d", status);
	return err_set(err, kind, "the store answered %d: %s%s%s", status, code,
		       strcmp(code, message) != 0 && message[0] ? ": " : "",
		       strcmp(code, message) != 0 ? message : "");
}

/* As S3, MinIO and Ceph say it. */
static bool is_expired(int status, struct span body)
{
	char text[WORD_SIZE];

	if (status != 403 && status != 400 && status != 401)
		return false;
	find_text(body, "Message", text);
	if (strcasestr(text, "expired"))
		return true;
	find_text(body, "Code", text);
	return strcmp(text, "ExpiredToken") == 0 || strcmp(text, "RequestTimeTooSkewed") == 0;
}

/* Uploads */

/* A part on its way. */
struct sending {
	struct s3_part *part;
	struct http_source source;
	struct http_wanted wanted[2]; /* ETag */
	MD5_CTX hash;
	struct uploading *uploading;
	uint64_t sent;
};

struct uploading {
	struct s3_upload *upload;
	struct sending sendings[S3_PARALLEL];
	size_t len;
	uint64_t done; /* bytes of parts that have arrived */
};

static void on_sent(void *owner, uint64_t at, struct span bytes)
{
	struct sending *s = owner;
	const struct s3_progress *progress = s->uploading->upload->progress;
	uint64_t moved = s->uploading->done;

	if (at == 0)
		MD5Init(&s->hash);
	MD5Update(&s->hash, bytes.ptr, bytes.len);
	s->sent = at + bytes.len;
	for (size_t i = 0; i < s->uploading->len; i++)
		moved += s->uploading->sendings[i].sent;
	if (progress && progress->moved)
		progress->moved(progress->user, moved);
}

/* Quotes around it are part of the header; what else it may be goes into XML. */
static bool is_plain_etag(const char *etag)
{
	return etag[0] && etag[strspn(etag, "\"0123456789abcdefABCDEFghijklmnopqrstuvwxyz"
					    "GHIJKLMNOPQRSTUVWXYZ-_+/=")] == '\0';
}

static bool is_md5_of(const char *etag, MD5_CTX *hash)
{
	uint8_t digest[MD5_DIGEST_LENGTH];
	char text[2 * MD5_DIGEST_LENGTH + 1];

	MD5Final(digest, hash);
	text_hex(span_of(digest, sizeof(digest)), text, sizeof(text));
	etag += strspn(etag, "\"");
	return strncasecmp(etag, text, strlen(text)) == 0 &&
	       etag[strlen(text) + strspn(etag + strlen(text), "\"")] == '\0';
}

/* 0: it arrived; 1: too old; -1: why not. An ETag of other bytes counts once there is no better. */
static int judge(struct sending *s, const struct http_response *response, bool is_last_round,
		 struct err *err)
{
	const char *etag = s->wanted[0].value;

	if (is_expired(response->status, buf_span(&response->body)))
		return 1;
	if (response->status != 200)
		return s3_explain(response->status, buf_span(&response->body), err);
	if (!is_plain_etag(etag) || strlen(etag) >= S3_ETAG_SIZE)
		return err_set(err, ERR_PROTOCOL, "the store gave a part no ETag");
	if (s->sent != s->part->len)
		return err_set(err, ERR_PROTOCOL, "the store took only a part of a part");
	if (!is_md5_of(etag, &s->hash)) {
		if (!is_last_round)
			return err_set(err, ERR_PROTOCOL, "the store got something else");
		s->uploading->upload->is_unproven = true;
	}
	snprintf(s->part->etag, sizeof(s->part->etag), "%s", etag);
	s->uploading->done += s->part->len;
	return 0;
}

static void prepare(struct uploading *u, struct sending *s, struct s3_part *part)
{
	*s = (struct sending){ .part = part, .uploading = u };
	s->wanted[0].name = "ETag";
	s->source = (struct http_source){ .fd = u->upload->fd,
					  .offset = part->offset,
					  .len = part->len,
					  .sent = on_sent,
					  .owner = s };
	MD5Init(&s->hash);
}

/* Those of the next parts that are on one server. 0: judged all; 1: too old. */
static int send_some(struct uploading *u, const char *base, bool is_last_round, struct err *err)
{
	struct http_request requests[S3_PARALLEL] = { 0 };
	struct http_response responses[S3_PARALLEL] = { 0 };
	struct err errs[S3_PARALLEL] = { 0 };
	cleanup(http_close) struct http *http = NULL;
	int result = 0;

	if (http_open(base, &http, err) < 0)
		return -1;
	for (size_t i = 0; i < u->len; i++)
		requests[i] =
			(struct http_request){ .method = "PUT",
					       .path = u->sendings[i].part->url + strlen(base),
					       .source = &u->sendings[i].source,
					       .wanted = u->sendings[i].wanted,
					       .timeout_ms = TIMEOUT_MS,
					       .stall_ms = STALL_MS,
					       .body_max = ANSWER_MAX };
	/* Each says how it went. */
	(void)!http_send_many(http, requests, u->len, responses, errs);
	for (size_t i = 0; i < u->len; i++) {
		int judged = errs[i].kind != ERR_NONE
				     ? err_set(err, errs[i].kind, "%s", errs[i].text)
				     : judge(&u->sendings[i], &responses[i], is_last_round, err);

		u->sendings[i].sent = 0;
		if (judged != 0 && result <= 0)
			result = judged;
		http_response_finish(&responses[i]);
	}
	u->len = 0;
	return result;
}

/* All parts that have not arrived. */
static int send_round(struct uploading *u, bool is_last_round, struct err *err)
{
	struct s3_upload *upload = u->upload;
	int result = 0;

	for (size_t i = 0; i < upload->len && result <= 0;) {
		cleanup(address_finish) struct address first = { 0 };

		for (u->len = 0; i < upload->len && u->len < S3_PARALLEL; i++) {
			struct s3_part *part = &upload->parts[i];

			if (part->etag[0])
				continue;
			if (!first.base && split_url(part->url, &first, err) < 0)
				return -1;
			/* Another server has a turn of its own. */
			if (strncmp(part->url, first.base, strlen(first.base)) != 0 ||
			    part->url[strlen(first.base)] != '/')
				break;
			prepare(u, &u->sendings[u->len++], part);
		}
		if (u->len > 0) {
			int sent = send_some(u, first.base, is_last_round, err);

			result = sent != 0 ? sent : result;
		}
	}
	return result;
}

int s3_format_parts(const struct s3_part *parts, size_t len, struct buf *ret, struct err *err)
{
	bool ok = buf_printf(ret, "<CompleteMultipartUpload "
				  "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");

	for (size_t i = 0; ok && i < len; i++) {
		if (!is_plain_etag(parts[i].etag))
			return err_set(err, ERR_PROTOCOL, "part %zu has no ETag", i + 1);
		ok = buf_printf(ret, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>",
				i + 1, parts[i].etag);
	}
	return ok && buf_printf(ret, "</CompleteMultipartUpload>")
		       ? 0
		       : err_set(err, ERR_LIMIT, "more parts than a store takes");
}

/* A store that takes long begins to answer 200, and says only then that it failed. */
static int complete(const struct s3_upload *upload, struct err *err)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(COMPLETE_MAX);
	cleanup(address_finish) struct address address = { 0 };
	cleanup(http_close) struct http *http = NULL;
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct http_request request = { .method = "POST",
					.content_type = "application/xml",
					.timeout_ms = TIMEOUT_MS,
					.body_max = ANSWER_MAX };
	struct span body;

	if (split_url(upload->complete_url, &address, err) < 0 ||
	    http_open(address.base, &http, err) < 0 ||
	    s3_format_parts(upload->parts, upload->len, &list, err) < 0)
		return -1;
	request.path = address.path;
	request.body = buf_span(&list);
	if (http_send(http, &request, &response, err) < 0)
		return -1;
	body = buf_span(&response.body);
	if (is_expired(response.status, body))
		return 1;
	if (response.status != 200 || (body.len > 0 && memmem(body.ptr, body.len, "<Error", 6)))
		return s3_explain(response.status, body, err);
	return 0;
}

int s3_upload(struct s3_upload *upload, struct err *err)
{
	cleanup_free struct uploading *u = new_zero(struct uploading);
	int result = -1;

	u->upload = upload;
	for (size_t i = 0; i < upload->len; i++)
		u->done += upload->parts[i].etag[0] ? upload->parts[i].len : 0;
	for (int round = 1; result < 0 && round <= ROUNDS; round++)
		result = send_round(u, round == ROUNDS, err);
	if (result != 0)
		return result;
	result = -1;
	for (int round = 1; result < 0 && round <= ROUNDS; round++) {
		struct err why = { 0 };

		result = complete(upload, &why);
		if (result < 0)
			err_set(err, why.kind, "%s", why.text);
		/* What the store refuses it refuses again. */
		if (result < 0 && why.kind != ERR_UNAVAILABLE && why.kind != ERR_SYSTEM)
			break;
	}
	return result;
}

/* Downloads */

struct range {
	struct s3_download *download;
	struct range *all; /* S3_PARALLEL of them */
	uint64_t offset, len, got;
	char header[64]; /* Range: bytes=0-99 */
	const char *headers[2];
};

static int write_at(int fd, struct span bytes, uint64_t offset, struct err *err)
{
	while (bytes.len > 0) {
		ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "write");
		(void)span_cut(&bytes, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

static int on_received(void *owner, struct span bytes, struct err *err)
{
	struct range *r = owner;
	struct s3_download *d = r->download;
	uint64_t moved = d->done;

	if (bytes.len > r->len - r->got)
		return err_set(err, ERR_PROTOCOL, "the store sends more than was asked for");
	if (write_at(d->fd, bytes, r->offset + r->got, err) < 0)
		return -1;
	r->got += bytes.len;
	for (size_t i = 0; i < S3_PARALLEL; i++)
		moved += r->all[i].got;
	if (d->progress && d->progress->moved)
		d->progress->moved(d->progress->user, moved);
	return 0;
}

/* 0: it is there; 1: too old; -1: it is not. */
static int judge_range(struct range *r, const struct http_response *response, struct err *err)
{
	bool is_whole = r->offset == 0 && r->len == r->download->size;

	if (is_expired(response->status, buf_span(&response->body)))
		return 1;
	if (response->status >= 300)
		return s3_explain(response->status, buf_span(&response->body), err);
	if (response->status != 206 && !(response->status == 200 && is_whole))
		return err_set(err, ERR_PROTOCOL, "the store does not send parts of a file");
	if (r->got != r->len)
		return err_set(err, ERR_PROTOCOL, "the store sent %" PRIu64 " bytes of %" PRIu64,
			       r->got, r->len);
	return 0;
}

/* Prepares what is behind `done` and is not there yet; how many ranges that is. */
static size_t cut_ranges(struct s3_download *d, struct range ranges[S3_PARALLEL])
{
	uint64_t offset = d->done;
	size_t len = 0;

	memset(ranges, 0, S3_PARALLEL * sizeof(*ranges));
	for (; offset < d->size && len < S3_PARALLEL; len++) {
		struct range *r = &ranges[len];

		r->download = d;
		r->all = ranges;
		r->offset = offset;
		r->len = MIN(d->size - offset, S3_RANGE);
		offset += r->len;
	}
	return len;
}

/* Those that are not complete, from their beginnings on. */
static int fetch(struct http *http, const char *path, struct range *ranges, size_t len,
		 struct err *err)
{
	struct http_request requests[S3_PARALLEL] = { 0 };
	struct http_response responses[S3_PARALLEL] = { 0 };
	struct err errs[S3_PARALLEL] = { 0 };
	size_t which[S3_PARALLEL], wanted = 0;
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		struct range *r = &ranges[i];

		if (r->got == r->len)
			continue;
		r->got = 0;
		snprintf(r->header, sizeof(r->header), "Range: bytes=%" PRIu64 "-%" PRIu64,
			 r->offset, r->offset + r->len - 1);
		r->headers[0] = r->header;
		which[wanted] = i;
		requests[wanted++] = (struct http_request){ .path = path,
							    .headers = r->headers,
							    .received = on_received,
							    .owner = r,
							    .timeout_ms = TIMEOUT_MS,
							    .stall_ms = STALL_MS,
							    .body_max = ANSWER_MAX };
	}
	(void)!http_send_many(http, requests, wanted, responses, errs);
	for (size_t i = 0; i < wanted; i++) {
		int judged = errs[i].kind != ERR_NONE
				     ? err_set(err, errs[i].kind, "%s", errs[i].text)
				     : judge_range(&ranges[which[i]], &responses[i], err);

		if (judged != 0)
			ranges[which[i]].got = 0;
		if (judged != 0 && result <= 0)
			result = judged;
		http_response_finish(&responses[i]);
	}
	return result;
}

int s3_download(struct s3_download *d, struct err *err)
{
	cleanup(address_finish) struct address address = { 0 };
	cleanup(http_close) struct http *http = NULL;
	struct range ranges[S3_PARALLEL];

	if (split_url(d->url, &address, err) < 0 || http_open(address.base, &http, err) < 0)
		return -1;
	while (d->done < d->size) {
		size_t len = cut_ranges(d, ranges);
		int result = -1;

		for (int round = 1; result < 0 && round <= ROUNDS; round++)
			result = fetch(http, address.path, ranges, len, err);
		for (size_t i = 0; i < len && ranges[i].got == ranges[i].len; i++)
			d->done += ranges[i].len;
		if (result != 0)
			return result;
	}
	return 0;
}
