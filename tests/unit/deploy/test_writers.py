"""The files that deploy writes: what they promise, read back as data."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest
import yaml

from samovar.cli.application import application
from samovar.core.digest import Digest
from samovar.deploy import compose, kubernetes, nginx, ray, swarm, uwsgi
from samovar.deploy.plan import MIB, Plan, Service
from samovar.errors import InvalidProject, UserError
from samovar.image import paths

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "ci"
SERVICE = Service(
    name="team/titanic_v2",
    version="1.0.0",
    digest=Digest.of(b"bundle"),
    image="registry.example.com/titanic:1.0.0",
    python="3.11",
    app="server:app",
)
PLAN = Plan(service=SERVICE, replicas=3, cpus=0.5, memory_bytes=256 * MIB, port=8081)


def documents(files: dict[str, str]) -> dict[str, dict]:
    return {
        path: yaml.safe_load(text)
        for path, text in files.items()
        if path.endswith(("yml", "yaml")) and path != "manifests.yaml"
    }


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("titanic", "titanic"),
        ("team/titanic_v2", "team-titanic-v2"),
        ("3d", "m-3d"),
        ("a" * 80, "a" * 63),
    ],
)
def test_names_become_dns_labels(name: str, label: str) -> None:
    service = Service(name=name, version="1", digest=SERVICE.digest, image="i", python="3.11")
    assert service.label == label


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicas": 0},
        {"replicas": 10_001},
        {"cpus": 0},
        {"cpus": float("nan")},
        {"memory_bytes": MIB},
        {"address": "0.0.0.0; include /etc/passwd"},
        {"address": ""},
        {"balancer": "NGINX image"},
        {"balancer": "nginx\nprivileged: true"},
    ],
)
def test_what_nothing_can_run_is_refused(wrong: dict[str, float | str]) -> None:
    with pytest.raises(UserError):
        Plan(service=SERVICE, **wrong)  # type: ignore[arg-type]


def test_compose_gives_each_replica_its_limits_and_no_rights() -> None:
    services = documents(compose.write(PLAN))["docker-compose.yml"]["services"]
    replicas = [services[f"team-titanic-v2-{number}"] for number in (1, 2, 3)]
    assert len(services) == 4
    for replica in replicas:
        assert replica["image"] == SERVICE.image
        assert replica["cpus"] == 0.5
        assert replica["mem_limit"] == replica["memswap_limit"] == "256m"
        assert replica["read_only"] is True
        assert replica["cap_drop"] == ["ALL"]
    addresses = [replica["networks"]["inside"]["ipv4_address"] for replica in replicas]
    assert len(set(addresses)) == 3
    conf = compose.write(PLAN)["nginx.conf"]
    assert all(f"server {address}:5000 " in conf for address in addresses)
    assert services["balancer"]["ports"] == ["127.0.0.1:8081:8080"]


def test_compose_stops_where_one_machine_does() -> None:
    with pytest.raises(UserError, match="at most 200"):
        compose.write(Plan(service=SERVICE, replicas=201))


def test_predictions_alone_are_asked_again() -> None:
    twice = nginx.balancer("m", ["a:1", "b:1"], listen="80", again=True)
    assert twice.count("non_idempotent") == 1
    assert "non_idempotent" not in nginx.balancer("m", ["a:1"], listen="80", again=False)


def test_uwsgi_runs_the_application_within_the_quota() -> None:
    files = uwsgi.write(Plan(service=SERVICE, cpus=3.5, memory_bytes=256 * MIB))
    ini = files["uwsgi.ini"]
    assert "module = server\ncallable = app\nprocesses = 3\n" in ini
    unit = files["systemd/team-titanic-v2.service"]
    assert "CPUQuota=350%" in unit
    assert "MemoryMax=256M" in unit
    assert "--hash=sha256:" in files["uwsgi-requirements.txt"]
    compile(files["supervise.py"], "supervise.py", "exec")


def test_uwsgi_without_an_application_says_what_to_do() -> None:
    bare = Service(name="m", version="1", digest=SERVICE.digest, image="i", python="3.11")
    with pytest.raises(InvalidProject) as caught:
        uwsgi.write(Plan(service=bare))
    assert "[service] app" in (caught.value.hint or "")


def test_swarm_asks_dns_and_starts_the_new_one_first() -> None:
    files = swarm.write(PLAN)
    deploy = documents(files)["stack.yml"]["services"]["replica"]["deploy"]
    assert deploy["endpoint_mode"] == "dnsrr"
    assert deploy["update_config"]["order"] == "start-first"
    assert deploy["update_config"]["failure_action"] == "rollback"
    assert deploy["resources"]["limits"] == {"cpus": "0.5", "memory": "256M"}
    assert "include /tmp/replicas.conf;" in files["nginx.conf"]


RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip


@pytest.mark.parametrize("model", [None, "registry.example.com/other:2"])
def test_kubernetes_pods_are_restricted_and_probed(model: str | None) -> None:
    files = documents(kubernetes.write(PLAN, kubernetes.Cluster(model_image=model)))
    pod = files["base/deployment.yaml"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # Pod Security Standards, "Restricted".
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for volume in pod.get("volumes", []):
        assert set(volume) - {"name"} <= RESTRICTED_VOLUMES
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "256Mi"}
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    # Longer than the pause before it, and what the server takes to drain.
    assert pod["terminationGracePeriodSeconds"] >= 5 + 30
    assert set(files["base/kustomization.yaml"]["resources"]) == {
        path.removeprefix("base/")
        for path in files
        if path.startswith("base/") and "kustomization" not in path
    }


def test_plain_manifests_are_the_base() -> None:
    files = kubernetes.write(PLAN)
    plain = list(yaml.safe_load_all(files["manifests.yaml"]))
    base = [
        document
        for path, document in documents(files).items()
        if path.startswith("base/") and "kustomization" not in path
    ]
    assert len(plain) == 8
    assert all(document in base for document in plain)
    assert {document["kind"] for document in plain} == {
        "Deployment", "Service", "ServiceAccount", "ConfigMap", "HorizontalPodAutoscaler",
        "PodDisruptionBudget", "NetworkPolicy", "Ingress",
    }  # fmt: skip


def test_a_model_volume_takes_the_place_of_the_images_own_model() -> None:
    cluster = kubernetes.Cluster(minor=33, model_image="registry.example.com/other:2")
    pod = documents(kubernetes.write(PLAN, cluster))["base/deployment.yaml"]["spec"]["template"]
    (volume,) = pod["spec"]["volumes"]
    assert volume["image"]["reference"] == "registry.example.com/other:2"
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    assert {mount["mountPath"]: mount["subPath"] for mount in mounts} == {
        paths.BUNDLE: paths.BUNDLE.lstrip("/"),
        str(Path(paths.JOB).parent): str(Path(paths.JOB).parent).lstrip("/"),
    }
    assert all(mount["readOnly"] for mount in mounts)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("1.30", "has no image volumes, which came with 1.31"),
        ("v1.31.4", "subPath"),
        ("1.32", "subPath"),
    ],
)
def test_an_option_that_the_cluster_lacks_is_refused(version: str, says: str) -> None:
    minor = kubernetes.read_version(version)
    assert kubernetes.Cluster(minor=minor).model_image is None
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        kubernetes.Cluster(minor=minor, model_image="m:1")
    assert caught.value.code == "kubernetes_version"
    assert "1.33" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"minor": 22},
        {"hostname": "Titanic.example.com"},
        {"hostname": "a b"},
        {"hostname": "a\nb"},
        {"model_image": 'm:1", evil: "'},
        {"model_image": "M:1"},
    ],
)
def test_a_cluster_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError):
        kubernetes.Cluster(**wrong)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize("text", ["", "1", "2.1", "1.x", "1.35 ", "1.35; rm", "latest", "1.1234"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="no version of Kubernetes"):
        kubernetes.read_version(text)


@pytest.mark.parametrize(("minor", "pause"), [(None, "exec"), (29, "exec"), (30, "sleep")])
def test_the_pause_before_a_pod_stops_is_the_clusters_where_it_has_one(minor, pause) -> None:
    files = documents(kubernetes.write(PLAN, kubernetes.Cluster(minor=minor)))
    (container,) = files["base/deployment.yaml"]["spec"]["template"]["spec"]["containers"]
    assert set(container["lifecycle"]["preStop"]) == {pause}


def test_an_image_that_is_no_reference_is_refused() -> None:
    wrong = Service(name="m", version="1", digest=SERVICE.digest, image='x"\ny', python="3.11")
    with pytest.raises(UserError):
        kubernetes.write(Plan(service=wrong))


def test_a_ray_application_says_what_each_replica_takes() -> None:
    text = ray.write(PLAN, bundle="sha256-00.tar")["service.py"]
    words = {
        word.arg: ast.literal_eval(word.value)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        for word in node.keywords
    }
    assert words["num_replicas"] == 3
    assert words["ray_actor_options"] == {"num_cpus": 0.5, "memory": 256 * MIB}
    assert words["bundle"] == "sha256-00.tar"
    assert words["digest"] == str(SERVICE.digest)


def test_a_ray_application_is_scaled_between_its_bounds() -> None:
    text = ray.write(PLAN, bundle="sha256-00.tar", most=8)["service.py"]
    assert '"min_replicas": 3' in text
    assert '"max_replicas": 8' in text
    assert "num_replicas" not in text
    with pytest.raises(UserError, match="fewer"):
        ray.write(PLAN, bundle="sha256-00.tar", most=2)


def test_a_bundle_that_ray_would_not_carry_is_refused() -> None:
    ray.check_size(1)
    with pytest.raises(UserError, match="too large"):
        ray.check_size(501 * MIB)


@pytest.mark.parametrize(
    ("name", "jobs"), [("github.yml", ["verify", "push"]), ("gitlab-ci.yml", ["verify", "push"])]
)
def test_pipelines_call_commands_with_options_that_exist(name: str, jobs: list[str]) -> None:
    text = (EXAMPLES / name).read_text()
    document = yaml.safe_load(text)
    assert [job for job in document.get("jobs", document) if job in jobs] == jobs
    called = re.findall(r"(?:^|- |run: )\s*samovar ([a-z]+)(.*)$", text, re.MULTILINE)
    assert {command for command, _ in called} == {"lock", "pack", "verify", "build", "push"}
    for command, rest in called:
        found = application.get_command(click.Context(application), command)
        known = {option for parameter in found.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known
