"""What is signed: the receipt's verdict on a machine, and what a bundle or image was made of.

References
----------
in-toto attestation framework, spec/predicates/test-result.md (v0.1); SLSA provenance v1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from samovar import __version__
from samovar.core.attestation import Statement
from samovar.core.digest import Digest
from samovar.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.bundle.opened import Bundle
    from samovar.bundle.verify import Verification
    from samovar.core.descriptor import Descriptor
    from samovar.core.manifest import Index

TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"
VERDICT: Final = "https://samovar.dev/verdict/v1"
"""Our own field in the predicate of a test result; in-toto's readers pass over what they lack."""
_BUILD: Final = "https://samovar.dev/build/"
_RESULTS: Final = {"IDENTICAL": "PASSED", "EQUIVALENT": "WARNED", "DIFFERENT": "FAILED"}
_SYSTEMS: Final = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
_PROCESSORS: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "ARM64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an attestation says that a replay of the receipt gave.

    Parameters
    ----------
    verdict : str
        IDENTICAL, EQUIVALENT or DIFFERENT.
    machine : str
        What the signer calls the machine.
    platform : str
        ``linux/amd64`` and so on.
    created : datetime
        When it was replayed, in UTC.
    expires : datetime, optional
        From when on the signer does not vouch for it any more.
    """

    verdict: str
    machine: str
    platform: str
    created: datetime
    expires: datetime | None

    @classmethod
    def of(cls, statement: Statement) -> Verdict | None:
        """Read the verdict in a statement whose signature holds; None where it has none.

        Raises
        ------
        Damaged
            Where it has one that cannot be read.
        """
        found = statement.predicate.get(VERDICT)
        if statement.predicate_type != TEST_RESULT or found is None:
            return None
        try:
            if found["verdict"] not in _RESULTS:
                raise ValueError(found["verdict"])
            expires, machine = found.get("expires"), found["machine"]
            if not (machine["name"] + machine["platform"]).isprintable():
                raise ValueError(machine)
            return cls(
                verdict=found["verdict"],
                machine=machine["name"],
                platform=machine["platform"],
                created=_time(found["created"]),
                expires=None if expires is None else _time(expires),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Damaged("The attestation's verdict cannot be read.") from error


def platform_of(facts: Mapping[str, Any]) -> str:
    """Give the platform in the words of ``samovar.toml``.

    Examples
    --------
    >>> platform_of({"system": "Darwin", "architecture": "arm64"})
    'macos/arm64'
    """
    system, processor = str(facts["system"]), str(facts["architecture"])
    return f"{_SYSTEMS.get(system, system.lower())}/{_PROCESSORS.get(processor, processor)}"


def verdict_statement(
    bundle: Bundle,
    found: Verification,
    *,
    machine: str,
    facts: Mapping[str, Any],
    created: datetime,
    valid_for: timedelta | None,
) -> Statement:
    """Say what a replay of a bundle's receipt gave on a machine.

    Parameters
    ----------
    found : Verification
        With a comparison; one that could not load says nothing about the bundle.
    machine : str
        What to call the machine.
    facts : mapping
        As run records keep them (env/machine.py).
    created : datetime
        In UTC.
    valid_for : timedelta, optional
        How long the signer vouches for it.
    """
    answer = found.to_json()
    verdict = {
        "verdict": found.verdict,
        **{key: answer[key] for key in ("rows", "max_relative_difference", "labels_changed")},
        "created": _text(created),
        "machine": {"name": machine, "platform": platform_of(facts), **facts},
        "samovar": __version__,
    }
    if valid_for is not None:
        verdict["expires"] = _text(created + valid_for)
    return Statement(
        subjects={bundle.digest: bundle.document.name},
        predicate_type=TEST_RESULT,
        predicate={
            "result": _RESULTS[found.verdict],
            "configuration": [_material("receipt.json", _receipt(bundle))],
            VERDICT: verdict,
        },
    )


def bundle_provenance(bundle: Bundle) -> Statement:
    """Say what a bundle was made of. The same bundle gives the same statement everywhere."""
    document = bundle.document
    return Statement(
        subjects={bundle.digest: document.name},
        predicate_type=PROVENANCE,
        predicate=_provenance(
            "bundle/v1",
            {"name": document.name, "version": document.version, "python": document.python},
            [
                _material("pylock.toml", Digest.of(bundle.lock)),
                *(_material(file.path, file.digest) for file in document.files),
            ],
        ),
    )


def index_provenance(bundle: Bundle, root: Descriptor, index: Index) -> Statement:
    """Say that an index, and each image in it, was made of a bundle."""
    name = bundle.document.name
    images = {
        child.digest: f"{name} {child.platform}"
        for child in index.manifests
        if child.digest != bundle.digest
    }
    return Statement(
        subjects={root.digest: name, **images},
        predicate_type=PROVENANCE,
        predicate=_provenance(
            "image/v1",
            {"bundle": str(bundle.digest)},
            [_material(f"samovar:bundle/{name}", bundle.digest)],
        ),
    )


def _provenance(
    kind: str, parameters: dict[str, str], materials: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": _BUILD + kind,
            "externalParameters": parameters,
            "resolvedDependencies": materials,
        },
        "runDetails": {
            "builder": {
                "id": "https://samovar.dev/samovar",
                "version": {"samovar": __version__},
            }
        },
    }


def _material(name: str, digest: Digest) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest.hex}}


def _receipt(bundle: Bundle) -> Digest:
    """Give the digest of the layer that holds the receipt, which is the last one."""
    return bundle.manifest.layers[-1].digest


def _text(time: datetime) -> str:
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
