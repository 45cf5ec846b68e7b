"""The agent's parts that need no server: what it remembers, how it asks, what it writes."""

from __future__ import annotations

import configparser
import json
import os
import socket
from pathlib import Path

import pytest

from samovar.core.digest import Digest
from samovar.core.reference import Reference
from samovar.deploy.agent import unit
from samovar.deploy.agent.orphans import FOLDER, find_orphans
from samovar.deploy.agent.page import metrics_text
from samovar.deploy.agent.records import EVENTS, STATE, Journal, State
from samovar.deploy.agent.settings import Settings
from samovar.deploy.agent.watch import pause_s
from samovar.deploy.commands import answer_of
from samovar.deploy.doors.door import endpoint_of, take_door
from samovar.errors import InvalidReference, Unavailable, UserError

REFERENCE = "registry.example.com/team/titanic:prod"
DIGEST = Digest.of(b"bundle")


def settings(folder: Path = Path("state"), **changes: object) -> Settings:
    facts = {"reference": Reference.parse(REFERENCE), "interval_s": 30.0, "folder": folder}
    return Settings(**{**facts, **changes})  # type: ignore[arg-type] - facts of mixed types


def test_a_local_name_cannot_be_followed() -> None:
    with pytest.raises(InvalidReference, match="names no registry"):
        settings(reference=Reference.parse("titanic"))


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(interval: float) -> None:
    with pytest.raises(UserError):
        settings(interval_s=interval)


@pytest.mark.parametrize("failures", [0, 1, 3, 50])
def test_a_pause_is_within_the_interval_or_its_eightfold(failures: int) -> None:
    pauses = [pause_s(2.0, failures, chance / 10) for chance in range(10)]
    assert max(pauses) <= (2.0 if failures == 0 else 16.0)
    assert len(set(pauses)) == 10


def test_the_state_comes_back(tmp_path: Path) -> None:
    state = State(serving=DIGEST, port=8080, refused={"sha256:00": "DIFFERENT"})
    state.write(tmp_path, REFERENCE)
    assert State.read(tmp_path, REFERENCE) == state
    assert State.read(tmp_path, "registry.example.com/other:1") == State(port=8080)


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"reference": 1}', '{"reference": "r", "port": "x"}']
)
def test_a_damaged_state_is_an_empty_one(damage: str, tmp_path: Path) -> None:
    (tmp_path / STATE).write_text(damage)
    assert State.read(tmp_path, REFERENCE) == State()


def test_events_are_told_and_kept_as_lines(tmp_path: Path) -> None:
    told: list[str] = []
    journal = Journal(tmp_path, told.append)
    journal.say("found", "It is new.", digest=str(DIGEST))
    journal.say("serving", "Serving.")
    lines = [json.loads(line) for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert told == ["It is new.", "Serving."]
    assert [line["event"] for line in lines] == ["found", "serving"]
    assert lines[0]["digest"] == str(DIGEST)


def test_only_a_note_that_is_locked_names_a_server(tmp_path: Path) -> None:
    import fcntl

    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "dead").write_text("1")
    (folder / "alive").write_text("4242")
    with (folder / "alive").open() as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        assert [orphan.pid for orphan in find_orphans(settings(tmp_path))] == [4242]
    assert [path.name for path in folder.iterdir()] == ["alive"]


def test_a_strangers_port_is_refused_even_where_it_is_shared() -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            take_door("127.0.0.1", port, beside=False)
        assert caught.value.code == "port_taken"
        with take_door("127.0.0.1", port, beside=True) as door:
            assert endpoint_of(door) == f"http://127.0.0.1:{port}"


def test_sockets_meant_for_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    with take_door("127.0.0.1", 0, beside=False) as door:
        assert door.fileno() != 3
    assert "LISTEN_FDS" not in os.environ


@pytest.mark.parametrize(
    ("code", "output", "words"),
    [
        (3, b'{"error": {"code": "x", "message": "No\\nspace."}}', "No space."),
        (1, b'{"verdict": "DIFFERENT", "differences": [1]}', "DIFFERENT, 1 rows differ"),
        (-9, b"", "signal 9"),
        (1, b"[]", "exit code 1"),
    ],
)
def test_a_commands_end_is_told_in_one_line(code: int, output: bytes, words: str) -> None:
    assert words in answer_of(code, output).words


def test_metrics_say_whether_the_host_is_up_to_date() -> None:
    registry = {"digest": "sha256:b", "failures": 2}
    serving = {"digest": "sha256:a", "bundle": "sha256:a"}
    status = {
        "serving": serving, "registry": registry, "switches": 1, "restarts": 0, "refused": {},
    }  # fmt: skip
    assert "samovar_agent_up_to_date 0\n" in metrics_text(status)
    assert 'samovar_agent_info{digest="sha256:a"' in metrics_text(status)
    behind = {**status, "serving": None}
    assert "samovar_agent_serving 0\n" in metrics_text(behind)


def test_the_units_carry_the_door_the_limits_and_the_configuration() -> None:
    files = unit.write(settings(address="::", app=True), cpus=1.5, memory_mib=512)
    service = read_unit(files["samovar-agent-team-titanic.service"])
    door = read_unit(files["samovar-agent-team-titanic.socket"])
    assert door["Socket"]["ListenStream"] == "[::]:8080"
    assert service["Service"]["CPUQuota"] == "150%"
    assert service["Service"]["MemoryMax"] == "1280M"
    assert service["Unit"]["Requires"] == "samovar-agent-team-titanic.socket"
    assert f"REFERENCE={REFERENCE}" in files["agent-team-titanic.env"]
    assert "--app" in files["agent-team-titanic.env"]


def test_units_need_a_port() -> None:
    with pytest.raises(UserError, match="port"):
        unit.write(settings(port=0), cpus=1, memory_mib=512)


def read_unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] - as documented
    parser.read_string(text)
    return parser
