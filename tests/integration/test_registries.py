"""push and pull as commands, with Debian's registry and skopeo; and pulls that are killed."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from cli import SAMOVAR, samovar
from engines.processes import need
from fake_registry import FakeRegistry, Handler, cut_after, serving
from registry_content import put_attestation, put_bundle, put_index
from samovar.core.reference import Reference
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.registry.push import push
from samovar.store.check import check
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from engines.registry import Registry
    from samovar.core.descriptor import Descriptor

MODEL = os.urandom(300_000)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Store:
    home.mkdir()
    return Store(home / "store")


@pytest.fixture
def bundle(store: Store) -> Descriptor:
    descriptor = put_bundle(store, model=MODEL)
    store.set_name(Reference.parse("titanic:1.0"), descriptor)
    return descriptor


@pytest.mark.engine
def test_commands_move_a_bundle(
    registry: Registry, store: Store, bundle: Descriptor, home: Path, tmp_path: Path
) -> None:
    name = f"{registry.host}/cli/titanic:1.0"
    pushed = samovar("push", "titanic:1.0", name, "--json", SAMOVAR_HOME=home).json
    assert pushed["digest"] == str(bundle.digest)
    assert (pushed["uploaded_bytes"], pushed["skipped_bytes"]) == (
        300_000 + 4 + 2 + bundle.size_bytes,
        0,
    )
    again = samovar("push", "titanic:1.0", name, "--json", SAMOVAR_HOME=home).json
    assert again["uploaded_bytes"] == 0
    other = tmp_path / "other"
    # The tar files of this bundle are none, which the check of its content finds.
    refused = samovar("pull", name, "--json", SAMOVAR_HOME=other, code=3)
    assert refused.error["code"] == "damaged"
    assert samovar("list", "--json", SAMOVAR_HOME=other).json["bundles"] == []


@pytest.mark.engine
def test_users_of_the_command(
    registry_htpasswd: Registry, bundle: Descriptor, home: Path, tmp_path: Path
) -> None:
    name = f"{registry_htpasswd.host}/cli/titanic:1.0"
    for password in (None, "wrong word", registry_htpasswd.password):
        config = tmp_path / str(len(password or ""))
        config.mkdir()
        if password is not None:
            auth = base64.b64encode(f"{registry_htpasswd.user}:{password}".encode()).decode()
            entry = {"auths": {registry_htpasswd.host: {"auth": auth}}}
            (config / "config.json").write_text(json.dumps(entry))
        code = 0 if password == registry_htpasswd.password else 3
        answer = samovar(
            "push", "titanic:1.0", name, "--json",
            SAMOVAR_HOME=home, DOCKER_CONFIG=config, code=code,
        )  # fmt: skip
        assert password is None or password not in answer.out + answer.err
        assert code == 0 or answer.error["code"] == "registry_denied"


def test_wrong_use_of_the_commands(bundle: Descriptor, home: Path, port: int) -> None:
    for arguments, code, word in (
        (("push", "titanic:1.0"), 2, "invalid_reference"),
        (("push", "absent", "localhost:1/x"), 2, "not_found"),
        (("push", "titanic:1.0", "localhost:1/UPPER"), 2, "invalid_reference"),
        (("push", "titanic:1.0", "localhost:1/x", "--chunk-size", "much"), 2, "wrong_use"),
        (("push", "titanic:1.0", f"localhost:1/x@sha256:{'0' * 64}"), 2, "invalid_reference"),
        (("pull", "titanic"), 2, "invalid_reference"),
        (("pull", f"127.0.0.1:{port}/x"), 3, "registry_unreachable"),
        (("push", "titanic:1.0", f"127.0.0.1:{port}/x"), 3, "registry_unreachable"),
    ):
        answer = samovar(*arguments, "--json", SAMOVAR_HOME=home, code=code)
        assert answer.error["code"] == word
        assert answer.error["hint"]


@pytest.mark.engine
def test_digests_survive_skopeo(
    registry: Registry, store: Store, bundle: Descriptor, tmp_path: Path
) -> None:
    skopeo = need("skopeo", "apt install skopeo")
    index = put_index(store, bundle, put_bundle(store, model=b"another"))
    source, target = (Reference.parse(f"{registry.host}/skopeo/{n}:1") for n in ("a", "b"))
    push(store, index, source)

    def run(*words: str) -> str:
        done = subprocess.run([skopeo, *words], check=True, capture_output=True, text=True)
        return done.stdout

    unencrypted = ("--src-tls-verify=false", "--dest-tls-verify=false")
    run("copy", "--all", *unencrypted, f"docker://{source}", f"docker://{target}")
    copied = pull(Store(tmp_path / "copied"), target)
    assert copied.descriptor.digest == index.digest
    raw = run("inspect", "--raw", "--tls-verify=false", f"docker://{source}")
    assert raw.encode() == store.read_blob(index)
    run("copy", "--all", unencrypted[0], f"docker://{source}", f"oci:{tmp_path / 'layout'}:x")
    layout = json.loads((tmp_path / "layout/index.json").read_text())
    assert layout["manifests"][0]["digest"] == str(index.digest)
    back = Reference.parse(f"{registry.host}/skopeo/c:1")
    run("copy", "--all", unencrypted[1], f"oci:{tmp_path / 'layout'}:x", f"docker://{back}")
    assert pull(Store(tmp_path / "back"), back).descriptor.digest == index.digest


@pytest.mark.engine
def test_bundle_of_the_reference_registry_is_listed_by_skopeo(
    registry: Registry, store: Store, bundle: Descriptor
) -> None:
    skopeo = need("skopeo", "apt install skopeo")
    put_attestation(store, bundle)
    reference = Reference.parse(f"{registry.host}/skopeo/tags:1.0")
    push(store, bundle, reference)
    done = subprocess.run(
        [skopeo, "list-tags", "--tls-verify=false", f"docker://{registry.host}/skopeo/tags"],
        check=True,
        capture_output=True,
    )
    # This registry has no referrers API: the attestation is listed under the tag that stands in,
    # and laid under cosign's.
    fallback = str(bundle.digest).replace(":", "-")
    assert set(json.loads(done.stdout)["Tags"]) == {"1.0", fallback, f"{fallback}.att"}


PULL = """
import sys
import threading
from pathlib import Path
from samovar.core.reference import Reference
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.store.layout import Store
pull(Store(Path(sys.argv[1])), Reference.parse(sys.argv[2]), options=Options(parallel=1))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
@pytest.mark.parametrize("half_of_a_blob", [False, True])
def test_killed_pull_leaves_nothing_half(
    store: Store, bundle: Descriptor, tmp_path: Path, *, half_of_a_blob: bool
) -> None:
    with serving(FakeRegistry()) as registry:
        reference = Reference.parse(f"{registry.host}/titanic:1")
        push(store, bundle, reference, options=Options())
        registry.seen.clear()
        pull(Store(tmp_path / "measure"), reference)
        requests = len(registry.seen)
        pulling: list[subprocess.Popen[bytes]] = []
        fatal = 0

        def kill(handler: Handler) -> bool:
            if not pulling or len(registry.seen) != fatal:
                return False
            if half_of_a_blob and "/blobs/" in handler.path:
                cut_after(1)(handler)
            pulling[0].kill()
            return True

        registry.faults.append(kill)
        for fatal in range(1, requests + 1):
            other = Store(tmp_path / f"other-{fatal}")
            registry.seen.clear()
            command: list[Any] = [sys.executable, "-c", PULL, other.root, str(reference)]
            pulling[:] = [subprocess.Popen(command)]
            assert pulling[0].wait(60) == -signal.SIGKILL
            assert other.names() == {}
            assert check(other) == []
        registry.faults.clear()
        assert pull(other, reference).descriptor == bundle
        assert check(other) == []


def test_interrupted_pull_ends_at_once(store: Store, bundle: Descriptor, tmp_path: Path) -> None:
    released = threading.Event()
    with serving(FakeRegistry()) as registry:
        reference = Reference.parse(f"{registry.host}/titanic:1")
        push(store, bundle, reference, options=Options())
        pulling: list[subprocess.Popen[str]] = []

        def interrupt(_handler: Handler) -> None:
            pulling[0].send_signal(signal.SIGINT)
            released.wait(60)  # the registry stays silent meanwhile

        registry.once("GET", "/blobs/", interrupt)
        (tmp_path / "other").mkdir()
        other = Store(tmp_path / "other" / "store")
        environment = {**os.environ, "SAMOVAR_HOME": str(tmp_path / "other")}
        command = [SAMOVAR, "pull", str(reference)]
        pulling.append(
            subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        )
        try:
            _, words = pulling[0].communicate(timeout=20)
        finally:
            released.set()
        assert pulling[0].returncode == 130
        assert "Traceback" not in words
        assert other.names() == {}
        assert check(other) == []
