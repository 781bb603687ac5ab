"""What an OData service says when it refuses: SAP's JSON and XML errors in one line."""

import json
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from pipelines.connectors.web import Answer

_LONGEST = 400


def message_of(answer: Answer) -> str:
    """Code and message of an error, on one line, cut to 400 characters; what it starts with where it is neither."""
    said = _from_json(answer.body) or _from_xml(answer.body) or answer.body[:_LONGEST].decode(errors="replace")
    return " ".join(said.split())[:_LONGEST] or "no word of why"


def _from_json(body: bytes) -> str | None:
    try:
        error: Any = json.loads(body)["error"]
        message = error["message"]
        text = message["value"] if isinstance(message, dict) else message
        return f"{error.get('code') or 'error'}: {text}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_xml(body: bytes) -> str | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    message = root.findtext("{*}message")
    return None if message is None else f"{root.findtext('{*}code') or 'error'}: {message}"
