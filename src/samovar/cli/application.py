"""The command line as click reads it: commands are imported when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from samovar import __version__
from samovar.cli import exit_codes
from samovar.cli.commands import COMMANDS
from samovar.errors import UserError

if TYPE_CHECKING:
    from samovar.cli.render import Screen

_EPILOG: Final = "Everywhere: --json prints one JSON document; --offline opens no connection."


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


def call(arguments: list[str], screen: Screen) -> int:
    """Read the line, carry out its command, and give the exit code.

    Raises
    ------
    UserError
        Where the line is wrong.
    SamovarError
        Whatever the command raises.
    """
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
