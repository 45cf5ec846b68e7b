"""Registries that fail, lie, cut the line or dawdle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fake_registry import INDEX, Handler, cut_after, hang_up_while_uploading, silent
from registry_content import put_bundle, put_index
from samovar.core import media_types
from samovar.core.digest import Digest
from samovar.core.reference import Reference
from samovar.errors import Damaged, NotFound, RegistryFailure, SamovarError
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.registry.push import push
from samovar.store.check import check

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_registry import FakeRegistry
    from samovar.core.descriptor import Descriptor
    from samovar.store.layout import Store

QUICK = Options(backoff_s=0.001, timeout_s=5.0, referrers=False)
IMPATIENT = Options(backoff_s=0.001, timeout_s=0.2, attempts=2, referrers=False)
MODEL = bytes(range(256)) * 2000


@pytest.fixture
def reference(fake: FakeRegistry) -> Reference:
    return Reference.parse(f"{fake.host}/team/titanic:1")


@pytest.fixture
def bundle(store: Store) -> Descriptor:
    return put_bundle(store, model=MODEL)


@pytest.fixture
def model(store: Store, bundle: Descriptor) -> str:
    content = store.read_document(bundle)
    return str(content.layers[0].digest)  # type: ignore[union-attr]


@pytest.fixture
def pushed(store: Store, bundle: Descriptor, reference: Reference) -> Descriptor:
    push(store, bundle, reference, options=QUICK)
    return bundle


def assert_nothing_was_kept(store: Store, *, lacks: str) -> None:
    assert store.names() == {}
    assert not store.has_blob(Digest(lacks))
    assert check(store) == []
    assert list(store.unfinished.iterdir()) == []


def refuse(status: int, code: str, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.refuse(status, code, "said the registry", **headers)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_failures_that_pass_are_tried_again(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, status: int
) -> None:
    fake.once("GET", "/manifests/", refuse(status, "SLOW"), times=2)
    fake.once("GET", "/blobs/", refuse(status, "SLOW"), times=2)
    assert pull(other_store, reference, options=QUICK).descriptor == pushed


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
def test_push_survives_failures_that_pass(
    fake: FakeRegistry, store: Store, bundle: Descriptor, reference: Reference, method: str
) -> None:
    fake.once(method, "/blobs/", refuse(503, "UNAVAILABLE"), times=2)
    fake.once(method, "/manifests/", refuse(503, "UNAVAILABLE"), times=2)
    push(store, bundle, reference, options=QUICK)
    assert ("team/titanic", "1") in fake.manifests


def test_failures_that_stay_are_named(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    fake.once("GET", f"/blobs/{model}", refuse(503, "UNAVAILABLE"), times=1000)
    with pytest.raises(RegistryFailure) as caught:
        pull(other_store, reference, options=QUICK)
    failure = caught.value
    assert (failure.status, failure.registry_codes) == (503, ("UNAVAILABLE",))
    assert failure.may_retry
    assert f"GET {fake.url}/v2/team/titanic/blobs/{model} answered 503" in str(failure)
    assert "said the registry" in str(failure)
    assert "may help" in str(failure)
    assert_nothing_was_kept(other_store, lacks=model)


def test_refusals_are_not_tried_again(
    fake: FakeRegistry, store: Store, bundle: Descriptor, reference: Reference
) -> None:
    fake.once("POST", "/blobs/uploads/", refuse(403, "DENIED"), times=1000)
    with pytest.raises(RegistryFailure) as caught:
        push(store, bundle, reference, options=Options(parallel=1))
    assert (caught.value.code, caught.value.may_retry) == ("registry_denied", False)
    assert len(fake.asked("POST")) == 1


def test_registry_is_left_alone_as_long_as_it_asks(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor
) -> None:
    fake.once("HEAD", "/manifests/", refuse(429, "TOOMANYREQUESTS", Retry_After="1"))
    begun_s = time.monotonic()
    pull(other_store, reference, options=QUICK)
    assert time.monotonic() - begun_s >= 1.0


@pytest.mark.parametrize("asked", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_nobody_waits_for_an_hour(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, asked: str
) -> None:
    fake.once("HEAD", "/manifests/", refuse(429, "TOOMANYREQUESTS", Retry_After=asked), times=9)
    with pytest.raises(RegistryFailure) as caught:
        pull(other_store, reference, options=QUICK)
    assert caught.value.code == "registry_limit"
    assert "left alone" in str(caught.value.hint)


def test_cut_download_goes_on_where_it_was_cut(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    fake.once("GET", f"/blobs/{model}", cut_after(100_000), times=4)
    assert pull(other_store, reference, options=QUICK).descriptor == pushed
    ranges = [seen.headers.get("Range") for seen in fake.asked("GET", f"/blobs/{model}")]
    assert ranges == [None, *[f"bytes={n}00000-" for n in range(1, 5)]]


def test_cut_download_goes_on_where_ranges_are_unknown(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    fake.once("GET", f"/blobs/{model}", cut_after(100_000))
    fake.once("GET", f"/blobs/{model}", lambda handler: handler.answer(200, MODEL))
    assert pull(other_store, reference, options=QUICK).descriptor == pushed


def test_line_that_is_always_cut_is_an_error(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    fake.once("GET", f"/blobs/{model}", cut_after(10), times=1000)
    with pytest.raises(RegistryFailure, match="cut the line"):
        pull(other_store, reference, options=QUICK)
    assert_nothing_was_kept(other_store, lacks=model)


def test_flipped_byte_is_found(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    flipped = bytearray(MODEL)
    flipped[1234] ^= 1
    fake.blobs["team/titanic", model] = bytes(flipped)
    with pytest.raises(Damaged, match=model):
        pull(other_store, reference, options=QUICK)
    assert_nothing_was_kept(other_store, lacks=model)


@pytest.mark.parametrize("body", [MODEL + b"more", MODEL[:-1], b""])
def test_wrong_length_is_found(
    fake: FakeRegistry,
    other_store: Store,
    reference: Reference,
    pushed: Descriptor,
    model: str,
    body: bytes,
) -> None:
    fake.blobs["team/titanic", model] = body
    with pytest.raises((Damaged, RegistryFailure)) as caught:
        pull(other_store, reference, options=QUICK)
    assert "bytes" in str(caught.value)
    assert_nothing_was_kept(other_store, lacks=model)


def test_endless_body_is_stopped(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    def pour(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"x" * 100_000)

    fake.once("GET", f"/blobs/{model}", pour, times=1000)
    with pytest.raises(Damaged, match="More than"):
        pull(other_store, reference, options=QUICK)
    assert_nothing_was_kept(other_store, lacks=model)


@pytest.mark.parametrize("media_type", [INDEX, "text/html", "application/octet-stream", ""])
def test_wrong_media_type_is_found(
    fake: FakeRegistry,
    other_store: Store,
    reference: Reference,
    pushed: Descriptor,
    model: str,
    media_type: str,
) -> None:
    key = "team/titanic", "1"
    fake.manifests[key] = (media_type, fake.manifests[key][1])
    with pytest.raises(Damaged, match=r"mani|media type|index"):
        pull(other_store, reference, options=QUICK)
    assert_nothing_was_kept(other_store, lacks=model)


def test_child_of_another_media_type_is_found(
    fake: FakeRegistry, store: Store, other_store: Store, reference: Reference, model: str
) -> None:
    bundle = put_bundle(store)
    lying = type(bundle)(
        media_type=media_types.DOCKER_MANIFEST,
        digest=bundle.digest,
        size_bytes=bundle.size_bytes,
    )
    index = put_index(store, lying)
    fake.put_manifest("team/titanic", "1", store.read_blob(index), INDEX)
    data = store.read_blob(bundle)
    fake.put_manifest("team/titanic", "x", data, media_types.OCI_MANIFEST)
    with pytest.raises(Damaged, match="another media type"):
        pull(other_store, reference, options=QUICK)
    assert other_store.names() == {}


def test_manifest_that_was_changed_on_the_way_is_found(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor
) -> None:
    media_type, data = fake.manifests["team/titanic", "1"]

    def change(handler: Handler) -> None:
        changed = json.dumps(json.loads(data), indent=1).encode()
        handler.answer(
            200, changed, Content_Type=media_type, Docker_Content_Digest=str(pushed.digest)
        )

    fake.once("GET", "/manifests/1", change, times=1000)
    with pytest.raises(Damaged, match="Docker-Content-Digest"):
        pull(other_store, reference, options=QUICK)


def test_huge_manifest_is_stopped(
    fake: FakeRegistry, other_store: Store, reference: Reference
) -> None:
    fake.put_manifest("team/titanic", "1", b" " * 5_000_000, media_types.OCI_MANIFEST)
    with pytest.raises(Damaged, match="manifest"):
        pull(other_store, reference, options=QUICK)


def test_manifest_and_index_at_once_is_refused(
    fake: FakeRegistry, store: Store, other_store: Store, reference: Reference, bundle: Descriptor
) -> None:
    document = json.loads(store.read_blob(bundle))
    document["manifests"] = []
    data = json.dumps(document).encode()
    fake.put_manifest("team/titanic", "1", data, media_types.OCI_MANIFEST)
    with pytest.raises(Damaged, match="at once"):
        pull(other_store, reference, options=QUICK)


def test_lost_blob_is_named(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    del fake.blobs["team/titanic", model]
    with pytest.raises(NotFound, match=model):
        pull(other_store, reference, options=QUICK)
    assert_nothing_was_kept(other_store, lacks=model)


@pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
def test_silent_registry_is_an_error(
    fake: FakeRegistry,
    other_store: Store,
    reference: Reference,
    pushed: Descriptor,
    model: str,
    part: str,
) -> None:
    fake.once("GET", part, silent(0.6), times=1000)
    with pytest.raises(RegistryFailure, match="does not answer"):
        pull(other_store, reference, options=IMPATIENT)
    assert_nothing_was_kept(other_store, lacks=model)


def test_trickle_is_an_error(
    fake: FakeRegistry, other_store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    def trickle(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(MODEL)))
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)

    fake.once("GET", f"/blobs/{model}", trickle, times=1000)
    with pytest.raises(RegistryFailure, match="too slowly"):
        pull(other_store, reference, options=IMPATIENT)
    assert_nothing_was_kept(other_store, lacks=model)


@pytest.mark.parametrize("size", [1, 70_000, 300_000])
def test_cut_upload_goes_on_where_it_was_cut(
    fake: FakeRegistry,
    store: Store,
    reference: Reference,
    bundle: Descriptor,
    model: str,
    size: int,
) -> None:
    fake.once("PUT", "/blobs/uploads/", hang_up_while_uploading(size))
    push(store, bundle, reference, options=Options(backoff_s=0.001, parallel=1))
    assert fake.blobs["team/titanic", model] == MODEL
    resumed = [seen.headers.get("Content-Range") for seen in fake.asked("PATCH")]
    assert resumed == ([f"{size}-{len(MODEL) - 1}"] if size > 1 else [])


def test_upload_whose_session_is_forgotten_begins_again(
    fake: FakeRegistry, store: Store, reference: Reference, bundle: Descriptor, model: str
) -> None:
    def forget(handler: Handler) -> None:
        fake.uploads.clear()
        handler.cut()

    fake.once("PUT", "/blobs/uploads/", forget)
    push(store, bundle, reference, options=Options(backoff_s=0.001, parallel=1))
    assert fake.blobs["team/titanic", model] == MODEL


def test_proxy_that_limits_requests_gets_pieces(
    fake: FakeRegistry, store: Store, reference: Reference, bundle: Descriptor, model: str
) -> None:
    def too_large(handler: Handler) -> bool:
        if handler.command != "PUT" or int(handler.headers["Content-Length"]) < 100_000:
            return False
        handler.refuse(413, "")
        return True

    fake.faults.append(too_large)
    push(store, bundle, reference, options=QUICK)
    assert fake.blobs["team/titanic", model] == MODEL
    assert fake.asked("PATCH")


def test_damaged_store_sends_nothing(
    fake: FakeRegistry, store: Store, reference: Reference, bundle: Descriptor, model: str
) -> None:
    path = store.blob_path(Digest(model))
    path.chmod(0o644)
    path.write_bytes(MODEL[:-1] + b"?")
    with pytest.raises(Damaged, match=model):
        push(store, bundle, reference, options=QUICK)
    assert ("team/titanic", model) not in fake.blobs
    assert ("team/titanic", "1") not in fake.manifests


def test_damaged_blob_is_fetched_again(
    store: Store, reference: Reference, pushed: Descriptor, model: str
) -> None:
    path = store.blob_path(Digest(model))
    path.chmod(0o644)
    path.write_bytes(MODEL[:-1] + b"?")
    done = pull(store, reference, options=QUICK)
    assert done.downloaded_bytes == len(MODEL)
    assert check(store) == []


def test_nobody_there(other_store: Store, port: int) -> None:
    with pytest.raises(RegistryFailure, match="cannot be reached") as caught:
        pull(other_store, Reference.parse(f"127.0.0.1:{port}/x"), options=QUICK)
    assert caught.value.code == "registry_unreachable"


def test_web_server_that_is_no_registry(
    fake: FakeRegistry, other_store: Store, reference: Reference
) -> None:
    page = b"<html>\x1b[31mHello</html>"
    fake.once("GET", "", lambda handler: handler.answer(200, page, Content_Type="text/html"), 99)
    fake.once("HEAD", "", lambda handler: handler.answer(200, Content_Type="text/html"), 99)
    with pytest.raises(SamovarError) as caught:
        pull(other_store, reference, options=QUICK)
    assert "text/html" in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("place", ["", "ftp://elsewhere/x", "http:///", "/v2/"])
def test_upload_that_leads_nowhere_is_an_error(
    fake: FakeRegistry, store: Store, reference: Reference, bundle: Descriptor, place: str
) -> None:
    headers = {"Location": place} if place else {}
    fake.once("POST", "/blobs/uploads/", lambda handler: handler.answer(202, **headers), times=1000)
    with pytest.raises(RegistryFailure):
        push(store, bundle, reference, options=QUICK)


def test_referrers_come_in_pages(
    fake: FakeRegistry, store: Store, other_store: Store, reference: Reference
) -> None:
    from registry_content import put_attestation

    bundle = put_bundle(store)
    for number in range(5):
        put_attestation(store, bundle, str(number).encode())
    fake.page = 2
    push(store, bundle, reference, options=Options())
    pull(other_store, reference, options=Options())
    assert len(fake.asked("GET", f"/referrers/{bundle.digest}")) == 3
    assert len(list(other_store.blobs.iterdir())) == 3 + 1 + 5 + 5


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_registry_without_referrers_lists_them_by_tag(
    fake: FakeRegistry, store: Store, other_store: Store, reference: Reference, status: int
) -> None:
    from registry_content import put_attestation

    fake.has_referrers = False
    fake.once("GET", "/referrers/", lambda handler: handler.refuse(status, "UNSUPPORTED"), 1000)
    bundle = put_bundle(store)
    proofs = {put_attestation(store, bundle, words).digest for words in (b"one", b"two")}
    push(store, bundle, reference, options=Options())
    listed = json.loads(fake.manifests["team/titanic", str(bundle.digest).replace(":", "-")][1])[
        "manifests"
    ]
    assert {one["digest"] for one in listed} == {str(proof) for proof in proofs}
    assert {one["artifactType"] for one in listed} == {"application/vnd.in-toto+json"}
    pull(other_store, reference, options=Options())
    assert all(other_store.has_blob(proof) for proof in proofs)


def test_what_the_registry_has_of_the_last_push_is_not_asked_for(
    fake: FakeRegistry, store: Store, reference: Reference
) -> None:
    push(store, put_bundle(store), reference, options=QUICK)
    fake.seen.clear()
    push(store, put_bundle(store, model=b"better"), reference, options=QUICK)
    asked = [(one.method, one.path.split("/")[4]) for one in fake.seen if one.path != "/v2/"]
    assert asked == [
        ("HEAD", "manifests"),
        ("HEAD", "blobs"),
        ("POST", "blobs"),
        ("PUT", "blobs"),
        ("PUT", "manifests"),
    ]


def test_a_registry_that_lost_a_blob_gets_it_again(
    fake: FakeRegistry, store: Store, reference: Reference
) -> None:
    first = put_bundle(store)
    push(store, first, reference, options=QUICK)
    before = dict(fake.blobs)
    lost = next(key for key, data in before.items() if data == b"code")
    del fake.blobs[lost]
    done = push(store, put_bundle(store, model=b"better"), reference, options=QUICK)
    assert fake.blobs[lost] == b"code"
    assert fake.manifests["team/titanic", "1"] == fake.manifests["team/titanic", str(done.digest)]


def test_a_push_to_this_machine_imports_no_client_for_networks(
    fake: FakeRegistry, store: Store, reference: Reference
) -> None:
    program = (
        "import sys; from pathlib import Path; from samovar.core.reference import Reference;"
        "from samovar.registry.push import push; from samovar.store.layout import Store;"
        "store = Store(Path(sys.argv[1]));"
        "bundle = store.resolve(Reference.parse('x:1'));"
        "push(store, bundle, Reference.parse(sys.argv[2]));"
        "print(sorted({'httpx', 'ssl'} & set(sys.modules)))"
    )
    store.set_name(Reference.parse("x:1"), put_bundle(store))
    command = [sys.executable, "-c", program, str(store.root), str(reference)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "httpx" not in done.stdout
