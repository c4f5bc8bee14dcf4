"""The legacy parameter sweep: one training for each combination of a grid, kept in a session folder.

    sweep_session_<stamp>/exp_0000/parameters.json         written first: what is trained, and from which seed
                                   training_history.json   the loss of each epoch
                                   best_model.npz          the weights after the best epoch
                                   results.json            written last: with it the experiment is finished
                          aggregate_results.json           every finished experiment, its parameters and results
                          analysis.json                    the best ones, and what each value of a parameter did
                          summary/                         a README and copies: what one would download

Every file is written under a temporary name and renamed. An experiment without results.json was stopped half-way and
is done anew; one with it is never repeated. Results depend on the parameters and the seed alone, not on the order or
on what was run before; only the seconds differ, and on a GPU the last bits of the losses, whose blocks are added in any
order.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import write_checkpoint
from .color_loader import color_vectors, load_color_records, pad_with_noise
from .gpu_text_autoencoder import GPUTextAutoencoder

logger = logging.getLogger(__name__)

GRID: Mapping[str, Sequence[Any]] = {
    "vector_length": (512, 1024, 2048),
    "hidden_layer_count": (2, 3, 4, 5),
    "bottleneck_size": (128, 256, 512, 1024),
    "learning_rate": (0.001, 0.003, 0.01),
    "alpha": (0.01, 0.1),
    "batch_size": (1024, 2048, 4096),
    "grad_clip_norm": (0.5, 1.0),
}
EXPERIMENT_FILES = ("parameters.json", "training_history.json", "best_model.npz", "results.json")
SAMPLE_COUNT = 8000
PATIENCE_EPOCHS = 1000
MAX_EPOCHS = 10_000
TIMED_STEPS = 3
TOP = 10

ModelFactory = Callable[..., Any]
"""Called as `GPUTextAutoencoder` is: (vector_length, hidden_layer_count, bottleneck_size, alpha, seed=, device=,
max_batch_size=). What it returns needs `train_batch_gpu_efficient`, `get_weights_cpu` and `cleanup_gpu_memory`."""


class ParameterSweep:
    """A grid of experiments and the session folder that they are kept in."""

    def __init__(
        self,
        dataset: str | os.PathLike[str] = "colors-a-f",
        output_folder: str | os.PathLike[str] = ".",
        *,
        session_folder: str | os.PathLike[str] | None = None,
        axes: Mapping[str, Sequence[Any]] | None = None,
        model_factory: ModelFactory = GPUTextAutoencoder,
        seed: int = 0,
        device: str | None = None,
        sample_count: int = SAMPLE_COUNT,
        max_epochs: int = MAX_EPOCHS,
        patience: int = PATIENCE_EPOCHS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`axes` replaces the values of some or all parameters of `GRID`. `session_folder` is one to go on with; None
        makes a new one in `output_folder` when the first experiment starts.

        `sample_count` is what a smaller data set is padded to, with seeded N(0, 0.01) noise. `patience` epochs without
        a lower loss end an experiment, as `max_epochs` do. `clock` gives seconds. Raises ValueError for an unknown or
        empty axis, a count below 1, an unknown data set, or a session folder that holds other experiments.
        """
        for name, value in (("sample_count", sample_count), ("max_epochs", max_epochs), ("patience", patience)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self._records = load_color_records(dataset if isinstance(dataset, str) else Path(dataset))
        self._settings = {
            "seed": seed,
            "sample_count": max(sample_count, len(self._records)),
            "max_epochs": max_epochs,
            "patience": patience,
            "data_sha256": hashlib.sha256(json.dumps(self._records, sort_keys=True).encode()).hexdigest(),
        }
        self.model_factory = model_factory
        self.device = device
        self._clock = clock
        self._vectors: tuple[int, np.ndarray] | None = None
        self._output_folder = Path(output_folder)
        self.parameter_grid = self.define_parameter_grid(axes)
        self.session_folder: Path | None = None
        self._finished: dict[int, dict[str, Any]] = {}
        if session_folder is not None:
            self.session_folder = Path(session_folder)
            self._read_session()

    # --- what there is to do ------------------------------------------------------------------------------------------

    def define_parameter_grid(self, axes: Mapping[str, Sequence[Any]] | None = None) -> list[dict[str, Any]]:
        """Every combination of `GRID`'s values, those of `axes` in their place; experiment i is entry i.

        The last parameter changes fastest. Raises ValueError for a parameter that there is not, or one without values.
        """
        unknown = sorted(set(axes or ()) - set(GRID))
        if unknown:
            raise ValueError(f"unknown parameters {unknown}; there are {', '.join(GRID)}")
        chosen = {**GRID, **(axes or {})}
        for name, values in chosen.items():
            if not values:
                raise ValueError(f"parameter {name} has no values")
        return [dict(zip(chosen, values, strict=True)) for values in itertools.product(*chosen.values())]

    def estimate_experiment_time(self, parameters: Mapping[str, Any]) -> float:
        """Seconds that an experiment takes at most, from timing a few steps of it: for all `max_epochs`."""
        model, vectors = self._build(parameters), self._padded(parameters["vector_length"])
        batch = vectors[: parameters["batch_size"]]
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                self._step(model, batch, parameters)  # compiles kernels, warms caches
                start = self._clock()
                for _ in range(TIMED_STEPS):
                    self._step(model, batch, parameters)
                step_seconds = (self._clock() - start) / TIMED_STEPS
        finally:
            model.cleanup_gpu_memory()
        return step_seconds * math.ceil(len(vectors) / parameters["batch_size"]) * self._settings["max_epochs"]

    # --- doing it -----------------------------------------------------------------------------------------------------

    def run_time_limited_sweep(self, time_limit_seconds: float | None = None) -> dict[str, Any]:
        """Runs what the session has not finished, in the order of the grid. None is no limit.

        An experiment whose estimate does not fit into the time that is left, or whose buffers do not fit into the
        memory, is passed over, and one that the limit catches half-way is given up; all are left for the next time.
        Returns the experiments' numbers: `run` now, `finished_before`, `left`. After Ctrl-C (KeyboardInterrupt goes on)
        too, all that was finished is on the disk.
        """
        deadline = None if time_limit_seconds is None else self._clock() + time_limit_seconds
        before, run = sorted(self._finished), []
        try:
            for index, parameters in enumerate(self.parameter_grid):
                if index in self._finished:
                    continue
                if deadline is not None and self._clock() >= deadline:
                    break
                try:
                    if self._fits(index, parameters, deadline) and self.run_single_experiment(index, deadline):
                        run.append(index)
                        self.save_aggregate_results()
                except MemoryError as error:  # CuPy's is one too
                    logger.warning("%s passed over: it does not fit into the memory (%s)", _name(index), error)
        finally:
            if self._finished:
                self.save_aggregate_results()
                self.analyze_results()
        left_over = [index for index in range(len(self.parameter_grid)) if index not in self._finished]
        return {"run": run, "finished_before": before, "left": left_over}

    def _fits(self, index: int, parameters: Mapping[str, Any], deadline: float | None) -> bool:
        if deadline is None:
            return True
        estimate = self.estimate_experiment_time(parameters)
        left = deadline - self._clock()
        if estimate > left:
            logger.info("%s passed over: it takes up to %.0f s, and %.0f s are left", _name(index), estimate, left)
        return estimate <= left

    def run_single_experiment(self, index: int, deadline: float | None = None) -> dict[str, Any] | None:
        """Trains experiment `index` of the grid and writes its folder; returns its results.

        One that is finished is not repeated: its results are returned. None when the clock passed `deadline` first.
        """
        if index in self._finished:
            return self._finished[index]["results"]
        parameters = self.parameter_grid[index]
        folder = self._open_session() / _name(index)
        folder.mkdir(exist_ok=True)
        for leftover in folder.iterdir():
            if leftover.name in EXPERIMENT_FILES or leftover.suffix == ".partial":  # of an attempt that was stopped
                leftover.unlink()
        _write_json(folder / "parameters.json", self._described(parameters))
        logger.info("%s of %d: %s", _name(index), len(self.parameter_grid), parameters)
        start = self._clock()
        trained = self._train(parameters, deadline)
        if trained is None:
            logger.info("%s given up at the time limit; it will be done anew", _name(index))
            return None
        results, history, best = trained
        results["seconds"] = self._clock() - start
        _write_json(folder / "training_history.json", {"loss": history})
        if best is not None:
            described = self._described(parameters)
            path = folder / "best_model.npz"
            write_checkpoint(path, *best, results["best_loss"], results["best_epoch"], described)
        _write_json(folder / "results.json", results)
        self._finished[index] = {"experiment": _name(index), "parameters": parameters, "results": results}
        logger.info("%s: best loss %s after epoch %s", _name(index), results["best_loss"], results["best_epoch"])
        return results

    def _train(self, parameters: Mapping[str, Any], deadline: float | None) -> tuple[Any, Any, Any] | None:
        """Results, losses by epoch and the best weights; None when the deadline passed."""
        vectors, size = self._padded(parameters["vector_length"]), parameters["batch_size"]
        model = self._build(parameters)
        history: list[float | None] = []
        best_loss, best_epoch, best, stopped_by = math.inf, None, None, "max_epochs"
        try:
            for epoch in range(1, self._settings["max_epochs"] + 1):
                order = np.random.default_rng((self._settings["seed"], epoch)).permutation(len(vectors))
                total = 0.0
                with np.errstate(over="ignore", invalid="ignore"):
                    for start in range(0, len(vectors), size):
                        batch = vectors[order[start : start + size]]
                        total += self._step(model, batch, parameters) * len(batch)
                loss = total / len(vectors)
                history.append(loss if math.isfinite(loss) else None)
                if not math.isfinite(loss):
                    stopped_by = "diverged"
                    break
                if loss < best_loss:
                    best_loss, best_epoch, best = loss, epoch, model.get_weights_cpu()
                elif epoch - (best_epoch or 0) >= self._settings["patience"]:
                    stopped_by = "no_improvement"
                    break
                if deadline is not None and self._clock() >= deadline and epoch < self._settings["max_epochs"]:
                    return None
            count = sum(int(array.size) for arrays in model.get_weights_cpu() for array in arrays)
        finally:
            model.cleanup_gpu_memory()
        results = {
            "best_loss": best_loss if best_epoch else None,
            "best_epoch": best_epoch,
            "final_loss": history[-1],
            "epochs": len(history),
            "stopped_by": stopped_by,
            "samples": len(vectors),
            "parameter_count": count,
        }
        return results, history, best

    def _build(self, parameters: Mapping[str, Any]) -> Any:
        return self.model_factory(
            parameters["vector_length"],
            parameters["hidden_layer_count"],
            parameters["bottleneck_size"],
            parameters["alpha"],
            seed=self._settings["seed"],
            device=self.device,
            max_batch_size=parameters["batch_size"],
        )

    @staticmethod
    def _step(model: Any, batch: np.ndarray, parameters: Mapping[str, Any]) -> float:
        """The loss after the update, of a host batch (B, vector_length)."""
        return float(model.train_batch_gpu_efficient(batch, parameters["learning_rate"], parameters["grad_clip_norm"]))

    def _padded(self, vector_length: int) -> np.ndarray:
        """The samples, float32, (sample_count, vector_length); those of the latest length are kept."""
        if self._vectors is None or self._vectors[0] != vector_length:
            vectors = color_vectors(self._records, vector_length)
            padded = pad_with_noise(vectors, self._settings["sample_count"], self._settings["seed"])
            self._vectors = vector_length, padded
        return self._vectors[1]

    # --- the session folder -------------------------------------------------------------------------------------------

    def _described(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What parameters.json says: all that decides the results, but the model factory and its device."""
        return {**parameters, **self._settings}

    def _open_session(self) -> Path:
        if self.session_folder is None:
            self._output_folder.mkdir(parents=True, exist_ok=True)
            stamp = time.strftime("%Y%m%d_%H%M%S")
            names = (f"sweep_session_{stamp}{f'_{n}' if n else ''}" for n in itertools.count())
            self.session_folder = next(path for name in names if _made(path := self._output_folder / name))
        self.session_folder.mkdir(parents=True, exist_ok=True)
        return self.session_folder

    def _read_session(self) -> None:
        """Takes up what is finished; raises ValueError where the folder's experiments are not this sweep's."""
        assert self.session_folder is not None
        for folder in sorted(self.session_folder.glob("exp_[0-9]*")):
            index = int(folder.name.removeprefix("exp_"))
            results, described = _read_json(folder / "results.json"), _read_json(folder / "parameters.json")
            if described is None:
                continue  # stopped before it began, or damaged: done anew
            known = self._described(self.parameter_grid[index]) if index < len(self.parameter_grid) else None
            if described != known:
                differing = sorted(key for key in described if known is None or known.get(key) != described[key])
                raise ValueError(
                    f"{folder} is not experiment {index} of this sweep: it differs in {', '.join(differing)}; "
                    "use the settings that the session began with, or another folder"
                )
            if results is not None:
                entry = {"experiment": folder.name, "parameters": self.parameter_grid[index], "results": results}
                self._finished[index] = entry

    # --- what came out ------------------------------------------------------------------------------------------------

    def save_aggregate_results(self) -> Path:
        """Writes aggregate_results.json: every finished experiment of the session, in the order of the grid."""
        path = self._open_session() / "aggregate_results.json"
        _write_json(path, [self._finished[index] for index in sorted(self._finished)])
        return path

    def analyze_results(self) -> dict[str, Any]:
        """Writes analysis.json and returns it: counts, the best ten, and for each value of each parameter the number
        of experiments with a finite loss, the lowest and the mean of their best losses."""
        entries = [self._finished[index] for index in sorted(self._finished)]
        usable = [entry for entry in entries if entry["results"]["best_loss"] is not None]
        ranked = sorted(usable, key=lambda entry: (entry["results"]["best_loss"], entry["experiment"]))
        by_parameter: dict[str, dict[str, Any]] = {}
        for name in GRID:
            losses: dict[str, list[float]] = {}
            for entry in usable:
                losses.setdefault(str(entry["parameters"][name]), []).append(entry["results"]["best_loss"])
            by_parameter[name] = {
                value: {"experiments": len(found), "lowest_loss": min(found), "mean_loss": sum(found) / len(found)}
                for value, found in losses.items()
            }
        analysis = {
            "experiments": len(self.parameter_grid),
            "finished": len(entries),
            "diverged": sum(entry["results"]["stopped_by"] == "diverged" for entry in entries),
            "seconds": sum(entry["results"]["seconds"] for entry in entries),
            "best": ranked[:TOP],
            "by_parameter": by_parameter,
        }
        _write_json(self._open_session() / "analysis.json", analysis)
        return analysis

    def create_downloadable_summary(self) -> Path:
        """Writes the folder `summary`: a README, the aggregate, the analysis and the best model; returns its path."""
        session, analysis = self._open_session(), self.analyze_results()
        summary = session / "summary"
        summary.mkdir(exist_ok=True)
        sources = [self.save_aggregate_results(), session / "analysis.json"]
        if analysis["best"]:
            sources.append(session / analysis["best"][0]["experiment"] / "best_model.npz")
        for source in sources:
            with source.open("rb") as file:
                _write(summary / source.name, iter(lambda: file.read(1 << 20), b""))
        _write(summary / "README.md", [_readme(session.name, analysis).encode()])
        return summary


def _readme(session: str, analysis: Mapping[str, Any]) -> str:
    lines = [
        f"# {session}",
        "",
        f"{analysis['finished']} of {analysis['experiments']} experiments are finished, {analysis['diverged']} of them "
        f"diverged; {analysis['seconds']:.0f} s of training.",
        "",
        f"| experiment | best loss | epoch | {' | '.join(GRID)} |",
        f"| --- | --- | --- | {' | '.join('---' for _ in GRID)} |",
    ]
    for entry in analysis["best"]:
        values = " | ".join(str(entry["parameters"][name]) for name in GRID)
        results = entry["results"]
        lines.append(f"| {entry['experiment']} | {results['best_loss']:.6g} | {results['best_epoch']} | {values} |")
    lines += [
        "",
        "- `best_model.npz`: the weights of the first row; `legacy.checkpoints.read_checkpoint` reads it.",
        "- `aggregate_results.json`: every finished experiment with its parameters and results.",
        "- `analysis.json`: the rows above, and what each value of a parameter did.",
        "",
    ]
    return "\n".join(lines)


def _name(index: int) -> str:
    return f"exp_{index:04d}"


def _made(path: Path) -> bool:
    """Whether the folder could be made: another sweep may have begun in the same second."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where there is none, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _write_json(path: Path, content: Any) -> None:
    _write(path, [json.dumps(content, indent=2, allow_nan=False).encode() + b"\n"])


def _write(path: Path, parts: Iterable[bytes]) -> None:
    """The whole file or none of it: to a temporary name beside it, flushed to the disk, then renamed."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
