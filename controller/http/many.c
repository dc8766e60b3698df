/* SPDX-License-Identifier: MIT */
/* Requests that go at the same time; see http.h. */
#include "controller/http/internal.h"
#include "init/base/alloc.h"

#define CONNECTIONS_MAX 8L
/* Over one connection of HTTP/2 many small ones go at once; bodies have their own. */
#define AT_ONCE_MAX 64
#define POLL_MS 1000

struct round {
	struct http *http;
	struct attempt *attempts; /* one for each; easy is NULL of one that does not go now */
	bool *is_pending;
	size_t len, next, at_once;
	bool is_ended; /* somebody said that the others need not go */
	/* Handles that are free. */
	CURL *handles[AT_ONCE_MAX];
	size_t handles_len;
};

static void end_attempt(struct round *round, struct attempt *attempt)
{
	round->http->curl->multi_remove_handle(round->http->multi, attempt->easy);
	http_attempt_end(attempt);
	round->handles[round->handles_len++] = take_ptr(attempt->easy);
}

static void finish_round(struct round *round)
{
	for (size_t i = 0; i < round->len; i++) {
		if (round->attempts[i].easy)
			end_attempt(round, &round->attempts[i]);
	}
	while (round->handles_len > 0)
		round->http->curl->easy_cleanup(round->handles[--round->handles_len]);
}

static int begin_attempt(struct round *round, struct attempt *attempt, uint64_t deadline_ms,
			 struct err *err)
{
	attempt->easy = round->handles_len > 0 ? round->handles[--round->handles_len]
					       : round->http->curl->easy_init();
	if (!attempt->easy)
		return err_set(err, ERR_INTERNAL, "libcurl makes no handle");
	http_attempt_begin(attempt, deadline_ms);
	round->http->curl->easy_setopt(attempt->easy, CURLOPT_PRIVATE, attempt);
	if (round->http->curl->multi_add_handle(round->http->multi, attempt->easy) != CURLM_OK)
		return err_set(err, ERR_INTERNAL, "libcurl takes no handle");
	return 0;
}

/* So many as may go at once; how many that are now, or -1. */
static int begin_more(struct round *round, size_t running, uint64_t deadline_ms, struct err *err)
{
	for (; running < round->at_once && round->next < round->len; round->next++) {
		struct attempt *attempt = &round->attempts[round->next];

		if (!round->is_pending[round->next])
			continue;
		if (round->is_ended) {
			attempt->is_refused = true;
			err_set(&attempt->err, ERR_UNAVAILABLE, "was not sent any more");
			continue;
		}
		if (begin_attempt(round, attempt, deadline_ms, err) < 0)
			return -1;
		running++;
	}
	return (int)running;
}

static void tell_owner(struct round *round, const struct attempt *attempt)
{
	const struct http_request *request = attempt->request;

	if (attempt->code == CURLE_OK && request->answered &&
	    !http_attempt_is_worth_another(attempt) &&
	    !request->answered(request->owner, attempt->response))
		round->is_ended = true;
}

/* How many of those that ran have ended. */
static size_t take_ends(struct round *round)
{
	const CURLMsg *message;
	size_t ended = 0;
	int left;

	while ((message = round->http->curl->multi_info_read(round->http->multi, &left))) {
		CURLcode code = message->data.result;
		struct attempt *attempt = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		round->http->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &attempt);
		attempt->code = code;
		end_attempt(round, attempt);
		tell_owner(round, attempt);
		ended++;
	}
	return ended;
}

static int run_round(struct round *round, uint64_t deadline_ms, struct err *err)
{
	const struct curl_calls *curl = round->http->curl;
	size_t running = 0;
	int result, unused;

	/* What is not told about has not been sent. */
	for (size_t i = 0; i < round->len; i++) {
		if (round->is_pending[i])
			round->attempts[i].code = CURLE_COULDNT_CONNECT;
	}
	round->next = 0;
	while ((result = begin_more(round, running, deadline_ms, err)) > 0) {
		running = (size_t)result;
		if (curl->multi_perform(round->http->multi, &unused) != CURLM_OK) {
			result = err_set(err, ERR_INTERNAL, "libcurl does not go on");
			break;
		}
		if ((size_t)unused == running &&
		    curl->multi_poll(round->http->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
			result = err_set(err, ERR_INTERNAL, "libcurl does not go on");
			break;
		}
		running -= take_ends(round);
	}
	finish_round(round);
	return result;
}

/* Which of them go again, and how long to wait before; false when none does. */
static bool choose_again(struct round *round, unsigned int tries, uint64_t *ret_pause_ms)
{
	uint64_t asked_ms = 0;
	bool any = false;

	for (size_t i = 0; i < round->len; i++) {
		const struct attempt *attempt = &round->attempts[i];

		round->is_pending[i] =
			round->is_pending[i] && http_attempt_is_worth_another(attempt);
		if (round->is_pending[i])
			asked_ms = MAX(asked_ms, attempt->wait_ms);
		any = any || round->is_pending[i];
	}
	*ret_pause_ms = http_pause_ms(tries, asked_ms);
	return any;
}

static int open_multi(struct http *http, struct err *err)
{
	if (http->multi)
		return 0;
	http->multi = http->curl->multi_init();
	if (!http->multi)
		return err_set(err, ERR_INTERNAL, "libcurl makes no handle");
	http->curl->multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
	return 0;
}

static int run_rounds(struct round *round, struct err *err)
{
	uint64_t deadline_ms = 0, pause_ms;

	for (size_t i = 0; i < round->len; i++)
		deadline_ms = MAX(deadline_ms, http_deadline_ms(round->attempts[i].request));
	for (unsigned int tries = 0;; tries++) {
		if (run_round(round, deadline_ms, err) < 0)
			return -1;
		if (round->is_ended || tries + 1 == HTTP_TRIES ||
		    !choose_again(round, tries, &pause_ms) ||
		    http_now_ms() + pause_ms >= deadline_ms)
			return 0;
		http_sleep_ms(pause_ms);
	}
}

int http_send_many(struct http *http, const struct http_request *requests, size_t len,
		   struct http_response *ret, struct err *errs)
{
	struct round round = { .http = http, .len = len, .at_once = AT_ONCE_MAX };
	struct err own = { 0 };
	int result = 0;

	round.attempts = new_array(struct attempt, MAX(len, (size_t)1));
	round.is_pending = new_array(bool, MAX(len, (size_t)1));
	for (size_t i = 0; i < len; i++) {
		round.attempts[i] = (struct attempt){ .http = http,
						      .request = &requests[i],
						      .response = &ret[i] };
		round.is_pending[i] = true;
		if (requests[i].source || requests[i].received)
			round.at_once = (size_t)CONNECTIONS_MAX;
		http_response_finish(&ret[i]);
		buf_init(&ret[i].body, requests[i].body_max ? requests[i].body_max : HTTP_BODY_MAX);
	}
	if (open_multi(http, &own) < 0 || run_rounds(&round, &own) < 0)
		result = -1;
	for (size_t i = 0; i < len; i++) {
		errs[i] = own;
		if (own.kind == ERR_NONE && http_attempt_explain(&round.attempts[i], &errs[i]) < 0)
			result = -1;
	}
	free(round.attempts);
	free(round.is_pending);
	return result;
}
