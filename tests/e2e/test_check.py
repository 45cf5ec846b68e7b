"""``check``: a project meets its recorded run, or fails with the change that moved the result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli import samovar
from toy import make_toy, train, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = make_toy(tmp_path / "toy")
    train(folder, "--name", "agreed")
    settings = folder / "samovar.toml"
    settings.write_text(settings.read_text() + '[check]\nrun = "agreed"\n')
    return folder


def check(project: Path, *words: str, code: int = 0) -> dict:
    return samovar("check", *words, "--json", cwd=project, code=code).json


def test_what_has_not_changed_is_not_run(project: Path) -> None:
    write(project / "train.py", "# a comment is no factor\n" + (project / "train.py").read_text())
    document = check(project)
    assert (document["ok"], document["verdict"], document["run"]) == (True, "IDENTICAL", None)
    assert document["reference"]["name"] == "agreed"
    assert check(project, "--always")["run"] is not None


def test_a_change_without_effect_passes_and_the_projects_files_stay(project: Path) -> None:
    text = (project / "train.py").read_text()
    write(project / "train.py", text.replace("random.seed(", "unused = 1\nrandom.seed("))
    (project / "out.json").write_text("mine")
    document = check(project)
    assert (document["ok"], document["verdict"]) == (True, "IDENTICAL")
    assert document["run"] is not None
    assert (project / "out.json").read_text() == "mine"


def test_a_change_that_moved_the_result_fails_with_its_name(project: Path) -> None:
    write(project / "params.json", '{"seed": 1, "model": {"scale": 3.0}}')
    write(project / "data" / "train.csv", "x\n3\n2\n1\n")
    document = check(project, "--metric", "mean", code=1)
    assert document["ok"] is False
    assert [one["factor"] for one in document["why"]["culprits"]] == ["param:model.scale"]
    assert "param:model.scale" in document["sentence"] or "model.scale" in document["sentence"]
    told = samovar("check", cwd=project, code=1).out
    assert "samovar why agreed" in told
    plain = check(project, "--no-why", code=1)
    assert plain["why"] is None
    assert "mean was" in plain["sentence"]


def test_what_training_moves_by_itself_is_no_failure(project: Path) -> None:
    text = (project / "train.py").read_text().replace('random.seed(params["seed"])', "pass")
    write(project / "train.py", text)
    train(project, "--name", "agreed")
    document = check(project, "--always", "--metric", "mean")
    assert document["verdict"] == "DIFFERENT"
    assert (document["ok"], document["why"]["outcome"]) == (True, "noise")


def test_wrong_use_is_said(project: Path) -> None:
    settings = project / "samovar.toml"
    assert check(project, "--metric", "nope", code=2)["error"]["code"] == "no_such_metric"
    assert check(project, "--run", "nobody", code=2)["error"]["code"] == "no_run"
    (project / "train.py").write_text("raise SystemExit(3)\n")
    assert check(project, code=3)["error"]["code"] == "script_failed"
    (failed,) = samovar("runs", "--failed", "--json").json["runs"]
    assert "failed" in check(project, "--run", failed["run"], code=2)["error"]["message"]
    settings.write_text(settings.read_text().partition("[check]")[0])
    assert check(project, code=2)["error"]["code"] == "no_check"
    settings.write_text(settings.read_text() + "[check]\n")
    assert "lacks run" in check(project, code=2)["error"]["message"]


def test_a_test_of_the_project_fails_with_the_sentence(project: Path) -> None:
    write(
        project / "test_model.py",
        """
        def test_the_model_is_what_we_recorded(samovar_check):
            assert samovar_check()["ok"]
        """,
    )
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]

    def run_tests() -> subprocess.CompletedProcess[str]:
        return subprocess.run(pytest_, cwd=project, capture_output=True, text=True, check=False)

    passed = run_tests()
    assert passed.returncode == 0, passed.stdout
    write(project / "params.json", '{"seed": 1, "model": {"scale": 3.0}}')
    failed = run_tests()
    assert failed.returncode == 1
    assert "param:model.scale" in failed.stdout or "model.scale" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_the_page_on_checks_has_a_workflow_and_hooks_that_can_be_read() -> None:
    import yaml

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["id"] for hook in hooks} == {"samovar-check", "samovar-lock"}
    page = (ROOT / "docs" / "how-to" / "check.md").read_text()
    blocks = [part.partition("\n")[2] for part in page.split("```yaml")[1:]]
    documents = [yaml.safe_load(block.partition("```")[0]) for block in blocks]
    (workflow,) = (one for one in documents if "jobs" in one)
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert any("samovar check" in step for step in steps)
    (used,) = (one for one in documents if "repos" in one)
    assert {hook["id"] for hook in used["repos"][0]["hooks"]} <= {hook["id"] for hook in hooks}
    assert json.dumps(workflow)
