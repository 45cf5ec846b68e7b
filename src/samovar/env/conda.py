"""Read conda's environment.yml and translate its packages into those of the package index.

References
----------
conda documentation, "Managing environments" and "Package match specifications".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from samovar.errors import InvalidRequirements

# Names that conda-forge and the package index spell otherwise; the others are the same.
_NAMES: Final = {
    "pytorch": "torch", "pytorch-cpu": "torch", "pytorch-gpu": "torch", "py-xgboost": "xgboost",
    "tensorflow-base": "tensorflow", "msgpack-python": "msgpack", "matplotlib-base": "matplotlib",
    "dask-core": "dask", "opencv": "opencv-python", "py-opencv": "opencv-python",
    "python-graphviz": "graphviz", "pytables": "tables", "py-lightgbm": "lightgbm",
    "jupyter_core": "jupyter-core", "brotli-python": "brotli", "python-kaleido": "kaleido",
    "pillow-simd": "pillow", "pyqt": "PyQt5", "seaborn-base": "seaborn", "numpy-base": "numpy",
    "xgboost-cpu": "xgboost", "scikit-learn-intelex": "scikit-learn-intelex",
}  # fmt: skip
# Libraries and tools that wheels bring along, or that no Python package is.
_NO_COUNTERPART: Final = {
    "pip", "setuptools", "wheel", "blas", "mkl", "mkl-service", "openblas", "nomkl",
    "llvm-openmp", "intel-openmp", "ca-certificates", "openssl", "cudatoolkit", "ncurses",
    "readline", "sqlite", "tk", "xz", "zlib", "zstd", "bzip2", "icu", "gcc", "gxx", "nodejs",
    "python_abi", "tbb", "ld_impl_linux-64", "expat", "freetype", "git", "make", "cmake",
}  # fmt: skip
_PIN: Final = re.compile(r"^([A-Za-z0-9_.-]+)\s*(?:\[version=['\"]?([^'\"\]]*)['\"]?\])?\s*(.*)$")
_BUILD: Final = re.compile(r"=[^=<>!~,]+=([^=]+)$")
_OF_PYTHON: Final = re.compile(r"(?:^|_)py")


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaEnvironment:
    """What an environment.yml asks for.

    Parameters
    ----------
    specifiers : tuple of str
        PEP 508, for the package index.
    pip : tuple of str
        Lines of its ``pip:`` section, as in a requirements file.
    notes : tuple of str
        What has no counterpart.
    """

    specifiers: tuple[str, ...]
    pip: tuple[str, ...]
    notes: tuple[str, ...]


def read_conda(text: str, where: str) -> CondaEnvironment:
    """Read the text of an environment.yml.

    Parameters
    ----------
    text : str
        YAML.
    where : str
        The file's name, for messages.

    Raises
    ------
    InvalidRequirements
        Where it is none.
    """
    listed = _dependencies(text, where)
    specifiers: list[str] = []
    notes: list[str] = []
    pip: list[str] = []
    for entry in listed:
        if isinstance(entry, dict):
            lines = entry.get("pip")
            pip += [str(line) for line in lines] if isinstance(lines, list) else []
            continue
        name, version = _split(str(entry), where)
        if name == "python":
            continue
        if _has_no_counterpart(name, version):
            if name not in {"pip", "setuptools", "wheel"}:
                notes.append(f"{name} of {where} has no counterpart among Python packages")
        else:
            specifiers.append(_NAMES.get(name, name) + _version(version))
    return CondaEnvironment(specifiers=tuple(specifiers), pip=tuple(pip), notes=tuple(notes))


def _dependencies(text: str, where: str) -> list[Any]:
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidRequirements(
            f"{where} is not YAML.", why=str(error), hint="Correct it."
        ) from error
    listed = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise InvalidRequirements(
            f"{where} has no list of dependencies.",
            hint="conda writes one by 'conda env export --from-history'.",
            code="no_requirements",
        )
    return listed


def _split(entry: str, where: str) -> tuple[str, str]:
    """Give a match specification's name and version; the channel before ``::`` says nothing."""
    match = _PIN.match(entry.rpartition("::")[2].strip())
    if match is None:
        raise InvalidRequirements(
            f"{where}: {entry!r} is not a package of conda.",
            hint="Write NAME=VERSION.",
            code="malformed",
        )
    return match[1].lower(), (match[2] or match[3]).strip()


def _has_no_counterpart(name: str, version: str) -> bool:
    if name in _NO_COUNTERPART or name.startswith(("lib", "_", "r-", "cuda-")):
        return True
    # 'conda env export' names builds, and those of Python packages have the version of Python.
    built = _BUILD.match(version)
    return built is not None and _OF_PYTHON.search(built[1]) is None


def _version(version: str) -> str:
    """Turn conda's ``=1.2`` and ``=1.2.3=build`` into what the package index understands."""
    if not version or version.strip("= ") == "*":
        return ""
    if version.startswith("=") and not version.startswith("=="):
        number, _, build = version[1:].partition("=")
        # One '=' is a prefix match in conda; with a build it is an exact one.
        exact = bool(build) or number.count(".") >= 2
        return f"=={number}" if exact or number.endswith("*") else f"=={number}.*"
    if version[0].isdigit():
        return f"=={version.partition(' ')[0]}"
    return version.replace(" ", "")
