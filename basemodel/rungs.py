"""The ladder: which methods there are, which rung brings each, and which selections of them can run.

A model is built with a selection: the methods that are BaseModel's own, all others being the legacy object's. A rung is
the selection of every method up to it. Any selection that holds what its methods require is valid, so that methods can
be exchanged one by one. Where both implementations of a method are put to choice: `parts.assemble`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Selection = frozenset[str]
"""Names of methods."""

RUNGS = ("wrapper", "configuration", "utilities", "forward", "backward", "memory", "kernels")
"""From all legacy to none of it."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the ladder, the rung that brings BaseModel's own, and the legacy function that it replaces."""

    name: str
    rung: str
    replaces: str
    requires: tuple[str, ...] = ()


_CLASS = "legacy.gpu_text_autoencoder.GPUTextAutoencoder"
LAUNCHING = ("forward", "loss", "backward", "update")
"""The methods that launch kernels."""

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method("hyper_parameters", "configuration", f"{_CLASS}.__init__"),
            Method("layer_sizes", "configuration", f"{_CLASS}._calculate_layer_sizes"),
            Method("parameter_count", "configuration", f"{_CLASS}._count_parameters"),
            Method("predict", "utilities", f"{_CLASS}.predict_gpu"),
            Method("get_weights", "utilities", f"{_CLASS}.get_weights_cpu"),
            Method("set_weights", "utilities", f"{_CLASS}.set_weights_cpu"),
            Method("save_checkpoint", "utilities", f"{_CLASS}.save_checkpoint"),
            Method("load_checkpoint", "utilities", f"{_CLASS}.load_checkpoint"),
            Method("forward", "forward", f"{_CLASS}.forward_gpu"),
            Method("loss", "forward", f"{_CLASS}.mse_loss_gpu"),
            Method("backward", "backward", f"{_CLASS}.backward_gpu_safe"),
            Method("update", "backward", f"{_CLASS}._clip_and_update"),
            Method("initialisation", "memory", f"{_CLASS}._initialize_weights_on_gpu"),
            Method("allocation", "memory", f"{_CLASS}._allocate_gpu_memory"),
            Method("bounds", "memory", f"{_CLASS}._check_batch"),
            Method("cleanup", "memory", f"{_CLASS}.cleanup_gpu_memory"),
            # A legacy method launches the kernels of its own module, whatever set the model was given.
            Method("kernels", "kernels", "legacy.matrix_kernels", requires=LAUNCHING),
        )
    }
)
"""Every method by name, in the order of the ladder. Each can be exchanged without the others, but for `requires`."""

EVERY_METHOD: Selection = frozenset(METHODS)


def methods_of(rung: str) -> Selection:
    """The methods that are BaseModel's own at `rung`. Raises ValueError, listing the rungs, for one that is none."""
    if rung not in RUNGS:
        raise ValueError(f"there is no rung {rung!r}; choose from {', '.join(RUNGS)}")
    return frozenset(m.name for m in METHODS.values() if RUNGS.index(m.rung) <= RUNGS.index(rung))


def check_selection(methods: Iterable[str]) -> Selection:
    """The selection itself. Raises ValueError, with the reason, for an unknown method, or one without what it needs."""
    selection = frozenset(methods)
    unknown = sorted(selection - EVERY_METHOD)
    if unknown:
        raise ValueError(f"there is no method {', '.join(map(repr, unknown))}; choose from {', '.join(METHODS)}")
    for name in in_order(selection):
        lacking = [needed for needed in METHODS[name].requires if needed not in selection]
        if lacking:
            raise ValueError(
                f"BaseModel's own {name} needs its own {', '.join(lacking)}: where the legacy method runs, it uses the "
                f"legacy {name}, so that nothing would be exchanged; add {', '.join(lacking)} or leave out {name}"
            )
    return selection


def with_required(methods: Iterable[str]) -> Selection:
    """The smallest valid selection that has these methods; raises ValueError for an unknown one."""
    wanted = set(methods)
    for name in wanted & EVERY_METHOD:
        wanted.update(METHODS[name].requires)
    return check_selection(wanted)


def without(selection: Selection, methods: Iterable[str]) -> Selection:
    """The largest valid selection inside `selection` that has none of these methods: those that require one go too."""
    gone = frozenset(methods)
    kept = (name for name in selection - gone if gone.isdisjoint(METHODS[name].requires))
    return check_selection(kept)


def in_order(selection: Iterable[str]) -> tuple[str, ...]:
    """The methods in the order of the ladder."""
    chosen = frozenset(selection)
    return tuple(name for name in METHODS if name in chosen)
