"""The outcome as a badge: an SVG of our own, and the JSON that shields.io reads from an address. Nothing is fetched."""

from __future__ import annotations

from typing import Any

from service.reports.cases import CaseOutcome

LABEL = "lockstep"

_LOOKS: dict[CaseOutcome, tuple[str, str, str]] = {
    "PASS": ("pass", "#2b7a2e", "brightgreen"),
    "FAIL": ("fail", "#b3261e", "red"),
    "INCONCLUSIVE": ("inconclusive", "#8a5a00", "yellow"),
    "NOT RUN": ("not run", "#5c5c5c", "lightgrey"),
    "ERROR": ("error", "#5c5c5c", "lightgrey"),
}
"""Word, colour of the SVG (white text on it has a contrast of at least 4.5), and the colour's name at shields.io."""

_NARROW, _WIDE = "fijlt.:;'| ", "mwMW%@"
_PADDING = 6.0


def badge_svg(outcome: CaseOutcome) -> str:
    """The badge as one SVG file."""
    word, colour, _ = _LOOKS[outcome]
    left, right = text_width(LABEL) + 2 * _PADDING, text_width(word) + 2 * _PADDING
    whole = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole:g}" height="20" viewBox="0 0 {whole:g} 20" role="img" '
        f'aria-label="{LABEL}: {word}">\n'
        f"<title>{LABEL}: {word}</title>\n"
        f'<clipPath id="r"><rect width="{whole:g}" height="20" rx="3"/></clipPath>\n'
        f'<g clip-path="url(#r)"><rect width="{left:g}" height="20" fill="#3c3c3c"/>'
        f'<rect x="{left:g}" width="{right:g}" height="20" fill="{colour}"/></g>\n'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle" '
        f'aria-hidden="true">'
        f'<text x="{left / 2:g}" y="14" textLength="{text_width(LABEL):g}">{LABEL}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{text_width(word):g}">{word}</text></g>\n'
        "</svg>\n"
    )


def shield(outcome: CaseOutcome) -> dict[str, Any]:
    """What shields.io's endpoint badge reads. `isError` keeps a page from painting anything but a pass green."""
    word, _, colour = _LOOKS[outcome]
    return {"schemaVersion": 1, "label": LABEL, "message": word, "color": colour, "isError": outcome != "PASS"}


def text_width(text: str) -> float:
    """Pixels of `text` in Verdana 11, estimated by three kinds of letters; `textLength` makes the browser agree."""
    return sum(4.0 if letter in _NARROW else 10.0 if letter in _WIDE else 6.8 for letter in text)
