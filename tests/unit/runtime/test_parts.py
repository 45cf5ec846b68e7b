"""The small parts of the runtime: jobs, versions, sockets, counts, heads, the boot file."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import samovar
from samovar import errors
from samovar.cli import exit_codes
from samovar.runtime import VERSION, endings, http_errors
from samovar.runtime.http.head import Head, Routes, check_head
from samovar.runtime.http.replies import Replies
from samovar.runtime.job import Job, error_document, write_result
from samovar.runtime.metrics import SharedCounts, endpoint
from samovar.runtime.packages import distribution_of, find_mismatches
from samovar.runtime.quota import usable_cpus
from samovar.runtime.sockets import address_of, listen, listen_unix


def test_the_runtimes_version_is_samovars() -> None:
    assert samovar.__version__ == VERSION


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput("x"), errors.Refused("x"), errors.EnvironmentMismatch("x"),
        errors.Unavailable("x"), errors.Damaged("x"), errors.ScriptFailed("x"),
        errors.Interrupted("x"), errors.NotFound("x"), errors.OutOfSpace("x"),
    ],
)  # fmt: skip
def test_the_runtime_ends_with_the_commands_exit_codes(error: errors.SamovarError) -> None:
    assert endings.of_error(error) == exit_codes.of_error(error)


def test_errors_are_printed_as_the_command_does(capfd: pytest.CaptureFixture[str]) -> None:
    error = errors.Unavailable("The port is taken.", why="By another.", hint="Take another.")
    assert endings.fail(error, as_json=False) == 3
    assert capfd.readouterr().err == (
        "error: The port is taken.\nBy another.\n\nhint: Take another.\n"
    )
    assert endings.fail(error, as_json=True) == 3
    assert json.loads(capfd.readouterr().out)["error"]["message"] == (
        "The port is taken.\nBy another."
    )


def test_a_job_is_read_and_answered(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"verb": "record", "bundle": str(tmp_path), "rows": [1]}))
    job = Job.read(path)
    assert (job.verb, job.result, job.options["rows"]) == ("record", None, [1])
    assert job.project == tmp_path / "project"
    with pytest.raises(errors.Damaged):
        job.description()
    write_result(tmp_path / "result.json", {"ok": "é"})
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == {"ok": "é"}
    assert error_document(errors.NotFound("no"))["class"] == "NotFound"
    for text in ("[]", "{", '{"verb": 1}'):
        path.write_text(text)
        with pytest.raises(errors.Damaged):
            Job.read(path)


def test_versions_are_compared_as_pep_440_does() -> None:
    from importlib.metadata import version

    own = version("packaging")
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = [
        {"name": "Packaging", "version": own},
        {"name": "packaging", "version": f"{own}.0"},
        {"name": "packaging", "version": None},
    ]
    assert find_mismatches({"python": minor, "packages": packages}) == []
    assert find_mismatches({"packages": [{"name": "pack_aging", "version": "1"}]}) == [
        {"name": "pack-aging", "wanted": "1", "found": None}
    ]
    assert find_mismatches({"packages": [{"name": "packaging", "version": "0.1+cpu"}]}) == [
        {"name": "packaging", "wanted": "0.1+cpu", "found": own}
    ]
    assert distribution_of("sklearn.linear_model") == "scikit-learn"
    assert distribution_of("no_such_module") == ""


def test_processors_are_counted() -> None:
    assert 1 <= usable_cpus() <= 4096


def test_the_boot_file_brings_its_own_samovar(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    source = Path(samovar.__file__).parent / "runtime" / "boot.py"
    (tmp_path / "boot" / "boot.py").write_bytes(source.read_bytes())
    package = tmp_path / "samovar" / "runtime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "main.py").write_text(
        "import sys\ndef main(job):\n    print(job, sys.modules['samovar'].__path__, sys.path[-1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-s", str(tmp_path / "boot" / "boot.py"), "job"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["job", f"[{str(tmp_path / 'samovar')!r}]", str(tmp_path)]


def test_each_worker_has_a_socket_on_one_port() -> None:
    sockets = listen("127.0.0.1", 0, 2)
    try:
        assert len({bound.getsockname()[1] for bound in sockets}) == 1
        assert len(sockets) == (2 if sys.platform == "linux" else 1)
        assert address_of(sockets[0], "0.0.0.0").startswith("http://127.0.0.1:")
        with pytest.raises(errors.Unavailable, match="port"):
            listen("127.0.0.1", sockets[0].getsockname()[1], 1)
    finally:
        for bound in sockets:
            bound.close()
    with pytest.raises(errors.Unavailable):
        listen("no.such.host.invalid", 0, 1)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Windows has no Unix sockets.")
def test_a_unix_socket_replaces_a_stale_one_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    (first,) = listen_unix(path)
    with pytest.raises(errors.Unavailable, match="Another process"):
        listen_unix(path)
    first.close()
    (second,) = listen_unix(path)
    assert address_of(second, "") == f"unix:{path}"
    second.close()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(errors.UserError, match="is no socket"):
        listen_unix(str(tmp_path / "file"))
    with pytest.raises(errors.Unavailable):
        listen_unix(str(tmp_path / "no" / "folder"))


def test_counts_of_workers_are_added_up() -> None:
    shared = SharedCounts(2)
    one, two = shared.of_worker(0), shared.of_worker(1)
    one.count(endpoint("/predict"), 200)
    two.count_ok(endpoint("/predict"), 3)
    two.count(endpoint("/predict"), 422)
    one.observe_latency(0.0003)
    two.observe_batch(64, 0.5)
    two.connected(5)
    one.gauge(1, 2, 3)
    again = shared.of_worker(1)
    text = again.text({"name": 'a"b\\c\n'}).decode()
    for line in (
        r'samovar_model_info{name="a\"b\\c\n"} 1',
        'samovar_requests_total{endpoint="/predict",status="200"} 4',
        'samovar_requests_total{endpoint="/predict",status="422"} 1',
        'samovar_request_seconds_bucket{le="0.00025"} 0',
        'samovar_request_seconds_bucket{le="0.0005"} 1',
        'samovar_request_seconds_bucket{le="+Inf"} 1',
        "samovar_request_seconds_count 1",
        'samovar_batch_rows_bucket{le="64"} 1',
        "samovar_batch_rows_sum 64.0",
        "samovar_connections 3",
        "samovar_connections_total 1",
        "samovar_worker_starts_total 3",
        "samovar_batch_rows_count 1",
    ):
        assert line in text.splitlines()


def test_every_status_has_a_reason() -> None:
    assert http_errors.status_of(errors.InvalidInput("x")) == 422
    assert http_errors.status_of(errors.InvalidInput("x", code="too_large")) == 413
    assert http_errors.status_of(errors.Unavailable("x")) == 503
    assert http_errors.status_of(errors.ScriptFailed("x", code="model_refused")) == 422
    assert http_errors.status_of(errors.ScriptFailed("x")) == 500


def head_of(
    method: bytes = b"POST", target: bytes = b"/predict", *headers: tuple[bytes, bytes]
) -> Any:
    return check_head(method, target, [(b"Host", b"x"), *headers], "1.1")


def test_heads_are_checked() -> None:
    path, query, named, length, expects = head_of(
        b"POST", b"http://x:80/predict?a=1", (b"Content-Length", b"5"), (b"X-A", b"1"),
        (b"x-a", b"2"), (b"Expect", b"100-Continue"),
    )  # fmt: skip
    assert (path, query, named[b"x-a"], length, expects) == (b"/predict", b"a=1", b"1, 2", 5, True)
    assert head_of(b"POST", b"/", (b"Transfer-Encoding", b"Chunked"))[3] == -1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((b"GET", b"/" + b"a" * 9000), "target_too_long"),
        ((b"GET", b"ftp://x/"), "malformed_request"),
        ((b"CONNECT", b"x:1"), "method_not_allowed"),
        ((b"GET", b"/", (b"host", b"y")), "malformed_request"),
        ((b"GET", b"/", (b"Content-Length", b"-1")), "malformed_request"),
        ((b"GET", b"/", (b"Content-Length", b"1" * 20)), "malformed_request"),
        ((b"GET", b"/", (b"Transfer-Encoding", b"gzip, chunked")), "malformed_request"),
        ((b"GET", b"/", (b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"1")),
         "malformed_request"),
        ((b"GET", b"/", (b"Expect", b"more")), "unsupported_expectation"),
    ],
)  # fmt: skip
def test_heads_that_are_refused(arguments: Any, code: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        head_of(*arguments)
    assert caught.value.code == code


def test_the_host_is_wanted_and_checked() -> None:
    for headers in ([], [(b"Host", b"a b")], [(b"Host", b"a/b")]):
        with pytest.raises(errors.InvalidInput):
            check_head(b"GET", b"/", headers, "1.1")
    assert check_head(b"GET", b"/", [], "1.0")[0] == b"/"
    for host in (b"", b"example.org:80", b"[::1]:5000", b"127.0.0.1"):
        assert check_head(b"GET", b"/", [(b"Host", host)], "1.1")[0] == b"/"


def test_routes_fall_back_only_for_unknown_paths() -> None:
    def get(_: Any) -> None: ...

    def other(_: Any) -> None: ...

    routes = Routes({b"/a": {b"GET": get}}, {b"/a": 3}, fallback=other)
    assert routes.resolve(b"GET", b"/a") == (get, 3)
    assert routes.resolve(b"HEAD", b"/a") == (get, 3)
    assert routes.resolve(b"POST", b"/b") == (other, 0)
    assert routes.resolve(b"POST", b"/a")[0] not in {get, other}


def test_content_types_and_request_ids() -> None:
    head = Head(
        b"GET", b"/", b"", {b"content-type": b"Application/JSON; charset=x", b"x-request-id": b"a b"},
        0, is_last=False, handle=lambda _: None, endpoint=0,
    )  # fmt: skip
    assert head.content_type == b"application/json"
    assert head.request_id is None
    assert not head.is_reusable


def test_replies_have_a_date_and_their_length() -> None:
    replies = Replies()
    replies.refresh(784111777.9)
    text = replies.make(404, b"body", headers=b"Allow: GET\r\n", is_last=True)
    assert text.startswith(b"HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
    assert text.endswith(b"Content-Length: 4\r\nAllow: GET\r\nConnection: close\r\n\r\nbody")
    assert replies.make(204, b"").endswith(b"GMT\r\n\r\n")
    assert b"body" not in replies.make(200, b"body", has_body=False)


def test_half_received_bodies_are_bounded_together() -> None:
    from samovar.runtime.http.parsing import Budget, RequestReader

    budget = Budget(100)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 80\r\n\r\n"

    def reader() -> RequestReader:
        return RequestReader(
            Routes({}, {}), 1000, budget, on_head=lambda _: None, on_request=lambda *_: None
        )

    first, second = reader(), reader()
    first.feed(head + b"x" * 60)
    with pytest.raises(errors.Unavailable):
        second.feed(head + b"x" * 60)
    assert budget.held == 60
    first.feed(b"x" * 20)
    assert budget.held == 0
    third = reader()
    third.feed(head + b"x" * 60)
    third.release()
    assert budget.held == 0
