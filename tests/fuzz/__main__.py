"""Fuzz one reader with atheris: ``python -m fuzz TARGET FOLDER [libFuzzer's options]``.

`FOLDER` keeps what was found to reach new code; faults are written to the current folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["samovar", "zipfile", "packaging", "tomllib"]):
    from fuzz.models import DATA
    from fuzz.targets import TARGETS


def main() -> None:
    name, folder, *options = sys.argv[1:]
    corpus = Path(folder)
    corpus.mkdir(parents=True, exist_ok=True)
    target = TARGETS[name]
    found = (path.read_bytes() for path in sorted((DATA / "fuzz" / name).glob("*")))
    for number, seed in enumerate((*target.seeds(), *found)):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    atheris.Setup([sys.argv[0], str(corpus), *options], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
