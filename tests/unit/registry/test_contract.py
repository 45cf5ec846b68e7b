"""What any registry gives: the fake one here and Debian's real one pass the same tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_registry import FakeRegistry, serving
from registry_content import put_attestation, put_bundle, put_index
from samovar.core.descriptor import Platform
from samovar.core.manifest import Index
from samovar.core.reference import Reference
from samovar.errors import NotFound, RegistryFailure
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.registry.push import push
from samovar.store.check import check
from samovar.store.reach import referrers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samovar.store.layout import Store

QUICK = Options(backoff_s=0.001, timeout_s=5.0)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.engine)])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "real":
        yield request.getfixturevalue("registry").host
        return
    with serving(FakeRegistry()) as fake:
        yield fake.host


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.engine)])
def host_with_users(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "real":
        yield request.getfixturevalue("registry_htpasswd").host
        return
    with serving(FakeRegistry(auth="basic")) as fake:
        yield fake.host


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Give a repository of the test's own."""
    return f"team/r{abs(hash(request.node.nodeid))}-{os.getpid()}"


def test_what_is_pushed_is_pulled(store: Store, other_store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    reference = Reference.parse(f"{host}/{name}:1.0")
    pushed = push(store, bundle, reference, options=QUICK)
    assert pushed.digest == bundle.digest
    assert pushed.uploaded_bytes == 5000 + 4 + 2 + bundle.size_bytes
    pulled = pull(other_store, reference, options=QUICK)
    assert pulled.descriptor == bundle
    assert pulled.downloaded_bytes == pushed.uploaded_bytes
    assert other_store.resolve(reference).digest == bundle.digest
    assert check(other_store) == []


def test_second_push_sends_nothing(store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    reference = Reference.parse(f"{host}/{name}:1.0")
    first = push(store, bundle, reference, options=QUICK)
    second = push(store, bundle, reference, options=QUICK)
    assert second.uploaded_bytes == 0
    assert second.skipped_bytes == first.uploaded_bytes


def test_second_pull_fetches_nothing(
    store: Store, other_store: Store, host: str, name: str
) -> None:
    reference = Reference.parse(f"{host}/{name}:1.0")
    push(store, put_bundle(store), reference, options=QUICK)
    first = pull(other_store, reference, options=QUICK)
    second = pull(other_store, reference, options=QUICK)
    assert (second.downloaded_bytes, second.skipped_bytes) == (0, first.downloaded_bytes)


def test_changed_model_moves_one_blob_and_the_manifest(store: Store, host: str, name: str) -> None:
    reference = Reference.parse(f"{host}/{name}:1.0")
    push(store, put_bundle(store), reference, options=QUICK)
    changed = put_bundle(store, model=b"better" * 100)
    done = push(store, changed, reference, options=QUICK)
    assert done.uploaded_bytes == 600 + changed.size_bytes
    assert done.skipped_bytes == 4 + 2


def test_index_arrives_with_all_its_manifests(
    store: Store, other_store: Store, host: str, name: str
) -> None:
    one, two = put_bundle(store), put_bundle(store, model=b"other")
    index = put_index(store, one, two)
    reference = Reference.parse(f"{host}/{name}:all")
    push(store, index, reference, options=QUICK)
    pulled = pull(other_store, reference, options=QUICK)
    content = other_store.read_document(pulled.descriptor)
    assert isinstance(content, Index)
    assert [child.digest for child in content.manifests] == [one.digest, two.digest]
    assert check(other_store) == []


def test_nested_indexes_arrive(store: Store, other_store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    outer = put_index(store, put_index(store, bundle), bundle)
    reference = Reference.parse(f"{host}/{name}:nested")
    push(store, outer, reference, options=QUICK)
    assert pull(other_store, reference, options=QUICK).descriptor.digest == outer.digest
    assert check(other_store) == []


def test_attestations_go_along(store: Store, other_store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    proofs = {put_attestation(store, bundle, words).digest for words in (b"one", b"two")}
    reference = Reference.parse(f"{host}/{name}:attested")
    push(store, bundle, reference, options=QUICK)
    pull(other_store, reference, options=QUICK)
    assert {found.digest for found in referrers(other_store, bundle)} == proofs
    assert push(store, bundle, reference, options=QUICK).uploaded_bytes == 0


@pytest.mark.parametrize("chunk_bytes", [10, 1000, 5000, 10_000])
def test_upload_in_pieces(
    store: Store, other_store: Store, host: str, name: str, chunk_bytes: int
) -> None:
    bundle = put_bundle(store, model=bytes(range(250)) * (20 if chunk_bytes > 10 else 1))
    reference = Reference.parse(f"{host}/{name}:pieces")
    options = Options(backoff_s=0.001, chunk_bytes=chunk_bytes)
    push(store, bundle, reference, options=options)
    assert pull(other_store, reference, options=QUICK).descriptor == bundle


def test_empty_blob_moves(store: Store, other_store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store, code=b"")
    reference = Reference.parse(f"{host}/{name}:empty")
    push(store, bundle, reference, options=QUICK)
    assert pull(other_store, reference, options=QUICK).descriptor == bundle


def test_blobs_of_another_repository_are_mounted(store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    source, target = (Reference.parse(f"{host}/{name}{end}:1") for end in ("", "-copy"))
    push(store, bundle, source, options=QUICK)
    store.set_name(source, bundle)
    done = push(store, bundle, target, options=QUICK)
    assert done.uploaded_bytes == bundle.size_bytes
    assert done.skipped_bytes == 5000 + 4 + 2


def test_pull_by_digest(store: Store, other_store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    push(store, bundle, Reference.parse(f"{host}/{name}:1"), options=QUICK)
    by_digest = Reference.parse(f"{host}/{name}@{bundle.digest}")
    assert pull(other_store, by_digest, options=QUICK).descriptor == bundle
    assert other_store.names() == {}


def test_push_by_digest_sets_no_tag(store: Store, other_store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    by_digest = Reference.parse(f"{host}/{name}@{bundle.digest}")
    push(store, bundle, by_digest, options=QUICK)
    assert pull(other_store, by_digest, options=QUICK).descriptor == bundle
    with pytest.raises(NotFound):
        pull(other_store, Reference.parse(f"{host}/{name}"), options=QUICK)


def test_absent_tag_is_named(other_store: Store, host: str, name: str) -> None:
    with pytest.raises(NotFound, match=f"{name}:nothing"):
        pull(other_store, Reference.parse(f"{host}/{name}:nothing"), options=QUICK)
    assert other_store.names() == {}


def test_known_user_may(
    store: Store,
    other_store: Store,
    host_with_users: str,
    name: str,
    log_in: Callable[..., None],
) -> None:
    log_in(host_with_users)
    reference = Reference.parse(f"{host_with_users}/{name}:1")
    bundle = put_bundle(store)
    push(store, bundle, reference, options=QUICK)
    assert pull(other_store, reference, options=QUICK).descriptor == bundle


@pytest.mark.parametrize("password", [None, "wrong word"])
def test_others_may_not(
    store: Store,
    host_with_users: str,
    name: str,
    log_in: Callable[..., None],
    password: str | None,
) -> None:
    if password is not None:
        log_in(host_with_users, password=password)
    reference = Reference.parse(f"{host_with_users}/{name}:1")
    for act in (
        lambda: push(store, put_bundle(store), reference, options=QUICK),
        lambda: pull(store, reference, options=QUICK),
    ):
        with pytest.raises(RegistryFailure) as caught:
            act()
        assert (caught.value.code, caught.value.status) == ("registry_denied", 401)
        assert "wrong word" not in f"{caught.value} {caught.value.hint}"
        assert "docker login" in str(caught.value.hint) or "config.json" in str(caught.value.hint)


def test_platforms_of_an_index_stay(store: Store, other_store: Store, host: str, name: str) -> None:
    bundle = put_bundle(store)
    child = type(bundle)(
        media_type=bundle.media_type,
        digest=bundle.digest,
        size_bytes=bundle.size_bytes,
        artifact_type=bundle.artifact_type,
        platform=Platform(os="linux", architecture="arm64"),
    )
    index = put_index(store, child)
    reference = Reference.parse(f"{host}/{name}:platforms")
    push(store, index, reference, options=QUICK)
    pulled = pull(other_store, reference, options=QUICK)
    assert other_store.read_document(pulled.descriptor) == store.read_document(index)


def test_folder_of_the_store_has_nothing_else(
    store: Store, other_store: Store, host: str, name: str
) -> None:
    reference = Reference.parse(f"{host}/{name}:1")
    push(store, put_bundle(store), reference, options=QUICK)
    pull(other_store, reference, options=QUICK)
    assert list(Path(other_store.unfinished).iterdir()) == []
