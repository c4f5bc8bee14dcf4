"""`lockstep sweep`: parity over a grid of configurations, each a recorded run; what has finished is not repeated."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from service.commands.exits import EXIT_INTERRUPTED, TABLE_WIDTH
from service.parity.errors import InvalidConfiguration, InvalidRequest, Problem
from service.parity.grid import Sweep, sweep_from_document
from service.policy_files import read_policy
from service.ports import RunStore
from service.settings import Settings, read_settings

if TYPE_CHECKING:  # it brings the subjects along, and with them CuPy: not for `lockstep --help`
    from service.reports.sweep import End, SweepResult

EPILOG = (
    "For example: lockstep sweep --html sweep.html, or lockstep sweep grid.toml --candidate harmless-split-k. "
    "Exit codes: 0 every configuration PASS, 1 any FAIL, 2 usage or configuration error, 3 any INCONCLUSIVE, "
    "4 Lockstep itself failed, 130 stopped by Ctrl-C."
)
DEFAULT_GRID = Path(__file__).parents[1] / "campaigns" / "default_sweep.toml"
MOST_PROBLEMS = 20

SIGNALS = (signal.SIGINT, signal.SIGTERM)

messages = Console(stderr=True, highlight=False)


def sweep(
    grid: Annotated[
        Path | None,
        typer.Argument(help="A plan and lists of values; unless named, 48 configurations.", metavar="GRID.toml"),
    ] = None,
    reference: Annotated[str | None, typer.Option(help="The reference, whatever the file says.")] = None,
    candidate: Annotated[str | None, typer.Option(help="The candidate, whatever the file says.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda:N, whatever the file says.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="default, strict, numerics, or a file, whatever the file says.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Runs at a time; one a core, or one on a GPU, unless set.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Carry every configuration out, also those that are done.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write the result as one page.", metavar="FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result, as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the outcome.")] = False,
    database: Annotated[
        str | None,
        typer.Option("--database", help="Where runs are recorded, e.g. sqlite:///lockstep.db.", metavar="URL"),
    ] = None,
) -> None:
    """Compare both sides in every configuration of a grid, a dual run each; show error ratio and verdict as a heat-map.

    Every run is recorded as `lockstep run` does it. Killed or stopped, the same command goes on where it was: what has
    finished by the same plan, policy and source of both sides is not repeated. docs/sweep.md describes the file.
    """
    from service import bootstrap
    from service.reports.sweep import SweepResult

    flags = {"reference": reference, "candidate": candidate, "device": device}
    asked = read_sweep(grid or DEFAULT_GRID, policy, {key: value for key, value in flags.items() if value is not None})
    _check(asked)
    _prepare(html, grid)
    settings = read_settings(database_url=database)
    with closing(bootstrap.open_store(settings)) as store, _interrupted_once():
        ends, stopped = _carry_out(asked, settings, store, jobs, again, silent=as_json or quiet)
    result = SweepResult(asked, ends)
    _tell(result, html, as_json, quiet)
    if stopped:
        left = len(asked.plans()) - len(ends)
        messages.print(f"Stopped: {len(ends)} done and kept, {left} to do; the same command, without --again, goes on.")
    raise typer.Exit(EXIT_INTERRUPTED if stopped else result.exit_code)


def read_sweep(path: Path, policy: str | None = None, flags: Mapping[str, Any] | None = None) -> Sweep:
    """What the file asks for, the flags put over it; raises `InvalidConfiguration`, which names file and place."""
    from service import bootstrap
    from service.toml_files import read_toml

    document = read_toml(path, "name the file of a grid, or none for the one that Lockstep brings along")
    base = path.parent if policy is None else None
    if policy is not None:
        document["policy"] = policy
    try:
        return sweep_from_document(document, lambda name: read_policy(name, base), bootstrap.default_phases, flags)
    except InvalidConfiguration as error:
        told = [Problem(f"{path}: {problem.field}", problem.message) for problem in error.problems]
        raise InvalidConfiguration(*_some(told)) from error


def _check(asked: Sweep) -> None:
    """Raise `InvalidConfiguration` for what this machine does not have; told once where many plans ask for it."""
    from service import bootstrap

    wrong: dict[Problem, int] = {}
    for plan in asked.plans().values():
        try:
            bootstrap.check_plan(plan)
        except InvalidRequest as error:
            for problem in error.problems:
                wrong[problem] = wrong.get(problem, 0) + 1
    if wrong:
        told = [
            problem if count == 1 else Problem(problem.field, f"{problem.message} (in {count:,} configurations)")
            for problem, count in wrong.items()
        ]
        raise InvalidConfiguration(*_some(told))


def _some(problems: list[Problem]) -> list[Problem]:
    more = len(problems) - MOST_PROBLEMS
    return problems if more <= 0 else [*problems[:MOST_PROBLEMS], Problem("", f"and {more:,} more problems")]


def _prepare(html: Path | None, grid: Path | None) -> None:
    """Take away an earlier page, so that it never speaks for this sweep; a page that cannot be written is told now."""
    from service.gate.outputs import cannot_write, clear

    if html is None:
        return
    if grid is not None and html.resolve() == grid.resolve():
        raise InvalidConfiguration(Problem("--html", f"{html} is the grid's file too; name another"))
    try:
        html.parent.mkdir(parents=True, exist_ok=True)
        clear(html)
    except OSError as error:
        raise InvalidConfiguration(Problem("--html", cannot_write(html, error))) from error


def _carry_out(
    asked: Sweep, settings: Settings, store: RunStore, jobs: int | None, again: bool, silent: bool
) -> tuple[dict[str, End], bool]:
    """The ends that are known, and whether somebody stopped the sweep."""
    from service import bootstrap
    from service.campaigns.sweep import WORKER, carry_out, find_done
    from service.campaigns.sweep_terminal import told
    from service.reports.sweep import SweepResult, counted

    plans = asked.plans()
    ends: dict[str, End] = {}
    try:
        if not again:
            ends |= find_done(asked, store, bootstrap.describe_side)
        left = [plan for digest, plan in plans.items() if digest not in ends]
        configurations = {each.plan.digest(): each for each in SweepResult(asked, {}).configurations()}
        console = Console(stderr=True, quiet=True) if silent else messages
        done = f"{len(ends)} done earlier, " if ends else ""
        console.print(f"{counted(len(plans))}: {done}{len(left):,} to do")
        record = partial(bootstrap.record_run, settings, WORKER, asked.policy)
        at_a_time = jobs if jobs is not None else min(map(bootstrap.default_jobs, plans.values()))
        with told(console, len(plans), len(ends)) as tell, closing(carry_out(left, record, store, at_a_time)) as coming:
            for digest, end in coming:
                ends[digest] = end
                tell(configurations[digest].ended(end))
    except KeyboardInterrupt:
        return ends, True
    return ends, False


def _tell(result: SweepResult, html: Path | None, as_json: bool, quiet: bool) -> None:
    """Print what was asked for and write the page."""
    from service.campaigns.sweep_terminal import result_view
    from service.gate.outputs import write_whole
    from service.reports.sweep_page import render_sweep

    unwritten = None if html is None else write_whole(html, lambda: render_sweep(result))
    if as_json:
        typer.echo(json.dumps(result.as_document(), allow_nan=False, indent=2))
    else:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else TABLE_WIDTH)
        if not quiet:
            console.print(result_view(result, console.width))
        typer.echo(f"{result.outcome}  {result.summary}")
    if unwritten is not None:
        raise InvalidConfiguration(Problem("--html", unwritten))
    if html is not None and not (as_json or quiet):
        typer.echo(f"page    {html}")


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the sweep once; a second one does not keep the runs from being marked cancelled."""

    def interrupt(*_: Any) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
