"""What the audit costs: less than 10 ms, and a second for each 200 MB of pickle."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ARRAY_BYTES = 200_000_000
PROGRAM = """
import json, re, resource, sys, time
from pathlib import Path
from samovar.model.audit import audit_file
times = []
for _ in range(3):
    begun = time.perf_counter()
    assert audit_file(Path(sys.argv[1])).ok
    times.append(time.perf_counter() - begun)
# Linux counts the parent's memory in ru_maxrss, but not in VmHWM.
status = Path("/proc/self/status")
found = re.search(r"VmHWM:\\s+(\\d+)", status.read_text()) if status.exists() else None
peak = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([min(times), peak / 1024]))
"""


def main() -> None:
    """Print size, time and memory of each kind of file."""
    print(f"{'file':32}{'MB':>8}{'ms':>10}{'ms/200 MB':>12}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name, write in KINDS.items():
            path = Path(folder) / "model"
            write(path)
            size = path.stat().st_size
            seconds, peak = json.loads(
                subprocess.run(
                    [sys.executable, "-c", PROGRAM, str(path)], check=True, capture_output=True
                ).stdout
            )
            rate = f"{seconds * 1e3 * ARRAY_BYTES / size:12.0f}" if size > 1e6 else f"{'-':>12}"
            print(f"{name:32}{size / 1e6:8.1f}{seconds * 1e3:10.2f}{rate}{peak:9.0f}")


def _array(protocol: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        import numpy as np

        with path.open("wb") as file:
            pickle.dump({"coef": np.ones(ARRAY_BYTES // 8)}, file, protocol)

    return write


def _pipeline(path: Path) -> None:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).normal(size=(100, 10))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] > 0)
    path.write_bytes(pickle.dumps(model))


def _forest(path: Path) -> None:
    import joblib
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    rows = np.random.default_rng(0).normal(size=(5000, 10))
    joblib.dump(RandomForestRegressor(200, n_jobs=2).fit(rows, rows[:, 0]), path)


def _joblib(path: Path) -> None:
    import joblib
    import numpy as np

    joblib.dump([np.ones(ARRAY_BYTES // 80) for _ in range(10)], path)


def _compressed(path: Path) -> None:
    import numpy as np

    noise = np.random.default_rng(0).normal(size=ARRAY_BYTES // 8)
    path.write_bytes(zlib.compress(pickle.dumps(noise, 5), 1))


def _vocabulary(path: Path) -> None:
    path.write_bytes(pickle.dumps({f"word {number}": number for number in range(1_000_000)}))


KINDS = {
    "a pipeline": _pipeline,
    "a forest of 200 trees, joblib": _forest,
    "an array, protocol 4": _array(4),
    "an array, protocol 5": _array(5),
    "ten arrays, joblib": _joblib,
    "noise in zlib": _compressed,
    "a million words": _vocabulary,
}
