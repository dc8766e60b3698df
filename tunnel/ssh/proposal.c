/* SPDX-License-Identifier: MIT */
/* Algorithm negotiation; see proposal.h. */
#include "proposal.h"

#include <openssl/rand.h>

#include "cipher.h"
#include "exchange.h"
#include "message.h"
#include "tunnel/crypto/openssl.h"
#include "wire.h"

#define COOKIE_LEN 16
#define STRICT_SERVER "kex-strict-s-v00@openssh.com"
#define STRICT_CLIENT "kex-strict-c-v00@openssh.com"
#define HOST_KEY_ALGORITHM "ssh-ed25519"
#define COMPRESSION "none"
/* Our ciphers authenticate by themselves, so that none of these is ever used; but some clients want
 * to find a name in common before they look at the cipher. */
#define MACS                                                           \
	"hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com," \
	"hmac-sha2-256,hmac-sha2-512"

enum {
	LIST_KEX,
	LIST_HOST_KEY,
	LIST_CIPHER_IN,
	LIST_CIPHER_OUT,
	LIST_MAC_IN,
	LIST_MAC_OUT,
	LIST_COMPRESSION_IN,
	LIST_COMPRESSION_OUT,
	LIST_LANGUAGE_IN,
	LIST_LANGUAGE_OUT,
	LISTS
};

static void put_list(struct buf *b, struct buf *list)
{
	wire_put_string(b, buf_span(list));
	buf_clear(list);
}

static void add_name(struct buf *list, const char *name)
{
	bool ok = buf_printf(list, "%s%s", buf_len(list) ? "," : "", name);

	(void)ok; /* constants, far below its maximum */
}

int proposal_format(bool first, struct buf *b, struct err *err)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(1024);
	uint8_t cookie[COOKIE_LEN];

	if (RAND_bytes(cookie, sizeof(cookie)) != 1)
		return err_from_openssl(err, "no random bytes");
	wire_put_u8(b, MSG_KEXINIT);
	if (!buf_append(b, cookie, sizeof(cookie)))
		return err_set(err, ERR_INTERNAL, "no room for the proposal");
	for (const struct exchange *x = exchanges; x->name; x++)
		add_name(&list, x->name);
	if (first)
		add_name(&list, STRICT_SERVER);
	put_list(b, &list);
	wire_put_text(b, HOST_KEY_ALGORITHM);
	for (int direction = 0; direction < 2; direction++) {
		for (const struct cipher_kind *k = cipher_kinds; k->name; k++)
			add_name(&list, k->name);
		put_list(b, &list);
	}
	wire_put_text(b, MACS);
	wire_put_text(b, MACS);
	wire_put_text(b, COMPRESSION);
	wire_put_text(b, COMPRESSION);
	wire_put_text(b, "");
	wire_put_text(b, "");
	wire_put_u8(b, false); /* no guess follows */
	wire_put_u32(b, 0);
	return 0;
}

static const struct exchange *choose_exchange(struct span list)
{
	const struct exchange *x = NULL;

	while (!x && list.len > 0)
		x = exchange_find(wire_list_next(&list));
	return x;
}

static const struct cipher_kind *choose_cipher(struct span list)
{
	const struct cipher_kind *k = NULL;

	while (!k && list.len > 0)
		k = cipher_find(wire_list_next(&list));
	return k;
}

/* RFC 4253 section 7: a guess is right when both sides prefer the same methods. */
static bool guessed_right(struct span kex, struct span host_key)
{
	return span_equal_str(wire_list_next(&kex), exchanges[0].name) &&
	       span_equal_str(wire_list_next(&host_key), HOST_KEY_ALGORITHM);
}

static int no_match(const char *what, struct span list, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "no %s in common; the client offers %.*s", what,
		       (int)MIN(list.len, (size_t)200), list.len ? (const char *)list.ptr : "");
}

int proposal_choose(struct span payload, struct proposal *ret, struct err *err)
{
	struct wire r = wire_of(payload);
	struct span lists[LISTS];
	struct proposal p = { 0 };
	bool follows;

	wire_u8(&r);
	wire_bytes(&r, COOKIE_LEN);
	for (int i = 0; i < LISTS; i++)
		lists[i] = wire_string(&r, PROPOSAL_MAX);
	follows = wire_bool(&r);
	wire_u32(&r);
	if (!wire_end(&r) || payload.len > PROPOSAL_MAX)
		return err_set(err, ERR_PROTOCOL, "malformed KEXINIT");
	p.exchange = choose_exchange(lists[LIST_KEX]);
	p.in = choose_cipher(lists[LIST_CIPHER_IN]);
	p.out = choose_cipher(lists[LIST_CIPHER_OUT]);
	if (!p.exchange)
		return no_match("key exchange method", lists[LIST_KEX], err);
	if (!wire_list_has(lists[LIST_HOST_KEY], span_of_str(HOST_KEY_ALGORITHM)))
		return no_match("host key algorithm", lists[LIST_HOST_KEY], err);
	if (!p.in)
		return no_match("cipher", lists[LIST_CIPHER_IN], err);
	if (!p.out)
		return no_match("cipher", lists[LIST_CIPHER_OUT], err);
	for (int i = LIST_COMPRESSION_IN; i <= LIST_COMPRESSION_OUT; i++)
		if (!wire_list_has(lists[i], span_of_str(COMPRESSION)))
			return no_match("compression", lists[i], err);
	p.wrong_guess = follows && !guessed_right(lists[LIST_KEX], lists[LIST_HOST_KEY]);
	p.strict = wire_list_has(lists[LIST_KEX], span_of_str(STRICT_CLIENT));
	p.ext_info = wire_list_has(lists[LIST_KEX], span_of_str("ext-info-c"));
	*ret = p;
	return 0;
}
