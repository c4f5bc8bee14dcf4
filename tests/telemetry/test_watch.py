"""The process side of the sampler, here in a thread: how much an answer carries, and how much is kept."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

from service.parity.measurements import TelemetrySample
from service.telemetry import watch
from service.telemetry.watch import ANSWER_SAMPLES, Watch, Watching
from service.telemetry.watched import WatchedDevice

OLD = [TelemetrySample(float(place), "power_w", 1.0) for place in range(2 * ANSWER_SAMPLES + 7)]


class Asked:
    """A watch that is served in a thread, and the end of the pipe at which it is asked."""

    def __init__(self, ours: Connection, served: threading.Thread) -> None:
        self.pipe, self.served = ours, served

    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.pipe.recv_bytes())
        return answer

    def ask(self, ask: str) -> dict[str, Any]:
        self.pipe.send_bytes(json.dumps({"number": 1, "ask": ask}).encode())
        return self.answer()


@pytest.fixture
def asked() -> Iterator[Asked]:
    """With a thousand samples waiting, and some."""
    fake = importlib.import_module("fake_nvml")
    ours, theirs = multiprocessing.Pipe()
    watching = Watching(fake.UUID, fake.FakeNvml, fast_s=1000.0, slow_s=1000.0)
    one = Watch(WatchedDevice(fake.FakeNvml(), fake.UUID, 1000.0), watching, theirs)
    one._kept.extend(OLD)
    served = threading.Thread(target=one.serve)
    served.start()
    with ours, theirs:
        yield Asked(ours, served)
        ours.close()
        served.join()


def test_an_answer_carries_so_many_and_says_that_there_are_more(asked: Asked) -> None:
    answers = [asked.answer(), asked.ask("drain"), asked.ask("drain"), asked.ask("drain")]
    assert [len(answer["samples"]) for answer in answers[:2]] == [ANSWER_SAMPLES] * 2
    assert [answer["more"] for answer in answers] == [True, True, False, False]
    sent = [row for answer in answers for row in answer["samples"]]
    assert [row[0] for row in sent[: len(OLD)]] == [sample.at_s for sample in OLD]
    assert answers[3]["samples"] == []


def test_it_ends_only_when_all_is_handed_over(asked: Asked) -> None:
    asked.answer()
    assert asked.ask("stop")["more"]
    assert not asked.ask("stop")["more"]
    asked.served.join()


def test_it_ends_when_its_parent_is_gone(asked: Asked) -> None:
    asked.pipe.close()
    asked.served.join()


def test_the_oldest_go_when_nobody_asks(monkeypatch: pytest.MonkeyPatch, asked: Asked) -> None:
    monkeypatch.setattr(watch, "KEPT_SAMPLES", 3)
    fake = importlib.import_module("fake_nvml")
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        one = Watch(WatchedDevice(fake.FakeNvml(), fake.UUID, 1.0), Watching(fake.UUID, fake.FakeNvml), theirs)
        one._kept.extend(OLD)
        one._poll_due()
        one._say({})
        answer = json.loads(ours.recv_bytes())
    assert len(answer["samples"]) == 3
    assert answer["gaps"] >= len(OLD)
