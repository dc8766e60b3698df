/* SPDX-License-Identifier: MIT */
/* Heads of HTTP/1.1 messages; see http1.h. */
#include "http1.h"

#include <string.h>
#include <strings.h>

/* The longest first line that is of use: a target is a path of ours, or a host and a port. */
#define METHOD_MAX 16

static bool is_token_char(uint8_t c)
{
	return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_token_char(s.ptr[i]))
			return false;
	}
	return s.len > 0;
}

/* What a value or a reason may hold (RFC 9110 section 5.5); bytes above 0x7f are nobody's text. */
static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((s.ptr[i] < ' ' && s.ptr[i] != '\t') || s.ptr[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_visible(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
			return false;
	}
	return s.len > 0;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		span_cut(&s, 1);
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* What comes before a character, which leaves with it; false when it is not there. */
static bool cut_before(struct span *s, char c, struct span *ret)
{
	const uint8_t *at = s->len ? memchr(s->ptr, c, s->len) : NULL;

	if (!at)
		return false;
	*ret = span_cut(s, (size_t)(at - s->ptr));
	span_cut(s, 1);
	return true;
}

/* A line without its CR LF, which leave with it. A CR or LF alone makes it no line. */
static bool cut_line(struct span *s, struct span *ret)
{
	struct span line;

	if (!cut_before(s, '\n', &line) || line.len == 0 || line.ptr[line.len - 1] != '\r')
		return false;
	line.len--;
	*ret = line;
	return true;
}

static bool read_version(struct span s, unsigned int *ret_minor)
{
	if (!span_equal_str(s, "HTTP/1.1") && !span_equal_str(s, "HTTP/1.0"))
		return false;
	*ret_minor = (unsigned int)(s.ptr[7] - '0');
	return true;
}

static bool read_request_line(struct span line, struct http1_head *head)
{
	return cut_before(&line, ' ', &head->method) && cut_before(&line, ' ', &head->target) &&
	       head->method.len <= METHOD_MAX && is_token(head->method) &&
	       is_visible(head->target) && read_version(line, &head->minor);
}

static bool read_status_line(struct span line, struct http1_head *head)
{
	struct span version, code;

	/* The space before an empty reason may be left out, as some proxies do. */
	if (!cut_before(&line, ' ', &version) || !read_version(version, &head->minor) ||
	    line.len < 3)
		return false;
	code = span_cut(&line, 3);
	for (size_t i = 0; i < code.len; i++) {
		if (code.ptr[i] < '0' || code.ptr[i] > '9')
			return false;
		head->status = head->status * 10 + (unsigned int)(code.ptr[i] - '0');
	}
	if (line.len > 0 && span_cut(&line, 1).ptr[0] != ' ')
		return false;
	head->reason = trim(line);
	return head->status >= 100 && head->status < 600 && is_text(head->reason);
}

static int read_field(struct span line, struct http1_head *head, struct err *err)
{
	struct http1_field *field = &head->fields[head->fields_len];

	if (head->fields_len == HTTP1_FIELDS_MAX)
		return err_set(err, ERR_LIMIT, "an HTTP head with more than %d fields",
			       HTTP1_FIELDS_MAX);
	/* A space before the colon, or at the start of the line (a folded one), is no token. */
	if (!cut_before(&line, ':', &field->name) || !is_token(field->name) || !is_text(line))
		return err_set(err, ERR_PROTOCOL, "an HTTP field is malformed");
	field->value = trim(line);
	head->fields_len++;
	return 0;
}

typedef bool read_first(struct span line, struct http1_head *head);

static int parse_lines(struct span bytes, read_first *first, struct http1_head *ret,
		       struct err *err)
{
	struct http1_head head = { 0 };
	struct span line;

	if (!cut_line(&bytes, &line) || !first(line, &head))
		return err_set(err, ERR_PROTOCOL, "the first line is not HTTP/1.1");
	for (;;) {
		if (!cut_line(&bytes, &line))
			return err_set(err, ERR_PROTOCOL, "a line of an HTTP head is malformed");
		if (line.len == 0)
			break;
		if (read_field(line, &head, err) < 0)
			return -1;
	}
	*ret = head;
	return 1;
}

/*
 * Whether this can still become HTTP: only then is it worth waiting for more. A first line that is
 * complete is looked at; of one that is not, only that it is text.
 */
static bool may_be_http(struct span bytes, read_first *first)
{
	struct http1_head head = { 0 };
	struct span line;

	if (memchr(bytes.ptr, '\n', bytes.len))
		return cut_line(&bytes, &line) && first(line, &head);
	if (bytes.ptr[bytes.len - 1] == '\r')
		bytes.len--;
	return is_text(bytes);
}

static int parse(struct span bytes, read_first *first, struct http1_head *ret, size_t *ret_len,
		 struct err *err)
{
	size_t max = MIN(bytes.len, HTTP1_HEAD_MAX);
	const uint8_t *end = max ? memmem(bytes.ptr, max, "\r\n\r\n", 4) : NULL;

	if (end) {
		*ret_len = (size_t)(end - bytes.ptr) + 4;
		return parse_lines(span_of(bytes.ptr, *ret_len), first, ret, err);
	}
	if (bytes.len > 0 && !may_be_http(span_of(bytes.ptr, max), first))
		return err_set(err, ERR_PROTOCOL, "the first line is not HTTP/1.1");
	if (bytes.len >= HTTP1_HEAD_MAX)
		return err_set(err, ERR_LIMIT, "an HTTP head of more than %d bytes",
			       HTTP1_HEAD_MAX);
	return 0;
}

int http1_parse_request(struct span bytes, struct http1_head *ret, size_t *ret_len, struct err *err)
{
	return parse(bytes, read_request_line, ret, ret_len, err);
}

int http1_parse_response(struct span bytes, struct http1_head *ret, size_t *ret_len,
			 struct err *err)
{
	return parse(bytes, read_status_line, ret, ret_len, err);
}

static bool is_named(struct span s, const char *name)
{
	return s.len == strlen(name) && strncasecmp((const char *)s.ptr, name, s.len) == 0;
}

bool http1_field(const struct http1_head *head, const char *name, struct span *ret)
{
	const struct http1_field *found = NULL;

	for (size_t i = 0; i < head->fields_len; i++) {
		if (!is_named(head->fields[i].name, name))
			continue;
		if (found)
			return false;
		found = &head->fields[i];
	}
	if (found)
		*ret = found->value;
	return found != NULL;
}

/* The word that a member of a list begins with. */
static struct span first_word(struct span member)
{
	struct span s = trim(member);
	size_t len = 0;

	while (len < s.len && s.ptr[len] != ' ' && s.ptr[len] != ';' && s.ptr[len] != '\t')
		len++;
	return span_of(s.ptr, len);
}

static bool lists_token(struct span list, const char *token)
{
	struct span member;

	while (cut_before(&list, ',', &member)) {
		if (is_named(first_word(member), token))
			return true;
	}
	return is_named(first_word(list), token);
}

bool http1_has_token(const struct http1_head *head, const char *name, const char *token)
{
	for (size_t i = 0; i < head->fields_len; i++) {
		if (is_named(head->fields[i].name, name) &&
		    lists_token(head->fields[i].value, token))
			return true;
	}
	return false;
}

bool http1_has_no_body(const struct http1_head *head)
{
	for (size_t i = 0; i < head->fields_len; i++) {
		const struct http1_field *field = &head->fields[i];

		if (is_named(field->name, "transfer-encoding") ||
		    (is_named(field->name, "content-length") && !span_equal_str(field->value, "0")))
			return false;
	}
	return true;
}
