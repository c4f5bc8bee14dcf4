"""The command line that repeats a run: every flag written out, so that a change of defaults cannot change the run."""

from __future__ import annotations

import dataclasses
import shlex

from service.parity.plan import Plan
from service.parity.policy import POLICIES, Policy

POLICY_FILE = "policy.json"
"""Stands for a policy that is not built in: the report's `policy`, saved under this name."""


def replay_command(plan: Plan, policy: Policy) -> str:
    """`lockstep run …` with every value of the plan, quoted for a POSIX shell."""
    flags: dict[str, object] = {
        "--reference": plan.reference,
        "--candidate": plan.candidate,
        "--steps": plan.training.steps,
        "--batch-size": plan.training.batch_size,
        "--vector-length": plan.model.vector_length,
        "--hidden-layers": plan.model.hidden_layers,
        "--bottleneck": plan.model.bottleneck,
        "--learning-rate": repr(plan.training.learning_rate),
        "--clip": repr(plan.training.clip),
        "--alpha": repr(plan.model.alpha),
        "--seed": plan.seed,
        "--dataset": plan.dataset,
        "--device": plan.device,
        "--phases": ",".join(plan.phases),
        "--sync-steps": plan.synchronized.steps,
        "--sync-every": plan.synchronized.every,
        "--band-runs": plan.free_running.band_runs,
        "--band-steps": plan.free_running.band_steps,
        "--weights-every": plan.free_running.weights_every,
        "--witness": plan.synchronized.witness,
        "--checkpoint-before": plan.checkpoint.steps_before,
        "--checkpoint-after": plan.checkpoint.steps_after,
        "--taps-every": plan.free_running.taps_every,
        "--blocks": plan.performance.blocks,
        "--slice-seconds": repr(plan.performance.slice_seconds),
        "--process-pairs": plan.performance.process_pairs,
        **({} if plan.performance.second_device is None else {"--second-device": plan.performance.second_device}),
        "--memory-steps": plan.memory.steps,
        "--policy": policy_argument(policy),
    }
    words = [word for flag, value in flags.items() for word in _words(flag, str(value))]
    return shlex.join(["lockstep", "run", *words])


def replay_up_to(plan: Plan, policy: Policy, step: int) -> str:
    """The command line that repeats only the synchronized phase, up to and with `step`."""
    shorter = dataclasses.replace(plan.synchronized, steps=step + 1)
    # What it repeats needs one card: it must not be refused where there is no second.
    timed = dataclasses.replace(plan.performance, second_device=None)
    shorter_plan = dataclasses.replace(plan, synchronized=shorter, performance=timed, phases=("synchronized",))
    return replay_command(shorter_plan, policy)


def policy_argument(policy: Policy) -> str:
    """The built-in policy's name, or the file that its document must be saved in first."""
    return policy.name if POLICIES.get(policy.name) == policy else POLICY_FILE


def _words(flag: str, value: str) -> tuple[str, ...]:
    """A value that begins with a dash would be read as a flag of its own."""
    return (f"{flag}={value}",) if value.startswith("-") else (flag, value)
