"""Checkpoint files of subjects whose own code has no format for them, or not this one."""

from __future__ import annotations

from pathlib import Path

from basemodel.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from service.ports import CheckpointMetadata, State, Subject


def save_state(path: Path, state: State, metadata: CheckpointMetadata) -> None:
    """Write a subject's state, float32 arrays weight_i and bias_i, in the format of the path's suffix."""
    write_checkpoint(path, state, metadata.loss, metadata.epoch, metadata.parameters)


def load_into(subject: Subject, path: Path) -> CheckpointMetadata:
    """Load the file into the subject; raises ValueError with the file's name, also where the model is another one."""
    checkpoint = read_checkpoint(path)
    try:
        subject.load_state(checkpoint.state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return metadata_of(checkpoint)


def metadata_of(checkpoint: Checkpoint) -> CheckpointMetadata:
    """Parameters that could not be read are none."""
    return CheckpointMetadata(checkpoint.loss, checkpoint.epoch, checkpoint.parameters or {})
