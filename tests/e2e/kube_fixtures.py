# SPDX-License-Identifier: MIT
"""What tests of Kubernetes share: the stand-in and the real API server as one fixture, and a berth that goes there.
Modules import `cluster` and `here`."""

import pytest

import kube_standin

# For tests that say what the server answers, or what a kubelet has, and for those of what the stand-in has not.
stand_in_only = pytest.mark.parametrize("cluster", ["stand-in"], indirect=True)
real_only = pytest.mark.parametrize("cluster", ["real"], indirect=True)

# No registry is asked what an image runs.
CONFIG = """\
clusters:
  kube:
    backend: kubernetes
    kubeconfig: {path}
    kube_context: tests
    namespace: default
    job: {{entrypoint: ""}}
  template:
    backend: kubernetes
    kubeconfig: {path}
    template: {template}
    job: {{entrypoint: ""}}
"""

TEMPLATE = """\
metadata:
  labels: {team: physics}
spec:
  nodeSelector: {disk: ssd}
  tolerations:
  - {key: gpu, operator: Exists}
  containers:
  - name: main
    resources: {requests: {memory: 1Mi}}
  - {name: side, image: helper}
"""


@pytest.fixture(scope="module", params=["stand-in", "real"])
def cluster(request):
    if request.param == "real":
        it = request.getfixturevalue("real_cluster")
        it.name = request.param
        yield it
        return
    it = kube_standin.StandIn()
    it.name = request.param
    try:
        yield it.start()
    finally:
        it.stop()


@pytest.fixture(scope="module")
def here(cluster, berth, home):
    place = home.berth_home.parent
    path = cluster.kubeconfig(place / f"kubeconfig-{cluster.name}")
    (place / "pod.yaml").write_text(TEMPLATE)
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "config.yaml").write_text(CONFIG.format(path=path, template=place / "pod.yaml"))
    (home.config_dir / "config.yaml").chmod(0o600)
    return berth.with_env(BERTH_CLUSTER="kube")


def started(here, cluster, *argv):
    """A job, its uid, and the name of its first pod."""
    name = here.submit("--image", "busybox", *argv)
    uid = here.job(name)["uid"]
    return name, uid, cluster.pod(uid)
