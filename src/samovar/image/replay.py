"""Replay a receipt inside an image: in the Docker engine, or in a private root without one.

A small program of ours runs on the image's interpreter. It reads its orders from stdin, lets the
image's own runtime carry them out as it would serve (docs/decisions/0001-rooms.md), and writes the
answer to stdout: it needs no writable path but the /dev/shm that every container has.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.child import Mismatched, read_answer
from samovar.env.docker import docker
from samovar.errors import Unavailable
from samovar.image import private_root
from samovar.image.paths import BUNDLE, PYTHON, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from samovar.core.receipt import Receipt

_PROGRAM: Final = """
import json, os, subprocess, sys
orders = json.load(sys.stdin)
def write(name, document):
    path = os.path.join("/dev/shm", name)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
    return path
result = "/dev/shm/samovar-result.json"
job = write("samovar-job.json", {**orders["job"], "result": result})
start = write("samovar-start.json", {**orders["start"], "then": job})
words = [sys.executable, "-X", "utf8", "-s", orders["boot"], start]
ended = subprocess.run(words, input=b"", stdout=2, env=orders["env"])
try:
    with open(result, encoding="utf-8") as file:
        answer = file.read()
except OSError:
    answer = json.dumps({"code": ended.returncode})
sys.stdout.write(answer)
"""
_WORDS: Final = (PYTHON, "-I", "-S", "-c", _PROGRAM)
_SANDBOX: Final = (
    "--rm", "-i", "--network", "none", "--read-only", "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges", "--no-healthcheck",
)  # fmt: skip
_HOME: Final = "/"


def in_engine(
    image: str, receipt: Receipt, wanted: Mapping[str, Any]
) -> dict[str, Any] | Mismatched:
    """Replay a receipt in a container of an image, without network and without a writable disk.

    Parameters
    ----------
    image : str
        What the engine knows it by.
    receipt : Receipt
        What is replayed.
    wanted : mapping
        What the runtime checks before it loads the model.

    Raises
    ------
    SamovarError
        What the runtime answered instead; Unavailable where it gave no answer.
    """
    words = ["run", *_SANDBOX, "--entrypoint", _WORDS[0], image, *_WORDS[1:]]
    said = docker(words, stdin=_orders(receipt, wanted, None), quiet=False)
    return read_said(said)


def in_private_root(
    root: Path, receipt: Receipt, wanted: Mapping[str, Any], variables: Mapping[str, str]
) -> dict[str, Any] | Mismatched:
    """Replay a receipt with an unpacked image as the root.

    Parameters
    ----------
    root : Path
        The unpacked image.
    variables : mapping of str to str
        The environment that the image's configuration sets.
    """
    process = subprocess.Popen(
        private_root.command(root, _WORDS),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # The launcher's programs are this machine's: the image's environment is not for them.
        env={"PATH": private_root.search_path()},
        cwd="/",
    )
    try:
        said, _ = process.communicate(_orders(receipt, wanted, {"HOME": _HOME, **variables}))
    except BaseException:
        process.kill()
        process.wait()
        raise
    return read_said(said)


def _orders(
    receipt: Receipt, wanted: Mapping[str, Any], variables: Mapping[str, str] | None
) -> bytes:
    job = {
        "verb": "replay",
        "bundle": BUNDLE,
        "wanted": wanted,
        "method": receipt.method,
        "rows": list(receipt.rows),
    }
    start = {"verb": "start", "bundle": BUNDLE, "numerics": receipt.numerics}
    boot = f"/{RUNTIME}/boot/boot.py"
    return json.dumps({"job": job, "start": start, "boot": boot, "env": variables}).encode()


def read_said(said: bytes) -> dict[str, Any] | Mismatched:
    """Read what the program wrote.

    Raises
    ------
    SamovarError
        What the runtime answered instead of outputs; Unavailable where it answered nothing.
    """
    try:
        answer = json.loads(said)
    except ValueError:
        answer = {}
    if isinstance(answer, dict) and {"ok", "error", "mismatches"} & answer.keys():
        return read_answer(answer)
    code = answer.get("code") if isinstance(answer, dict) else None
    raise Unavailable(
        "The image gave no answer.",
        why=f"Its process ended with {_words(code)}; its own words are above.",
        hint="See whether it runs: docker run --rm --read-only IMAGE.",
        code="child_died",
    )


def _words(code: Any) -> str:
    if not isinstance(code, int):
        return "no answer"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
