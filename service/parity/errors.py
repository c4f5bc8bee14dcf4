"""Every error Lockstep raises on purpose, in one tree.

    LockstepError
    ├── InvalidRequest            what was asked for cannot be done; exit code 2, HTTP 422
    │   ├── InvalidPlan           a value of the plan, with the field's name
    │   ├── InvalidPolicy         a value of a policy document, with the field's name
    │   ├── UnknownName           a subject, dataset or policy that is not registered
    │   ├── DeviceUnavailable     a device that this machine does not have
    │   └── InvalidConfiguration  a setting, a file or a database address
    ├── StoreError                the record cannot be read or written
    │   ├── StoreUnavailable      no database at that address, or it cannot be opened; exit code 2, HTTP 503
    │   ├── SchemaMismatch        the database is at another revision than this Lockstep; exit code 2, HTTP 503
    │   ├── RunNotFound           HTTP 404
    │   └── RunConflict           the run's state does not allow it; HTTP 409
    ├── LadderRefused             the ladder's rules do not allow the step; exit code 2, HTTP 409
    ├── RunCancelled              somebody asked the run to stop; HTTP 409 where it is an answer
    └── RunFailed                 Lockstep itself could not carry the run out; exit code 4, no verdict

Trouble *inside a subject* is not here: it is data (`record.Trouble`) and ends in a check. `BenchTrouble` carries it out
of a subject's own process and never leaves the engine.
"""

from __future__ import annotations

from dataclasses import dataclass


class LockstepError(Exception):
    """Root of the tree. `str(error)` says what happened and what to do next."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request: the field's dotted name, what is wrong and what to do."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InvalidRequest(LockstepError):
    """The request cannot be carried out as asked; carries every problem found, not just the first."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


class InvalidPlan(InvalidRequest):
    """At least one value of a plan is out of range."""


class InvalidPolicy(InvalidRequest):
    """At least one value of a policy document is unusable, or it would demand nothing."""


class UnknownName(InvalidRequest):
    """A subject, dataset or policy that is not registered; the message lists what is."""


class DeviceUnavailable(InvalidRequest):
    """The device asked for is not usable here; the message says why and what is."""


class InvalidConfiguration(InvalidRequest):
    """A setting, a configuration file or an address is unusable."""


class StoreError(LockstepError):
    """The record cannot be read or written."""


class StoreUnavailable(StoreError):
    """The database cannot be opened or reached."""


class SchemaMismatch(StoreError):
    """The database's revision is not the one that this Lockstep works with."""


class RunNotFound(StoreError):
    """No run has that id."""


class RunConflict(StoreError):
    """The run is in a state that does not allow what was asked."""


class LadderRefused(LockstepError):
    """The ladder's rules do not allow this step up or down; the message says what would."""


class RunCancelled(LockstepError):
    """The run was asked to stop before it ended."""


class RunFailed(LockstepError):
    """Lockstep itself could not carry the run out, so there is no verdict.

    `code` is stable and machine-readable, e.g. `child_died`, `internal`.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class BenchTrouble(Exception):
    """A subject in a process of its own raised, or its process died, hung or ran out of memory.

    `reason`: `exception`, `died`, `oom_device`, `oom_host`, `stalled`.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)
