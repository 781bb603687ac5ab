"""Text made plain for matching: small letters without accents."""

import unicodedata

_WHOLE = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "œ": "oe", "æ": "ae", "’": "'", "‘": "'", "´": "'", "`": "'"})


def folded(text: str) -> str:
    """Lower case, accents and typographic apostrophes gone: "Grüße" becomes "grusse", "d’origine" "d'origine".

    The length may change: match on it, never count places in it.
    """
    parts = unicodedata.normalize("NFKD", text.lower().translate(_WHOLE))
    return "".join(sign for sign in parts if not unicodedata.combining(sign))
