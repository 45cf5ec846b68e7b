"""Docker Hub and Sonatype Nexus, as their recorded conversations go: TLS, through a proxy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from engines.processes import need
from recorded import Authority, Conversation, make_authority, proxying, replaying
from registry_content import put_bundle
from samovar.core.manifest import Manifest
from samovar.core.reference import Reference
from samovar.errors import RegistryFailure
from samovar.registry.options import Options
from samovar.registry.pull import pull
from samovar.registry.push import push

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samovar.core.descriptor import Descriptor
    from samovar.store.layout import Store

ONE_AT_A_TIME = Options(backoff_s=0.001, parallel=1)
SECRET = "dckr_pat_secret"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    hosts = ("registry-1.docker.io", "auth.docker.io", "production.cloudflare.docker.com")
    openssl = need("openssl", "apt install openssl")
    folder = tmp_path_factory.mktemp("authority")
    return make_authority(openssl, folder, *hosts, "nexus.example.com")


@contextmanager
def said(
    name: str,
    store: Store,
    bundle: Descriptor,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[tuple[str, str]]]:
    """Put a recorded registry where the world is; nothing else may be asked."""
    manifest = store.read_document(bundle)
    assert isinstance(manifest, Manifest)
    blobs = dict(zip(("config", "model", "code"), manifest.blobs, strict=True))
    contents = {key: store.read_blob(blob) for key, blob in {**blobs, "manifest": bundle}.items()}
    words = {key: str(blob.digest) for key, blob in {**blobs, "manifest": bundle}.items()}
    words |= {f"{key}_quoted": quote(value, safe="") for key, value in words.items()}
    words["referrers_tag"] = words["manifest"].replace(":", "-")
    conversation = Conversation.read(name, words, contents)
    with replaying(conversation, authority) as port, proxying(port) as (proxy, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://proxy-user:proxy-word@127.0.0.1:{proxy}")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(variable, raising=False)
        yield asked
    conversation.assert_over()


@pytest.fixture
def bundle(store: Store) -> Descriptor:
    return put_bundle(store)


def test_hub_is_pulled_from(
    store: Store,
    other_store: Store,
    bundle: Descriptor,
    authority: Authority,
    log_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_in("https://index.docker.io/v1/", password=SECRET)
    reference = Reference.parse("docker.io/ada/titanic:1.0")
    with said("hub-pull", store, bundle, authority, monkeypatch) as asked:
        assert pull(other_store, reference, options=ONE_AT_A_TIME).descriptor == bundle
    assert {host for host, _ in asked} == {
        "registry-1.docker.io:443",
        "auth.docker.io:443",
        "production.cloudflare.docker.com:443",
    }
    assert all(authorization.startswith("Basic ") for _, authorization in asked)
    assert list(other_store.names()) == ["docker.io/ada/titanic:1.0"]


def test_hub_is_pushed_to(
    store: Store,
    bundle: Descriptor,
    authority: Authority,
    log_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_in("https://index.docker.io/v1/", password=SECRET)
    with said("hub-push", store, bundle, authority, monkeypatch):
        reference = Reference.parse("docker.io/ada/titanic:1.0")
        assert push(store, bundle, reference, options=ONE_AT_A_TIME).skipped_bytes == 0


def test_limit_of_the_hub_is_named(
    store: Store, bundle: Descriptor, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        said("hub-limit", store, bundle, authority, monkeypatch),
        pytest.raises(RegistryFailure) as caught,
    ):
        pull(store, Reference.parse("docker.io/titanic"), options=ONE_AT_A_TIME)
    assert (caught.value.code, caught.value.retry_after_s) == ("registry_limit", 21600.0)
    assert "proxy-word" not in str(caught.value)


def test_nexus_behind_a_proxy_is_pushed_to(
    store: Store,
    bundle: Descriptor,
    authority: Authority,
    log_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_in("nexus.example.com:8082", password=SECRET)
    with said("nexus-push", store, bundle, authority, monkeypatch):
        reference = Reference.parse("nexus.example.com:8082/team/titanic:1.0")
        push(store, bundle, reference, options=ONE_AT_A_TIME)


def test_nexus_with_paths_and_tokens_is_pulled_from(
    store: Store,
    other_store: Store,
    bundle: Descriptor,
    authority: Authority,
    log_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_in("nexus.example.com", password=SECRET)
    with said("nexus-pull", store, bundle, authority, monkeypatch):
        reference = Reference.parse("nexus.example.com/docker-hosted/team/titanic:1.0")
        assert pull(other_store, reference, options=ONE_AT_A_TIME).descriptor == bundle
