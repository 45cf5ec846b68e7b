"""What the user wishes, and what a model file says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PICKLES: Final = frozenset({"pickle", "joblib", "cloudpickle", "dill"})
_MODELS: Final = frozenset({"skops", "onnx", "xgboost", "lightgbm", "catboost", "torch"})
_DATA: Final = ("pandas.", "numpy.", "scipy.sparse.", "builtins.", "collections.", "datetime.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """What a model file says of itself.

    Parameters
    ----------
    format : str
        ``pickle``, ``joblib``, ...
    library_versions : dict of str to str
        Versions that the file records, such as ``{"scikit-learn": "1.4.2"}``.
    python_hint : str, optional
        Specifier of the Python versions that those run on.
    root : str, optional
        Class of the outermost object.
    globals : tuple of str
        Every name that it uses.
    objections : tuple of str
        Names that the audit does not let through.
    unread : str, optional
        Why it cannot be read to its end, where that is so.
    """

    format: str
    library_versions: dict[str, str]
    python_hint: str | None
    root: str | None
    globals: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()
    unread: str | None = None

    @property
    def predicts(self) -> bool:
        """Whether it may well be a model, and not a table or a vocabulary."""
        if self.unread is not None:
            return False
        if self.format in _PICKLES:
            named = self.root or ""
            return (bool(self.globals) or self.root is not None) and not named.startswith(_DATA)
        return self.format in _MODELS

    @property
    def takes_texts(self) -> bool:
        """Whether it turns texts into numbers itself."""
        return any(name.startswith("sklearn.feature_extraction.text.") for name in self.globals)

    def describe(self) -> str:
        """Give format and recorded versions, for people."""
        made_with = [f"{name} {version}" for name, version in sorted(self.library_versions.items())]
        return ", ".join([self.format, *made_with])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user said on the command line; None is to be found out."""

    name: str | None = None
    model: str | None = None
    app: str | None = None
    python: str | None = None
    examples: str | None = None
