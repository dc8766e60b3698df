/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where a Kubernetes cluster is and who we are there, as kubectl keeps it: files of YAML or JSON
 * with clusters, users, and contexts that join one of each (kubernetes.io, "Organizing Cluster
 * Access Using kubeconfig Files"). Of several files the first that has a name wins, and paths in
 * one are relative to it. A pod has no such file but a service account.
 *
 *	cleanup(kubeconfig_finish) struct kubeconfig config = { 0 };
 *	cleanup(kube_access_finish) struct kube_access access = { 0 };
 *
 *	if (kubeconfig_add(&config, path, text, err) < 0 ||
 *	    kubeconfig_choose(&config, NULL, &access, err) < 0)
 *		return -1;
 *
 * Foreign input: KUBECONFIG_MAX bytes a file, KUBECONFIG_FILES_MAX files. What is unknown is passed
 * over, as kubectl does; what we know and cannot do (passwords) is ERR_UNSUPPORTED. Secrets are in
 * no message.
 */

#include "controller/backends/kube/plugin.h"
#include "controller/http/http.h"
#include "controller/model/json.h"

#define KUBECONFIG_MAX (1024 * 1024)
#define KUBECONFIG_FILES_MAX 32
#define KUBE_PEM_MAX (256 * 1024)
#define KUBE_AS_MAX 64

/* Names of clusters, users and contexts, and what each stands for. All-zero is empty. */
struct kubeconfig {
	json_t *clusters, *users, *contexts;
	char *current; /* context, or NULL */
};

void kubeconfig_finish(struct kubeconfig *config);
DEFINE_CLEANUP_VALUE(struct kubeconfig, kubeconfig_finish)

/* What a context leads to. A text that is not said is NULL. */
struct kube_access {
	char *context; /* its name, for people */
	char *server;
	char *namespace;
	bool is_unchecked; /* insecure-skip-tls-verify */
	char *server_name; /* tls-server-name */
	char *proxy;	   /* proxy-url */
	struct argv as;	   /* headers that say as whom to act (impersonation) */
	/* PEM; each is there, or in a file that kube_access_load() reads, or is not needed. */
	struct buf authorities, certificate, key;
	char *authorities_file, *certificate_file, *key_file;
	/* One of them at most is used: the plugin before the file before the token. */
	char *token;
	char *token_file;
	struct kube_plugin plugin;
};

void kube_access_finish(struct kube_access *access);
DEFINE_CLEANUP_VALUE(struct kube_access, kube_access_finish)

/* Merges one file in; `file` is its path. ERR_INVALID with FILE:LINE:COLUMN where there is one. */
int kubeconfig_add(struct kubeconfig *config, const char *file, struct span text, struct err *err)
	attr_must_use;

/*
 * Reads the files of a list with colons, as $KUBECONFIG is; those that are not there are passed
 * over. 1: at least one was there; 0: none.
 */
int kubeconfig_load(struct kubeconfig *config, const char *paths, struct err *err) attr_must_use;

/* What a context (NULL: the current one) leads to. Reads no file. ERR_NOT_FOUND names contexts. */
int kubeconfig_choose(const struct kubeconfig *config, const char *context, struct kube_access *ret,
		      struct err *err) attr_must_use;

/* Reads the files with certificates and the key. */
int kube_access_load(struct kube_access *access, struct err *err) attr_must_use;

/*
 * All of it: the file or files of `paths`, else of $KUBECONFIG, else ~/.kube/config, else, in a
 * pod, its service account. ERR_NOT_FOUND says what to do.
 */
int kube_access_find(const char *paths, const char *context, struct kube_access *ret,
		     struct err *err) attr_must_use;

/* The service account of the pod that we are in; its files are in this directory. */
int kube_access_in_pod(const char *dir, const char *host, const char *port, struct kube_access *ret,
		       struct err *err) attr_must_use;
