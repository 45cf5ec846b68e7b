from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from samovar.bundle.checking import check_content
from samovar.core import media_types
from samovar.core.canonical import canonical_json
from samovar.core.descriptor import Descriptor
from samovar.core.manifest import Manifest
from samovar.core.run import RunFile, RunRecord
from samovar.errors import Damaged
from samovar.record.runs import store_run
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def record_of(store: Store, content: bytes = b"print()") -> RunRecord:
    code = RunFile(path="train.py", digest=store.put_bytes(content), size_bytes=len(content))
    return RunRecord(
        project="toy", command="python train.py", python="3.11.9", lock=None, packages={},
        code=(code,),
    )  # fmt: skip


def manifest_of(
    store: Store, document: dict[str, Any], layers: tuple[Descriptor, ...]
) -> Descriptor:
    config = canonical_json(document)
    return store.put_document(
        Manifest(
            artifact_type=media_types.RUN_MANIFEST,
            config=Descriptor(
                media_type=media_types.RUN_RECORD,
                digest=store.put_bytes(config),
                size_bytes=len(config),
            ),
            layers=layers,
        )
    )


def test_an_honest_run_is_let_in(store: Store) -> None:
    check_content(store.blobs, store_run(store, "toy-1", record_of(store)).descriptor)


def test_a_run_that_would_write_outside_its_folder_is_not(store: Store) -> None:
    honest = record_of(store)
    leading_out = replace(honest, code=(replace(honest.code[0], path="../../.profile"),))
    stored = store_run(store, "toy-1", leading_out)
    with pytest.raises(Damaged, match="no path within"):
        check_content(store.blobs, stored.descriptor)


def test_a_run_that_names_what_does_not_come_along_is_not(store: Store) -> None:
    record = record_of(store)
    with pytest.raises(Damaged, match="not among its layers"):
        check_content(store.blobs, manifest_of(store, record.to_json(), ()))


def test_a_run_whose_record_is_none_is_not(store: Store) -> None:
    with pytest.raises(Damaged):
        check_content(store.blobs, manifest_of(store, {"run": 99}, ()))
