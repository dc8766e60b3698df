# SPDX-License-Identifier: MIT
"""How an API server is reached, and as whom, in the ways that a kubeconfig can say it."""

import http.server
import json
import threading
import urllib.request

import pytest

import kube
from kube_fixtures import cluster, here  # noqa: F401

DENIED, INVALID = 77, 64


class Proxy(http.server.BaseHTTPRequestHandler):
    """Hands requests on, and notes for whom."""

    def do_GET(self):
        self.server.asked.append(self.path)
        request = urllib.request.Request(self.path, headers={"Authorization": self.headers["Authorization"]})
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.asked = []
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def config(here, cluster):
    """Changes the kubeconfig for a while: {"cluster": {...}, "user": {...}}."""
    path = here.home.berth_home.parent / f"kubeconfig-{cluster.name}"
    kept = path.read_text()

    def change(**more):
        content = json.loads(kept)
        content["clusters"][0]["cluster"].update(more.get("cluster", {}))
        content["users"][0]["user"].update(more.get("user", {}))
        path.write_text(json.dumps(content))
        return path
    yield change
    path.write_text(kept)


def test_a_proxy_of_the_cluster_is_used(here, cluster, config, proxy):
    if cluster.name == "real":
        pytest.skip("it is reached through TLS, which this proxy does not pass")
    config(cluster={"proxy-url": f"http://127.0.0.1:{proxy.server_address[1]}"})
    here("get", "queues", env={"no_proxy": "*"}).ok()
    assert proxy.asked and all(path.startswith(cluster.url) for path in proxy.asked)
    config(cluster={"proxy-url": "gopher://x"})
    assert here("get", "queues").status == INVALID


def test_the_name_in_the_certificate_may_be_another(here, cluster, config):
    if cluster.name != "real":
        pytest.skip("the stand-in has no certificate")
    config(cluster={"tls-server-name": "api.tests"})
    here("get", "queues").ok()
    config(cluster={"tls-server-name": "other.tests"})
    result = here("get", "queues")
    assert result.status == DENIED, result
    config(cluster={"tls-server-name": "other.tests", "insecure-skip-tls-verify": True})
    assert here("get", "queues").status == INVALID


def test_one_may_act_as_somebody_else(here, cluster, config):
    config(user={"as": "nobody-at-all", "as-groups": ["a group"], "as-uid": "7"})
    result = here("get", "queues")
    if cluster.name == "real":
        assert result.status == DENIED and "nobody-at-all" in result.stderr, result
    else:
        headers = cluster.headers
        assert (headers["Impersonate-User"], headers["Impersonate-Group"], headers["Impersonate-Uid"]) == (
            "nobody-at-all", "a group", "7")
    config(user={"as-groups": ["a group"]})
    assert here("get", "queues").status == INVALID


def test_of_several_files_each_says_a_part(here, cluster, config):
    whole = json.loads(config().read_text())
    place = here.home.berth_home.parent
    for name in "clusters", "users", "contexts":
        (place / f"part-{name}").write_text(json.dumps({name: whole[name]}))
    (place / "part-current").write_text("current-context: tests\n")
    settings = here.home.config_dir / "config.yaml"
    kept = settings.read_text()
    settings.write_text("clusters: {kube: {backend: kubernetes}}\n")
    try:
        parts = ":".join(str(place / f"part-{name}") for name in ("current", "none", "users", "clusters", "contexts"))
        here("get", "queues", env={"KUBECONFIG": parts}).ok()
        result = here("get", "queues", env={"KUBECONFIG": str(place / "part-users")})
        assert result.status == INVALID and "current context" in result.stderr, result
    finally:
        settings.write_text(kept)
    assert kube.TOKEN not in result.stderr
