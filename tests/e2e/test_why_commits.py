"""``why --between``: two commits, with runs that were recorded there or are trained now."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from cli import samovar
from toy import make_toy, train, write

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=m"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def commit(folder: Path, tag: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", tag)
    git(folder, "tag", tag)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two commits of a project in a subfolder: the second moves the result, and changes a name."""
    repository = tmp_path / "repository"
    folder = make_toy(repository / "models" / "toy")
    write(repository / ".gitignore", "out.json\npreds.csv\nmodel.json\n*.lock\n")
    git(repository, "init", "-q")
    commit(repository, "one")
    text = (folder / "train.py").read_text().replace("rows =", "unused = 1\nrows =")
    write(folder / "train.py", text.replace("x * scale +", "x * scale + 1 +"))
    commit(repository, "two")
    write(folder / "train.py", "the working copy is somebody's, and in the middle of something")
    write(folder / "out.json", "mine")
    return folder


def test_two_commits_are_trained_and_the_working_copy_stays(project: Path) -> None:
    before = git(project, "status", "--porcelain", "--untracked-files=all")
    document = samovar("why", "--between", "one", "two", "--metric", "mean", "--json", cwd=project)
    answer = document.json
    assert answer["outcome"] == "explained"
    assert {one["factor"].partition("#")[0] for one in answer["culprits"]} == {"code:train.py"}
    assert answer["delta"] == pytest.approx(1.0)
    assert git(project, "status", "--porcelain", "--untracked-files=all") == before
    assert (project / "out.json").read_text() == "mine"
    assert git(project, "worktree", "list").count("\n") == 1
    recorded = samovar("runs", "--json").json["runs"]
    assert len(recorded) == 2
    again = samovar("why", "--between", "one", "two", "--metric", "mean", "--json", cwd=project)
    assert again.json["runs"] == 0
    assert len(samovar("runs", "--json").json["runs"]) == 2
    assert (
        samovar("why", "--between", "one", "one", "--json", cwd=project).json["outcome"] == "equal"
    )


def test_a_run_that_was_recorded_at_the_commit_is_taken(project: Path) -> None:
    git(project, "checkout", "-q", "--force", "one")
    train(project, "--name", "other-parameters", "--set", "model.scale=9")
    recorded = train(project, "--name", "there")
    git(project, "checkout", "-q", "--force", "m")
    samovar("why", "--between", "one", "two", "--metric", "mean", "--json", cwd=project)
    listed = samovar("runs", "--json").json["runs"]
    assert len(listed) == 3
    assert recorded["run"] in {run["run"] for run in listed}


def test_data_and_settings_that_git_does_not_have_are_todays_and_it_is_said(tmp_path: Path) -> None:
    folder = make_toy(tmp_path / "toy")
    settings = (folder / "samovar.toml").read_text()
    (folder / "samovar.toml").unlink()
    write(folder / ".gitignore", "data/\n")
    git(folder, "init", "-q")
    commit(folder, "one")
    write(folder / "params.json", '{"seed": 1, "model": {"scale": 3.0}}')
    write(folder / "samovar.toml", settings)
    commit(folder, "two")
    told = samovar("why", "--between", "one", "two", "--metric", "mean", cwd=folder)
    assert "param:model.scale" in told.out
    assert "data/train.csv is not in" in told.err
    assert "has no samovar.toml; today's is taken" in told.err


def test_wrong_use_is_said(project: Path, tmp_path: Path) -> None:
    def refused(one: str, other: str, where: Path, code: int = 2) -> dict[str, str]:
        return samovar("why", "--between", one, other, "--json", cwd=where, code=code).error

    assert refused("one", "three", project)["code"] == "no_commit"
    assert refused("one", "--exec=true", project)["code"] in {"no_commit", "wrong_use"}
    outside = tmp_path / "outside"
    outside.mkdir()
    assert refused("one", "two", outside)["code"] == "no_git"
    git(project, "checkout", "-q", "--force", "m")
    write(project / "train.py", "raise SystemExit(1)\n")
    commit(project, "broken")
    assert "At broken" in refused("broken", "one", project, 3)["message"]
