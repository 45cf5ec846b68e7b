"""What ``samovar push`` does, apart from reading its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samovar.cli import exit_codes
from samovar.cli.opening import find, open_store
from samovar.cli.sizes import human_size
from samovar.cli.transfer import showing
from samovar.core.reference import Reference
from samovar.registry.push import push

if TYPE_CHECKING:
    from samovar.cli.render import Screen
    from samovar.registry.options import Options


def push_name(
    screen: Screen, reference: str, destination: str | None, options: Options | None = None
) -> int:
    """Push what a name of the store points to, and print the command's answer."""
    target = Reference.parse(destination or reference)
    store = open_store()
    _, descriptor = find(store, reference)

    with showing(screen, f"Pushing to {target}") as progress:
        done = push(store, descriptor, target, options=options, progress=progress)
    document = {
        "name": str(target),
        "digest": str(done.digest),
        "uploaded_bytes": done.uploaded_bytes,
        "skipped_bytes": done.skipped_bytes,
    }
    screen.result(
        document,
        f"Pushed {target} ({done.digest}): {human_size(done.uploaded_bytes)} sent, "
        f"{human_size(done.skipped_bytes)} were there.",
    )
    return exit_codes.DONE
