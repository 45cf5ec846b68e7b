"""The page at /docs, filled in by a real Chromium."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engines.browser import FLAGS
from runtime_tree import make_bundle, record_into, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.browser import Chromium
    from runtime_tree import Service

pytest_plugins = ["serving_fixtures"]


class Page:
    """A page that is driven over the DevTools protocol, through pipes."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._buffer, self._last = read, write, b"", 0
        target = self.command("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.command("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]

    _session: str | None = None

    def command(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            text, end, rest = self._buffer.partition(b"\0")
            if not end:
                data = os.read(self._read, 65536)
                assert data, "Chromium closed its pipe"
                self._buffer += data
                continue
            self._buffer = rest
            answer = json.loads(text)
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def value(self, expression: str) -> Any:
        found = self.command("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            value = self.value(expression)
            if value:
                return value
            time.sleep(0.05)
        pytest.fail(f"{expression} never came true: {self.value('document.body.innerText')}")

    def type_into(self, element: str, text: str) -> None:
        self.value(f"document.getElementById({element!r}).select()")
        self.command("Input.insertText", {"text": text})

    def press(self, key: str) -> None:
        codes = {"Enter": (13, "\r"), "Tab": (9, "")}
        code, text = codes[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.command("Input.dispatchKeyEvent", {"type": "keyDown", **event})
        self.command("Input.dispatchKeyEvent", {"type": "keyUp", "key": key, "code": key})


@contextmanager
def browsing(chromium: Chromium, url: str) -> Iterator[Page]:
    to_child, from_us = os.pipe()
    to_us, from_child = os.pipe()
    # DevTools reads descriptor 3 and writes descriptor 4.
    script = f'exec 3<&{to_child} 4>&{from_child}; exec "$@"'
    flags = [*FLAGS, "--remote-debugging-pipe", f"--user-data-dir={chromium.profile}"]
    with subprocess.Popen(
        ["bash", "-c", script, "bash", chromium.program, *flags],
        pass_fds=(to_child, from_child),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(to_child)
        os.close(from_child)
        try:
            page = Page(to_us, from_us)
            page.command("Page.navigate", {"url": url})
            page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
            yield page
        finally:
            process.kill()
            os.close(from_us)
            os.close(to_us)


@pytest.mark.engine
def test_the_form_is_filled_in_and_the_prediction_read(
    iris: Service, chromium: Chromium, tmp_path: Path
) -> None:
    with browsing(chromium, f"{iris.url}/docs") as page:
        assert page.value("document.getElementById('column-0').value") == "5.1"
        page.value("document.getElementById('column-0').focus()")
        page.press("Enter")
        verdict = page.until("document.getElementById('verdict').textContent")
        assert verdict == "IDENTICAL to the receipt."
        for index, text in enumerate(("6.3", "3.3", "6", "2.5")):
            page.type_into(f"column-{index}", text)
        page.press("Enter")
        assert page.until("document.getElementById('answer').textContent === '2'")
        assert "not in the receipt" in page.value("document.getElementById('verdict').textContent")
        assert "6.3, 3.3, 6, 2.5" in page.value("document.getElementById('sample').textContent")
        assert page.value("document.querySelectorAll('#plot rect').length") == 2
        page.type_into("column-1", "much")
        page.press("Enter")
        assert page.until("document.getElementById('verdict').className === 'bad'")
        assert "'x1'" in page.value("document.getElementById('verdict').textContent")
        assert page.value("document.activeElement.getAttribute('aria-invalid')") == "true"
        shot = page.command("Page.captureScreenshot", {"format": "png"})["data"]
    # Kept as an artifact where CI says where to put it.
    folder = Path(os.environ.get("SAMOVAR_ARTIFACTS", str(tmp_path)))
    (folder / "docs-page.png").write_bytes(base64.b64decode(shot))
    assert (folder / "docs-page.png").stat().st_size > 10_000


@pytest.mark.engine
def test_every_field_has_a_label_and_narrow_screens_do_not_scroll(
    passengers: Service, chromium: Chromium
) -> None:
    with browsing(chromium, f"{passengers.url}/docs") as page:
        fields = page.value("document.querySelectorAll('#fields input, #fields select').length")
        labels = page.value(
            "[...document.querySelectorAll('#fields label')].filter(l => l.control).length"
        )
        assert fields == labels == 3
        page.command(
            "Emulation.setDeviceMetricsOverride",
            {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True},
        )
        assert page.value("document.documentElement.scrollWidth") <= 320
        light = page.value("getComputedStyle(document.body).backgroundColor")
        page.command(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
        )
        assert page.value("getComputedStyle(document.body).backgroundColor") != light


@pytest.mark.engine
def test_a_name_cannot_break_out_of_the_page(
    runtime: Path, chromium: Chromium, tmp_path: Path
) -> None:
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    name = "</script><img src=x onerror=document.title='owned'>"
    model = LinearRegression().fit(pd.DataFrame({name: [1.0, 2.0, 3.0]}), [1.0, 2.0, 3.0])
    bundle = make_bundle(tmp_path / "bundle", model)
    record_into(runtime, bundle, [{name: 2.0}])
    with serving(runtime, bundle) as service, browsing(chromium, f"{service.url}/docs") as page:
        assert page.value("document.querySelector('#fields label').textContent") == name
        assert page.value("document.title") == "iris · samovar"
