"""`fsck --repair`: what comes back, from where, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli import samovar
from fake_registry import FakeRegistry, serving
from registry_content import put_attestation, put_blob, put_bundle, put_index
from samovar.bundle.archive import save
from samovar.bundle.repair import repair
from samovar.core import media_types
from samovar.core.digest import Digest
from samovar.core.manifest import Manifest
from samovar.core.reference import Reference
from samovar.errors import Damaged, NotFound, Unavailable, UserError
from samovar.registry.push import push
from samovar.store.check import check
from samovar.store.home import Home
from samovar.store.layout import Store
from samovar.store.reach import referrers, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.core.descriptor import Descriptor

NAME = Reference.parse("titanic:1.0")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> Store:
    return Store(home.store)


@pytest.fixture
def bundle(store: Store) -> Descriptor:
    descriptor = put_bundle(store)
    put_attestation(store, descriptor)
    store.set_name(NAME, descriptor)
    return descriptor


@pytest.fixture
def saved(store: Store, bundle: Descriptor, tmp_path: Path) -> str:
    save(store, NAME, bundle, tmp_path / "titanic.tar")
    return str(tmp_path / "titanic.tar")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with serving(FakeRegistry()) as registry:
        yield registry


def everything(store: Store, root: Descriptor) -> list[Digest]:
    roots = [root, *referrers(store, root)]
    return sorted({one.digest for found in roots for one in walk(store, found)})


def alter(store: Store, digest: Digest) -> None:
    path = store.blob_path(digest)
    path.chmod(0o644)
    path.write_bytes(b"altered" + path.read_bytes())


def test_every_blob_comes_back_from_a_saved_tar(store, home, bundle, saved) -> None:
    blobs = everything(store, bundle)
    [attestation] = referrers(store, bundle)
    for number, digest in enumerate(blobs):
        # An attestation that is missing altogether is named by nothing in the store.
        if number % 2 or digest == attestation.digest:
            alter(store, digest)
        else:
            store.blob_path(digest).unlink()
    done = repair(home, store, [saved])
    assert done.problems == ()
    assert {one.digest for one in done.brought} == {str(digest) for digest in blobs}
    assert check(store) == []
    assert len(referrers(store, bundle)) == 1


@pytest.mark.parametrize("damage", ["alter", "remove"])
def test_each_blob_comes_back_from_the_registry_of_a_name(
    store, home, bundle, fake, damage
) -> None:
    name = Reference.parse(f"{fake.host}/team/titanic:1.0")
    push(store, bundle, name)
    store.set_name(name, bundle)
    for digest in everything(store, bundle):
        alter(store, digest) if damage == "alter" else store.blob_path(digest).unlink()
        done = repair(home, store, [])
        if done.problems:  # who belongs to the bundle is forgotten with its manifest
            done = repair(home, store, [str(name)])
        assert done.problems == ()
        assert check(store) == []


def test_what_is_whole_is_not_touched(store, home, bundle, saved) -> None:
    blobs = everything(store, bundle)
    store.blob_path(blobs[0]).unlink()
    before = {digest: store.blob_path(digest).stat() for digest in blobs[1:]}
    assert len(repair(home, store, [saved]).brought) == 1
    after = {digest: store.blob_path(digest).stat() for digest in blobs[1:]}
    assert {d: (s.st_ino, s.st_mtime_ns) for d, s in before.items()} == {
        d: (s.st_ino, s.st_mtime_ns) for d, s in after.items()
    }


def test_what_nobody_has_is_told_and_left_as_it_is(store, home, bundle, saved) -> None:
    other = put_bundle(store, model=b"other" * 100)
    store.set_name(Reference.parse("other"), other)
    lost = Digest.of(b"other" * 100)
    alter(store, lost)
    kept = store.blob_path(lost).read_bytes()
    done = repair(home, store, [saved])
    assert done.brought == ()
    assert [problem.digest for problem in done.problems] == [str(lost)]
    assert store.blob_path(lost).read_bytes() == kept


def test_a_source_that_is_damaged_itself_brings_nothing(
    store, home, bundle, saved, tmp_path
) -> None:
    model = Digest.of(b"model" * 1000)
    data = (tmp_path / "titanic.tar").read_bytes()
    (tmp_path / "titanic.tar").write_bytes(data.replace(b"modelmodel", b"modelMODEL", 1))
    store.blob_path(model).unlink()
    done = repair(home, store, [saved])
    assert [problem.digest for problem in done.problems] == [str(model)]
    assert not store.has_blob(model)
    assert list(store.unfinished.iterdir()) == []


def test_an_index_and_its_children_come_back_one_after_the_other(store, home, fake) -> None:
    root = put_index(store, put_bundle(store), put_bundle(store, model=b"another"))
    name = Reference.parse(f"{fake.host}/team/two:1.0")
    push(store, root, name)
    store.set_name(name, root)
    blobs = everything(store, root)
    for digest in blobs:
        store.blob_path(digest).unlink()
    assert [problem.digest for problem in check(store)] == [str(root.digest)]
    done = repair(home, store, [])
    assert len(done.brought) == len(blobs)
    assert check(store) == []


def test_a_name_is_not_given_to_what_no_load_would_take(store, home, tmp_path) -> None:
    """Content that is new here is looked through as `load` does, before it gets a name."""
    strange = store.put_document(
        Manifest(config=put_blob(store, b"{}", "text/plain"), layers=(), artifact_type="text/plain")
    )
    save(store, NAME, strange, tmp_path / "strange.tar")
    (store.root / "index.json").write_bytes(b"[")
    with pytest.raises(UserError, match="neither a bundle"):
        repair(home, store, [str(tmp_path / "strange.tar")])
    assert not (store.root / "index.json.damaged").exists()


def test_registries_that_do_not_answer_are_told(store, home, bundle, fake, monkeypatch) -> None:
    name = Reference.parse(f"{fake.host}/team/titanic:1.0")
    store.set_name(name, bundle)
    store.blob_path(Digest.of(b"code")).unlink()
    monkeypatch.setenv("SAMOVAR_OFFLINE", "1")
    done = repair(home, store, [])
    assert done.silent == (f"{name} was not asked: connections are switched off",)
    assert done.problems != ()


def test_what_is_no_source_is_refused(store, home, bundle, tmp_path) -> None:
    with pytest.raises(NotFound):
        repair(home, store, ["titanic"])
    with pytest.raises(NotFound):
        repair(home, store, ["../none.tar"])
    with pytest.raises(Damaged):
        repair(home, store, [str(tmp_path)])
    store.blob_path(Digest.of(b"code")).unlink()
    with pytest.raises(Unavailable):
        repair(home, store, ["127.0.0.1:1/team/titanic:1.0"])


def test_an_index_that_lies_about_a_size_cannot_be_repaired(store, home, saved) -> None:
    config = put_blob(store, b"{}", media_types.OCI_EMPTY)
    liar = store.put_document(Manifest(config=replace(config, size_bytes=3), layers=()))
    store.set_name(Reference.parse("liar"), liar)
    done = repair(home, store, [saved])
    assert [(one.digest, "another size" in one.what) for one in done.problems] == [
        (str(config.digest), True)
    ]


def test_the_command_says_what_it_did(store, home, bundle, saved, tmp_path) -> None:
    alter(store, Digest.of(b"code"))
    found = samovar("fsck", "--json", SAMOVAR_HOME=home.path, code=1).json
    assert found["ok"] is False
    refused = samovar("fsck", "--from", saved, "--json", SAMOVAR_HOME=home.path, code=2)
    assert refused.error["code"] == "wrong_use"
    done = samovar("fsck", "--repair", "--from", saved, "--json", SAMOVAR_HOME=home.path).json
    assert done == {
        "ok": True,
        "problems": [],
        "repaired": [{"digest": str(Digest.of(b"code")), "from": saved}],
        "silent": [],
    }
    (tmp_path / "titanic.tar").unlink()
    again = samovar("fsck", "--repair", "--json", SAMOVAR_HOME=home.path).json
    assert (again["ok"], again["repaired"]) == (True, [])
