/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a FirecREST server answers, as far as it concerns every call: refusals, and values whose
 * type is not what the description says. Pure, no I/O: what is missing, unknown or odd is passed
 * over.
 */

#include "controller/model/json.h"

#define FIRECREST_WORD_MAX 256

/*
 * Sets the error that a status from 400 on is, in the server's words where the body has some (JSON
 * with a "message", as the description says, or a "detail", as its framework does it, or plain
 * text), and returns -1.
 */
int firecrest_explain(int status, struct span body, struct err *err);

#define FIRECREST_SUM_SIZE 65

/*
 * A SHA-256 in hexadecimal digits: of an answer, or of an error. What sha256sum says of a path with
 * a blank is no answer for servers that look for two words in it, and is shown by their error.
 */
bool firecrest_read_sum(const char *text, char ret[FIRECREST_SUM_SIZE]);

/* A member that is text, or ""; borrowed from json. */
const char *firecrest_text(const json_t *json, const char *key);

/* A member that is a whole number, or the digits of one; at most max, and 0 for anything else. */
uint64_t firecrest_number(const json_t *json, const char *key, uint64_t max);

/* A word, or the words of a list joined with the separator, printable; cut to size. */
void firecrest_words(const json_t *value, const char *separator, char *out, size_t size);
