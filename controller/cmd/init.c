/* SPDX-License-Identifier: MIT */
/* berth init: a first configuration, asked for on a terminal. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/setup.h"
#include "controller/ops/where.h"
#include "init/base/text.h"

#define ANSWER_MAX 1024

struct args {
	bool yes, dry_run;
	struct setup setup;
};

static const struct opt opts[] = {
	OPT_STR('b', "backend", struct args, setup.backend, "NAME",
		"what runs jobs: local, slurm, docker, ..."),
	OPT_STR(0, "name", struct args, setup.name, "NAME", "what the cluster is called (hpc)"),
	OPT_STR(0, "login", struct args, setup.login, "[USER@]HOST",
		"login node, as ssh is told it"),
	OPT_STR(0, "home", struct args, setup.home, "DIR", "where jobs have their files there"),
	OPT_STR(0, "url", struct args, setup.url, "URL", "the server of slurmrest or firecrest"),
	OPT_STR('A', "account", struct args, setup.account, "NAME", "who pays for jobs there"),
	OPT_FLAG('y', "yes", struct args, yes, "ask nothing"),
	OPT_FLAG(0, "dry-run", struct args, dry_run,
		 "print what would be written, and ask nothing"),
	OPT_END,
};

enum { ASK_NAME = 1, ASK_LOGIN = 2, ASK_URL = 4, ASK_HOME = 8, ASK_ACCOUNT = 16 };

/* What there is to choose from; the name of the first word is what is typed. */
static const struct kind {
	const char *word, *backend, *what;
	unsigned int asks;
} kinds[] = {
	{ "local", "local", "this machine", 0 },
	{ "slurm", "slurm", "Slurm, by its commands on this machine", ASK_ACCOUNT },
	{ "login", "slurm", "Slurm behind a login node, through ssh",
	  ASK_NAME | ASK_LOGIN | ASK_HOME | ASK_ACCOUNT },
	{ "slurmrest", "slurmrest", "Slurm, by a slurmrestd", ASK_NAME | ASK_URL | ASK_ACCOUNT },
	{ "firecrest", "firecrest", "a site, by its FirecREST server",
	  ASK_NAME | ASK_URL | ASK_ACCOUNT },
	{ "docker", "docker", "Docker or Podman, on this machine", 0 },
	{ "kubernetes", "kubernetes", "Kubernetes, by a kubeconfig", ASK_NAME },
	{ "swarm", "swarm", "a Docker Swarm, by an engine here that is a manager", 0 },
};

/* The answers, which a setup borrows. */
struct answers {
	char *name, *login, *url, *home, *account;
};

static void answers_finish(struct answers *answers)
{
	free(answers->name);
	free(answers->login);
	free(answers->url);
	free(answers->home);
	free(answers->account);
}
DEFINE_CLEANUP_VALUE(struct answers, answers_finish)

static bool is_found(const struct setup_found *found, const struct kind *kind)
{
	if (strcmp(kind->word, "slurm") == 0)
		return found->has_slurm;
	if (strcmp(kind->word, "docker") == 0)
		return found->engine;
	return strcmp(kind->word, "kubernetes") == 0 && found->kubeconfig;
}

/* *ret is NULL for an empty answer without a default. -1: the terminal was closed. */
static int ask(const char *question, const char *otherwise, char **ret, struct err *err)
{
	char line[ANSWER_MAX];
	size_t len;

	fprintf(stderr, "%s%s%s%s: ", question, otherwise ? " [" : "", otherwise ? otherwise : "",
		otherwise ? "]" : "");
	if (!fgets(line, sizeof(line), stdin)) {
		fputc('\n', stderr);
		return err_set(err, ERR_INVALID, "no answer: nothing was written");
	}
	len = strcspn(line, "\r\n");
	while (len > 0 && line[len - 1] == ' ')
		len--;
	line[len] = '\0';
	*ret = line[0] ? str_dup(line) : otherwise ? str_dup(otherwise) : NULL;
	return 0;
}

/* Until the answer is one. optional: none is one, too. */
static int ask_for(const char *question, const char *otherwise, bool optional,
		   int (*check)(const char *value, struct err *err), char **ret, struct err *err)
{
	for (;;) {
		cleanup_free char *answer = NULL;
		struct err why;

		if (ask(question, otherwise, &answer, err) < 0)
			return -1;
		if (!answer && optional)
			return 0;
		if (answer && check(answer, &why) == 0) {
			*ret = take_ptr(answer);
			return 0;
		}
		fprintf(stderr, "%s\n", answer ? why.text : "an answer is needed");
	}
}

static const struct kind *find_kind(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].word, word) == 0)
			return &kinds[i];
	}
	return NULL;
}

static int check_kind(const char *value, struct err *err)
{
	return find_kind(value) ? 0 : err_set(err, ERR_INVALID, "one of the first words, please");
}

static int ask_kind(const struct setup_found *found, const struct kind **ret, struct err *err)
{
	cleanup_free char *word = NULL;

	fprintf(stderr, "Where shall jobs run?\n");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		fprintf(stderr, "  %-10s %s%s\n", kinds[i].word, kinds[i].what,
			is_found(found, &kinds[i]) ? " (found)" : "");
	if (ask_for("kind", found->has_slurm ? "slurm" : "local", false, check_kind, &word, err) <
	    0)
		return -1;
	*ret = find_kind(word);
	return 0;
}

static int ask_all(const struct setup_found *found, struct answers *answers, struct setup *setup,
		   struct err *err)
{
	const struct kind *kind = NULL;
	const struct {
		unsigned int bit;
		const char *question, *otherwise;
		bool optional;
		int (*check)(const char *value, struct err *err);
		char **answer;
		const char **member;
	} questions[] = {
		{ ASK_NAME, "what it is called here", "hpc", false, config_check_name,
		  &answers->name, &setup->name },
		{ ASK_LOGIN, "login node, as [USER@]HOST or the name that ssh has for it", NULL,
		  false, config_check_login, &answers->login, &setup->login },
		{ ASK_URL, "address of the server, as https://HOST[:PORT]", NULL, false,
		  config_check_server, &answers->url, &setup->url },
		{ ASK_HOME, "where jobs and nodes see files there, such as $SCRATCH/berth",
		  "~/.berth", false, config_check_home, &answers->home, &setup->home },
		{ ASK_ACCOUNT, "account that jobs are charged to (none)", NULL, true,
		  config_check_word, &answers->account, &setup->account },
	};

	if (ask_kind(found, &kind, err) < 0)
		return -1;
	setup->backend = kind->backend;
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		if (!(kind->asks & questions[i].bit))
			continue;
		if (ask_for(questions[i].question, questions[i].otherwise, questions[i].optional,
			    questions[i].check, questions[i].answer, err) < 0)
			return -1;
		*questions[i].member = *questions[i].answer;
	}
	return 0;
}

/* 1: yes; 0: no. */
static int confirm(const struct controller *c, struct buf *text, struct err *err)
{
	cleanup_free char *answer = NULL;

	fprintf(stderr, "\n%s\n%s is going to say this.\n", buf_str(text), ops_config_file(c));
	if (ask("write it? yes or no", "yes", &answer, err) < 0)
		return -1;
	if (answer[0] == 'y' || answer[0] == 'Y')
		return 1;
	fprintf(stderr, "berth: nothing was written\n");
	return 0;
}

/* Who gives options knows what they want; without a terminal nobody can be asked. */
static bool may_ask(const struct args *args)
{
	static const struct setup none = { 0 };

	return !args->yes && !args->dry_run && memcmp(&args->setup, &none, sizeof(none)) == 0 &&
	       isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(setup_found_finish) struct setup_found found = { 0 };
	cleanup(answers_finish) struct answers answers = { 0 };
	cleanup(buf_finish) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	const struct args *args = opaque;
	struct setup setup = args->setup;
	bool asks = may_ask(args);
	int agreed = 1;

	(void)argc, (void)argv;
	if (controller_open(&c, err) < 0 || (!args->dry_run && ops_setup_check(c, err) < 0))
		return -1;
	ops_setup_look(c, &found);
	if ((asks && ask_all(&found, &answers, &setup, err) < 0) ||
	    ops_setup_render(&found, &setup, &text, err) < 0)
		return -1;
	if (args->dry_run) {
		fputs(buf_str(&text), stdout);
		return 0;
	}
	if (asks)
		agreed = confirm(c, &text, err);
	if (agreed <= 0)
		return agreed;
	if (ops_setup_write(c, buf_span(&text), err) < 0)
		return -1;
	printf("%s\n", ops_config_file(c));
	if (asks)
		fprintf(stderr,
			"berth: 'berth doctor' looks whether it works, 'berth run -- hostname' "
			"is a first job\n");
	return 0;
}

const struct verb cmd_init = {
	.name = "init",
	.operands = "",
	.summary = "write a first configuration, with comments",
	.details =
		"It looks for Slurm, bubblewrap, an engine and a kubeconfig on this machine, asks on a\n"
		"terminal where jobs are to run, and shows what it is going to write. Options answer\n"
		"instead: then, and without a terminal, nothing is asked. No file is overwritten.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_max = 0,
	.run = run,
};
