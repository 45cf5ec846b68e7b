"""The entry point: global flags, lazy commands, errors to exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from samovar import __version__
from samovar.cli import exit_codes
from samovar.cli.commands import COMMANDS
from samovar.cli.render import Screen
from samovar.errors import Interrupted, OutOfSpace, SamovarError, Unavailable, UserError

_NO_SPACE = 28
_EPILOG = "Everywhere: --json prints one JSON document; --offline opens no connection."


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when help lists them."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Give the names in the order of the story."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import the command's module and give its ``command``."""
        if name not in COMMANDS:
            return None
        module = import_module(f"samovar.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where there is none of that name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            raise UserError(
                f"There is no command {args[0]!r}.",
                hint=f"Did you mean 'samovar {near[0]}'?" if near else "See 'samovar --help'.",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="samovar")
def application() -> None:
    """Pack a trained model and its service, run it anywhere, prove that it predicts the same."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; by default those of the process.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code; every error is rendered here."""
    arguments, as_json = _global_flags(arguments)
    screen = Screen(as_json=as_json)
    try:
        return _call(arguments, screen)
    except SamovarError as error:
        if _debugging():
            raise
        screen.error(error)
        return exit_codes.of_error(error)
    except KeyboardInterrupt:
        screen.error(Interrupted("Interrupted."))
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`samovar list | head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.DONE
    except OSError as error:
        if _debugging():
            raise
        mapped = _of_os_error(error)
        screen.error(mapped)
        return exit_codes.of_error(mapped)


def _call(arguments: list[str], screen: Screen) -> int:
    try:
        outcome: Any = application.main(
            arguments or ["--help"], prog_name="samovar", standalone_mode=False, obj=screen
        )
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "samovar"
        raise UserError(error.format_message(), hint=f"See '{path} --help'.") from error
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return outcome if isinstance(outcome, int) else exit_codes.DONE


def _global_flags(arguments: list[str]) -> tuple[list[str], bool]:
    """Take ``--json`` and ``--offline`` from anywhere on the line, up to ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    before, after = arguments[:end], arguments[end:]
    as_json = "--json" in before
    if "--offline" in before:
        os.environ["SAMOVAR_OFFLINE"] = "1"
    return [word for word in before if word not in {"--json", "--offline"}] + after, as_json


def _debugging() -> bool:
    return os.environ.get("SAMOVAR_DEBUG", "") not in {"", "0"}


def _of_os_error(error: OSError) -> SamovarError:
    place = f" ({error.filename})" if error.filename else ""
    if error.errno == _NO_SPACE:
        return OutOfSpace(
            f"There is no space left{place}.", hint="Free some space, or set SAMOVAR_HOME."
        )
    if isinstance(error, FileNotFoundError):
        return UserError(f"There is no such file{place}.", code="not_found")
    return Unavailable(f"{error.strerror or error}{place}.", code="operating_system")
