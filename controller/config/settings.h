/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The settings, said once. The parser, `berth config get` and `show`, what a project's file may
 * say, defaults and berth-config(5) are readers of this table.
 *
 *	X(place, kind, name, member, check, project, value, help)
 *
 * place    where the key stands: TOP; CONTEXT and CLUSTER (below their name, and CLUSTER below
 *          "defaults" too); RELAY, in an item of a cluster's list of relays
 * kind     TEXT, DURATION (ns), LIST (of texts), JOB (options of jobs: KEY: VALUE), or one that
 *          holds places: CONTEXTS, CLUSTERS, DEFAULTS, RELAYS
 * member   of the struct of the place, in config.h
 * check    check_CHECK() in config_check.c, which sees each text
 * project  whether berth.yaml of a project may say it: what runs programs here, names files with
 *          secrets or decides who gets them may not come with a repository
 * value    the default, for people, or NULL
 *
 * To add one: a line here, a member in config.h, and a paragraph in berth-config.5.scd (a test
 * compares).
 */

/* clang-format off */
#define CONFIG_SETTINGS(X) \
	X(TOP, TEXT, "context", context, name, true, NULL, "the context to use, or a cluster's name") \
	X(TOP, CONTEXTS, "contexts", contexts, none, true, NULL, "a cluster, and options for jobs there") \
	X(TOP, CLUSTERS, "clusters", clusters, none, true, NULL, "where jobs can run") \
	X(TOP, DEFAULTS, "defaults", defaults, none, true, NULL, "what holds for clusters that do not say it") \
	X(CONTEXT, TEXT, "cluster", cluster, name, true, "called as the context", "the cluster") \
	X(CONTEXT, JOB, "job", job, none, true, NULL, "options of jobs, before those of the cluster") \
	X(CLUSTER, TEXT, "backend", backend, name, true, "slurm", "what runs jobs: docker, firecrest, kubernetes, local, slurm, slurmrest or swarm") \
	X(CLUSTER, TEXT, "login", login, login, false, "this machine", "login node, as ssh is told it") \
	X(CLUSTER, LIST, "ssh_options", ssh_options, ssh_option, false, NULL, "options of ssh to the login node") \
	X(CLUSTER, TEXT, "home", home, home, true, "$BERTH_HOME here, ~/.berth on a login node", "where jobs have their files") \
	X(CLUSTER, TEXT, "url", url, server, false, NULL, "the server: http://HOST:PORT, unix:/SOCKET; an engine: tcp://, ssh://USER@HOST") \
	X(CLUSTER, TEXT, "system", machine, word, true, NULL, "the name that FirecREST has for the machine") \
	X(CLUSTER, TEXT, "architecture", architecture, architecture, true, "told by the cluster, else this machine's", "what its nodes are: amd64, arm64") \
	X(CLUSTER, TEXT, "bundle", bundle, file, false, "what is installed", "directory with berth's programs for its nodes") \
	X(CLUSTER, TEXT, "scheduler", scheduler, scheduler, true, "slurm", "what FirecREST runs jobs with: slurm or pbs") \
	X(CLUSTER, TEXT, "platform", platform, word, true, NULL, "what the site calls the part of it, for people") \
	X(CLUSTER, TEXT, "tls_dir", tls_dir, file, false, "$DOCKER_CERT_PATH", "directory with ca.pem, cert.pem and key.pem for an engine") \
	X(CLUSTER, TEXT, "kubeconfig", kubeconfig, file, false, "$KUBECONFIG, then ~/.kube/config", "the kubeconfig that leads to it") \
	X(CLUSTER, TEXT, "kube_context", kube_context, word, false, "its current one", "the context of the kubeconfig") \
	X(CLUSTER, TEXT, "namespace", namespace, name, true, "the context's, then default", "the namespace of jobs") \
	X(CLUSTER, TEXT, "bundle_image", bundle_image, word, false, "ConfigMaps", "an image with berth's programs, which an init container copies") \
	X(CLUSTER, TEXT, "bundle_volume", bundle_volume, word, false, NULL, "the same, mounted as a volume where the server can do that") \
	X(CLUSTER, TEXT, "token_file", token_file, file, false, NULL, "a file that holds the token for it") \
	X(CLUSTER, LIST, "token_command", token_command, word, false, NULL, "a command that prints the token for it") \
	X(CLUSTER, TEXT, "oidc", oidc, issuer, false, NULL, "OpenID issuer that gives tokens for it") \
	X(CLUSTER, TEXT, "client_id", client_id, word, false, NULL, "the client that we are there") \
	X(CLUSTER, TEXT, "client_secret_file", client_secret_file, file, false, NULL, "a file that holds its secret") \
	X(CLUSTER, LIST, "client_secret_command", client_secret_command, word, false, NULL, "a command that prints its secret") \
	X(CLUSTER, LIST, "scopes", scopes, scope, false, NULL, "what tokens are asked for") \
	X(CLUSTER, TEXT, "grant", grant, grant, false, "what can be done here", "client-credentials, device or code") \
	X(CLUSTER, TEXT, "redirect_port", redirect_port, port, false, "any", "port here that the browser comes back to") \
	X(CLUSTER, TEXT, "user", user, word, true, "the user here", "the user's name there") \
	X(CLUSTER, TEXT, "api", api, version, true, "the newest that it offers", "version of its interface, v0.0.38 to v0.0.42") \
	X(CLUSTER, JOB, "job", job, none, true, NULL, "options of jobs") \
	X(CLUSTER, TEXT, "launcher", launcher, name, true, "told by the image", "what starts containers") \
	X(CLUSTER, TEXT, "image_entrypoint", image_entrypoint, image_entrypoint, true, "alone", "when launchers run it: alone (without a command of the job), or always") \
	X(CLUSTER, TEXT, "template", template, file, false, "berth's own", "a file of yours that batch scripts, or pods, are made of") \
	X(CLUSTER, RELAYS, "relays", relays, none, true, NULL, "relays that lead to jobs") \
	X(CLUSTER, LIST, "paths", paths, path_kind, true, "all", "kinds of paths: direct, relay, relay-tcp, login") \
	X(CLUSTER, TEXT, "ssh_port", ssh_port, port, false, "berth's own SSH server", "port of an sshd in the jobs that ssh is led to instead") \
	X(CLUSTER, LIST, "allow", allow, allow, true, NULL, "what jobs may forward to, beside their loopback") \
	X(CLUSTER, TEXT, "keep_size", keep_size, size, false, "any", "so much of ended jobs' directories stays, as 10G: 'berth gc'") \
	X(CLUSTER, TEXT, "keep_jobs", keep_jobs, count, false, "any", "so many ended jobs keep their directories: 'berth gc'") \
	X(CLUSTER, DURATION, "detach_timeout", detach_ns, none, true, "24h", "how long a session outlives its client") \
	X(CLUSTER, TEXT, "max_age", max_age, age, true, "5s with FirecREST, else 0s", "how old what is known of jobs may be when they are listed") \
	X(RELAY, TEXT, "url", url, url, true, NULL, "https://HOST[:PORT]") \
	X(RELAY, TEXT, "key", key, key, true, NULL, "its public key, as 'berth-tunnel relay key' prints it") \
	X(RELAY, TEXT, "token_file", token_file, file, false, NULL, "a file that holds the token") \
	X(RELAY, LIST, "token_command", token_command, word, false, NULL, "a command that prints the token")
/* clang-format on */
