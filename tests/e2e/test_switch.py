"""`samovar switch`: another bundle under load, shadows and canaries, and what must not happen."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from broken import broken_of
from cli import SAMOVAR, copy_example, samovar
from engines.processes import need, wait_until
from running import PATIENCE_S, ROW, Load, Running, is_alive

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """Two models that were trained differently, and one whose receipt does not hold."""

    home: Path
    first: str
    second: str
    broken: str

    def switch(self, *words: str, run: str = "titanic", code: int = 0) -> Any:
        return samovar("switch", run, *words, "--json", code=code, SAMOVAR_HOME=self.home).json

    def run(self) -> Any:
        (run,) = samovar("ps", "--json", SAMOVAR_HOME=self.home).json["runs"]
        return run


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    base = tmp_path_factory.mktemp("switch")
    home, project = base / "home", copy_example(base / "web")
    samovar("init", "--name", "titanic", "--yes", cwd=project, SAMOVAR_HOME=home)
    toml = project / "samovar.toml"
    toml.write_text(toml.read_text().replace('method = "predict"', 'method = "predict_proba"'))

    def pack(*words: str) -> str:
        return str(samovar("pack", *words, "--json", cwd=project, SAMOVAR_HOME=home).json["digest"])

    first = pack()
    made = samovar("venv", ".", base / "venv", "--json", cwd=project, SAMOVAR_HOME=home).json
    subprocess.run(
        [made["python"], "train.py"],
        cwd=project, env={**os.environ, "PARAMS": '{"C": 0.001}'}, check=True, capture_output=True,
    )  # fmt: skip
    second = pack("--tag", "titanic:second")
    broken = broken_of(home, second, base / "staged")
    samovar("tag", broken, "titanic:broken", SAMOVAR_HOME=home)
    return Bundles(home=home, first=first, second=second, broken=broken)


def answer_of(url: str) -> bytes:
    return httpx.post(f"{url}/predict", json=ROW, trust_env=False).content


def count_of(url: str, role: str, what: str) -> int:
    lines = httpx.get(f"{url}/metrics", trust_env=False).text.splitlines()
    (line,) = [
        line for line in lines if line.startswith(f"samovar_{role}_") and f'"{what}"' in line
    ]
    return int(line.split()[-1])


def test_another_bundle_takes_over_without_a_lost_request(bundles: Bundles) -> None:
    with Running(bundles.home) as running:
        before = answer_of(running.url)
        (old,) = running.ready["replicas"]
        with Load(running.url) as load:
            answer = bundles.switch("titanic:second")
            after = answer_of(running.url)
            # The same again is no switch; a digest names what a name does.
            again = bundles.switch(bundles.second)
            assert (again["switches"], again["switched"]) == (1, False)
        assert answer["switched"] is True
        assert (answer["from"], answer["to"]) == (bundles.first, bundles.second)
        assert answer["verdict"] in {"IDENTICAL", "EQUIVALENT"}
        assert set(load.answers) == {200}
        assert set(load.bodies) == {before, after}
        assert load.bodies[0] == before != after == load.bodies[-1]
        run = bundles.run()
        assert (run["name"], run["bundle"]) == ("titanic:latest", "titanic:second")
        assert (run["digest"], run["url"], run["switches"]) == (bundles.second, running.url, 1)
        wait_until(lambda: not is_alive(int(old["id"])))
        # Back again, by digest.
        assert bundles.switch(bundles.first)["digest"] == bundles.first
        assert answer_of(running.url) == before
    assert list((bundles.home / "running").iterdir()) == []
    assert list((bundles.home / "work").iterdir()) == []


@pytest.mark.engine
def test_all_replicas_are_switched_or_none(bundles: Bundles) -> None:
    need("nginx", "apt install nginx")
    with Running(bundles.home, "--replicas", "2") as running:
        before = answer_of(running.url)
        with Load(running.url) as load:
            assert bundles.switch("titanic:broken", code=1)["switched"] is False
            assert set(load.bodies) == {before}
            # One that died comes back with the others.
            first = int(running.ready["replicas"][0]["id"])
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: not is_alive(first))
            switched = bundles.switch("titanic:second")
            assert [one["state"] for one in switched["replicas"]] == ["running", "running"]
        assert set(load.answers) == {200}
        after = answer_of(running.url)
        assert set(load.bodies) == {before, after}
        # None of the old ones is left behind the balancer.
        assert {answer_of(running.url) for _ in range(20)} == {after}


def test_a_bundle_whose_receipt_does_not_hold_is_never_served(bundles: Bundles) -> None:
    with Running(bundles.home) as running:
        before = answer_of(running.url)
        with Load(running.url) as load:
            answer = bundles.switch("titanic:broken", code=1)
        assert (answer["verdict"], answer["switched"]) == ("DIFFERENT", False)
        assert set(load.bodies) == {before}
        assert bundles.switch("--shadow", "titanic:broken", code=1)["aside"] is None
        assert bundles.switch("--canary", "titanic:broken", code=1)["aside"] is None
        run = bundles.run()
        assert (run["digest"], run["switches"], run["aside"]) == (bundles.first, 0, None)
        assert set(load.answers) == {200}


def test_an_interrupted_switch_leaves_no_trace(bundles: Bundles) -> None:
    with Running(bundles.home) as running:
        state = bundles.home / "running" / running.ready["id"] / "state.json"
        with subprocess.Popen(
            [SAMOVAR, "switch", "titanic", "titanic:second", "--json"],
            env={**os.environ, "SAMOVAR_HOME": str(bundles.home)},
            stdout=subprocess.PIPE,
        ) as switching:
            wait_until(lambda: json.loads(state.read_text())["others"] != [], within_s=60)
            (coming,) = json.loads(state.read_text())["others"]
            busy = samovar(
                "switch", "titanic", "--shadow", "titanic:second", "--json",
                code=3, SAMOVAR_HOME=bundles.home,
            )  # fmt: skip
            assert busy.error["code"] == "switch_runs"
            switching.send_signal(signal.SIGINT)
            assert switching.wait(60) in {0, 130}
        wait_until(lambda: json.loads(state.read_text())["others"] == [], within_s=60)
        assert not is_alive(int(coming["id"])) or bundles.run()["digest"] == bundles.second
        assert running.ask(5) == [200] * 5


def test_a_shadow_is_compared_and_never_served(bundles: Bundles) -> None:
    with Running(bundles.home) as running:
        before = answer_of(running.url)
        shown = bundles.switch("--shadow", "titanic:second")["aside"]
        assert (shown["role"], shown["digest"]) == ("shadow", bundles.second)
        with Load(running.url) as load:
            wait_until(
                lambda: count_of(running.url, "shadow", "different") > 20, within_s=PATIENCE_S
            )
        assert set(load.bodies) == {before}
        # A wrong request is nobody's difference.
        assert httpx.post(f"{running.url}/predict", json=["x"], trust_env=False).is_client_error
        answers = bundles.run()["aside"]["answers"]
        assert answers["different"] > 20
        assert answers["identical"] == answers["equivalent"] == answers["failed"] == 0
        assert answers["different"] + answers["skipped"] <= len(load.answers)
        # The same bundle beside itself differs in nothing.
        bundles.switch("--shadow", "titanic")
        wait_until(lambda: count_of(running.url, "shadow", "different") == 0)
        with Load(running.url):
            wait_until(
                lambda: count_of(running.url, "shadow", "identical") > 20, within_s=PATIENCE_S
            )
        assert bundles.run()["aside"]["answers"]["different"] == 0
        assert bundles.switch("--abort")["aside"] is None
        assert answer_of(running.url) == before


def test_a_canary_answers_its_share_and_is_promoted(bundles: Bundles) -> None:
    with Running(bundles.home) as running:
        stable = answer_of(running.url)
        shown = bundles.switch("--canary", "titanic:second", "--share", "30%")["aside"]
        assert (shown["role"], shown["share"]) == ("canary", 0.3)
        canary = answer_of(shown["private"])
        assert canary != stable
        wait_until(lambda: answer_of(running.url) == canary)
        with Load(running.url) as load:
            load.wait_for(300)
        count, seen = len(load.bodies), load.bodies.count(canary)
        assert set(load.bodies) == {stable, canary}
        assert set(load.answers) == {200}
        # Five standard deviations of a binomial: once in two million runs by chance.
        assert abs(seen - 0.3 * count) < 5 * math.sqrt(count * 0.3 * 0.7)
        answers = bundles.run()["aside"]["answers"]
        assert answers["answered"] >= seen
        assert answers["refused"] == answers["failed"] == 0
        with Load(running.url) as load:
            assert bundles.switch("--promote")["digest"] == bundles.second
        assert set(load.answers) == {200}
        assert {answer_of(running.url) for _ in range(20)} == {canary}
        assert bundles.run()["aside"] is None


def test_a_canary_that_dies_costs_no_request(bundles: Bundles) -> None:
    with Running(bundles.home) as running:
        stable = answer_of(running.url)
        aside = bundles.switch("--canary", "titanic:second", "--share", "50%")["aside"]
        with Load(running.url) as load:
            wait_until(
                lambda: count_of(running.url, "canary", "answered") > 20, within_s=PATIENCE_S
            )
            os.kill(int(aside["id"]), signal.SIGKILL)
            load.wait_for(200)
        assert set(load.answers) == {200}
        assert load.bodies[-1] == stable
        assert bundles.run()["aside"]["state"] == "died"
        assert bundles.switch("--abort")["aside"] is None


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("titanic:none",), "not_found", 2),
        (("titanic", "--shadow", "titanic"), "wrong_use", 2),
        (("--share", "10%"), "wrong_use", 2),
        (("--canary", "titanic", "--share", "110%"), "wrong_use", 2),
        (("--canary", "titanic", "--share", "nan"), "wrong_use", 2),
        (("--promote",), "nothing_aside", 2),
        (("--abort",), "nothing_aside", 2),
    ],
)
def test_what_makes_no_sense_is_told(
    bundles: Bundles, one: Running, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    error = bundles.switch(*words, code=exit_code)["error"]
    assert error["code"] == code
    assert error["hint"]
    assert one.ask(1) == [200]


@pytest.fixture(scope="module")
def one(bundles: Bundles):
    with Running(bundles.home) as running:
        yield running


def test_nothing_runs_under_that_name(bundles: Bundles) -> None:
    answer = samovar("switch", "other", "titanic", "--json", code=2, SAMOVAR_HOME=bundles.home)
    assert answer.error["code"] == "not_found"


def test_a_run_whose_supervisor_died_is_not_switched(bundles: Bundles) -> None:
    running = Running(bundles.home)
    running.process.kill()
    running.process.wait()
    running.process.stdout.close()
    run = running.ready["id"]
    answer = samovar("switch", run, "titanic:second", "--json", code=3, SAMOVAR_HOME=bundles.home)
    assert answer.error["code"] == "run_died"
    assert running.ask(1) == [200]
    samovar("stop", run, SAMOVAR_HOME=bundles.home)


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_containers_are_switched_behind_nginx(bundles: Bundles, docker_engine) -> None:
    need("nginx", "apt install nginx")
    host = {"DOCKER_HOST": docker_engine.host}
    docker = ["docker", "-H", docker_engine.host]

    def containers() -> list[str]:
        listed = subprocess.run(
            [*docker, "ps", "-q", "--no-trunc"], check=True, capture_output=True
        )
        return listed.stdout.decode().split()

    with Running(bundles.home, "--isolation", "docker", **host) as running:
        before = answer_of(running.url)
        run = running.ready["id"]
        with Load(running.url, clients=2) as load:
            # The run knows its engine.
            assert bundles.switch("titanic:broken", run=run, code=1)["verdict"] == "DIFFERENT"
            assert set(load.bodies) == {before}
            switched = bundles.switch("titanic:second", run=run)
            after = answer_of(running.url)
        assert switched["switched"] is True
        assert set(load.answers) == {200}
        assert set(load.bodies) == {before, after}
        assert before != after == load.bodies[-1]
        assert containers() == [switched["replicas"][0]["id"]]
        error = bundles.switch("--shadow", "titanic", run=run, code=2)["error"]
        assert error["code"] == "no_aside"
    assert containers() == []
