"""``deploy kubernetes``: valid for four versions, resolved by the real Kustomize."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from samovar.core.digest import Digest
from samovar.deploy.folder import write_files
from samovar.deploy.kubernetes import Cluster, write
from samovar.deploy.plan import Plan, Service

if TYPE_CHECKING:
    from pathlib import Path

    from engines.tools import Tool

pytestmark = pytest.mark.engine

PLAN = Plan(
    service=Service(
        name="titanic",
        version="1.0.0",
        digest=Digest.of(b"bundle"),
        image="registry.example.com/titanic:1.0.0",
        python="3.11",
    ),
    replicas=2,
)
CLUSTERS = {
    "any": Cluster(),
    "gateway": Cluster(route="gateway", hostname="titanic.example.org"),
    "volume": Cluster(minor=35, model_image="registry.example.com/titanic:2.0.0"),
    "inside": Cluster(minor=30, route="none"),
}
OF_OTHERS = {"HTTPRoute", "InferenceService", "Kustomization"}
"""Kinds that Kubernetes itself has no schema of."""
VALIDATE = """
import json, sys, kubernetes_validate
major, minor, _ = map(int, kubernetes_validate.latest_version().split("."))
documents = json.load(sys.stdin)
for step in range(4):
    for document in documents:
        kubernetes_validate.validate(document, f"{major}.{minor - step}", strict=True)
    print("valid for", f"{major}.{minor - step}")
"""


@pytest.fixture(scope="module")
def resolved(kubectl: Path, tmp_path_factory) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What Kustomize makes of each overlay for each cluster."""
    found = {}
    for kind, cluster in CLUSTERS.items():
        folder = tmp_path_factory.mktemp("manifests")
        write_files(write(PLAN, cluster), folder)
        for overlay in ("staging", "production"):
            done = subprocess.run(
                [kubectl, "kustomize", folder / "overlays" / overlay],
                check=False,
                capture_output=True,
                text=True,
            )
            assert (done.returncode, done.stderr) == (0, "")
            found[kind, overlay] = list(yaml.safe_load_all(done.stdout))
    return found


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (one,) = [document for document in documents if document["kind"] == kind]
    return one


def test_all_of_it_is_valid_for_the_last_four_versions(
    deploy_tools: Tool, resolved, tmp_path: Path
) -> None:
    documents = [document for listed in resolved.values() for document in listed]
    for kind, cluster in CLUSTERS.items():
        for name in write_files(write(PLAN, cluster), tmp_path / kind):
            documents += yaml.safe_load_all((tmp_path / kind / name).read_text())
    # KServe hands these containers on to a pod as they are.
    service = next(one for one in documents if one["kind"] == "InferenceService")
    pod = {"containers": service["spec"]["predictor"]["containers"]}
    documents.append(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kserve"}, "spec": pod}
    )
    kept = [document for document in documents if document["kind"] not in OF_OTHERS]
    kept = list({json.dumps(document): document for document in kept}.values())
    done = subprocess.run(
        [deploy_tools.python, "-c", VALIDATE],
        input=json.dumps(kept),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("valid for 1.") == 4


@pytest.mark.parametrize("kind", CLUSTERS)
def test_two_stages_of_one_namespace_are_two_services(resolved, kind: str) -> None:
    for overlay, suffix in (("staging", "-staging"), ("production", "")):
        documents = resolved[kind, overlay]
        assert {document["metadata"]["name"] for document in documents} == {f"titanic{suffix}"}
        pod = of_kind(documents, "Deployment")["spec"]["template"]
        labels = pod["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == overlay
        spread = pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]
        for selector in (
            of_kind(documents, "Service")["spec"]["selector"],
            of_kind(documents, "Deployment")["spec"]["selector"]["matchLabels"],
            of_kind(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            of_kind(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
            spread["matchLabels"],
        ):
            assert selector["app.kubernetes.io/instance"] == overlay
            assert selector.items() <= labels.items()


@pytest.mark.parametrize("kind", CLUSTERS)
@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_what_names_another_finds_it(resolved, kind: str, overlay: str) -> None:
    documents = resolved[kind, overlay]
    names = {(document["kind"], document["metadata"]["name"]) for document in documents}
    pod = of_kind(documents, "Deployment")["spec"]["template"]["spec"]
    autoscaler = of_kind(documents, "HorizontalPodAutoscaler")["spec"]
    (container,) = pod["containers"]
    asked = {
        ("ServiceAccount", pod["serviceAccountName"]),
        ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]),
        ("Deployment", autoscaler["scaleTargetRef"]["name"]),
    }
    route = {"gateway": "HTTPRoute", "inside": None}.get(kind, "Ingress")
    if route is not None:
        rule = of_kind(documents, route)["spec"]["rules"][0]
        backend = rule["backendRefs"][0] if route == "HTTPRoute" else None
        backend = backend or rule["http"]["paths"][0]["backend"]["service"]
        asked.add(("Service", backend["name"]))
    assert asked <= names
    assert autoscaler["minReplicas"] == {"staging": 1, "production": 3}[overlay]
    assert autoscaler["minReplicas"] <= autoscaler["maxReplicas"]
    # Who scales decides on the number: applying the manifests again leaves it.
    assert "replicas" not in of_kind(documents, "Deployment")["spec"]


def test_stages_are_called_by_names_of_their_own(resolved) -> None:
    def called(kind: str, overlay: str) -> str:
        for document in resolved[kind, overlay]:
            if document["kind"] == "HTTPRoute":
                return document["spec"]["hostnames"][0]
            if document["kind"] == "Ingress":
                return document["spec"]["rules"][0]["host"]
        raise AssertionError(f"{kind} has no route")

    assert called("any", "production") == "titanic.example.com"
    assert called("any", "staging") == "staging.titanic.example.com"
    assert called("gateway", "production") == "titanic.example.org"
    assert called("gateway", "staging") == "staging.titanic.example.org"
