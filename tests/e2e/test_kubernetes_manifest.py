# SPDX-License-Identifier: MIT
"""Every field of a manifest, held against models that are not ours: the classes of Debian's python3-kubernetes (no member
that they do not know, none missing that they require, each of its type), and the real API server's strict validation."""

import datetime
import json
import urllib.error

import pytest

import kube
from kube_fixtures import cluster, here  # noqa: F401

client = pytest.importorskip("kubernetes.client", reason="no python3-kubernetes")

# What the release of Debian 12 (Kubernetes 1.22) is too old for; the real one knows it.
NEWER = {"V1JobSpec": {"podFailurePolicy", "backoffLimitPerIndex"}}

TEMPLATE = """\
apiVersion: batch/v1
kind: Job
metadata: {labels: {team: physics}, annotations: {note: text}}
spec:
  ttlSecondsAfterFinished: 60
  template:
    spec:
      nodeSelector: {disk: ssd}
      tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a, b]}]}]
      imagePullSecrets: [{name: registry}]
      securityContext: {fsGroup: 100, runAsNonRoot: true}
      priorityClassName: low
      serviceAccountName: robot
      runtimeClassName: kata
      terminationGracePeriodSeconds: 5
      volumes: [{name: config, configMap: {name: c}}, {name: space, emptyDir: {sizeLimit: 1Gi}}]
      containers:
      - name: side
        image: helper
      - name: main
        env: [{name: A, value: theirs}, {name: B, value: theirs}]
        volumeMounts: [{name: config, mountPath: /config}, {name: space, mountPath: /space}]
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        resources: {limits: {ephemeral-storage: 1Gi}}
"""


def check(kind: str, value, where: str):
    """Makes an object of the model's class of it, whose setters refuse what is missing."""
    if kind.startswith("list["):
        assert isinstance(value, list), where
        return [check(kind[5:-1], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if kind.startswith("dict("):
        assert isinstance(value, dict), where
        inner = kind[5:-1].split(", ")[1]
        return {key: check(inner, item, f"{where}.{key}") for key, item in value.items()}
    simple = {"str": str, "int": int, "bool": bool, "datetime": str, "float": (int, float)}
    if kind in simple:
        assert isinstance(value, simple[kind]) and (kind == "bool" or not isinstance(value, bool)), f"{where}: {value!r}"
        return datetime.datetime.now() if kind == "datetime" else value
    if kind == "object":
        assert isinstance(value, (str, int)), where
        return value
    model = getattr(client, kind)
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    assert isinstance(value, dict), where
    unknown = set(value) - set(names) - NEWER.get(kind, set())
    assert not unknown, f"{where}: {kind} has no {unknown}"
    return model(**{names[key]: check(model.openapi_types[names[key]], item, f"{where}.{key}")
                    for key, item in value.items() if key in names})


def at(manifest, path: str):
    for part in path.split("/"):
        manifest = manifest[int(part)] if isinstance(manifest, list) else manifest[part]
    return manifest


POD = "spec/template/spec"
MAIN = f"{POD}/containers/0"
FIELDS = [  # options of a job, and what they come to
    ({"cpus": 2, "mem": "64M"}, {f"{MAIN}/resources/requests": {"cpu": "2", "memory": str(64 << 20)}}),
    ({"cpus": 4, "mem-per-cpu": "1M"}, {f"{MAIN}/resources/limits": {"memory": str(4 << 20)}}),
    ({"cpu-limit": "2500m"}, {f"{MAIN}/resources/limits": {"cpu": "2500m"}}),
    ({"gpus": "2"}, {f"{MAIN}/resources/limits": {"nvidia.com/gpu": "2"}}),
    ({"gpus": "amd.com/gpu:2"}, {f"{MAIN}/resources/limits": {"amd.com/gpu": "2"}}),
    ({"gpus-per-task": "1", "tasks": 2}, {f"{MAIN}/resources/limits": {"nvidia.com/gpu": "1"}}),
    ({"gres": "x.y/fpga:3"}, {f"{MAIN}/resources/limits": {"x.y/fpga": "3"}}),
    ({"user": "1000:100"}, {f"{MAIN}/securityContext": {"runAsUser": 1000, "runAsGroup": 100}}),
    ({"mount": ["claim:/work"]}, {f"{POD}/volumes/0/persistentVolumeClaim/claimName": "claim"}),
    ({"mount": ["/data:/in:ro"]}, {f"{POD}/volumes/0/hostPath/path": "/data", f"{MAIN}/volumeMounts/0/readOnly": True}),
    ({"mount": ["tmpfs:/cache:1M"]}, {f"{POD}/volumes/0/emptyDir": {"medium": "Memory", "sizeLimit": str(1 << 20)}}),
    ({"shm-size": "2M"}, {f"{MAIN}/volumeMounts/0/mountPath": "/dev/shm"}),
    ({"input-dir": "/a", "output-dir": "/b"}, {f"{MAIN}/volumeMounts/1/mountPath": "/share/outgoing"}),
    ({"qos": "high"}, {f"{POD}/priorityClassName": "high"}),
    ({"constraint": "disk=ssd&!old|gpu"}, {
        f"{POD}/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/1": {
            "matchExpressions": [{"key": "gpu", "operator": "Exists"}]}}),
    ({"nodelist": "n1,n2", "exclude": "n3"}, {
        f"{POD}/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/"
        "matchExpressions/1": {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["n3"]}}),
    ({"restart": "on-failure:3"}, {"spec/backoffLimit": 3, f"{POD}/restartPolicy": "Never"}),
    ({"requeue": True}, {"spec/podFailurePolicy/rules/0/action": "Ignore"}),
    ({"time": "90s"}, {"spec/activeDeadlineSeconds": 90}),
    ({"array": "0-9%3", "time": "1m"}, {"spec/completions": 10, "spec/parallelism": 3, "spec/backoffLimitPerIndex": 0,
                                        f"{POD}/activeDeadlineSeconds": 60}),
    ({"array": "1-9:2%2", "tasks": 3}, {"spec/completions": 15, "spec/parallelism": 6, "spec/backoffLimitPerIndex": 0}),
    ({"tasks": 2, "nodes": 2}, {"spec/completionMode": "Indexed", f"{POD}/affinity/podAntiAffinity/"
                              "requiredDuringSchedulingIgnoredDuringExecution/0/topologyKey": "kubernetes.io/hostname"}),
    ({"network": "host"}, {f"{POD}/hostNetwork": True}),
    ({"pull": "always"}, {f"{MAIN}/imagePullPolicy": "Always"}),
    ({"label": ["color=blue"], "comment": "a remark"}, {
        "metadata/labels/color": "blue", "spec/template/metadata/labels/color": "blue",
        "metadata/annotations": {"berth.comment": "a remark"}}),
    ({"pod": {"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}], "nodeSelector": {"pool": "a100"},
              "imagePullSecrets": [{"name": "registry"}], "priorityClassName": "low", "serviceAccountName": "robot"}}, {
        f"{POD}/tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}], f"{POD}/nodeSelector": {"pool": "a100"},
        f"{POD}/imagePullSecrets": [{"name": "registry"}], f"{POD}/priorityClassName": "low", f"{POD}/serviceAccountName": "robot"}),
    ({"pod": {"securityContext": {"runAsNonRoot": True, "fsGroup": 100, "seccompProfile": {"type": "RuntimeDefault"}},
              "containers": [{"name": "main", "securityContext": {"allowPrivilegeEscalation": False,
                                                                  "capabilities": {"drop": ["ALL"]}}}]}, "user": "1000:100"}, {
        f"{POD}/securityContext/fsGroup": 100, f"{POD}/initContainers/0/securityContext/capabilities": {"drop": ["ALL"]},
        f"{MAIN}/securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 1000,
                                    "runAsGroup": 100}}),
    ({"pod": {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "store"}}, "topologyKey": "zone"}]}}}, "exclude": "n1"}, {
            f"{POD}/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/topologyKey": "zone",
            f"{POD}/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchExpressions/0/"
            "operator": "NotIn"}),
    ({"pod": "volumes: [{name: space, emptyDir: {sizeLimit: 1Gi}}]\ncontainers:\n- name: main\n"
             "  volumeMounts: [{name: space, mountPath: /space}]\n", "mount": ["claim:/work"]}, {
        f"{POD}/volumes/0/emptyDir": {"sizeLimit": "1Gi"}, f"{MAIN}/volumeMounts/0/mountPath": "/space",
        f"{POD}/volumes/1/persistentVolumeClaim/claimName": "claim"}),
    ({"pod": {"kind": "Pod", "metadata": {"annotations": {"note": "text"}}, "spec": {"terminationGracePeriodSeconds": 5}}}, {
        "spec/template/metadata/annotations": {"note": "text"}, f"{POD}/terminationGracePeriodSeconds": 5}),
    ({"env": ["A=b $(C)"], "entrypoint": "/bin/sh", "workdir": "/srv"}, {
        f"{MAIN}/env": [{"name": "A", "value": "b $$(C)"}], f"{MAIN}/args": ["/bin/sh", "true"],
        f"{MAIN}/workingDir": "/srv"}),
]


def manifest_of(here, cluster, spec, *argv):
    job = json.dumps({"command": ["true"], "image": "busybox", **spec})
    manifest = json.loads(here("submit", "--dry-run", *argv, "-f", "-", input=job).ok().stdout)
    check("V1Job", manifest, "job")
    if cluster.name == "real":
        try:
            made = cluster.request("POST", f"{kube.JOBS}?dryRun=All&fieldValidation=Strict", manifest)
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{spec}: {refused.read().decode()}") from None
        assert made["metadata"]["uid"]
    return manifest


def test_each_option_is_a_field_that_kubernetes_knows(here, cluster):
    for spec, expected in FIELDS:
        manifest = manifest_of(here, cluster, spec)
        for path, value in expected.items():
            assert at(manifest, path) == value, (spec, path, at(manifest, path))


def test_a_template_is_merged_by_names(here, cluster):
    path = here.home.berth_home.parent / "pod.yaml"
    kept = path.read_text()
    path.write_text(TEMPLATE)
    try:
        manifest = manifest_of(here, cluster, {"env": ["A=ours"], "mount": ["claim:/work"], "exclude": "n1", "mem": "1M",
                                               "user": "1000:100",
                                               "label": ["color=blue"]}, "-b", "template")
    finally:
        path.write_text(kept)
    pod = manifest["spec"]["template"]["spec"]
    side, main = pod["containers"]
    assert (side, main["image"]) == ({"name": "side", "image": "helper"}, "busybox")
    assert {one["name"]: one["value"] for one in main["env"]} == {"A": "ours", "B": "theirs"}
    places = [mount["mountPath"] for mount in main["volumeMounts"]]
    assert [place for place in places if not place.startswith("/berth")] == ["/config", "/space", "/work"]
    assert main["resources"]["limits"] == {"ephemeral-storage": "1Gi", "memory": str(1 << 20)}
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [one["key"] for one in terms[0]["matchExpressions"]] == ["zone", "kubernetes.io/hostname"]
    for key in ("nodeSelector", "tolerations", "imagePullSecrets", "securityContext", "serviceAccountName", "runtimeClassName",
                "terminationGracePeriodSeconds"):
        assert pod[key], key
    assert pod["volumes"][1] == {"name": "space", "emptyDir": {"sizeLimit": "1Gi"}}
    # What a namespace may ask of every container, the one that brings the programs has as well.
    assert main["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsUser": 1000,
                                       "runAsGroup": 100} == pod["initContainers"][0]["securityContext"]
    assert (pod["priorityClassName"], manifest["spec"]["ttlSecondsAfterFinished"]) == ("low", 60)
    labels = manifest["metadata"]["labels"]
    assert (labels["team"], labels["color"], manifest["metadata"]["annotations"]["note"]) == ("physics", "blue", "text")


def test_the_model_would_tell(here, cluster):
    manifest = manifest_of(here, cluster, {})
    manifest["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    with pytest.raises(AssertionError, match="imagePullPolice"):
        check("V1Job", manifest, "job")
    del manifest["spec"]["template"]
    with pytest.raises(ValueError, match="template"):
        check("V1Job", manifest, "job")
