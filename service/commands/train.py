"""`lockstep train`: a training from a configuration file, with progress, that may be stopped and resumed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from service.commands.exits import EXIT_INTERRUPTED
from service.settings import read_settings
from service.training_config import read_training_config

if TYPE_CHECKING:  # it brings the models along, and with them CuPy: not for `lockstep --help`
    from service.subjects.trainable import EpochDone, Figures, TrainingResult

EXIT_DIVERGED = 1
EPILOG = (
    "For example: lockstep train --config configs/text_autoencoder.toml. Exit codes: 0 trained, 1 the loss is no "
    "number any more, 2 wrong configuration, 130 stopped by Ctrl-C or SIGTERM."
)
PLAIN_LINES = 20
"""Lines of progress where there is no terminal."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

messages = Console(stderr=True, highlight=False)


def train(
    config: Annotated[Path, typer.Option(help="What to train; configs/ has two to begin with.", metavar="FILE")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's last checkpoint; begin where there is none.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(help="Train up to this epoch, whatever the file says.", metavar="N")
    ] = None,
    folder: Annotated[
        str | None, typer.Option(help="Keep the training here, whatever the file says.", metavar="FOLDER")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda:N, whatever the file says.")] = None,
) -> None:
    """Train a model as a file says, and print what it has learnt.

    The folder keeps last.safetensors, best.safetensors and losses.csv. Ctrl-C ends the training after the step under
    way and writes a checkpoint; with --resume it goes on to the same losses as if nothing had stopped it. A finished
    training goes on too: --resume --epochs N. docs/training.md describes the file.
    """
    from service import bootstrap

    flags: dict[str, dict[str, Any]] = {
        "training": {"epochs": epochs, "device": device},
        "checkpoints": {"folder": folder},
    }
    read = read_training_config(config, flags)
    settings = read_settings()
    trainable = bootstrap.open_training(read)
    parameters = trainable.parameter_count()
    what = f"{read.model.type} on {trainable.device}: {len(trainable.samples):,} samples, {parameters:,} parameters"
    try:
        with _stopped_by_signals() as should_stop, _progress(read.training.epochs) as on_epoch:
            messages.print(what)
            result = bootstrap.run_training(settings, read, trainable, resume, on_epoch, should_stop)
    except KeyboardInterrupt:  # the second one
        messages.print("Stopped at once; the folder has the latest checkpoint that was written before.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _tell(result, trainable.figures() if result.stopped_by != "diverged" else None, read.checkpoints.folder)
    codes = {"diverged": EXIT_DIVERGED, "interrupted": EXIT_INTERRUPTED}
    raise typer.Exit(codes.get(result.stopped_by, 0))


@contextmanager
def _stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Whether somebody asked to stop. The second time it is a KeyboardInterrupt."""
    asked = threading.Event()

    def ask(*_: Any) -> None:
        asked.set()
        for number in SIGNALS:
            signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield asked.is_set
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def _progress(epochs: int) -> Iterator[Callable[[EpochDone], None]]:
    """A bar on a terminal; elsewhere a line now and then."""
    if not messages.is_terminal:
        yield _print_some
        return
    bar = ProgressBar(
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=messages,
    )
    with bar:
        task = bar.add_task("", total=epochs)

        def show(done: EpochDone) -> None:
            words = f"loss {done.loss:.3e}, lowest {done.best_loss:.3e} (epoch {done.best_epoch})"
            bar.update(task, completed=done.epoch, description=words)

        yield show


def _print_some(done: EpochDone) -> None:
    every = max(1, done.epochs // PLAIN_LINES)
    if done.epoch % every == 0 or done.epoch == done.epochs:
        messages.print(f"epoch {done.epoch}/{done.epochs}  loss {done.loss:.6e}  lowest {done.best_loss:.6e}")


_ENDS = {
    "epochs": "all epochs are done",
    "no_improvement": "no epoch brought the loss down within the patience",
    "interrupted": "it was asked to stop; --resume goes on where it stood",
    "diverged": "the loss is no number any more: take a lower learning rate; the last checkpoint is from before",
}


def _tell(result: TrainingResult, figures: Figures | None, folder: str) -> None:
    position, losses = result.position, result.losses
    if result.resumed_at is not None:
        typer.echo(f"resumed   after epoch {result.resumed_at.epoch}, step {result.resumed_at.step} of the next")
    if losses:
        lowest = f"lowest {position.best_loss:.6e} after epoch {position.best_epoch}"
        typer.echo(f"loss      {losses[-1]:.6e} after epoch {position.epoch}; {lowest}")
    typer.echo(f"ended     {_ENDS[result.stopped_by]}")
    if figures is not None:
        typer.echo(f"colour    {figures.name} {_rgb(figures.rgb_in)} comes back as {_rgb(figures.rgb_out)}")
        typer.echo(f"errors    {figures.mean_rgb_error:.4f} of a colour's RGB, {figures.mean_error:.4f} of all numbers")
    typer.echo(f"kept in   {folder}")


def _rgb(channels: tuple[float, float, float]) -> str:
    return "[" + ", ".join(f"{channel:.3f}" for channel in channels) + "]"
