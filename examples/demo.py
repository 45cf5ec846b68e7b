"""The main job on ``examples/web``, told as a story: run it with ``make demo``.

Two people, two machines (folders with a home each): what Ada packs on hers, Ben proves and serves
on his. Everything happens in a temporary folder; uv's own cache is the only thing that stays.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).resolve().parent / "web"
ROW = [1, 0, 1, 24]
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
WIDTH = min(shutil.get_terminal_size((88, 24)).columns, 88)


class StoryFailedError(Exception):
    """A step did not do what the story says; the message is for people."""


def paint(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def tell(text: str) -> None:
    print("\n" + paint(textwrap.fill(text, WIDTH), "1"), flush=True)


class Person:
    """Somebody with a machine: a home for samovar and a folder to work in."""

    def __init__(self, name: str, machine: Path) -> None:
        self.name = name
        self.folder = machine
        self.folder.mkdir(parents=True)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SAMOVAR_")}
        kept.pop("VIRTUAL_ENV", None)
        self.env = {**kept, "SAMOVAR_HOME": str(machine / "samovar-home")}
        if COLOUR:
            self.env["FORCE_COLOR"] = "1"

    def run(self, *words: str) -> str:
        """Run a command as the person would, show what it prints, and give its stdout."""
        process = self._begin(words)
        output = ""
        assert process.stdout is not None
        for line in process.stdout:
            print(f"  {line}", end="", flush=True)
            output += line
        if process.wait() != 0:
            raise StoryFailedError(f"'{shlex.join(words)}' exited {process.returncode}.")
        return output

    @contextmanager
    def service(self, *words: str) -> Iterator[str]:
        """Run a service while the block runs; gives its URL once it is ready."""
        process = self._begin(words)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            print(f"  {line}", end="", flush=True)
            ready = json.loads(line or "{}")
            if "url" not in ready:
                raise StoryFailedError(f"'{shlex.join(words)}' did not start a service.")
            yield str(ready["url"])
            process.send_signal(signal.SIGTERM)
            if process.wait(30) != 0 and os.name != "nt":
                raise StoryFailedError(f"The service exited {process.returncode}.")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _begin(self, words: tuple[str, ...]) -> subprocess.Popen[str]:
        print(paint(f"{self.name}$ ", "36") + paint(shlex.join(words), "33"), flush=True)
        return subprocess.Popen(
            [str(self._program(words[0])), *words[1:]],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def _program(self, name: str) -> Path:
        ending = ".exe" if os.name == "nt" else ""
        if name == "samovar":
            return Path(sys.executable).with_name(f"samovar{ending}")
        return self.folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / f"{name}{ending}"


def ada_packs(ada: Person) -> None:
    """From a folder that works on one machine to one file."""
    shutil.copytree(EXAMPLE, ada.folder / "web", ignore=_what_samovar_writes)
    ada.folder = ada.folder / "web"
    tell(
        "Ada has a folder with a Flask application, a client, and a model that she trained on "
        "the passengers of the Titanic. It works on her machine."
    )
    for path in sorted(path for path in ada.folder.rglob("*") if path.is_file()):
        print(f"  {path.relative_to(ada.folder).as_posix()}")
    tell("samovar adopts the folder. It reads, imports nothing, and says what it assumed.")
    ada.run("samovar", "init", "--name", "titanic", "--yes")
    tell("The exact environment, for every platform, with a hash for every file.")
    ada.run("samovar", "lock")
    tell(
        "One bundle: model, code, lock, and a receipt of what the model answers. The pickle is "
        "audited before it is loaded; whoever packs the same inputs gets the same digest."
    )
    ada.run("samovar", "pack")
    ada.run("samovar", "save", "titanic", "../titanic.tar")


def ben_proves(ben: Person) -> str:
    """From the file to a verdict, and to a prediction of the running service."""
    tell("Ben has another machine, an empty home, and Ada's file.")
    ben.run("samovar", "load", "titanic.tar")
    tell("Does it predict the same here? A fresh environment is built, the receipt replayed.")
    if "IDENTICAL" not in ben.run("samovar", "verify", "titanic"):
        raise StoryFailedError("The verdict is not IDENTICAL.")
    tell("It does. So he serves it, and asks with Ada's client, which runs in the same packages.")
    ben.run("samovar", "venv", "titanic")
    with ben.service("samovar", "serve", "titanic", "--port", "0", "--json") as url:
        ben.run("python", "client.py", url)
        return ask(f"{url}/predict")


def ask(url: str) -> str:
    """Ask for one passenger, first class, male, adult, 24 years."""
    request = urllib.request.Request(
        url, json.dumps(ROW).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["prediction"])


def _what_samovar_writes(_folder: str, names: list[str]) -> set[str]:
    written = {"samovar.toml", "pylock.toml", ".gitignore", "__pycache__"}
    return {name for name in names if name in written or name.endswith("venv")}


def main() -> int:
    """Tell the story; exit 1 where it went otherwise."""
    with tempfile.TemporaryDirectory(prefix="samovar-demo-") as folder:
        ada, ben = Person("ada", Path(folder, "ada")), Person("ben", Path(folder, "ben"))
        try:
            ada_packs(ada)
            shutil.copy2(Path(folder, "ada", "titanic.tar"), ben.folder)
            shutil.copy2(EXAMPLE / "client.py", ben.folder)
            prediction = ben_proves(ben)
        except StoryFailedError as failure:
            print(f"\nThe story ended early: {failure}", file=sys.stderr)
            return 1
    tell("Two machines, one model, the same answers:")
    print("  verdict     IDENTICAL")
    print(f"  prediction  {prediction} for {ROW} (class, male, adult, age)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
