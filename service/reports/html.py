"""A report as one self-contained page, without script, request or `style` attribute: it opens from a mail or archive.

Text is escaped by the template engine; the only Markup is what `svg.py` made, which escapes its own text.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.reports.check_view import check_rows, gravest
from service.reports.evidence_view import (
    absent_view,
    checkpoints_view,
    integrity_view,
    learning_view,
    numerics_view,
    plan_view,
    training_view,
)
from service.reports.measured_view import memory_view, performance_view, utilization_view
from service.reports.verdict_view import verdict_view

TEMPLATES = Path(__file__).parent / "templates"


def render_html(report: Mapping[str, Any]) -> str:
    """The page of a report as `build_report` made it, or as it came back from JSON."""
    checks = report["checks"]
    return templates().get_template("report.html").render(
        report=report,
        css=Markup(stylesheet()),
        verdict=verdict_view(report),
        checks=check_rows(checks),
        required=sum(bool(check["required"]) for check in checks),
        numerics=numerics_view(report),
        training=training_view(report),
        performance=performance_view(report),
        utilization=utilization_view(report),
        memory=memory_view(report),
        learning=learning_view(report),
        checkpoints=checkpoints_view(report),
        absent=absent_view(report),
        integrity=integrity_view(report),
        plan=plan_view(report),
        tags={
            "numerics": gravest(checks, "numerics."),
            "performance": gravest(checks, "performance."),
            "utilization": gravest(checks, "utilization."),
            "memory": gravest(checks, "memory."),
            "learning": gravest(checks, "learning."),
            "checkpoints": gravest(checks, "checkpoint."),
            "integrity": gravest(checks, "integrity."),
        },
    )  # fmt: skip


@functools.cache
def stylesheet() -> str:
    """What stands in the page's one `<style>` element."""
    return (TEMPLATES / "report.css").read_text(encoding="utf-8")


def style_source() -> str:
    """The stylesheet's source expression for a Content-Security-Policy: `style-src` needs nothing else."""
    digest = hashlib.sha256(stylesheet().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@functools.cache
def templates() -> Environment:
    """Where every page comes from: it escapes, and a name that is not there is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
