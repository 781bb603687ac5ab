"""Which part of a letter its sender wrote now, and which is history, signature, disclaimer or a gateway's banner.

New text is what gives labels (`labels.py`). It is the sender's own words, answers between quoted lines, and what was
forwarded as content; it is not the earlier correspondence of a reply, our own dunning, a signature or a disclaimer.

The body is read once, line by line. The phrases by which mail programs and people mark parts are in `mail_phrases.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from nlp import mail_phrases as phrases
from nlp.folding import folded
from nlp.letters import Letter, Span

BARE_WORDS = 12  # so few words above a quoted mail may only point at it
PROSE_WORDS = 9  # a line of so many words below a closing is no part of a signature
MARGIN = 400  # characters of a line that phrases are looked for in


class Kind(StrEnum):
    """What a line of a letter is."""

    NEW = "new"
    HEADER = "header"
    QUOTED = "quoted"
    SIGNATURE = "signature"
    DISCLAIMER = "disclaimer"
    BANNER = "banner"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the body: its place in the letter's text, its folded words without quote marks, and what it is."""

    span: Span
    words: str
    depth: int
    kind: Kind = Kind.NEW


def new_text(letter: Letter) -> tuple[Span, ...]:
    """The spans of the letter's text that its sender wrote now, in order; the subject is always the first."""
    return (Span(0, len(letter.subject)), *_joined(line.span for line in lines_of(letter) if line.kind is Kind.NEW))


def lines_of(letter: Letter) -> list[Line]:
    """Every line of the body with what it is."""
    lines = _history(list(_lines(letter)), letter.subject)
    for begin, end in _runs(lines):
        lines[begin:end] = _closed(_opened(lines[begin:end]))
    return lines


def _lines(letter: Letter) -> Iterator[Line]:
    start = len(letter.subject) + 1
    for raw in letter.body.splitlines(keepends=True):
        yield _line(raw, start)
        start += len(raw)


def _line(raw: str, start: int) -> Line:
    marks = len(raw) - len(raw.lstrip("> \t"))
    return Line(Span(start, start + len(raw)), folded(raw[marks : marks + MARGIN]).strip(), raw[:marks].count(">"))


def _history(lines: list[Line], subject: str) -> list[Line]:
    """Mark what was written before: everything below a header, and every line behind `>`."""
    told, at, quoting = list(lines), 0, False
    while at < len(lines):
        if header := header_lines(lines, at):
            for k in range(at, at + header):
                told[k] = replace(lines[k], kind=Kind.HEADER)
            at += header
            quoting = not _is_content(told, at, subject) and not _behind_marks(lines, at)
            continue
        if quoting or lines[at].depth:
            told[at] = replace(lines[at], kind=Kind.QUOTED)
        at += 1
    return told


def header_lines(lines: Sequence[Line], at: int) -> int:
    """How many lines the header of an earlier mail takes here; 0 where none begins."""
    words = lines[at].words
    if not words:
        return 0
    if phrases.ORIGINAL_MESSAGE.search(words) or phrases.FORWARDED_MESSAGE.search(words):
        return 1 + _block(lines, at + 1)
    return _block(lines, at) or _wrote(lines, at)


def _block(lines: Sequence[Line], at: int) -> int:
    """Outlook's From, Sent, To, Subject: a sender, and at least one more field within the next lines."""
    begin = at
    while at < len(lines) and not lines[at].words.strip("-_* "):
        at += 1
    if at == len(lines) or at - begin > 2 or not phrases.FIELD_FROM.search(lines[at].words):
        return 0
    fields = at + 1
    while fields < len(lines) and phrases.FIELD_OTHER.search(lines[fields].words):
        fields += 1
    return fields - begin if fields > at + 1 else 0


def _wrote(lines: Sequence[Line], at: int) -> int:
    """ "On ... wrote:", on one line or broken over a few."""
    if not phrases.WROTE_BEGINS.search(lines[at].words):
        return 0
    told = ""
    for k in range(at, min(at + phrases.WROTE_LINES, len(lines))):
        told = f"{told} {lines[k].words}"
        if phrases.WROTE_ENDS.search(told):
            return k - at + 1
        if not lines[k].words:
            return 0
    return 0


def _behind_marks(lines: Sequence[Line], at: int) -> bool:
    """Whether what follows stands behind `>`, so that lines without it are answers."""
    following = next((line for line in lines[at:] if line.words), None)
    return following is not None and following.depth > 0


def _is_content(told: Sequence[Line], at: int, subject: str) -> bool:
    """Whether the mail below the header that ends here is what the sender wants to say."""
    above = " ".join(line.words for line in told[:at] if line.kind is Kind.NEW and not _is_frame(line))
    header = [line.words for line in told[:at] if line.kind is Kind.HEADER]
    if sum(1 for line in told[:at] if line.kind is Kind.QUOTED) or len(above.split()) > BARE_WORDS:
        return False
    below = " ".join(line.words for line in told[at:])[: 4 * MARGIN]
    if phrases.OUR_DUNNING.search(below):
        return False
    forwarded = any(phrases.FORWARDED_MESSAGE.search(words) for words in header)
    return forwarded or bool(phrases.FORWARDED_SUBJECT.search(folded(subject)) or phrases.POINTER.search(above))


def _is_frame(line: Line) -> bool:
    return bool(phrases.CLOSING.search(line.words) or phrases.SENT_FROM.search(line.words))


def _runs(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Where new text begins and ends, each piece by itself."""
    edges = [k for k in range(len(lines) + 1) if _new(lines, k) != _new(lines, k - 1)]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _new(lines: Sequence[Line], at: int) -> bool:
    return 0 <= at < len(lines) and lines[at].kind is Kind.NEW


def _opened(piece: list[Line]) -> list[Line]:
    """A gateway's banner is no word of the sender."""
    return [replace(line, kind=Kind.BANNER) if phrases.BANNER.search(line.words) else line for line in piece]


def _closed(piece: list[Line]) -> list[Line]:
    """Take the signature and the disclaimers off the end; a postscript below them stays."""
    begin = next((k for k in range(len(piece)) if _closes(piece, k)), len(piece))
    kinds = [line.kind for line in piece]
    for at in range(begin, len(piece)):
        kinds[at] = kinds[at - 1] if at > begin and piece[at].words == "" else _below_closing(piece[at])
    written = False
    for at, line in enumerate(piece[:begin]):
        if phrases.SENT_FROM.search(line.words) or (written and phrases.CONTACT_LINE.search(line.words)):
            kinds[at] = Kind.SIGNATURE
        elif written and line.words and phrases.DISCLAIMER.search(line.words) and _apart(piece, at):
            kinds[at] = Kind.DISCLAIMER
        written = written or bool(line.words)
    return [replace(line, kind=kind) for line, kind in zip(piece, kinds, strict=True)]


def _closes(piece: Sequence[Line], at: int) -> bool:
    """Whether the signature begins here: dashes, or a closing with something written above it."""
    words = piece[at].words
    if not any(line.words for line in piece[:at]):
        return False
    return bool(phrases.SIGN_DASHES.search(words) or phrases.CLOSING.search(words))


def _below_closing(line: Line) -> Kind:
    if phrases.DISCLAIMER.search(line.words):
        return Kind.DISCLAIMER
    is_prose = len(line.words.split()) >= PROSE_WORDS and not phrases.CONTACT_LINE.search(line.words)
    return Kind.NEW if is_prose or phrases.POSTSCRIPT.search(line.words) else Kind.SIGNATURE


def _apart(piece: Sequence[Line], at: int) -> bool:
    """Whether the line begins a paragraph, as a disclaimer does and a sentence amid others does not."""
    return at > 0 and not piece[at - 1].words


def _joined(spans: Iterator[Span]) -> Iterator[Span]:
    """Neighbouring spans as one."""
    held: Span | None = None
    for span in spans:
        if held is not None and held.end == span.start:
            held = Span(held.start, span.end)
            continue
        if held is not None:
            yield held
        held = span
    if held is not None:
        yield held
