"""`lockstep ladder run | status | promote | rollback | bisect`."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ContextDecorator, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import Progress as ProgressBar

from service.campaigns.bisect import PLAN as BISECTION_PLAN
from service.commands.exits import EXIT_CODES, EXIT_INTERRUPTED, TABLE_WIDTH
from service.commands.ladder_tables import bisection_table, climb_table, status_table
from service.commands.plan_flags import PlanMaker, with_plan_flags
from service.parity.errors import InvalidRequest, Problem
from service.parity.ladder import check_rung, subject_of
from service.parity.plan import Plan
from service.policy_files import read_policy
from service.ports import ProgressListener, RunStore
from service.reports.json_values import json_ready
from service.settings import Settings, read_settings

if TYPE_CHECKING:
    from service.campaigns.stored_runs import StoredRuns

Follow = Callable[[str], ProgressListener]

DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="Where runs and the ladder's history are kept.", metavar="URL")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print only the result, as JSON.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who does it; your login name unless set.", metavar="NAME")]
NoteOption = Annotated[str, typer.Option("--note", help="A word for the history.", metavar="TEXT")]
RungArgument = Annotated[str, typer.Argument(help="A rung, e.g. forward.", metavar="RUNG")]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the command line lends to its groups.

    `run` is `lockstep run`, whose flags make a plan; `told_errors` turns errors into messages and exit codes; `live`
    makes a progress bar, unless it shall be silent, and what makes a listener that fills it; `words` are for epilogs.
    """

    run: Callable[..., Any]
    told_errors: Callable[[], ContextDecorator]
    live: Callable[[bool], tuple[ProgressBar, Callable[[], ProgressListener]]]
    words: str


def ladder_commands(frame: Frame) -> typer.Typer:
    """The group, to be registered as `ladder`."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Climb from legacy to BaseModel rung by rung: validate, promote, roll back, and find what breaks parity.",
        epilog=frame.words,
    )

    @with_plan_flags(frame.run)
    def run(
        plan: PlanMaker,
        rung: Annotated[
            list[str] | None, typer.Option("--rung", help="Only this rung; may be given again.", metavar="RUNG")
        ] = None,
        policy: Annotated[
            str, typer.Option(help="What is demanded: default, strict, numerics, or a file: my.toml.")
        ] = "default",
        database: DatabaseOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """A dual run against legacy for every rung, or for those named, and what each shows.

        Every run is kept, as those of `lockstep run`. 1 if any rung fails, else 4 if Lockstep failed at one, else 3 if
        one is not decided, else 0. Ctrl-C keeps what is done.
        """
        raise typer.Exit(_climb(frame, plan(), rung or (), policy, read_settings(database_url=database), as_json))

    @group.command(epilog="For example: lockstep ladder status --json.")
    @frame.told_errors()
    def status(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
        """The rung in use, what each rung's newest run on the present source says, and who moved when."""
        from service import bootstrap
        from service.campaigns.promotion import ladder_status
        from service.subjects.registry import rung_digests

        with closing(bootstrap.open_store(read_settings(database_url=database))) as store:
            found = ladder_status(store, rung_digests())
        _print(found, status_table(found), as_json)

    @group.command(epilog="For example: lockstep ladder promote wrapper --by ann.")
    @frame.told_errors()
    def promote(
        rung: RungArgument,
        run: Annotated[
            str | None,
            typer.Option("--run", help="The run that shows it; unless set, the newest that does.", metavar="ID"),
        ] = None,
        skip: Annotated[bool, typer.Option("--skip", help="Skip rungs that were never in use.")] = False,
        by: ByOption = None,
        note: NoteOption = "",
        database: DatabaseOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Put RUNG to use, on the evidence of a passing run of it on the present source; refused (2) without one.

        What is in use is what `basemodel@current` stands for in `lockstep run`. Rungs are climbed one by one.
        """
        from service.campaigns import promotion

        with _ladder(database) as (store, digests, now):
            line = promotion.promote(store, digests, rung, _name(by), now, run, skip, note)
        _print(
            line, f"rung {line.rung} is in use: {line.action} {line.number} by {line.by}, on run {line.run_id}", as_json
        )

    @group.command(epilog="For example: lockstep ladder rollback forward --note 'slow on the new cards'.")
    @frame.told_errors()
    def rollback(
        rung: RungArgument,
        by: ByOption = None,
        note: NoteOption = "",
        database: DatabaseOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Go back to a lower RUNG at once. It needs no run; checkpoints saved above load below."""
        from service.campaigns import promotion

        with _ladder(database) as (store, digests, now):
            line = promotion.roll_back(store, digests, rung, _name(by), now, note)
        _print(line, f"rung {line.rung} is in use: {line.action} {line.number} by {line.by}", as_json)

    @with_plan_flags(frame.run, BISECTION_PLAN)
    def bisect(
        plan: PlanMaker,
        candidate: Annotated[
            str, typer.Argument(help="A subject whose methods can be exchanged.", metavar="CANDIDATE")
        ],
        without: Annotated[
            list[str] | None,
            typer.Option("--without", help="Leave this method legacy's; may be given again.", metavar="METHOD"),
        ] = None,
        max_runs: Annotated[int, typer.Option(help="Stop after so many dual runs.")] = 200,
        policy: Annotated[
            str | None, typer.Option(help="What a method must not break; unless set, numbers and checkpoints.")
        ] = None,
        database: DatabaseOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Find the method of a failing CANDIDATE, or the smallest set of them, that breaks parity with legacy.

        Exchanges its methods with legacy's, a dual run a question: where one method is to blame, at most
        ceil(log2(methods)) + 2. 0: the candidate passes; 1: it fails, and what is to blame is named; 3: a run was
        INCONCLUSIVE, so nothing was concluded. The plan is small unless flags say otherwise.
        """
        settings = read_settings(database_url=database)
        raise typer.Exit(_bisect(frame, plan(), candidate, without or (), max_runs, policy, settings, as_json))

    told = frame.told_errors()
    group.command(epilog=f"For example: lockstep ladder run --rung forward. {frame.words}")(told(run))
    group.command(epilog=f"For example: lockstep ladder bisect bad-method-forward. {frame.words}")(told(bisect))
    return group


def _climb(frame: Frame, plan: Plan, only: Sequence[str], policy: str, settings: Settings, as_json: bool) -> int:
    from service import bootstrap
    from service.campaigns.ladder import Climb, climb
    from service.subjects.registry import rung_digests

    rungs = tuple(rung_digests())
    for rung in only:
        check_rung(rungs, rung)
    rungs = tuple(rung for rung in rungs if not only or rung in only)
    bootstrap.check_plan(replace(plan, candidate=subject_of(rungs[0])))
    chosen, results, interrupted = read_policy(policy), [], False
    with _stored_runs(settings, "lockstep ladder run") as runs, _told_progress(frame, as_json) as (follow, tell):
        try:
            for result in climb(runs, plan, chosen, rungs, follow):
                results.append(result)
                if not as_json:
                    tell(f"{result.rung}: {result.outcome}  {result.message}")
        except KeyboardInterrupt:
            interrupted = True
    done = Climb(plan, chosen, rungs, tuple(results))
    _print(done, climb_table(done.results), as_json)
    if not as_json:
        typer.echo(f"{done.outcome}  {done.summary}")
    return EXIT_INTERRUPTED if interrupted else EXIT_CODES[done.outcome]


def _bisect(
    frame: Frame,
    plan: Plan,
    candidate: str,
    without: Sequence[str],
    most: int,
    policy: str | None,
    settings: Settings,
    as_json: bool,
) -> int:
    from service import bootstrap
    from service.campaigns.bisect import asking, bisect, default_policy
    from service.subjects.registry import find_mixable

    subject = find_mixable(candidate)
    plan = bootstrap.check_plan(replace(plan, candidate=candidate))
    chosen = default_policy() if policy is None else read_policy(policy)
    with _stored_runs(settings, "lockstep ladder bisect") as runs, _told_progress(frame, as_json) as (follow, tell):
        try:
            ask = asking(runs, subject, plan, chosen, follow)
            found = bisect(subject, plan, chosen, ask, frozenset(without), most)
        except KeyboardInterrupt:
            tell("Interrupted: nothing was concluded; the runs that were carried out are kept.")
            return EXIT_INTERRUPTED
    _print(found, bisection_table(found), as_json)
    if not as_json:
        typer.echo(f"{found.outcome}  {found.summary}")
    return EXIT_CODES[found.outcome]


@contextmanager
def _stored_runs(settings: Settings, worker: str) -> Iterator[StoredRuns]:
    from service import bootstrap
    from service.campaigns.stored_runs import StoredRuns

    clock = bootstrap.SystemClock()
    with closing(bootstrap.open_store(settings)) as store:
        executor = bootstrap.make_executor(settings, store, clock)
        yield StoredRuns(store, executor, clock, partial(bootstrap.submit, store, clock), worker)


@contextmanager
def _told_progress(frame: Frame, silent: bool) -> Iterator[tuple[Follow, Callable[[str], None]]]:
    """A bar that says which run is under way, and what prints a line above it."""
    bar, follow = frame.live(silent)

    def named(name: str) -> ProgressListener:
        listen = follow()
        return lambda progress: listen(replace(progress, message=f"{name}  {progress.message}"))

    with bar:
        yield named, lambda line: bar.console.print(line, markup=False, soft_wrap=True)


@contextmanager
def _ladder(database: str | None) -> Iterator[tuple[RunStore, Mapping[str, str], datetime]]:
    from service import bootstrap
    from service.subjects.registry import rung_digests

    with closing(bootstrap.open_store(read_settings(database_url=database))) as store:
        yield store, rung_digests(), bootstrap.SystemClock().now()


def _name(by: str | None) -> str:
    """Who does it; raises `InvalidRequest` where nobody can be named."""
    try:
        name = (getpass.getuser() if by is None else by).strip()
    except (OSError, KeyError):  # a user id without a name
        name = ""
    if not name:
        raise InvalidRequest(Problem("--by", "say who does it: the history records a name"))
    return name


def _print(value: Any, shown: RenderableType, as_json: bool) -> None:
    if as_json:
        document = value.as_document() if hasattr(value, "as_document") else json_ready(asdict(value))
        typer.echo(json.dumps(document, allow_nan=False, indent=2))
    else:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else TABLE_WIDTH)
        with console.capture() as captured:
            console.print(shown)
        # Below a table, text is padded to the console's width.
        typer.echo("\n".join(line.rstrip() for line in captured.get().split("\n")), nl=False)
