"""Train, list, reproduce: with tiny scripts of the standard library, so that runs cost nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from cli import SAMOVAR, samovar
from samovar.core.digest import Digest
from toy import make_toy, train, write


@pytest.fixture
def project(tmp_path) -> Path:
    return make_toy(tmp_path / "toy")


def test_a_run_is_recorded_and_its_results_lie_in_the_project_too(project):
    document = train(project, "--name", "first")
    assert document["name"] == "first"
    assert document["run"].startswith("sha256:")
    assert document["metrics"]["n"] == 3
    assert document["repeatable"] is None
    assert document["warnings"] == []
    assert json.loads((project / "out.json").read_text())["n"] == 3
    assert (project / "models" / "model.json").is_file()
    listed = samovar("runs", "--json").json["runs"]
    assert listed == [{k: document[k] for k in ("run", "name", "metrics")}]
    shown = samovar("runs", "show", "first", "--json").json
    assert [file["path"] for file in shown["data"]] == ["data/train.csv"]
    assert shown["params"] == {"seed": 1, "model": {"scale": 2.0}}
    assert shown["git"] is None


def test_a_run_is_made_again_after_its_project_is_gone(project, tmp_path):
    run = train(project)["run"]
    shutil.rmtree(project)
    again = samovar("reproduce", run, "--json", cwd=tmp_path).json
    assert again["verdict"] == "IDENTICAL"
    assert again["metrics"]["mean"]["recorded"] == again["metrics"]["mean"]["observed"]
    assert again["predictions"] == {"max_relative_difference": 0.0, "labels_changed": 0}
    assert again["outputs"] == [{"path": "models/model.json", "identical": True}]


def test_a_changed_parameter_is_recorded_and_a_counterfactual_shows_its_effect(project):
    train(project, "--name", "a")
    changed = train(project, "--name", "b", "--set", "model.scale=3")
    assert samovar("runs", "show", "b", "--json").json["params"]["model"]["scale"] == 3
    assert json.loads((project / "params.json").read_text())["model"]["scale"] == 2.0
    answer = samovar("reproduce", "a", "--with", "model.scale=3", "--json", code=1).json
    assert answer["verdict"] == "DIFFERENT"
    assert answer["metrics"]["mean"]["observed"] == changed["metrics"]["mean"]


def test_other_data_is_seen_and_the_record_keeps_its_own(project):
    train(project, "--name", "a")
    write(project / "data" / "train.csv", "x\n10\n20\n30\n")
    assert samovar("reproduce", "a", "--json").json["verdict"] == "IDENTICAL"
    assert train(project, "--name", "b")["metrics"]["mean"] > 20


def test_data_that_is_not_kept_any_more_is_named(project):
    train(project, "--name", "a")
    digest = samovar("runs", "show", "a", "--json").json["data"][0]["digest"]
    blob = Path(os.environ["SAMOVAR_HOME"]) / "store/blobs/sha256" / digest.removeprefix("sha256:")
    blob.unlink()
    assert digest in samovar("reproduce", "a", "--json", code=3).error["message"]


def test_an_unseeded_script_is_said_to_be_not_repeatable_and_where(project):
    text = (project / "train.py").read_text().replace('random.seed(params["seed"])', "pass")
    (project / "train.py").write_text(text)
    document = train(project, "--repeat", "3")
    assert document["repeatable"] is False
    assert document["noise"]["mean"] > 0
    assert document["noise"]["n"] == 0
    assert any("train.py:6" in warning for warning in document["warnings"])
    found = samovar("train", "--find-seeds", "--json", cwd=project, code=1).json["suspects"]
    assert found[0]["line"] == 6


def test_a_seeded_script_is_repeatable(project):
    document = train(project, "--repeat", "2")
    assert document["repeatable"] is True
    assert document["noise"] == {"mean": 0.0, "n": 0.0}


def test_a_failing_script_shows_its_own_traceback_and_leaves_only_a_failed_run(project):
    (project / "out.json").write_text('{"old": 1}')
    (project / "train.py").write_text("raise RuntimeError('no luck')\n")
    ended = samovar("train", "--json", cwd=project, code=3, shows_traceback=True)
    assert "RuntimeError: no luck" in ended.err
    assert ended.error["code"] == "script_failed"
    assert samovar("runs", "--json").json == {"runs": []}
    assert len(samovar("runs", "--failed", "--json").json["runs"]) == 1
    assert (project / "out.json").read_text() == '{"old": 1}'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("pass", "no metrics"),
        ("open('out.json', 'w').write('{}')", "no metric"),
        ("open('out.json', 'w').write('{\"a\": 1}')", "preds.csv"),
        (
            "open('out.json', 'w').write('{\"a\": 1}'); open('preds.csv', 'w').write('p\\n1\\n')",
            "models/model.json",
        ),
    ],
)
def test_what_the_script_did_not_write_is_named_even_where_an_old_file_lies(project, script, said):
    for name in ("out.json", "preds.csv", "models/model.json"):
        write(project / name, "{}")
    (project / "train.py").write_text(script + "\n")
    assert said in samovar("train", "--json", cwd=project, code=3).error["message"]


def test_an_undeclared_read_is_named(project):
    write(project / "data" / "extra.csv", "x\n1\n")
    text = (project / "train.py").read_text()
    (project / "train.py").write_text(text + "open('data/extra.csv').read()\n")
    ended = samovar("train", "--json", cwd=project, code=3, shows_traceback=True)
    assert "data/extra.csv" in ended.error["message"]
    assert "not in [train] data" in ended.error["message"]


def test_a_read_behind_the_copys_back_is_a_warning_and_strict_refuses_it(project):
    extra = project / "data" / "extra.csv"
    write(extra, "x\n1\n")
    text = (project / "train.py").read_text()
    (project / "train.py").write_text(text + f"open({str(extra)!r}).read()\n")
    warnings = train(project)["warnings"]
    assert any("extra.csv" in warning for warning in warnings)
    answer = samovar("train", "--strict", "--json", cwd=project, code=1)
    assert answer.error["code"] == "undeclared_read"
    assert len(samovar("runs", "--json").json["runs"]) == 1


def test_a_metric_that_is_not_finite_is_null_with_a_warning(project):
    text = (project / "train.py").read_text().replace('"n": len(rows)', '"n": float("nan")')
    (project / "train.py").write_text(text)
    document = train(project)
    assert document["metrics"]["n"] is None
    assert any("nan" in warning for warning in document["warnings"])


def test_a_script_that_hangs_is_ended(project):
    (project / "train.py").write_text("import time\ntime.sleep(60)\n")
    answer = samovar("train", "--timeout", "1", "--json", cwd=project, code=3)
    assert answer.error["code"] == "timeout"


def test_a_script_that_writes_into_its_data_is_named(project):
    text = (project / "train.py").read_text()
    (project / "train.py").write_text(text + "open('data/train.csv', 'a').write('9\\n')\n")
    warnings = train(project)["warnings"]
    assert any("changed its data" in warning for warning in warnings)
    assert (project / "data" / "train.csv").read_text() == "x\n1\n2\n3\n"


def test_data_that_changes_in_the_project_meanwhile_is_named(project):
    data = project / "data" / "train.csv"
    text = (project / "train.py").read_text()
    (project / "train.py").write_text(text + f"open({str(data)!r}, 'a').write('9\\n')\n")
    warnings = train(project, "--name", "a")["warnings"]
    assert "data/train.csv changed in the project while the command ran" in warnings
    assert data.read_text() == "x\n1\n2\n3\n9\n"
    digest = samovar("runs", "show", "a", "--json").json["data"][0]["digest"]
    assert digest == str(Digest.of(b"x\n1\n2\n3\n"))


def test_variables_that_count_are_restored(project, tmp_path):
    write(
        project / "train.py",
        """
        import json, os, time
        json.dump({"hour": time.localtime(0).tm_hour}, open("out.json", "w"))
        open("preds.csv", "w").write("p\\n1\\n")
        open("models/model.json", "w").write("{}")
        """,
    )
    first = train(project, "--name", "kolkata", TZ="Asia/Kolkata")
    assert first["metrics"]["hour"] == 5
    again = samovar("reproduce", "kolkata", "--json", cwd=tmp_path, TZ="UTC").json
    assert again["verdict"] == "IDENTICAL"


def test_git_is_recorded_with_what_was_not_committed(project):
    git = ["git", "-C", str(project), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *arguments], check=True)
    train(project, "--name", "clean")
    assert samovar("runs", "show", "clean", "--json").json["git"]["dirty"] is False
    (project / "train.py").write_text((project / "train.py").read_text() + "# more\n")
    train(project, "--name", "dirty")
    shown = samovar("runs", "show", "dirty", "--json").json["git"]
    assert shown["dirty"] is True
    assert len(shown["commit"]) == 40


def test_a_run_is_checked_out_as_it_was(project, tmp_path):
    train(project, "--name", "a")
    write(project / "train.py", "changed")
    folder = tmp_path / "there"
    samovar("runs", "checkout", "a", folder)
    assert (folder / "data" / "train.csv").read_text() == "x\n1\n2\n3\n"
    assert "random.seed" in (folder / "train.py").read_text()
    assert samovar("runs", "checkout", "a", folder, code=2).err


def test_runs_are_filtered_sorted_compared_and_exported(project, tmp_path):
    for scale in ("1", "3", "2"):
        train(project, "--name", f"s{scale}", "--set", f"model.scale={scale}")
    names = [run["name"] for run in samovar("runs", "--sort", "mean", "--json").json["runs"]]
    assert names == ["s3", "s2", "s1"]
    kept = samovar("runs", "--where", "model.scale=2", "--json").json["runs"]
    assert [run["name"] for run in kept] == ["s2"]
    compared = samovar("runs", "compare", "s1", "s2", "--json").json
    assert {"name": "param model.scale", "values": [1, 2]} in compared["rows"]
    for ending in ("csv", "parquet", "svg"):
        samovar("runs", "--export", tmp_path / f"runs.{ending}")
        assert (tmp_path / f"runs.{ending}").stat().st_size > 100
    assert (tmp_path / "runs.csv").read_text().count("\n") == 4


def test_unknown_runs_and_settings_are_said(project):
    train(project, "--name", "first")
    assert "first" in samovar("reproduce", "frist", "--json", code=2).error["hint"]
    assert samovar("train", "--set", "nonsense", "--json", cwd=project, code=2).error
    assert samovar("runs", "dance", "--json", code=2).error


def test_a_project_that_is_not_trained_says_what_to_write(project):
    text = (project / "samovar.toml").read_text()
    (project / "samovar.toml").write_text(text.partition("[train]")[0])
    assert samovar("train", "--json", cwd=project, code=2).error["code"] == "no_train"


def test_the_same_data_is_stored_once_and_a_changed_row_costs_a_piece(project):
    blobs = Path(os.environ["SAMOVAR_HOME"]) / "store/blobs/sha256"

    def stored() -> int:
        return sum(path.stat().st_size for path in blobs.iterdir())

    rows = [f"{number * 7919 % 1000003}" for number in range(1_500_000)]
    write(project / "data" / "train.csv", "x\n" + "\n".join(rows) + "\n")
    size = (project / "data" / "train.csv").stat().st_size
    write(
        project / "train.py",
        """
        import json
        json.dump({"n": sum(1 for _ in open("data/train.csv"))}, open("out.json", "w"))
        open("preds.csv", "w").write("p\\n1\\n")
        open("models/model.json", "w").write("{}")
        """,
    )
    train(project)
    first = stored()
    assert first > size
    train(project)
    assert stored() - first < 50_000
    rows.insert(700_000, "12345678")
    write(project / "data" / "train.csv", "x\n" + "\n".join(rows) + "\n")
    before = stored()
    train(project)
    assert stored() - before < size / 2


def test_an_interrupted_run_is_listed_nowhere_and_leaves_nothing_running(project):
    marker = project / "running"
    (project / "train.py").write_text(
        f"import time\nopen({str(marker)!r}, 'w').write('')\ntime.sleep(60)\n"
    )
    command = [SAMOVAR, "train", "--json"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE) as training:
        assert wait_for(marker.exists)
        training.send_signal(signal.SIGINT)
        out, _ = training.communicate(timeout=30)
    assert training.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert samovar("runs", "--json").json == {"runs": []}
    assert samovar("runs", "--failed", "--json").json == {"runs": []}
    assert list((Path(os.environ["SAMOVAR_HOME"]) / "work").iterdir()) == []


def test_a_connection_is_named_and_strict_refuses_it(project):
    text = (project / "train.py").read_text()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"import socket; socket.create_connection(('127.0.0.1', {port})).close()\n"
        (project / "train.py").write_text(text + connect)
        (warning,) = train(project)["warnings"]
        assert warning.startswith(f"connects to 127.0.0.1:{port}")
        answer = samovar("train", "--strict", "--json", cwd=project, code=1)
    assert answer.error["code"] == "undeclared_read"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_said_and_records_nothing(project):
    text = (project / "train.py").read_text()
    (project / "train.py").write_text(text + "open('/dev/full', 'w', 1).write('x\\n')\n")
    answer = samovar("train", "--json", cwd=project, code=3, shows_traceback=True)
    assert "No space left on device" in answer.error["message"]
    assert samovar("runs", "--json").json == {"runs": []}


def wait_for(condition, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()
