"""``deploy ray --apply`` on a real cluster of two nodes: each replica answers as the receipt says."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from broken import broken_of
from cli import copy_example, samovar
from engines.processes import free_port, wait_until
from samovar.bundle.opened import open_bundle
from samovar.core.digest import Digest
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from engines.ray_cluster import RayCluster

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

COMMAND = "from samovar.cli.main import main; main()"


def deploy(cluster: RayCluster, home: Path, *arguments: str | Path) -> tuple[int, Any]:
    done = subprocess.run(
        [cluster.tool.python, "-c", COMMAND, "deploy", "ray", *arguments, "--apply", "--json"],
        env={**cluster.environment, "SAMOVAR_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_replica_answers_as_the_receipt_and_a_broken_bundle_is_not_served(
    tmp_path: Path, ray_cluster: RayCluster
) -> None:
    home, project, port = tmp_path / "home", copy_example(tmp_path / "web"), free_port()
    samovar("init", "--name", "titanic", "--yes", cwd=project, SAMOVAR_HOME=home)
    good = samovar("pack", "--json", cwd=project, SAMOVAR_HOME=home).json["digest"]
    options = ["--replicas", "2", "--cpus", "1", "--memory", "300m", "--port", str(port)]

    code, answer = deploy(ray_cluster, home, good, "-o", tmp_path / "good", *options)
    assert code == 0, answer
    assert answer["endpoints"] == [f"http://127.0.0.1:{port}"]
    assert answer["written"] == ["service.py", f"{good.replace(':', '-')}.tar"]
    url = answer["endpoints"][0]
    assert "samovar" in httpx.get(url, trust_env=False).text
    receipt = receipt_of(home, good)
    seen: dict[str, list[int]] = {}

    def ask() -> bool:
        told = httpx.post(f"{url}/predict", json=receipt["rows"], trust_env=False, timeout=60)
        seen[told.headers["x-samovar-replica"]] = told.json()["predictions"]
        return len(seen) == 2

    wait_until(ask, within_s=60)
    assert set(map(tuple, seen.values())) == {tuple(receipt["outputs"][0]["data"])}
    assert len(ray_cluster.homes()) == 2
    wrong = httpx.post(f"{url}/predict", json={"pclass": 1}, trust_env=False)
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"]

    broken = broken_of(home, good, tmp_path / "staged")
    code, answer = deploy(ray_cluster, home, broken, "-o", tmp_path / "broken", *options)
    assert code == 3
    assert "receipt does not hold" in answer["error"]["message"]
    assert ask() or ask()


def receipt_of(home: Path, digest: str) -> Any:
    store = Store(home / "store")
    return open_bundle(store, store.describe_blob(Digest.parse(digest))).receipt.to_json()
