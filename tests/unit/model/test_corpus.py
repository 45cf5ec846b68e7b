"""Every hostile file is refused by the audit and by the loader; every honest one is accepted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from samovar.errors import InvalidModel
from samovar.model.audit import audit_file, refusal

DATA = Path(__file__).resolve().parents[2] / "data" / "audit"
MALICIOUS = json.loads((DATA / "malicious" / "manifest.json").read_text(encoding="utf-8"))
BENIGN = json.loads((DATA / "benign" / "manifest.json").read_text(encoding="utf-8"))
# The file says what it runs only inside a zip whose flags contradict each other.
UNREADABLE = {"m210_torch_zip_flag_bit.pt"}


@pytest.mark.parametrize("case", MALICIOUS, ids=lambda case: case["id"])
def test_a_hostile_file_is_refused_by_the_audit(case: dict[str, Any]) -> None:
    path = DATA / "malicious" / case["file"]
    report = audit_file(path)
    assert not report.ok
    error = refusal(report, path)
    assert error.code == "refused"
    assert "\n" not in error.message
    named = [finding.global_ for finding in report.findings if finding.global_]
    if case["file"] in UNREADABLE:
        assert "not supported" in error.message
    else:
        assert named
        assert all(name in error.message for name in named)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the jail needs fork: run it on POSIX")
def test_a_hostile_file_is_refused_by_the_loader_and_leaves_no_trace(tmp_path: Path) -> None:
    files = [str(DATA / "malicious" / case["file"]) for case in MALICIOUS]
    result = tmp_path / "result.json"
    subprocess.run(
        [sys.executable, str(DATA / "jail.py"), str(result), *files],
        check=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    judged = json.loads(result.read_text(encoding="utf-8"))
    assert len(judged) == len(files)
    assert [case["file"] for case in judged if case["left"]] == []
    assert [case for case in judged if case["error"] not in {"Refused", "InvalidModel"}] == []
    assert sum(case["error"] == "Refused" for case in judged) > 75


@pytest.mark.parametrize("case", BENIGN, ids=lambda case: case["file"])
def test_an_honest_file_is_accepted_by_the_audit(case: dict[str, Any]) -> None:
    report = audit_file(DATA / "benign" / case["file"])
    assert report.findings == ()
    assert report.format in {"pickle", "joblib"}
    assert (report.format == "joblib") == case["format"].startswith("joblib")
    assert report.library_versions in ({}, {"scikit-learn": "1.7.2"})


@pytest.mark.parametrize("case", BENIGN, ids=lambda case: case["file"])
def test_an_honest_file_with_a_payload_spliced_in_is_refused(
    case: dict[str, Any], tmp_path: Path
) -> None:
    content = (DATA / "benign" / case["file"]).read_bytes()
    path = tmp_path / "model"
    for payload in (b"cposix\nsystem\n(S'true'\ntR0", b"\x8c\x05posix\x8c\x06system\x93)R0"):
        for begin in (0, 2, len(content)):
            path.write_bytes(content[:begin] + payload + content[begin:])
            assert not accepted(path)


def accepted(path: Path) -> bool:
    try:
        return audit_file(path).ok
    except InvalidModel:
        return False
