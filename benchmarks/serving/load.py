"""Load by wrk, and what the kernel says of a server's processes."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

PREDICTION = '"prediction": ?([-0-9.e]+)'
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_REQUEST = """
wrk.method = "POST"
wrk.body = "{body}"
wrk.headers["Content-Type"] = "application/json"
"""
_CHECK = """
local wrong = 0
function response(status, headers, body)
  if status ~= 200 or tonumber(body:match('{pattern}')) ~= {answer} then
    wrong = wrong + 1
    wrk.thread:set("wrong", wrong)
  end
end
local threads = {{}}
function setup(thread)
  thread:set("wrong", 0)
  table.insert(threads, thread)
end
function done()
  local total = 0
  for _, thread in ipairs(threads) do total = total + thread:get("wrong") end
  io.write("wrong answers: " .. total .. "\\n")
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run of wrk.

    Parameters
    ----------
    requests_per_s : float
        All of them answered 200.
    p50_s : float
        Median latency in seconds.
    """

    requests_per_s: float
    p50_s: float


class Wrk:
    """wrk with one request and one right answer.

    Parameters
    ----------
    folder : Path
        For its scripts.
    body : str
        Of the request.
    answer : float
        That every server must give.
    pattern : str
        Lua's, whose capture in the reply is the answer.
    """

    def __init__(
        self, folder: Path, body: str, answer: float, *, pattern: str = PREDICTION
    ) -> None:
        request = _REQUEST.format(body=body.replace('"', '\\"'))
        self._plain = folder / "request.lua"
        self._plain.write_text(request)
        self._checking = folder / "check.lua"
        self._checking.write_text(request + _CHECK.format(answer=repr(answer), pattern=pattern))

    def measure(self, url: str, connections: int, seconds: float) -> Load:
        """Measure without looking at bodies; a status other than 200 is an error."""
        text = self._run(self._plain, url, connections, seconds)
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", text)
        if failed is not None:
            raise AssertionError(f"{url}: {failed[0]}")
        rate = re.search(r"Requests/sec:\s+([0-9.]+)", text)
        latency = re.search(r"50%\s+([0-9.]+)(us|ms|s)", text)
        assert rate is not None
        assert latency is not None
        return Load(requests_per_s=float(rate[1]), p50_s=float(latency[1]) * _UNITS[latency[2]])

    def check(self, url: str, connections: int, seconds: float = 1) -> None:
        """Look at every answer for a while."""
        text = self._run(self._checking, url, connections, seconds)
        if "wrong answers: 0\n" not in text:
            raise AssertionError(f"{url}: {text[-300:]}")

    def _run(self, script: Path, url: str, connections: int, seconds: float) -> str:
        done = subprocess.run(
            [
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{max(1, round(seconds))}s",
                "--latency",
                "-s",
                script,
                url,
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


def memory_mb(pid: int) -> float:
    """Give the proportional set size of a process and everything below it, in MB."""
    waiting, total = [pid], 0
    while waiting:
        current = waiting.pop()
        place = Path(f"/proc/{current}")
        try:
            rollup = (place / "smaps_rollup").read_text()
            children = (place / "task" / str(current) / "children").read_text().split()
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])  # type: ignore[index] # the kernel writes it
        waiting += map(int, children)
    return total / 1024
