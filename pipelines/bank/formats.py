"""Which format a bank file is in, by what it says and never by its name."""

import re
from collections.abc import Mapping
from typing import Literal

Format = Literal["camt", "mt940", "bai2", "csv"]

_UTF16: Mapping[bytes, str] = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_MT940 = re.compile(r"^(\{1:F|:20:|:25:|:28C?:|:60[FM]:|:61:|:86:)", re.MULTILINE)
_BAI2 = re.compile(r"\s*[0-9]{2},[^\r\n]*/")


def format_of(head: bytes) -> Format | None:
    """The format of a file that starts with `head`, a few kilobytes; None where it looks like none of those with a
    grammar of their own (it may be CSV, which only a layout can tell).

    >>> format_of(b"\\xef\\xbb\\xbf<?xml"), format_of(b":20:STMT"), format_of(b"01,BANK,US,261125,,1,,,2/")
    ('camt', 'mt940', 'bai2')
    """
    text = _text(head).lstrip()
    if text.startswith("<"):
        return "camt"
    if _MT940.search(text):
        return "mt940"
    return "bai2" if _BAI2.match(text) else None


def _text(head: bytes) -> str:
    codec = _UTF16.get(head[:2], "utf-8")
    return head.decode(codec, errors="replace").lstrip("\ufeff")
