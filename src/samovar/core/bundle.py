"""What a bundle says of itself: the document ``samovar.json`` inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from samovar.core.digest import Digest
from samovar.core.origin import Origin, read_origin
from samovar.core.signature import Signature
from samovar.errors import Damaged

VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFile:
    """A file of the project that travels in the bundle."""

    path: str
    digest: Digest
    size_bytes: int
    kind: str

    def to_json(self) -> dict[str, Any]:
        """Give the stored form; ``kind`` is ``model``, ``code`` or ``wheel``."""
        return {
            "path": self.path,
            "digest": str(self.digest),
            "size_bytes": self.size_bytes,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleModel:
    """Where the model is, how it is read and how it is called.

    Parameters
    ----------
    path : str
        Below ``project/``.
    format : str
        ``pickle``, ``joblib``, ``skops``, ``onnx``, ... (model/formats.py).
    method : str
        ``predict``, ``predict_proba``, ...
    library : str
        Distribution that the model's class comes from (``scikit-learn``); empty until recorded.
    trusted : tuple of str
        Exact names that the project allows beyond the allowlist.
    factory : str
        ``module:name`` of the function of the project that makes the model, where ``format`` is
        ``python`` and ``path`` the module's file.
    """

    path: str
    format: str
    method: str
    library: str = ""
    trusted: tuple[str, ...] = ()
    factory: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        document: dict[str, Any] = {
            "path": self.path,
            "format": self.format,
            "method": self.method,
            "library": self.library,
            "trusted": list(self.trusted),
        }
        if self.factory:
            document["factory"] = self.factory
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleDocument:
    """The whole of ``samovar.json``; ``origin`` is None where nobody said what made the model."""

    name: str
    version: str
    python: str
    model: BundleModel
    signature: Signature
    app: str | None
    message: str
    files: tuple[BundleFile, ...]
    origin: Origin | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        document: dict[str, Any] = {
            "samovar": VERSION,
            "name": self.name,
            "version": self.version,
            "python": self.python,
            "model": self.model.to_json(),
            "signature": self.signature.to_json(),
            "service": {"app": self.app, "message": self.message},
            "files": [file.to_json() for file in self.files],
        }
        if self.origin is not None:
            document["origin"] = self.origin.to_json()
        return document

    @classmethod
    def from_json(cls, document: Any) -> BundleDocument:
        """Read the document.

        Raises
        ------
        Damaged
            Where it is none, or of a version that this samovar does not know.
        """
        if not isinstance(document, dict) or document.get("samovar") != VERSION:
            raise Damaged(
                "The bundle is of a version that this samovar does not read.",
                hint="Use the newest samovar.",
            )
        try:
            model, service = document["model"], document["service"]
            return cls(
                name=str(document["name"]),
                version=str(document["version"]),
                python=str(document["python"]),
                model=BundleModel(
                    path=str(model["path"]),
                    format=str(model["format"]),
                    method=str(model["method"]),
                    library=str(model.get("library", "")),
                    trusted=tuple(model.get("trusted", ())),
                    factory=str(model.get("factory", "")),
                ),
                signature=Signature.from_json(document["signature"]),
                app=service.get("app"),
                message=str(service.get("message", "")),
                files=tuple(
                    BundleFile(
                        path=str(file["path"]),
                        digest=Digest.parse(file["digest"]),
                        size_bytes=int(file["size_bytes"]),
                        kind=str(file["kind"]),
                    )
                    for file in document["files"]
                ),
                origin=read_origin(document["origin"]) if "origin" in document else None,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise Damaged("The bundle's samovar.json lacks a field.") from error
