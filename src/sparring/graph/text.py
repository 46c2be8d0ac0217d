"""Fitting text into boxes of an SVG picture."""

import re
from xml.sax.saxutils import escape

_WIDTHS = dict.fromkeys("ijlt.,:;'|/ ()[]f-r", 0.4) | dict.fromkeys("mwMW@%", 0.95)


def text_width(text: str, size: int) -> float:
    """A generous guess at the width of a text, whichever sans serif font shows it."""
    return size * sum(
        _WIDTHS.get(char, 1.0 if ord(char) > 0x2E7F else 0.72 if char.isupper() else 0.6)
        for char in text
    )


def clip(text: str, width: float, size: int) -> str:
    """The text, cut with an ellipsis where it is wider than `width` at this font size."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, width: float) -> list[str]:
    """The text on one line or, broken at a space where there is one, on two."""
    if text_width(text, 12) <= width:
        return [text]
    # No break before a slash: the second line would start with it.
    cuts = [match.start() for match in re.finditer(r"(?<=\S) (?!/)", text)]
    fitting = [cut for cut in cuts if text_width(text[:cut], 12) <= width]
    if not fitting:
        return [clip(text, width, 12)]
    return [text[: fitting[-1]], clip(text[fitting[-1] + 1 :], width, 12)]


def clean(text: str) -> str:
    """Drop the control characters that XML cannot carry even when escaped."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


def xml_text(text: str) -> str:
    """Text as XML carries it."""
    return escape(clean(text))
