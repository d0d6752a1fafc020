"""The manifests of config/kubernetes: what the API would refuse, and what it would not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

VERSIONS = ["1.31", "1.34", "1.37"]
FOLDER = Path(__file__).parents[2] / "config/kubernetes"
Manifest = dict[str, Any]
MANIFESTS: list[Manifest] = [
    manifest
    for path in sorted(FOLDER.glob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
]
WORKLOADS = [each for each in MANIFESTS if each["kind"] in {"Deployment", "StatefulSet"}]
MADE_BY_HAND = {"ConfigMap nginx", "ConfigMap nginx-templates", "Secret bff", "Secret tls"}


def named(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def found(kind: str, name: str) -> Manifest:
    (one,) = [each for each in MANIFESTS if named(each) == f"{kind} {name}"]
    return one


def pod(workload: Manifest) -> Manifest:
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def containers(workload: Manifest) -> Iterator[Manifest]:
    yield from pod(workload)["containers"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=named)
def test_every_release_would_take_it(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_everything_is_in_the_one_namespace() -> None:
    (namespace,) = [each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "Namespace"]
    others = {
        each["metadata"].get("namespace") for each in MANIFESTS if each["kind"] != "Namespace"
    }
    assert others == {namespace}


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_a_pod_is_confined(workload: Manifest) -> None:
    spec = pod(workload)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for each in containers(workload):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_a_pod_is_watched_and_bounded(workload: Manifest) -> None:
    for each in containers(workload):
        assert {"readinessProbe", "livenessProbe"} <= each.keys()
        assert {"cpu", "memory"} <= each["resources"]["requests"].keys()
        assert "memory" in each["resources"]["limits"]
        assert ":" in each["image"]
        assert not each["image"].endswith(":latest")


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_selectors_select_what_they_are_for(workload: Manifest) -> None:
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels
    service = found("Service", workload["metadata"]["name"])
    assert service["spec"]["selector"].items() <= labels
    ports = {port["name"] for each in containers(workload) for port in each["ports"]}
    assert {each["targetPort"] for each in service["spec"]["ports"]} <= ports


def test_what_is_disrupted_or_scaled_is_there() -> None:
    for budget in (each for each in MANIFESTS if each["kind"] == "PodDisruptionBudget"):
        name = budget["metadata"]["name"]
        selector = found("Deployment", name)["spec"]["selector"]
        assert budget["spec"]["selector"] == selector
    scaler = found("HorizontalPodAutoscaler", "bff")["spec"]
    assert "replicas" not in found("Deployment", scaler["scaleTargetRef"]["name"])["spec"]
    assert scaler["minReplicas"] > found("PodDisruptionBudget", "bff")["spec"]["minAvailable"]


def test_what_is_referred_to_is_there_or_made_by_a_documented_command(root: Path) -> None:
    there = {named(each) for each in MANIFESTS}
    wanted = {
        reference
        for workload in WORKLOADS
        for volume in pod(workload).get("volumes", ())
        for reference in _references(volume)
    }
    wanted |= {
        f"ConfigMap {source['configMapRef']['name']}"
        for workload in WORKLOADS
        for each in containers(workload)
        for source in each.get("envFrom", ())
    }
    assert wanted - there == MADE_BY_HAND
    page = (root / "docs/deploying.md").read_text()
    for each in MADE_BY_HAND:
        kind, name = each.split()
        words = {"ConfigMap": "configmap", "Secret": "secret"}[kind]
        assert f"create {words} {'generic ' if name == 'bff' else ''}" in page, each
        assert f" {name} " in page


def _references(volume: Manifest) -> Iterator[str]:
    if "configMap" in volume:
        yield f"ConfigMap {volume['configMap']['name']}"
    if "secret" in volume:
        yield f"Secret {volume['secret']['secretName']}"


def test_a_volume_is_mounted_and_a_mount_is_a_volume() -> None:
    for workload in WORKLOADS:
        claims = workload["spec"].get("volumeClaimTemplates", ())
        volumes = {each["name"] for each in pod(workload).get("volumes", ())}
        volumes |= {each["metadata"]["name"] for each in claims}
        mounted = {mount["name"] for each in containers(workload) for mount in each["volumeMounts"]}
        assert mounted == volumes, named(workload)


def test_it_says_the_same_as_compose(root: Path) -> None:
    services = yaml.safe_load((root / "compose.yaml").read_text())["services"]
    for name in ("sessions", "cache"):
        (container,) = containers(
            next(each for each in WORKLOADS if each["metadata"]["name"] == name)
        )
        policy = next(each for each in container["args"] if "maxmemory-policy" in each)
        assert policy in services[name]["command"]
        assert container["image"] == services[name]["image"]
    (nginx,) = containers(found("Deployment", "nginx"))
    assert nginx["image"] == services["nginx"]["image"]
    names = {each["name"] for each in nginx["env"]}
    defaults = (root / "nginx/defaults.env").read_text()
    assert all(f"\n{name}=" in defaults for name in names | services["nginx"]["environment"].keys())
    app = found("ConfigMap", "bff")["data"]
    assert app.keys() >= {"SESSION_STORE", "SESSION_SECRET_FILE", "CACHE_STORE", "BFF_DRAIN"}


def test_a_pod_has_time_to_end_well() -> None:
    drain = int(found("ConfigMap", "bff")["data"]["BFF_DRAIN"])
    assert drain + 30 <= pod(found("Deployment", "bff"))["terminationGracePeriodSeconds"]


def test_the_apps_secrets_are_files_at_the_paths_that_it_is_told() -> None:
    (container,) = containers(found("Deployment", "bff"))
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "secrets"]
    told = [value for name, value in found("ConfigMap", "bff")["data"].items() if "_FILE" in name]
    assert told
    assert all(each.startswith(f"{mount['mountPath']}/") for each in told)
