"""The subjects that a plan can name. A request names one of these, never a module to import.

Of a subject whose methods can be exchanged a plan may also name a mixture: `bad-method-forward+forward+loss` has only
these two methods its own and all others legacy's, `bad-method-forward+none` none at all. The methods stand in the order
of the ladder, each once, so that a mixture has one name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from basemodel.datasets import patch_side
from basemodel.own_parts import OWN
from basemodel.parts import Parts
from basemodel.rungs import (
    EVERY_METHOD,
    METHODS,
    RUNGS,
    Method,
    Selection,
    check_selection,
    in_order,
    methods_of,
    with_required,
    without,
)
from service.parity.errors import Problem, UnknownName
from service.parity.ladder import CURRENT, subject_of
from service.parity.plan import Plan
from service.ports import Subject
from service.subjects.basemodel import BaseModelSubject, source_files
from service.subjects.burdened_subject import BurdenedSubject
from service.subjects.datasets import COLOR_PATCHES
from service.subjects.description import source_digest
from service.subjects.image import PATCH_SUBJECTS, ImageNumpySubject, ImageSubject
from service.subjects.known_bad import VARIANTS
from service.subjects.legacy import LegacySubject
from service.subjects.planted_methods import METHOD_FAULTS, build_faulty
from service.subjects.variant_subject import VariantSubject

Factory = Callable[[Plan], Subject]
MixedFactory = Callable[..., Subject]
"""(plan, methods, name=None)"""

NO_METHOD = "none"
"""Stands in a mixture's name for no method of its own."""


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

    `mixed` builds it with only the selected methods its own and all others legacy's (`basemodel.rungs`), under another
    name if one is given; it raises ValueError for a selection that cannot run, and is `None` where methods cannot be
    exchanged. `methods` are those that are its own as `factory` builds it, `own` the functions that they are.
    """

    name: str
    description: str
    kind: str
    factory: Factory
    mixed: MixedFactory | None = None
    methods: Selection = EVERY_METHOD
    own: Parts = OWN


def registered_subjects() -> Mapping[str, SubjectEntry]:
    """Every subject by name, in the order in which they are listed."""
    entries = [
        SubjectEntry("legacy", "the frozen legacy autoencoder", "implementation", LegacySubject),
        SubjectEntry("basemodel", "the BaseModel autoencoder, wrapping the legacy object", "implementation",
                     BaseModelSubject, partial(_build_mixed, "basemodel"), methods_of("wrapper")),
        SubjectEntry("image", "the image autoencoder, on patches: vectors of 3 k k numbers", "implementation",
                     ImageSubject),
        SubjectEntry("image-numpy", "the image autoencoder in plain NumPy", "implementation", ImageNumpySubject),
    ]  # fmt: skip
    for rung in RUNGS:
        mixed = partial(_build_mixed, subject_of(rung))
        factory = partial(_build_rung, rung)
        description = f"the BaseModel autoencoder at rung {rung}: {_OWN_AT_RUNG[rung]}"
        methods = methods_of(rung)
        entries.append(SubjectEntry(subject_of(rung), description, "implementation", factory, mixed, methods))
    for variant in VARIANTS.values():
        kind = "harmless" if variant.harmless else "known_bad"
        factory = partial(_build_variant, variant.name)
        entries.append(SubjectEntry(variant.name, variant.description, kind, factory))
    for fault in METHOD_FAULTS.values():
        broken = partial(build_faulty, fault)
        own = replace(OWN, **{fault.method: fault.broken})
        entries.append(SubjectEntry(fault.name, fault.description, "known_bad", broken, broken, own=own))
    return {entry.name: entry for entry in entries}


def find_subject(name: str) -> SubjectEntry:
    """The subject of that name, or the mixture; raises ValueError with the reason for a name that is neither."""
    known = registered_subjects()
    if name in known:
        return known[name]
    base, *methods = name.split("+")
    if not methods or base not in known:
        if name == CURRENT:
            raise ValueError("it stands for the rung in use where a run is asked for; here a rung must be named")
        raise ValueError(f"choose from {', '.join(known)}")
    mixed = known[base].mixed
    if mixed is None:
        raise ValueError(f"the methods of {base} cannot be exchanged one by one")
    selection = check_selection(() if methods == [NO_METHOD] else methods)
    if name != mixture(base, selection):
        raise ValueError(f"this mixture is named {mixture(base, selection)}")
    description = f"{base} with only {', '.join(methods)} its own and all other methods legacy's"
    return SubjectEntry(
        name=name,
        description=description,
        kind=known[base].kind,
        factory=partial(mixed, methods=selection, name=name),
        mixed=mixed,
        methods=selection,
        own=known[base].own,
    )


def mixture(base: str, methods: Selection) -> str:
    """The name of that subject with only these methods its own."""
    return "+".join((base, *(in_order(methods) or (NO_METHOD,))))


@dataclass(frozen=True, slots=True)
class Mixable:
    """A registered subject, for a search over its own methods: which there are, and which of them can run together."""

    name: str
    methods: tuple[Method, ...]
    """In the order of the ladder."""
    functions: Mapping[str, str]
    """Of each method, the function that it is in this subject."""

    def mixture(self, methods: Selection) -> str:
        """The subject with only these methods its own: itself with all of them."""
        whole = frozenset(method.name for method in self.methods)
        return self.name if methods == whole else mixture(self.name, methods)

    def completed(self, methods: Selection) -> Selection:
        """The smallest selection that has these methods and can run."""
        return with_required(methods)

    def left(self, gone: Selection) -> tuple[str, ...]:
        """Its methods, in order, without these and without those that need one of these."""
        return in_order(without(frozenset(method.name for method in self.methods), gone))


def find_mixable(name: str) -> Mixable:
    """The registered subject of that name; raises `UnknownName` for one with no method that can be exchanged."""
    entries = {entry.name: entry for entry in registered_subjects().values() if entry.mixed and entry.methods}
    if name not in entries:
        message = f"{name!r} has no method that could be exchanged with legacy's; choose from {', '.join(entries)}"
        raise UnknownName(Problem("candidate", message))
    entry = entries[name]
    methods = in_order(entry.methods)
    functions = {method: getattr(entry.own, method) for method in methods}
    return Mixable(
        name=name,
        methods=tuple(METHODS[method] for method in methods),
        functions={method: f"{one.__module__}.{one.__qualname__}" for method, one in functions.items()},
    )


def check_subjects(plan: Plan) -> None:
    """Raise `UnknownName`, saying what there is, unless both of the plan's subjects are registered or mixtures."""
    problems = []
    for field, name in (("reference", plan.reference), ("candidate", plan.candidate)):
        try:
            find_subject(name)
        except ValueError as error:
            problems.append(Problem(field, f"{name!r} is unknown; {error}"))
    if problems:
        raise UnknownName(*problems)


def misfits(plan: Plan) -> tuple[Problem, ...]:
    """What of a valid plan its dataset or its subjects cannot take: patches need vectors of 3 * k * k numbers."""
    named = {
        name for name in (plan.dataset, plan.reference, plan.candidate) if name in (COLOR_PATCHES, *PATCH_SUBJECTS)
    }
    if not named or patch_side(plan.model.vector_length) is not None:
        return ()
    message = f"is {plan.model.vector_length}, but {', '.join(sorted(named))} needs patches of k x k pixels: 3 * k * k "
    return (Problem("model.vector_length", f"{message}numbers, e.g. 27, 108, 192 or 768"),)


def rung_digests() -> Mapping[str, str]:
    """The source digest that a run would record of each rung's subject now."""
    return {rung: source_digest(source_files(methods_of(rung))) for rung in RUNGS}


def _build_variant(name: str, plan: Plan) -> Subject:
    variant = VARIANTS[name]
    if variant.burden is not None:
        return BurdenedSubject(plan, name, variant.burden)
    return VariantSubject(plan, variant)


def _build_rung(rung: str, plan: Plan) -> Subject:
    return BaseModelSubject(plan, subject_of(rung), methods_of(rung))


def _build_mixed(base: str, plan: Plan, methods: Selection, name: str | None = None) -> Subject:
    return BaseModelSubject(plan, name or base, methods)
