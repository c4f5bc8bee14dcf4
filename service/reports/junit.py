"""Cases as JUnit XML: a test suite a case, a test case a check, and one named `verdict` that carries the outcome.

What is required and was not decided is an error and never skipped, since most CI systems count a skipped test as fine.
A check that is not required never fails a test: its failure stands in the test's output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from service.reports.cases import Case, Document, amount, case_of, unique

Kind = Literal["pass", "failure", "error", "skipped"]

VERDICT = "verdict"

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


@dataclass(frozen=True, slots=True)
class _Test:
    name: str
    kind: Kind
    message: str = ""
    detail: str = ""
    note: str = ""
    seconds: float = 0.0


def render_junit(reports: Sequence[Document]) -> str:
    """The reports as one JUnit document."""
    return render_junit_cases([case_of(report) for report in reports])


def render_junit_cases(cases: Sequence[Case]) -> str:
    """The cases as one JUnit document, which ends in a line feed. Times are in seconds."""
    root = ElementTree.Element("testsuites", name="lockstep")
    everything: list[_Test] = []
    for case, name in zip(cases, unique([_clean(case.name) for case in cases]), strict=True):
        tests = list(_tests(case))
        everything += tests
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, **_counts(tests)})
        if case.report is not None:
            suite.set("timestamp", _clean(case.report["timing"]["started_at"] or ""))
        _properties(suite, case)
        for test, test_name in zip(tests, unique([_clean(test.name) for test in tests]), strict=True):
            _add(suite, name, test_name, test)
    for key, value in _counts(everything).items():
        root.set(key, value)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _tests(case: Case) -> Iterator[_Test]:
    for check in case.checks:
        yield _of_check(check)
    again = f"replay: {case.report['replay']}" if case.report is not None else ""
    run = f"run: {case.run_id}" if case.run_id is not None else ""
    detail = "\n".join(filter(None, (case.message, again, run)))
    kind: Kind = {"PASS": "pass", "FAIL": "failure"}.get(case.outcome, "error")  # type: ignore[assignment]
    yield _Test(VERDICT, kind, f"{case.outcome}: {case.message}", detail, seconds=case.seconds or 0.0)


def _of_check(check: Document) -> _Test:
    name, outcome, message = check["name"], check["outcome"], check["message"]
    measured = amount(check)
    detail = f"{message}\n{measured}" if measured else message
    if outcome == "pass":
        return _Test(name, "pass")
    if check["required"]:
        return _Test(name, "failure" if outcome == "fail" else "error", message, detail)
    if outcome == "fail":
        return _Test(name, "pass", note=f"fails, but the policy does not require it: {detail}")
    return _Test(name, "skipped", f"{outcome.replace('_', ' ')}, and not required: {message}")


def _counts(tests: Sequence[_Test]) -> dict[str, str]:
    kinds = [test.kind for test in tests]
    return {
        "tests": str(len(tests)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(test.seconds for test in tests):.3f}",
    }


def _properties(suite: ElementTree.Element, case: Case) -> None:
    values = {"outcome": case.outcome, "run_id": case.run_id}
    if case.report is not None:
        values |= {"plan_digest": case.report["plan_digest"], "policy": case.report["policy"]["name"]}
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in values.items():
        if value is not None:
            ElementTree.SubElement(properties, "property", name=name, value=_clean(str(value)))


def _add(suite: ElementTree.Element, classname: str, name: str, test: _Test) -> None:
    found = ElementTree.SubElement(suite, "testcase", classname=classname, name=name, time=f"{test.seconds:.3f}")
    if test.kind != "pass":
        result = ElementTree.SubElement(found, test.kind, message=_clean(test.message))
        if test.kind != "skipped":
            result.set("type", test.name if test.name == VERDICT else "check")
            result.text = _clean(test.detail)
    if test.note:
        ElementTree.SubElement(found, "system-out").text = _clean(test.note)


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
