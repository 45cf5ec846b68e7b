from pathlib import Path

import pytest

from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.manifest import Index, Manifest
from samovar.core.reference import Reference
from samovar.errors import Damaged, NotFound
from samovar.store.check import check
from samovar.store.layout import Store
from samovar.store.reach import collect, referrers, size_bytes, walk
from samovar.store.subjects import all_subjects


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put_bundle(store: Store, content: bytes, *, subject: Descriptor | None = None) -> Descriptor:
    def blob(data: bytes, media_type: str) -> Descriptor:
        return Descriptor(media_type=media_type, digest=store.put_bytes(data), size_bytes=len(data))

    return store.put_document(
        Manifest(
            config=blob(b"{}", media_types.MODEL_CONFIG),
            layers=(blob(content, media_types.MODEL_WEIGHT_TAR),),
            artifact_type=media_types.MODEL_MANIFEST,
            subject=subject,
        )
    )


def alter(store: Store, digest: Digest) -> None:
    path = store.blob_path(digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def test_new_store_is_an_image_layout(store: Store) -> None:
    assert (store.root / "oci-layout").read_text() == '{"imageLayoutVersion":"1.0.0"}'
    assert store.names() == {}


def test_blob_reads_back(store: Store) -> None:
    digest, size = store.put_stream([b"ab", b"c"])
    descriptor = Descriptor(media_type="text/plain", digest=digest, size_bytes=size)
    assert store.read_blob(descriptor) == b"abc"
    with store.open_blob(descriptor) as file:
        assert file.read() == b"abc"
    assert store.blob_path(digest).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(("chunks", "size_bytes"), [([b"abcd"], 3), ([b"ab"], 3), ([b"abd"], 3)])
def test_wrong_bytes_leave_nothing(store: Store, chunks: list[bytes], size_bytes: int) -> None:
    with pytest.raises(Damaged):
        store.put_stream(chunks, expected=Digest.of(b"abc"), size_bytes=size_bytes)
    assert list(store.blobs.iterdir()) == []
    assert list(store.unfinished.iterdir()) == []


def test_failing_source_leaves_nothing(store: Store) -> None:
    def chunks():
        yield b"ab"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.put_stream(chunks())
    assert list(store.unfinished.iterdir()) == []


def test_altered_blob_is_named_when_read_and_mended_when_put_again(store: Store) -> None:
    digest = store.put_bytes(b"content")
    descriptor = Descriptor(media_type="text/plain", digest=digest, size_bytes=7)
    alter(store, digest)
    with pytest.raises(Damaged, match=str(digest)):
        store.read_blob(descriptor)
    with pytest.raises(Damaged, match=str(digest)):
        store.open_blob(descriptor)
    store.put_bytes(b"content")
    assert store.read_blob(descriptor) == b"content"


def test_missing_blob_is_named(store: Store) -> None:
    digest = Digest.of(b"absent")
    with pytest.raises(Damaged, match=str(digest)):
        store.read_blob(Descriptor(media_type="text/plain", digest=digest, size_bytes=6))


def test_names_resolve_and_go(store: Store) -> None:
    root = put_bundle(store, b"model")
    reference = Reference.parse("titanic")
    store.set_name(reference, root)
    assert store.resolve(reference).digest == root.digest
    by_digest = store.resolve(Reference.parse(f"titanic@{root.digest}"))
    assert by_digest.artifact_type == media_types.MODEL_MANIFEST
    assert list(store.names()) == ["titanic:latest"]
    store.remove_name(reference)
    with pytest.raises(NotFound):
        store.resolve(reference)
    with pytest.raises(NotFound):
        store.remove_name(reference)


def test_unknown_name_suggests_the_nearest(store: Store) -> None:
    store.set_name(Reference.parse("titanic"), put_bundle(store, b"model"))
    with pytest.raises(NotFound) as caught:
        store.resolve(Reference.parse("titanik"))
    assert caught.value.hint == "Did you mean titanic:latest?"


def test_collect_removes_what_no_name_reaches_and_keeps_referrers(store: Store) -> None:
    kept = put_bundle(store, b"kept")
    evidence = put_bundle(store, b"evidence", subject=kept)
    lost = put_bundle(store, b"lost")
    store.set_name(Reference.parse("kept"), kept)
    (store.unfinished / ".unfinished-dead").write_bytes(b"half")

    collected = collect(store)

    assert collected.blobs == 2
    assert store.has_blob(kept.digest)
    assert store.has_blob(evidence.digest)
    assert not store.has_blob(lost.digest)
    assert list(store.unfinished.iterdir()) == []
    assert check(store) == []


def test_collect_deletes_nothing_where_a_manifest_is_unreadable(store: Store) -> None:
    root = put_bundle(store, b"model")
    store.set_name(Reference.parse("titanic"), root)
    alter(store, root.digest)
    before = sorted(store.blobs.iterdir())
    with pytest.raises(Damaged):
        collect(store)
    assert sorted(store.blobs.iterdir()) == before


def test_walk_passes_through_an_index_once_for_each_blob(store: Store) -> None:
    first, second = put_bundle(store, b"one"), put_bundle(store, b"two")
    index = store.put_document(Index(manifests=(first, second, first)))
    found = [descriptor.digest for descriptor in walk(store, index)]
    assert len(found) == len(set(found)) == 6
    assert size_bytes(store, index) > size_bytes(store, first)


def test_check_finds_exactly_what_is_wrong(store: Store) -> None:
    root = put_bundle(store, b"model")
    store.set_name(Reference.parse("titanic"), root)
    assert check(store) == []
    weight, config = Digest.of(b"model"), Digest.of(b"{}")
    alter(store, weight)
    store.blob_path(config).unlink()
    problems = {problem.digest: problem.what for problem in check(store)}
    assert set(problems) == {str(weight), str(config)}
    assert problems[str(weight)].startswith("altered")
    assert "titanic:latest" in problems[str(config)]


def test_check_names_an_altered_manifest_once(store: Store) -> None:
    root = put_bundle(store, b"model")
    store.set_name(Reference.parse("titanic"), root)
    alter(store, root.digest)
    assert [problem.digest for problem in check(store)] == [str(root.digest)]


def test_subjects_are_read_once_and_what_was_damaged_is_read_again(store: Store) -> None:
    bundle = put_bundle(store, b"model")
    evidence = put_bundle(store, b"sbom", subject=bundle)
    whole = store.blob_path(evidence.digest).read_bytes()
    alter(store, evidence.digest)
    assert referrers(store, bundle) == []
    store.blob_path(evidence.digest).write_bytes(whole)
    assert [found.digest for found in referrers(store, bundle)] == [evidence.digest]
    assert all_subjects(store) == {evidence.digest: bundle.digest}
    (store.root / "subjects.json").write_text('{"x": 1')
    assert all_subjects(store) == {evidence.digest: bundle.digest}


def test_an_altered_referrer_is_told_though_it_was_known(store: Store) -> None:
    root = put_bundle(store, b"model")
    evidence = put_bundle(store, b"evidence", subject=root)
    store.set_name(Reference.parse("titanic"), root)
    assert evidence.digest in all_subjects(store)
    path = store.blob_path(evidence.digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"size":', b'"size": '))
    assert [problem.digest for problem in check(store)] == [str(evidence.digest)]
    store.blob_path(Digest.of(b"model")).unlink()
    assert len(check(store)) == 2


def test_the_beginning_of_a_digest_finds_a_bundle_where_it_is_one(store):
    first, second = put_bundle(store, b"one"), put_bundle(store, b"two")
    assert store.complete(str(first.digest)[:19]) == first.digest
    with pytest.raises(NotFound, match="several digests that begin") as caught:
        store.complete("sha256:")
    assert str(first.digest) in caught.value.why
    assert str(second.digest) in caught.value.why
    layer = store.read_document(first).layers[0]
    with pytest.raises(NotFound, match="no digest that begins"):
        store.complete(str(layer.digest)[:19])
