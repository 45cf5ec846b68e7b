"""What a run or a bundle was made from, in one shape, so that any two can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from samovar.core.run import RunFile, RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from samovar.core.bundle import BundleDocument

THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Variables that say how many threads there are: the factor ``machine:threads``."""
CPU_VARIABLES: Final = (
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "GLIBC_TUNABLES",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
)
"""Variables that choose code by the processor: the factor ``machine:cpu``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that can be a factor.

    Parameters
    ----------
    python : str
        Version of the interpreter.
    packages : mapping of str to str
        Normalised name to version.
    params : mapping
        Nested.
    code, data, models : mapping of str to RunFile
        By path.
    env : mapping of str to str or None
        Variables that count; None is unset.
    machine : mapping
        ``threads``, ``cpu``, ``architecture``, ``blas_kernel``, ... as env/machine.py gives them.
    command : str
        What is run; empty for a bundle.
    numerics : str
        Level of pinned numerics.
    """

    python: str
    packages: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, RunFile] = field(default_factory=dict)
    data: Mapping[str, RunFile] = field(default_factory=dict)
    models: Mapping[str, RunFile] = field(default_factory=dict)
    env: Mapping[str, str | None] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    numerics: str = "native"


def facts_of_run(record: RunRecord) -> Facts:
    """Give a run's facts.

    The file that hands the parameters over is not code or data: its values are factors one by one.
    """
    return Facts(
        python=record.python,
        packages=record.packages,
        params=record.params,
        code=_by_path(file for file in record.code if file.path != record.params_path),
        data=_by_path(file for file in record.data if file.path != record.params_path),
        env=record.env,
        machine=record.machine,
        command=record.command,
        numerics=record.numerics,
    )


def facts_of_bundle(document: BundleDocument, packages: Mapping[str, str]) -> Facts:
    """Give a bundle's facts.

    Parameters
    ----------
    document : BundleDocument
        What the bundle says of itself.
    packages : mapping of str to str
        What its lock installs on the platform in question.
    """
    files = [
        (file.kind, RunFile(path=file.path, digest=file.digest, size_bytes=file.size_bytes))
        for file in document.files
    ]
    return Facts(
        python=document.python,
        packages=packages,
        code=_by_path(file for kind, file in files if kind != "model"),
        models=_by_path(file for kind, file in files if kind == "model"),
    )


def _by_path(files: Iterable[RunFile]) -> dict[str, RunFile]:
    return {file.path: file for file in files}
