/* SPDX-License-Identifier: MIT */
/* Large files to and from an S3 store; see s3.h. */
#include "s3.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "controller/files/s3_internal.h"
#include "controller/files/sum.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define COMPLETE_MAX (2 * 1024 * 1024)
#define WORD_SIZE 120

void s3_address_finish(struct s3_address *address)
{
	free(address->base);
}

int s3_split_url(const char *url, struct s3_address *ret, struct err *err)
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

bool s3_has_code(const struct http_response *response, const char *code)
{
	char text[WORD_SIZE];

	find_text(buf_span(&response->body), "Code", text);
	return strcmp(text, code) == 0;
}

/* As S3, MinIO and Ceph say it. */
bool s3_is_stale(const struct http_response *response)
{
	char text[WORD_SIZE];

	if (response->status == 404)
		return s3_has_code(response, "NoSuchUpload");
	if (response->status != 403 && response->status != 400 && response->status != 401)
		return false;
	find_text(buf_span(&response->body), "Message", text);
	return strcasestr(text, "expired") || s3_has_code(response, "ExpiredToken") ||
	       s3_has_code(response, "RequestTimeTooSkewed");
}

/* Uploads */

struct uploading;

/* A part on its way. */
struct sending {
	struct uploading *uploading;
	struct s3_part *part;
	struct http_source source;
	struct http_wanted wanted[2]; /* ETag */
	uint64_t sent;
	/* Its sum is made meanwhile, which takes longer than sending it on a fast network. */
	pthread_t hasher;
	bool has_hasher;
	struct sum sum; /* of what is no descriptor, which cannot be read twice */
	char md5[SUM_TEXT_SIZE];
	struct err hash_why;
	int judged; /* 0: it arrived; 1: the URL is of no use; -1: not, and why */
	struct err why;
};

struct uploading {
	struct s3_upload *upload;
	struct sending sendings[S3_TOGETHER];
	size_t len;
	bool is_last_round;
	uint64_t done; /* bytes of parts that have arrived */
	size_t proven; /* parts whose ETag is their MD5 */
};

static void *hash_part(void *opaque)
{
	struct sending *s = opaque;

	if (sum_file(s->source.fd, SUM_MD5, s->part->offset, s->part->len, s->md5, &s->hash_why) <
	    0)
		s->md5[0] = '\0';
	return NULL;
}

static void on_sent(void *owner, uint64_t at, struct span bytes)
{
	struct sending *s = owner;
	const struct s3_watch *watch = &s->uploading->upload->watch;
	uint64_t moved = s->uploading->done;

	if (s->source.read) {
		if (at == 0)
			sum_begin(&s->sum, SUM_MD5);
		sum_add(&s->sum, bytes);
	} else if (at == 0 && !s->has_hasher)
		s->has_hasher = pthread_create(&s->hasher, NULL, hash_part, s) == 0;
	s->sent = at + bytes.len;
	for (size_t i = 0; i < s->uploading->len; i++)
		moved += s->uploading->sendings[i].sent;
	if (watch->moved)
		watch->moved(watch->user, moved);
}

/* What it should be by now. */
static int take_md5(struct sending *s, struct err *err)
{
	if (s->has_hasher)
		pthread_join(s->hasher, NULL);
	else if (s->source.read)
		sum_end(&s->sum, s->md5);
	else if (!s->md5[0])
		hash_part(s);
	s->has_hasher = false;
	return s->md5[0] ? 0 : err_set(err, s->hash_why.kind, "%s", s->hash_why.text);
}

/* Quotes around it are part of the header; what else it may be goes into XML. */
static bool is_plain_etag(const char *etag)
{
	return etag[0] && etag[strspn(etag, "\"0123456789abcdefABCDEFghijklmnopqrstuvwxyz"
					    "GHIJKLMNOPQRSTUVWXYZ-_+/=")] == '\0';
}

bool s3_etag_is(const char *etag, const char *md5)
{
	etag += strspn(etag, "\"");
	return strncasecmp(etag, md5, strlen(md5)) == 0 &&
	       etag[strlen(md5) + strspn(etag + strlen(md5), "\"")] == '\0';
}

/* An ETag of other bytes counts once there is no better. */
static int judge(struct sending *s, const struct http_response *response, struct err *err)
{
	struct uploading *u = s->uploading;
	const char *etag = s->wanted[0].value;

	if (s3_is_stale(response))
		return 1;
	if (response->status != 200)
		return s3_explain(response->status, buf_span(&response->body), err);
	if (!is_plain_etag(etag) || strlen(etag) >= S3_ETAG_SIZE)
		return err_set(err, ERR_PROTOCOL, "the store gave a part no ETag");
	if (s->sent != s->part->len)
		return err_set(err, ERR_PROTOCOL, "the store took only a part of a part");
	if (take_md5(s, err) < 0)
		return -1;
	u->proven += s3_etag_is(etag, s->md5);
	if (!s3_etag_is(etag, s->md5)) {
		snprintf(s->part->other, sizeof(s->part->other), "%s", etag);
		if (!u->is_last_round)
			return err_set(err, ERR_PROTOCOL, "the store got something else");
		u->upload->is_unproven = true;
	}
	snprintf(s->part->etag, sizeof(s->part->etag), "%s", etag);
	u->done += s->part->len;
	s->sent = 0;
	return 0;
}

/* The others are not sent when their URLs will be too old as well. */
static bool on_answered(void *owner, const struct http_response *response)
{
	struct sending *s = owner;
	const struct s3_upload *upload = s->uploading->upload;

	s->judged = judge(s, response, &s->why);
	if (s->judged == 0 && upload->watch.arrived)
		upload->watch.arrived(upload->watch.keeper, (size_t)(s->part - upload->parts),
				      s->part->etag);
	return s->judged <= 0;
}

static int on_wanted(void *owner, uint64_t offset, void *room, size_t len, struct err *err)
{
	const struct sending *s = owner;
	const struct s3_upload *upload = s->uploading->upload;

	return upload->read(upload->reader, offset, room, len, err);
}

static void prepare(struct uploading *u, struct s3_part *part)
{
	struct sending *s = &u->sendings[u->len++];

	*s = (struct sending){ .uploading = u, .part = part, .judged = -1 };
	err_set(&s->why, ERR_UNAVAILABLE, "a part got no answer");
	s->wanted[0].name = "ETag";
	s->source = (struct http_source){ .fd = u->upload->fd,
					  .read = u->upload->read ? on_wanted : NULL,
					  .offset = part->offset,
					  .len = part->len,
					  .sent = on_sent,
					  .owner = s };
}

/* Those that were prepared, which are on one server. 0: all arrived; 1: of no use; -1. */
static int send_some(struct uploading *u, const char *base, struct err *err)
{
	struct http_request requests[S3_TOGETHER] = { 0 };
	struct http_response responses[S3_TOGETHER] = { 0 };
	cleanup_free struct err *errs = new_array(struct err, S3_TOGETHER);
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
					       .answered = on_answered,
					       .owner = &u->sendings[i],
					       .timeout_ms = S3_TIMEOUT_MS,
					       .stall_ms = S3_STALL_MS,
					       .body_max = S3_ANSWER_MAX };
	/* Each says how it went. */
	(void)!http_send_many(http, requests, u->len, responses, errs);
	for (size_t i = 0; i < u->len; i++) {
		struct sending *s = &u->sendings[i];
		const struct err *why = errs[i].kind != ERR_NONE ? &errs[i] : &s->why;

		if (s->judged < 0 && result == 0)
			result = err_set(err, why->kind, "%s", why->text);
		if (s->judged > 0)
			result = 1;
		if (s->has_hasher)
			pthread_join(s->hasher, NULL);
		sum_finish(&s->sum);
		http_response_finish(&responses[i]);
	}
	u->len = 0;
	return result;
}

/* All parts that have not arrived. */
static int send_round(struct uploading *u, struct err *err)
{
	struct s3_upload *upload = u->upload;
	int result = 0;

	for (size_t i = 0; i < upload->len && result <= 0;) {
		cleanup(s3_address_finish) struct s3_address first = { 0 };

		for (u->len = 0; i < upload->len && u->len < S3_TOGETHER; i++) {
			struct s3_part *part = &upload->parts[i];

			if (part->etag[0])
				continue;
			if (!first.base && s3_split_url(part->url, &first, err) < 0)
				return -1;
			/* Another server has a turn of its own. */
			if (strncmp(part->url, first.base, strlen(first.base)) != 0 ||
			    part->url[strlen(first.base)] != '/')
				break;
			prepare(u, part);
		}
		if (u->len > 0) {
			int sent = send_some(u, first.base, err);

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

/*
 * A store that takes long begins to answer 200, and says only then that it failed. One whose answer
 * was lost knows the upload no more.
 */
static int complete(const struct s3_upload *upload, bool is_again, struct err *err)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(COMPLETE_MAX);
	cleanup(s3_address_finish) struct s3_address address = { 0 };
	cleanup(http_close) struct http *http = NULL;
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct http_request request = { .method = "POST",
					.content_type = "application/xml",
					.timeout_ms = S3_TIMEOUT_MS,
					.body_max = S3_ANSWER_MAX };
	struct span body;

	if (s3_split_url(upload->complete_url, &address, err) < 0 ||
	    http_open(address.base, &http, err) < 0 ||
	    s3_format_parts(upload->parts, upload->len, &list, err) < 0)
		return -1;
	request.path = address.path;
	request.body = buf_span(&list);
	if (http_send(http, &request, &response, err) < 0)
		return -1;
	body = buf_span(&response.body);
	if (is_again && s3_has_code(&response, "NoSuchUpload"))
		return 0;
	if (s3_is_stale(&response))
		return 1;
	if (response.status != 200 || (body.len > 0 && memmem(body.ptr, body.len, "<Error", 6)))
		return s3_explain(response.status, body, err);
	return 0;
}

/*
 * A store whose ETags are all something else encrypts what it gets: to send that again proves
 * nothing either. One part alone may just have been damaged.
 */
static bool takes_others(const struct uploading *u)
{
	const struct s3_upload *upload = u->upload;

	for (size_t i = 0; i < upload->len; i++) {
		if (!upload->parts[i].other[0])
			return false;
	}
	return u->proven == 0 && upload->len > 1;
}

static int adopt_others(struct uploading *u)
{
	struct s3_upload *upload = u->upload;

	for (size_t i = 0; i < upload->len; i++) {
		struct s3_part *part = &upload->parts[i];

		memcpy(part->etag, part->other, sizeof(part->etag));
		if (upload->watch.arrived)
			upload->watch.arrived(upload->watch.keeper, i, part->etag);
	}
	upload->is_unproven = true;
	return 0;
}

static int send_all(struct s3_upload *upload, struct err *err)
{
	cleanup_free struct uploading *u = new_zero(struct uploading);
	int result = -1;

	u->upload = upload;
	sum_prepare();
	for (size_t i = 0; i < upload->len; i++)
		u->done += upload->parts[i].etag[0] ? upload->parts[i].len : 0;
	for (int round = 1; result < 0 && round <= S3_ROUNDS; round++) {
		u->is_last_round = round == S3_ROUNDS;
		result = send_round(u, err);
		if (result < 0 && takes_others(u))
			result = adopt_others(u);
	}
	return result;
}

int s3_upload(struct s3_upload *upload, struct err *err)
{
	int result = send_all(upload, err);

	if (result != 0)
		return result;
	result = -1;
	for (int round = 1; result < 0 && round <= S3_ROUNDS; round++) {
		struct err why = { 0 };

		result = complete(upload, round > 1, &why);
		if (result < 0)
			err_set(err, why.kind, "%s", why.text);
		/* What the store refuses it refuses again. */
		if (result < 0 && why.kind != ERR_UNAVAILABLE && why.kind != ERR_SYSTEM &&
		    why.kind != ERR_PROTOCOL)
			break;
	}
	return result;
}
