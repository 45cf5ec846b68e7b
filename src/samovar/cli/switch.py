"""``samovar switch``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.cli.opening import familiar, names_of
from samovar.cli.policies import enforce_policy, policy_option
from samovar.cli.switching import DIFFERENT, Change, check_changeable
from samovar.cli.targets import open_target
from samovar.deploy.aside import CANARY, SHADOW, describe_run
from samovar.deploy.orders import ordering
from samovar.deploy.running import find_run
from samovar.errors import UserError
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.cli.render import Screen
    from samovar.deploy.orders import Orderer
    from samovar.deploy.running import RunFolder, RunState


def read_share(_ctx: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Read ``10%`` or ``0.1``."""
    if value is None:
        return None
    try:
        share = float(value.removesuffix("%")) / (100.0 if value.endswith("%") else 1.0)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise click.BadParameter(f"{value!r} is no share: from 0.01% to 100%, or 0.0001 to 1.")
    return share


@click.command()
@click.argument("run")
@click.argument("target", required=False)
@click.option("--shadow", metavar="TARGET", help="Compare its answers; never give them.")
@click.option("--canary", metavar="TARGET", help="Have it answer a share of the requests.")
@click.option("--share", callback=read_share, metavar="P%", help="Of the canary; 10% by default.")
@click.option("--promote", is_flag=True, help="Have the shadow or canary answer everything.")
@click.option("--abort", is_flag=True, help="End the shadow or canary.")
@policy_option
@click.pass_obj
def command(
    screen: Screen,
    run: str,
    target: str | None,
    shadow: str | None,
    canary: str | None,
    share: float | None,
    promote: bool,
    abort: bool,
    policy: Path | None,
) -> int:
    """Have RUN serve TARGET instead, without a lost request; or try TARGET beside it.

    RUN is an ID of 'samovar ps', the beginning of one, or its name. With nothing else, what it
    serves is shown.
    """
    asked = [target, shadow, canary, promote or None, abort or None]
    if sum(one is not None for one in asked) > 1 or (share is not None and canary is None):
        raise UserError(
            "These do not go together.",
            hint="Give one of TARGET, --shadow, --canary (with --share), --promote and --abort.",
        )
    folder, state = find_run(Home.locate(), run)
    wish = _Wish(
        target=target or shadow or canary,
        role=SHADOW if shadow else CANARY if canary else None,
        share=(share or 0.1) if canary else 0.0,
        policy=policy,
    )
    if not any(asked):
        return _show(screen, folder, state)
    check_changeable(folder, state)
    with ordering(folder) as orderer:
        state = folder.read() or state
        if (abort or promote) and state.aside is None:
            raise UserError(
                f"Nobody stands beside {familiar(state.name)}.",
                hint="'samovar switch RUN --shadow TARGET' or '--canary TARGET' begins it.",
                code="nothing_aside",
            )
        if abort:
            orderer.order("abort")
            return _show(screen, folder, folder.read() or state)
        if promote and state.aside is not None:
            wish.target = state.aside["digest"]
        return _change(screen, folder, state, wish, orderer)


@dataclass(kw_only=True)
class _Wish:
    """What is to be served, or to stand aside.

    Parameters
    ----------
    target : str or None
        As on the line.
    role : str or None
        None is to be served.
    share : float
        Of a canary.
    policy : Path or None
        Of ``--policy``.
    """

    target: str | None
    role: str | None
    share: float
    policy: Path | None


def _change(
    screen: Screen, folder: RunFolder, state: RunState, wish: _Wish, orderer: Orderer
) -> int:
    started = time.monotonic()
    home = Home.locate()
    name, bundle = open_target(screen, wish.target)
    if "@" in name:
        known = names_of(Store(home.store), bundle.descriptor)
        name = next((str(one) for one in known), name)
    enforce_policy(Store(home.store), wish.target, name, bundle, wish.policy, with_index=False)
    if wish.role is None and str(bundle.digest) == state.digest:
        screen.note(f"{familiar(name)} is served already.")
        return _show(screen, folder, state, switched=False)
    with screen.progress("Preparing") as progress:
        change = Change(home=home, folder=folder, state=state, orderer=orderer, progress=progress)
        if wish.role is None:
            proven = change.switch(name, bundle)
        else:
            proven = change.put_aside(name, bundle, wish.role, wish.share)
    now = folder.read() or state
    differs = proven.verdict == DIFFERENT
    document = {
        **describe_run(folder, now),
        "switched": wish.role is None and not differs,
        "from": state.digest,
        "to": str(bundle.digest),
        "verdict": proven.verdict,
        "elapsed_s": round(time.monotonic() - started, 3),
    }
    screen.result(document, _sentence(now, name, wish, proven.verdict))
    return exit_codes.ANSWER_IS_NO if differs else exit_codes.DONE


def _sentence(state: RunState, name: str, wish: _Wish, verdict: str) -> str:
    shown = familiar(name)
    if verdict == DIFFERENT:
        return f"{shown} does not answer as its receipt says: DIFFERENT. Nothing was changed."
    if wish.role == SHADOW:
        return f"{shown} is asked too, and its answers are compared: samovar switch {state.id}"
    if wish.role == CANARY:
        return f"{shown} answers {wish.share:.4g} of the requests: samovar switch {state.id}"
    return f"{state.url} serves {shown} ({verdict})."


def _show(screen: Screen, folder: RunFolder, state: RunState, **more: Any) -> int:
    document = {**describe_run(folder, state), **more}
    lines = [f"{state.url} serves {familiar(state.bundle)} ({state.digest})"]
    aside = document["aside"]
    if aside is not None:
        share = f" of {aside['share']:.4g}" if aside["role"] == CANARY else ""
        counts = ", ".join(f"{count} {what}" for what, count in aside["answers"].items())
        lines.append(
            f"  {aside['role']}{share} ({aside['state']}): {familiar(aside['name'])} "
            f"({aside['digest']}); answers: {counts or 'none yet'}"
        )
    screen.result(document, "\n".join(lines))
    return exit_codes.DONE
