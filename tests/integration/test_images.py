"""Images end to end: built by the command, read by skopeo, run by Docker, moved by a registry."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from cli import samovar
from engines.processes import need

ROW = [1, 0, 1, 24]
NOBODY = 65534
BOTH = ("--platform", "linux/amd64", "--platform", "linux/arm64")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail(f"{url} was not ready within a minute")


def test_the_answer_is_the_contracts(built):
    document = built[2]
    assert document["ref"] == "titanic"
    assert document["platforms"] == ["linux/amd64", "linux/arm64"]
    assert document["built_layers"] > 0
    assert document["digest"].startswith("sha256:")
    assert {"scipy 1.17.1", "numpy 2.4.6", "model", "description and receipt", "lock"} <= {
        layer["what"] for layer in document["layers"]
    }


def test_an_unchanged_folder_is_not_built_again(built):
    project, home, document = built
    again = samovar("--offline", "build", *BOTH, "--json", cwd=project, SAMOVAR_HOME=home).json
    assert again["built_layers"] == 0
    assert again["digest"] == document["digest"]
    assert again["image_id"] == document["image_id"]


def test_the_digest_is_the_same_for_everybody(built, tmp_path):
    project, _, document = built
    deeper = tmp_path / "another" / "path with spaces" / "web"
    deeper.parent.mkdir(parents=True)
    shutil.copytree(project, deeper)
    other = samovar(
        "build",
        *BOTH,
        "--tag",
        "elsewhere:9",
        "--json",
        cwd=deeper,
        umask=0o077,
        SAMOVAR_HOME=tmp_path / "home",
        TZ="Asia/Tokyo",
        LC_ALL="C",
        PYTHONHASHSEED="1",
    ).json
    assert other["ref"] == "elsewhere:9"
    assert other["digest"] == document["digest"]
    assert other["image_id"] == document["image_id"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_digest_is_the_same_for_another_user(built):
    need("setpriv", "apt install util-linux")
    folder = Path(tempfile.mkdtemp(prefix="samovar-nobody-"))
    try:
        samovar("save", "titanic", folder / "titanic.tar", SAMOVAR_HOME=built.home)
        shutil.copytree(built.home / "cache" / "wheels", folder / "home" / "cache" / "wheels")
        shutil.copytree(built.home / "cache" / "debs", folder / "home" / "cache" / "debs")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        answer = samovar(
            "build", folder / "titanic.tar", *BOTH, "--tag", "x", "--json",
            cwd=folder, user=NOBODY, HOME=folder, SAMOVAR_HOME=folder / "home",
            TZ="America/Lima", LC_ALL="C.UTF-8", umask=0o027,
        ).json  # fmt: skip
    finally:
        shutil.rmtree(folder)
    assert answer["digest"] == built.document["digest"]
    assert answer["built_layers"] > 0


def test_the_index_carries_the_bundle(built):
    _, home, _ = built
    verdict = samovar("verify", "titanic", "--json", SAMOVAR_HOME=home).json
    assert verdict["verdict"] == "IDENTICAL"


def test_a_changed_bundle_makes_no_layer_of_packages_again(built, tmp_path):
    project, home, document = built
    changed = tmp_path / "web"
    shutil.copytree(project, changed)
    text = (changed / "samovar.toml").read_text()
    (changed / "samovar.toml").write_text(text.replace('name = "titanic"', 'name = "changed"'))
    after = samovar("build", *BOTH, "--json", cwd=changed, SAMOVAR_HOME=home).json
    assert after["ref"] == "changed"
    assert after["built_layers"] == 0
    assert after["digest"] != document["digest"]
    old = {layer["digest"] for layer in document["layers"]}
    new = [layer for layer in after["layers"] if layer["digest"] not in old]
    assert sum(layer["size_bytes"] for layer in new) < 200_000


@pytest.mark.parametrize(
    ("options", "code", "exit_code"),
    [
        (["--platform", "windows/amd64"], "unknown_platform", 2),
        (["--base", "./nothing.lock"], "not_found", 2),
        (["--base", "127.0.0.1:1/python:3.11"], "registry_unreachable", 3),
    ],
)
def test_what_cannot_be_built_says_why(built, options, code, exit_code):
    _, home, _ = built
    answer = samovar("build", "titanic", *options, "--json", code=exit_code, SAMOVAR_HOME=home)
    assert answer.error["code"] == code
    assert answer.error["hint"]


def test_no_engine_is_told_as_such(built, tmp_path):
    _, home, _ = built
    host = f"unix://{tmp_path}/none.sock"
    answer = samovar(
        "build", "titanic", "--load", "--json", code=3, SAMOVAR_HOME=home, DOCKER_HOST=host
    )
    assert answer.error["code"] == "no_engine"


@pytest.mark.engine
def test_skopeo_reads_the_oci_archive(built, tmp_path):
    _, home, document = built
    skopeo = need("skopeo", "apt install skopeo")
    file = tmp_path / "image.tar"
    samovar("build", "titanic", *BOTH, "-o", file, SAMOVAR_HOME=home)
    command = [skopeo, "inspect", "--raw", f"oci-archive:{file}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["manifests"]) == 3
    shown = [skopeo, "inspect", "--override-arch", "arm64", f"oci-archive:{file}"]
    inspected = json.loads(subprocess.run(shown, capture_output=True, text=True, check=True).stdout)
    assert inspected["Architecture"] == "arm64"
    assert inspected["Labels"]["org.opencontainers.image.title"] == "titanic"
    layers = {layer["digest"] for layer in document["layers"]}
    assert set(inspected["Layers"]) <= layers


@pytest.mark.engine
def test_it_runs_read_only_without_capabilities_and_answers_as_the_receipt(
    built, loaded, docker_engine
):
    _, home, _ = built
    port = free_port()
    container = docker_engine.docker(
        "run", "-d", "--read-only", "--cap-drop", "ALL", "--user", "65532",
        "--security-opt", "no-new-privileges", "-p", f"127.0.0.1:{port}:5000", "titanic",
    ).stdout.strip()  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    wait_ready(url)
    verdict = samovar("verify", url, "--against", "titanic", "--json", SAMOVAR_HOME=home).json
    assert verdict["verdict"] == "IDENTICAL"
    assert httpx.post(f"{url}/predict", json=ROW).json() == {"prediction": 1}
    begun = time.monotonic()
    docker_engine.docker("stop", container)
    assert time.monotonic() - begun < 10
    state = json.loads(docker_engine.docker("inspect", container).stdout)[0]["State"]
    assert state["ExitCode"] == 0


ASK_OVER_GRPC = """
import sys
import numpy as np
import tritonclient.grpc as triton
client = triton.InferenceServerClient(sys.argv[1])
tensors = []
for column, value in zip(client.get_model_metadata("titanic").inputs, map(float, sys.argv[2:])):
    kind = {"FP64": np.float64, "INT64": np.int64}[column.datatype]
    tensors.append(triton.InferInput(column.name, [1], column.datatype))
    tensors[-1].set_data_from_numpy(np.array([value], dtype=kind))
print(client.infer("titanic", tensors).as_numpy("prediction").tolist())
"""


@pytest.mark.engine
def test_it_answers_over_grpc_where_that_was_asked_for(built, docker_engine, http_clients):
    _, home, _ = built
    answer = samovar(
        "build", "titanic", "--grpc", "--tag", "titanic-grpc", "--load", "--json",
        SAMOVAR_HOME=home, DOCKER_HOST=docker_engine.host,
    ).json  # fmt: skip
    assert [layer["what"] for layer in answer["layers"] if "grpcio" in layer["what"]]
    port, grpc_port = free_port(), free_port()
    container = docker_engine.docker(
        "run", "-d", "--read-only", "--cap-drop", "ALL", "--user", "65532",
        "-p", f"127.0.0.1:{port}:5000", "-p", f"127.0.0.1:{grpc_port}:8001", "titanic-grpc",
    ).stdout.strip()  # fmt: skip
    wait_ready(f"http://127.0.0.1:{port}")
    asked = [http_clients.python, "-c", ASK_OVER_GRPC, f"127.0.0.1:{grpc_port}", *map(str, ROW)]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert done.stdout.strip() == "[1]", done.stderr
    docker_engine.docker("stop", container)
    state = json.loads(docker_engine.docker("inspect", container).stdout)[0]["State"]
    assert state["ExitCode"] == 0
    verdict = samovar("verify", "image:titanic-grpc", "--json", SAMOVAR_HOME=home).json
    assert (verdict["verdict"], verdict["environment"]["mismatches"]) == ("IDENTICAL", [])


@pytest.mark.engine
def test_the_engine_knows_the_image_by_its_id_and_the_health_check_answers(loaded, docker_engine):
    shown = json.loads(docker_engine.docker("inspect", "titanic").stdout)[0]
    assert shown["Id"] == loaded["image_id"]
    assert shown["Config"]["User"] == "65532:65532"
    container = docker_engine.docker("run", "-d", "--read-only", "titanic").stdout.strip()
    test = shown["Config"]["Healthcheck"]["Test"][1:]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if docker_engine.docker("exec", container, *test, check=False).returncode == 0:
            break
        time.sleep(0.2)
    else:
        pytest.fail("the health check never answered")
    docker_engine.docker("rm", "-f", container)


@pytest.mark.engine
def test_the_packages_in_the_image_are_the_locks(loaded, docker_engine):
    program = (
        "from importlib.metadata import distributions as d, version; import json;"
        "bad=[str(f) for x in d(path=['/opt/venv/lib/python3.11/site-packages'])"
        " for f in x.files or () if not f.locate().exists()];"
        "print(json.dumps([bad, version('numpy'), version('scikit-learn')]))"
    )
    done = docker_engine.docker(
        "run", "--rm", "--entrypoint", "/opt/venv/bin/python", "titanic", "-c", program
    )
    assert json.loads(done.stdout) == [[], "2.4.6", "1.7.2"]


@pytest.mark.engine
def test_a_console_script_runs_in_the_image(loaded, docker_engine):
    done = docker_engine.docker("run", "--rm", "--entrypoint", "flask", "titanic", "--version")
    assert "Flask 3.1.3" in done.stdout


@pytest.mark.engine
def test_threads_follow_the_limit_where_the_arithmetic_is_native(loaded, docker_engine):
    container = docker_engine.docker(
        "run", "-d", "--cpus", "1", "-e", "SAMOVAR_NUMERICS=native", "titanic"
    ).stdout.strip()
    deadline = time.monotonic() + 30
    shown = ""
    while "OMP_NUM_THREADS" not in shown and time.monotonic() < deadline:
        state = json.loads(docker_engine.docker("inspect", container).stdout)[0]["State"]
        environ = Path(f"/proc/{state['Pid']}/environ")
        shown = environ.read_text() if state["Pid"] else ""
        time.sleep(0.1)
    docker_engine.docker("rm", "-f", container)
    assert "OMP_NUM_THREADS=1\0" in shown
    assert "OPENBLAS_CORETYPE=Haswell" not in shown


@pytest.mark.engine
def test_a_docker_archive_loads_and_a_second_load_sends_little(
    built, loaded, docker_engine, tmp_path
):
    _, home, _ = built
    file = tmp_path / "image.tar"
    samovar(
        "build", "titanic", "-o", file, "--archive", "docker", "--tag", "archived",
        SAMOVAR_HOME=home,
    )  # fmt: skip
    assert "archived:latest" in docker_engine.docker("load", "-i", file).stdout
    again = samovar(
        "build", "titanic", "--load", "--tag", "again:2", "--json",
        SAMOVAR_HOME=home, DOCKER_HOST=docker_engine.host,
    ).json  # fmt: skip
    shown = json.loads(docker_engine.docker("inspect", "again:2").stdout)[0]
    assert shown["Id"] == again["image_id"] == loaded["image_id"]


@pytest.mark.engine
def test_one_name_serves_docker_skopeo_and_samovar(built, registry, docker_engine, tmp_path):
    _, home, document = built
    name = f"{registry.host}/team/titanic:1"
    samovar("build", "titanic", *BOTH, SAMOVAR_HOME=home)
    first = samovar("push", "titanic", name, "--json", SAMOVAR_HOME=home).json
    assert first["digest"] == document["digest"]
    again = samovar("push", "titanic", name, "--json", SAMOVAR_HOME=home).json
    assert again["uploaded_bytes"] == 0
    copy = f"{registry.host}/team/copy:1"
    skopeo = [need("skopeo", "apt install skopeo"), "copy", "--all", "--src-tls-verify=false"]
    skopeo += ["--dest-tls-verify=false", f"docker://{name}", f"docker://{copy}"]
    subprocess.run(skopeo, check=True, capture_output=True)
    copied = samovar("pull", copy, "--json", SAMOVAR_HOME=tmp_path / "copied").json
    assert copied["digest"] == document["digest"]
    docker_engine.docker("pull", name)
    assert json.loads(docker_engine.docker("inspect", name).stdout)[0]["Architecture"] == "amd64"
    pulled = samovar("pull", name, "--json", SAMOVAR_HOME=tmp_path / "empty").json
    assert pulled["digest"] == document["digest"]
    manifest = httpx.get(
        f"{registry.url}/v2/team/titanic/manifests/1",
        headers={"Accept": "application/vnd.oci.image.index.v1+json"},
    ).json()
    assert [entry["platform"]["architecture"] for entry in manifest["manifests"]] == [
        "amd64",
        "arm64",
        "unknown",
    ]


@pytest.mark.engine
def test_a_base_from_a_registry_is_read_and_built_on(built, registry, tmp_path):
    _, home, _ = built
    base = f"{registry.host}/base/python:3.11"
    samovar("push", "titanic", base, SAMOVAR_HOME=home)
    answer = samovar(
        "build", "titanic", "--base", base, "--tag", "based", "--json", SAMOVAR_HOME=home
    ).json
    assert [layer["what"] for layer in answer["layers"]][:2] == ["base", "base"]
    file = tmp_path / "image.tar"
    samovar("build", "titanic", "--base", base, "--tag", "based", "-o", file, SAMOVAR_HOME=home)
    skopeo = need("skopeo", "apt install skopeo")
    shown = [skopeo, "inspect", f"oci-archive:{file}"]
    labels = json.loads(subprocess.run(shown, capture_output=True, check=True).stdout)["Labels"]
    assert labels["org.opencontainers.image.base.name"] == base


@pytest.mark.engine
def test_the_dockerfile_needs_nothing_that_is_not_beside_it(built, tmp_path):
    _, home, _ = built
    folder = tmp_path / "docker"
    answer = samovar("dockerfile", "titanic", "-o", folder, "--json", SAMOVAR_HOME=home).json
    assert "Dockerfile" in answer["written"]
    lines = (folder / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") and "--from" not in line
              for word in line.split()[1:-1]]  # fmt: skip
    assert copied
    assert [path for path in copied if not (folder / path).exists()] == []
    answer = samovar("dockerfile", "titanic", "-o", folder, "--json", SAMOVAR_HOME=home).json
    assert "Dockerfile" in answer["written"]
