"""``samovar train``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.cli.arguments import FOLDER
from samovar.errors import UserError
from samovar.project.config import Project, read_project
from samovar.record.inputs import parse_setting, train_section
from samovar.record.mlflow import log_run
from samovar.record.runs import check_run_name
from samovar.record.seeds import find_suspects
from samovar.record.train import TrainOptions, train
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.cli.render import Screen
    from samovar.record.runs import Run


@click.command()
@FOLDER
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a parameter.")
@click.option("--name", metavar="RUN", help="What to call the run.")
@click.option("--repeat", type=click.IntRange(1, 1000), default=1, help="Run N times in all.")
@click.option("--strict-numerics", is_flag=True, help="Pin what differs between processors.")
@click.option("--strict", is_flag=True, help="Refuse a run that reads undeclared files.")
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="SECONDS", help="End it then.")
@click.option("--find-seeds", is_flag=True, help="Only read the code for what is not seeded.")
@click.pass_obj
def command(screen: Screen, /, folder: Path, **options: Any) -> int:
    """Run the training command in a clean copy and record all that it was made from."""
    project = read_project(folder)
    if options["find_seeds"]:
        return _find_seeds(screen, project)
    if options["name"] is not None:
        check_run_name(options["name"])
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Training") as progress:
        run = train(
            home,
            store,
            project,
            TrainOptions(
                settings=dict(parse_setting(text) for text in options["settings"]),
                name=options["name"],
                repeat=options["repeat"],
                strict_numerics=options["strict_numerics"],
                strict=options["strict"],
                timeout_s=options["timeout"],
                show=True,
            ),
            clock=utc_now,
            progress=progress,
        )
        tracked = log_run(
            home,
            store,
            run,
            train_section(project).mlflow,
            with_model=project.model is not None,
            progress=progress,
        )
    document = _document(run, tracked)
    screen.result(document, _people(document))
    return exit_codes.DONE


def utc_now() -> str:
    """Give the time as records have it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _document(run: Run, tracked: list[str]) -> dict[str, Any]:
    record = run.record
    return {
        "run": str(run.digest),
        "name": run.name,
        "metrics": dict(record.metrics),
        "repeatable": record.repeatable,
        "noise": dict(record.noise),
        "seconds": record.seconds,
        "warnings": [*record.warnings, *tracked],
    }


def _people(document: dict[str, Any]) -> str:
    lines = [f"Recorded {document['name']} ({document['run'][:19]}), {document['seconds']:.1f} s"]
    for name, value in document["metrics"].items():
        noise = document["noise"].get(name)
        lines.append(f"  {name} {value}" + (f" ± {noise:.3g}" if noise else ""))
    if document["repeatable"] is not None:
        lines.append("  repeatable" if document["repeatable"] else "  NOT repeatable")
    lines += [f"warning: {warning}" for warning in document["warnings"]]
    return "\n".join([*lines, f"Next: samovar reproduce {document['name']}"])


def _find_seeds(screen: Screen, project: Project) -> int:
    section = train_section(project)
    paths = [path for one in section.code for path in sorted(project.folder.glob(one))]
    files = {
        path.relative_to(project.folder).as_posix(): path.read_text("utf-8", "replace")
        for path in paths
        if path.is_file()
    }
    if not files:
        raise UserError("[train] code names no file to read.", hint='For instance ["train.py"].')
    suspects = find_suspects(files, hash_seed=None)
    screen.result(
        {"suspects": [suspect.to_json() for suspect in suspects]},
        "\n".join(map(str, suspects)) or "Nothing was found that is not seeded.",
    )
    return exit_codes.ANSWER_IS_NO if suspects else exit_codes.DONE
