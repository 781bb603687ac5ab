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
CONTACT_WORDS = 14  # a line of contact data has fewer
PROSE_WORDS = 9  # a line of so many words below a closing is no part of a signature
FORWARDED_DEEP = 4  # a mail forwarded more often than this is history
BELOW_LINES = 20  # of a forwarded mail tell whether it is our own dunning
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
    """Mark what was written before: everything below a header, and every line behind more `>` than the writer's own."""
    told, at, quoting, own, before = list(lines), 0, False, 0, 0
    while at < len(lines):
        if header := header_lines(lines, at):
            for k in range(at, at + header):
                told[k] = replace(lines[k], kind=Kind.HEADER)
            at += header
            depth, content = _depth(lines, at), before < FORWARDED_DEEP and _is_content(told, at, subject)
            own, quoting, before = depth if content else 0, not content and not depth, before + 1
            continue
        if quoting or lines[at].depth > own:
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
    """Outlook's From, Sent, To, Subject: at least two such lines together, one of them the sender."""
    begin = at
    while at < min(begin + 3, len(lines)) and not lines[at].words.strip("-_* "):
        at += 1
    fields = at
    while fields < len(lines) and _is_field(lines[fields].words):
        fields += 1
    sent = any(phrases.FIELD_FROM.search(line.words) for line in lines[at:fields])
    return fields - begin if sent and fields > at + 1 else 0


def _is_field(words: str) -> bool:
    return bool(phrases.FIELD_FROM.search(words) or phrases.FIELD_OTHER.search(words))


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


def _depth(lines: Sequence[Line], at: int) -> int:
    """How many `>` stand before what follows; where any do, lines with fewer are answers."""
    return next((line.depth for line in lines[at:] if line.words), 0)


def _is_content(told: Sequence[Line], at: int, subject: str) -> bool:
    """Whether the mail below the header that ends here is what the sender wants to say."""
    above = " ".join(line.words for line in told[:at] if line.kind is Kind.NEW and not _is_frame(line))
    below = " ".join(line.words for line in told[at : at + BELOW_LINES])
    if any(line.kind is Kind.QUOTED for line in told[:at]) or phrases.OUR_DUNNING.search(below):
        return False
    if any(line.kind is Kind.HEADER and phrases.FORWARDED_MESSAGE.search(line.words) for line in told[:at]):
        return True
    points = phrases.FORWARDED_SUBJECT.search(folded(subject)) or phrases.POINTER.search(above)
    return bool(points) and len(above.split()) <= BARE_WORDS


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
    written = next((k for k, line in enumerate(piece) if line.words), len(piece))
    begin = next((k for k in range(written + 1, len(piece)) if _closes(piece[k].words)), None)
    return _trailing(piece, written) if begin is None else [*piece[:begin], *_below(piece[begin:])]


def _below(piece: list[Line]) -> list[Line]:
    """What stands from the closing on; an empty line is what the line above it is."""
    kinds = [Kind.SIGNATURE]
    for line in piece[1:]:
        kinds.append(_below_closing(line) if line.words else kinds[-1])
    return [replace(line, kind=kind) for line, kind in zip(piece, kinds, strict=True)]


def _trailing(piece: list[Line], written: int) -> list[Line]:
    """Without a closing: contact lines and disclaimers that end the piece, below the first line that is `written`."""
    told, below = list(piece), Kind.NEW
    for at in range(len(piece) - 1, written, -1):
        if piece[at].words and (below := _trails(piece[at])) is Kind.NEW:
            break
        told[at] = replace(piece[at], kind=below)
    return told


def _trails(line: Line) -> Kind:
    """What a line is that may end a letter."""
    if phrases.SENT_FROM.search(line.words) or _is_contact(line):
        return Kind.SIGNATURE
    return Kind.DISCLAIMER if phrases.DISCLAIMER.search(line.words) else Kind.NEW


def _is_contact(line: Line) -> bool:
    return len(line.words.split()) < CONTACT_WORDS and bool(phrases.CONTACT_LINE.search(line.words))


def _closes(words: str) -> bool:
    """Whether the signature begins here: with dashes or a closing, as some line below the first."""
    return bool(phrases.SIGN_DASHES.search(words) or phrases.CLOSING.search(words))


def _below_closing(line: Line) -> Kind:
    if phrases.DISCLAIMER.search(line.words):
        return Kind.DISCLAIMER
    is_prose = len(line.words.split()) >= PROSE_WORDS and not _is_contact(line)
    return Kind.NEW if is_prose or phrases.POSTSCRIPT.search(line.words) else Kind.SIGNATURE


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
