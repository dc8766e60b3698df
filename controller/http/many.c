/* SPDX-License-Identifier: MIT */
/* Requests that go at the same time; see http.h. */
#include "controller/http/internal.h"
#include "init/base/alloc.h"

#define CONNECTIONS_MAX 8L
#define POLL_MS 1000

struct round {
	struct http *http;
	struct attempt *attempts; /* one for each; easy is NULL of one that does not go now */
	bool *is_pending;
	size_t len;
};

static void finish_round(struct round *round)
{
	for (size_t i = 0; i < round->len; i++) {
		struct attempt *attempt = &round->attempts[i];

		if (!attempt->easy)
			continue;
		round->http->curl->multi_remove_handle(round->http->multi, attempt->easy);
		http_attempt_end(attempt);
		round->http->curl->easy_cleanup(attempt->easy);
		attempt->easy = NULL;
	}
}

static int begin_round(struct round *round, uint64_t deadline_ms, struct err *err)
{
	for (size_t i = 0; i < round->len; i++) {
		struct attempt *attempt = &round->attempts[i];

		if (!round->is_pending[i])
			continue;
		attempt->easy = round->http->curl->easy_init();
		if (!attempt->easy)
			return err_set(err, ERR_INTERNAL, "libcurl makes no handle");
		http_attempt_begin(attempt, deadline_ms);
		/* What is not told about has not been sent. */
		attempt->code = CURLE_COULDNT_CONNECT;
		if (round->http->curl->multi_add_handle(round->http->multi, attempt->easy) !=
		    CURLM_OK)
			return err_set(err, ERR_INTERNAL, "libcurl takes no handle");
	}
	return 0;
}

static void note_ends(struct round *round)
{
	const CURLMsg *message;
	int left;

	while ((message = round->http->curl->multi_info_read(round->http->multi, &left))) {
		for (size_t i = 0; message->msg == CURLMSG_DONE && i < round->len; i++) {
			if (round->attempts[i].easy == message->easy_handle)
				round->attempts[i].code = message->data.result;
		}
	}
}

static int run_round(struct round *round, uint64_t deadline_ms, struct err *err)
{
	int running = 1, result = begin_round(round, deadline_ms, err);

	while (result == 0 && running > 0) {
		if (round->http->curl->multi_perform(round->http->multi, &running) != CURLM_OK ||
		    (running > 0 && round->http->curl->multi_poll(round->http->multi, NULL, 0,
								  POLL_MS, NULL) != CURLM_OK))
			result = err_set(err, ERR_INTERNAL, "libcurl does not go on");
	}
	note_ends(round);
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
		if (tries + 1 == HTTP_TRIES || !choose_again(round, tries, &pause_ms) ||
		    http_now_ms() + pause_ms >= deadline_ms)
			return 0;
		http_sleep_ms(pause_ms);
	}
}

int http_send_many(struct http *http, const struct http_request *requests, size_t len,
		   struct http_response *ret, struct err *errs)
{
	struct round round = { .http = http, .len = len };
	struct err own = { 0 };
	int result = 0;

	round.attempts = new_array(struct attempt, MAX(len, (size_t)1));
	round.is_pending = new_array(bool, MAX(len, (size_t)1));
	for (size_t i = 0; i < len; i++) {
		round.attempts[i] = (struct attempt){ .http = http,
						      .request = &requests[i],
						      .response = &ret[i] };
		round.is_pending[i] = true;
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
