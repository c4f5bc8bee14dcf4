"""The flags of `lockstep run`, lent: each lands in the plan where `run` itself puts it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from service import bootstrap, cli
from service.campaigns.bisect import PLAN
from service.commands.plan_flags import NOT_OF_THE_PLAN, PlanMaker, place_of, plan_of, with_plan_flags
from service.parity.plan import PHASES, Plan

FLAGS = [name for name in inspect.signature(cli.run).parameters if name not in NOT_OF_THE_PLAN]
OTHER: dict[str, Any] = {"device": "cuda:0", "phases": "memory,checkpoint", "witness": "oracle", "dataset": "colors"}


class _Stop(Exception):
    """The plan that `lockstep run` made."""


def plan_of_run(monkeypatch: pytest.MonkeyPatch, **flags: Any) -> Plan:
    def stop(settings: Any, plan: Plan) -> Plan:
        raise _Stop(plan)

    monkeypatch.setattr(bootstrap, "resolve_current", stop)
    with pytest.raises(_Stop) as stopped:
        cli.run(**flags)
    plan: Plan = stopped.value.args[0]
    return plan


def other_value(flag: str) -> Any:
    default = inspect.signature(cli.run).parameters[flag].default
    if flag in OTHER or isinstance(default, str) or default is None:
        return OTHER.get(flag, "basemodel@forward")
    return default * 2 + 1


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_makes_the_plan_that_it_makes_in_run(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {flag: other_value(flag)}
    defaults = {
        name: one.default for name, one in inspect.signature(cli.run).parameters.items() if name not in NOT_OF_THE_PLAN
    }
    made = plan_of({**defaults, **given})
    assert made == plan_of_run(monkeypatch, **given)
    assert made != plan_of_run(monkeypatch)


def test_a_flag_without_a_place_is_a_defect_that_shows() -> None:
    with pytest.raises(LookupError, match="the flag colour of `lockstep run` has no place in a plan"):
        place_of("colour")


def command(base: Plan | None) -> tuple[typer.Typer, list[Plan]]:
    made: list[Plan] = []
    app = typer.Typer()

    @app.command()
    @with_plan_flags(cli.run, base)
    def climb(plan: PlanMaker, rung: str = "none") -> None:
        """Do it."""
        made.append(plan())

    return app, made


def test_a_command_gets_its_plan_from_the_flags() -> None:
    app, made = command(None)
    done = CliRunner().invoke(app, ["--steps", "7", "--device", "cpu", "--rung", "x"])
    assert done.exit_code == 0, done.output
    assert made == [replace(Plan(), training=replace(Plan().training, steps=7), device="cpu")]


def test_phases_that_are_not_named_are_the_devices_or_the_bases() -> None:
    app, made = command(None)
    CliRunner().invoke(app, ["--device", "cuda:0"])
    assert made[0].phases == PHASES
    app, made = command(PLAN)
    CliRunner().invoke(app, ["--device", "cuda:0"])
    assert made == [replace(PLAN, device="cuda:0")]


def test_help_shows_the_bases_defaults_and_neither_side() -> None:
    shown = CliRunner().invoke(command(PLAN)[0], ["--help"], env={"COLUMNS": "200"}).output
    assert "Do it." in shown
    assert "default: 64" in shown
    assert "--candidate" not in shown
    assert "--reference" not in shown
