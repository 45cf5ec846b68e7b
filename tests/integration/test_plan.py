"""``samovar plan`` on the example: measured on its real server, or from an earlier measurement."""

from __future__ import annotations

import json

import pytest

from cli import samovar


@pytest.fixture(scope="module")
def planned(built, tmp_path_factory):
    """A plan, and the file with what it printed."""
    answer = samovar("plan", "titanic", "--rate", "50", "--p99", "2s", "--json",
                     SAMOVAR_HOME=built.home)  # fmt: skip
    file = tmp_path_factory.mktemp("plan") / "cost.json"
    file.write_text(answer.out)
    return answer.json, file


def test_the_server_is_measured_and_replicas_are_counted(planned):
    plan, _ = planned
    measured = plan["measured"]
    assert measured["turn_s"] + measured["request_s"] + measured["row_s"] > 0
    assert measured["memory_bytes"] > 2**20
    assert plan["replicas"] >= 1
    assert plan["p50_s"] <= plan["p99_s"] <= 2
    assert plan["choices"][0] == {name: plan[name] for name in plan["choices"][0]}
    assert plan["sentence"].startswith(f"{plan['replicas']} replica")


def test_a_cost_measured_elsewhere_plans_a_fleet_without_a_bundle(planned):
    plan, file = planned
    measured = plan["measured"]
    one = 1 / (measured["turn_s"] + measured["request_s"] + measured["row_s"])
    wanted = ("plan", "--cost", file, "--rate", str(one * 100), "--p99", "1s", "--json")
    fleet = samovar(*wanted, "--cpus", "1").json
    assert fleet["measured"] == measured
    assert 1 <= fleet["replicas"] <= 10_000
    assert fleet["replicas"] >= 20 or measured["merges"]
    with_spare = samovar(*wanted, "--cpus", "1", "--spare", "2").json
    assert with_spare["replicas"] == fleet["replicas"] + 2
    assert "2 of them to spare" in with_spare["sentence"]


def test_people_are_told_in_a_sentence_and_a_table(planned):
    _, file = planned
    said = samovar("plan", "--cost", file, "--rate", "10", "--p99", "5s", "--rows", "3").out
    assert "replica" in said.splitlines()[0]
    assert "CPU each" in said


def test_a_goal_that_nothing_keeps_is_a_no(planned):
    _, file = planned
    answer = samovar("plan", "--cost", file, "--rate", "10", "--p99", "1us", "--json", code=1)
    assert answer.json["replicas"] is None
    assert answer.json["choices"] == []
    assert answer.json["sentence"].startswith("No number of replicas")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--rate", "0", "--p99", "1s"),
        ("--rate", "nan", "--p99", "1s"),
        ("--rate", "5", "--p99", "soon"),
        ("--rate", "5", "--p99", "0"),
        ("--rate", "5", "--p99", "1s", "--rows", "0"),
        ("--rate", "5"),
        ("titanic", "--rate", "5", "--p99", "1s"),
    ],
)
def test_wrong_words_are_refused_before_any_work(planned, wrong):
    _, file = planned
    answer = samovar("plan", "--cost", file, *wrong, "--json", code=2)
    assert answer.error["message"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5000, json.dumps({"measured": {}})])
def test_a_file_without_a_cost_is_refused(text, tmp_path):
    file = tmp_path / "cost.json"
    file.write_text(text)
    answer = samovar("plan", "--cost", file, "--rate", "5", "--p99", "1s", "--json", code=2)
    assert answer.error["code"] == "invalid_cost"
    assert answer.error["hint"]
