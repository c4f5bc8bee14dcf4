"""The subjects that a plan can name. A request names one of these, never a module to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from basemodel.rungs import RUNGS, Selection, methods_of
from service.parity.errors import Problem, UnknownName
from service.parity.plan import Plan
from service.ports import Subject
from service.subjects.basemodel import BaseModelSubject
from service.subjects.burdened_subject import BurdenedSubject
from service.subjects.known_bad import VARIANTS
from service.subjects.legacy import LegacySubject
from service.subjects.planted_methods import METHOD_FAULTS, build_faulty
from service.subjects.variant_subject import VariantSubject

Factory = Callable[[Plan], Subject]
MixedFactory = Callable[[Plan, Selection], Subject]


_OWN_AT_RUNG = {
    "wrapper": "every method is legacy's",
    "configuration": "sizes and hyper-parameters of its own",
    "utilities": "predictions, weights in and out and checkpoints as well",
    "forward": "the forward pass and its loss as well",
    "backward": "the backward pass and the update as well",
    "memory": "initialisation, allocation, bounds and cleanup as well",
    "kernels": "all its own, launched through the KernelManager",
}


@dataclass(frozen=True, slots=True)
class SubjectEntry:
    """A subject as it is listed. `kind` is implementation, harmless or known_bad.

    `mixed` builds it with only the selected methods its own and all others legacy's (`basemodel.rungs`); it raises
    ValueError for a selection that cannot run, and is `None` where methods cannot be exchanged.
    """

    name: str
    description: str
    kind: str
    factory: Factory
    mixed: MixedFactory | None = None


def registered_subjects() -> Mapping[str, SubjectEntry]:
    """Every subject by name, in the order in which they are listed."""
    entries = [
        SubjectEntry("legacy", "the frozen legacy autoencoder", "implementation", LegacySubject),
        SubjectEntry("basemodel", "the BaseModel autoencoder, wrapping the legacy object", "implementation",
                     BaseModelSubject, partial(_build_mixed, "basemodel")),
    ]  # fmt: skip
    for rung in RUNGS:
        mixed = partial(_build_mixed, f"basemodel@{rung}")
        factory = partial(_build_rung, rung)
        description = f"the BaseModel autoencoder at rung {rung}: {_OWN_AT_RUNG[rung]}"
        entries.append(SubjectEntry(f"basemodel@{rung}", description, "implementation", factory, mixed))
    for variant in VARIANTS.values():
        kind = "harmless" if variant.harmless else "known_bad"
        factory = partial(_build_variant, variant.name)
        entries.append(SubjectEntry(variant.name, variant.description, kind, factory))
    for fault in METHOD_FAULTS.values():
        broken = partial(build_faulty, fault)
        entries.append(SubjectEntry(fault.name, fault.description, "known_bad", broken, broken))
    return {entry.name: entry for entry in entries}


def check_subjects(plan: Plan) -> None:
    """Raise `UnknownName`, listing what there is, unless both of the plan's subjects are registered."""
    known = registered_subjects()
    problems = [
        Problem(field, f"{name!r} is unknown; choose from {', '.join(known)}")
        for field, name in (("reference", plan.reference), ("candidate", plan.candidate))
        if name not in known
    ]
    if problems:
        raise UnknownName(*problems)


def _build_variant(name: str, plan: Plan) -> Subject:
    variant = VARIANTS[name]
    if variant.burden is not None:
        return BurdenedSubject(plan, name, variant.burden)
    return VariantSubject(plan, variant)


def _build_rung(rung: str, plan: Plan) -> Subject:
    return BaseModelSubject(plan, f"basemodel@{rung}", methods_of(rung))


def _build_mixed(name: str, plan: Plan, methods: Selection) -> Subject:
    return BaseModelSubject(plan, name, methods)
