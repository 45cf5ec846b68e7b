"""Propose requirements where a project has none: from its imports, and what is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.env.interpreters import python_of

if TYPE_CHECKING:
    from samovar.project.found import FoundModel
    from samovar.project.sources import Sources

# Modules that a distribution of another name brings.
_DISTRIBUTIONS: Final = {
    "sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml",
    "bs4": "beautifulsoup4", "skimage": "scikit-image", "dateutil": "python-dateutil",
    "Crypto": "pycryptodome", "dotenv": "python-dotenv", "jwt": "pyjwt", "attr": "attrs",
}  # fmt: skip
_INSTALLED: Final = """
import importlib.metadata as metadata, json
print(json.dumps({d.metadata["Name"]: d.version for d in metadata.distributions()}))
"""


def propose_requirements(
    sources: Sources, found: FoundModel, interpreter: Path | None
) -> list[str]:
    """Propose a specifier for each distribution that the code or the model needs.

    Parameters
    ----------
    sources : Sources
        Names the modules that are imported.
    found : FoundModel
        Names the versions that the model records, and the globals in it.
    interpreter : Path, optional
        Whose installed versions are proposed; by default that of the active environment.

    Returns
    -------
    list of str
        Exact pins where a version is known, else bare names, sorted.
    """
    # What the audit objects to may be the project's own, which no index has.
    named = {*found.globals, found.root or ""} - set(found.objections)
    modules = {*sources.imports, *(name.partition(".")[0] for name in named)} - {""}
    wanted = {
        _DISTRIBUTIONS.get(module, module.replace("_", "-")).lower()
        for module in modules - set(sys.stdlib_module_names) - {"__main__"}
    }
    wanted |= set(found.library_versions)
    versions = {**_installed(interpreter), **found.library_versions}
    return [f"{name}=={versions[name]}" if name in versions else name for name in sorted(wanted)]


def _installed(interpreter: Path | None) -> dict[str, str]:
    active = os.environ.get("VIRTUAL_ENV")
    # Whoever activated samovar's own environment has not said where the model was made.
    if interpreter is None and active and Path(active).resolve() != Path(sys.prefix).resolve():
        interpreter = python_of(Path(active))
    if interpreter is None or not interpreter.exists():
        return {}
    ended = subprocess.run(
        [str(interpreter), "-I", "-c", _INSTALLED],
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode != 0:
        return {}
    listed: dict[str, str] = json.loads(ended.stdout)
    return {name.lower().replace("_", "-"): version for name, version in listed.items()}
