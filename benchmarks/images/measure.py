"""Run both sides and print the table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.images import peer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SAMOVAR = str(Path(sys.executable).with_name("samovar"))
PIN, OTHER_PIN = "idna==3.20", "idna==3.10"


class Samovar:
    """samovar with a home of its own."""

    def __init__(self, home: Path, project: Path, host: str) -> None:
        self.home, self.project, self.name = home, project, f"{host}/samovar/web:1"

    def run(self, *words: str) -> dict:
        done = subprocess.run(
            [SAMOVAR, *words, "--json"],
            cwd=self.project,
            env={**os.environ, "SAMOVAR_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def bundle_to_registry(self) -> None:
        self.run("build", "titanic")
        self.run("push", "titanic", self.name)

    def folder_to_registry(self) -> None:
        self.run("build")
        self.run("push", "titanic", self.name)


class Docker:
    """A Dockerfile and the engine."""

    def __init__(self, engine, context: Path, name: str) -> None:
        self.engine, self.context, self.name = engine, context, name

    def build_and_push(self, *options: str) -> None:
        self.engine.docker("build", "--network", "host", *options, "-t", self.name, self.context)
        self.engine.docker("push", self.name)


def timed(call, *arguments) -> float:
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


def registry_bytes(url: str, repository: str, tag: str) -> int:
    """Add up what a registry keeps of an image for this platform, compressed."""
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    accept += "application/vnd.docker.distribution.manifest.v2+json"
    place = f"{url}/v2/{repository}/manifests"
    document = httpx.get(f"{place}/{tag}", headers={"Accept": accept}).json()
    if "manifests" in document:
        digest = document["manifests"][0]["digest"]
        document = httpx.get(f"{place}/{digest}", headers={"Accept": accept}).json()
    return sum(layer["size"] for layer in document["layers"])


def change_model(project: Path, number: int) -> None:
    """Give the model other bytes and the same meaning: a pickle ends at its STOP opcode."""
    model = project / "models" / "model.pkl"
    changed = subprocess.run(
        [SAMOVAR_PYTHON, "-c", CHANGE, str(model), str(number)], check=False, capture_output=True
    )
    assert changed.returncode == 0, changed.stderr


SAMOVAR_PYTHON = sys.executable
# A memoized constant more at the beginning of the stream: PROTO, then BININT and POP.
CHANGE = """
import sys
path, number = sys.argv[1], int(sys.argv[2])
data = open(path, "rb").read()
assert data[:1] == b"\\x80"
head = 11 if data[2:3] == b"\\x95" else 2
extra = b"J" + number.to_bytes(4, "little") + b"0"
body = data[:2] + extra + data[head:] if head == 11 else data[:2] + extra + data[2:]
open(path, "wb").write(body)
"""


def measure(folder: Path, engine, registry) -> list[tuple[str, float, float]]:
    """Give each row: what, samovar's seconds, the peer's seconds."""
    project = folder / "web"
    subprocess.run(["cp", "-r", ROOT / "examples" / "web", project], check=True)
    ours = Samovar(folder / "home", project, registry.host)
    ours.run("init", "--name", "titanic", "--yes")
    ours.run("pack")
    contexts = {
        kind: peer.write_context(project, folder / kind, text)
        for kind, text in (("careful", peer.CAREFUL), ("usual", peer.USUAL))
    }
    careful = Docker(engine, contexts["careful"], f"{registry.host}/docker/careful:1")
    usual = Docker(engine, contexts["usual"], f"{registry.host}/docker/usual:1")
    cold = timed(careful.build_and_push, "--no-cache")
    timed(usual.build_and_push)
    rows = [("cold", timed(ours.bundle_to_registry), cold)]
    unchanged = timed(careful.build_and_push)
    rows.append(("unchanged", timed(ours.bundle_to_registry), unchanged))
    rows.append(("unchanged, from the folder", timed(ours.folder_to_registry), unchanged))
    for number, place in enumerate((project, *contexts.values()), start=1):
        change_model(place, number)
    changed, changed_usual = timed(careful.build_and_push), timed(usual.build_and_push)
    packing = timed(ours.run, "pack")
    building = timed(ours.bundle_to_registry)
    rows += [
        ("model changed", building, changed),
        ("model changed, packing too", packing + building, changed),
        ("model changed, usual Dockerfile", building, changed_usual),
        ("model changed, packing too, usual Dockerfile", packing + building, changed_usual),
    ]
    for place in (project, *contexts.values()):
        file = place / "requirements.txt"
        file.write_text(file.read_text().replace(PIN, OTHER_PIN))
    (project / "pylock.toml").unlink()
    ours.run("pack")
    rows.append(("one pin changed", timed(ours.bundle_to_registry), timed(careful.build_and_push)))
    return rows


def main() -> None:
    """Print seconds and ratios; build and push together on both sides."""
    sys.path.insert(0, str(ROOT / "tests"))
    from engines.docker import run_engine
    from engines.registry import run_registry

    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        bridge, subnet = f"sb{os.getpid()}", f"10.215.{os.getpid() % 250}.1/24"
        engine = stack.enter_context(run_engine(_made(folder / "d"), bridge=bridge, subnet=subnet))
        registry = stack.enter_context(run_registry(_made(folder / "r")))
        print(f"the peer's base: {peer.prepare_base(engine, folder)}")
        print(f"{'build and push':46} {'samovar':>9} {'docker':>9} {'ratio':>7}")
        for what, ours, theirs in measure(folder, engine, registry):
            print(f"{what:46} {ours:7.2f} s {theirs:7.2f} s {ours / theirs:7.2f}", flush=True)
        ours, theirs = (
            registry_bytes(registry.url, name, "1") / 1e6
            for name in ("samovar/web", "docker/careful")
        )
        print(f"{'compressed size':46} {ours:6.1f} MB {theirs:6.1f} MB {ours / theirs:7.2f}")


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder with a short path; the engine leaves a network namespace mounted in its own."""
    folder = Path(tempfile.mkdtemp(prefix="sb"))
    try:
        yield folder
    finally:
        for namespace in folder.glob("d/exec/netns/*"):
            subprocess.run(["umount", namespace], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
