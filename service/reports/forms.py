"""The forms in which a report can be had, each rendered from the one report value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

Form = Literal["json", "html", "markdown", "junit"]

MEDIA_TYPES: Mapping[Form, str] = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "junit": "application/xml; charset=utf-8",
}


def render(report: Mapping[str, Any], form: Form) -> str:
    """The report's text in that form; only the renderer that is needed is loaded."""
    if form == "json":
        return json.dumps(report, allow_nan=False, indent=2)
    if form == "html":
        from service.reports.html import render_html

        return render_html(report)
    if form == "markdown":
        from service.reports.markdown import render_markdown

        return render_markdown(report)
    from service.reports.junit import render_junit

    return render_junit([report])
