"""A message as the analysis reads it: one text, with places in it that are counted in characters.

The text is the subject, a line break, and the body as plain text. Every span of an answer counts from the start
of this text; `Letter.quote` gives the words back.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` to `end` (exclusive) of a letter's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Letter:
    """What a customer wrote: plain text, and the day on which it was received."""

    id: str
    received_on: date
    subject: str
    body: str

    @property
    def text(self) -> str:
        """Subject and body, which all spans count in."""
        return f"{self.subject}\n{self.body}"

    def quote(self, span: Span) -> str:
        """The words at a span."""
        return self.text[span.start : span.end]
