"""Which currency a sign, a code or a word of an amount means, and in which currency a whole text is.

A sign that several countries use ("$", "kr", "pesos") means what the rest of the letter says: a code that stands
somewhere in it, else the sender's country by words that only people there write, else its most common meaning.
"""

import re
from collections import Counter
from collections.abc import Iterable

# fmt: off
CODES = (
    "EUR", "USD", "GBP", "CHF", "CAD", "AUD", "NZD", "JPY", "CNY", "HKD", "SGD", "INR", "IDR", "THB",
    "KRW", "TRY", "ILS", "AED", "SAR", "ZAR", "NGN", "KES", "EGP", "MAD", "TND", "XOF", "XAF", "SEK",
    "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN", "RUB", "UAH", "MXN", "ARS", "CLP", "COP",
    "PEN", "UYU", "BRL", "BOB", "PYG", "CRC", "DOP", "GTQ",
)
# fmt: on
DOLLARS = ("USD", "CAD", "AUD", "NZD", "HKD", "SGD")
PESOS = ("MXN", "ARS", "CLP", "COP", "UYU", "DOP")
KRONER = ("SEK", "NOK", "DKK", "ISK", "CZK")

SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR", "¥": "JPY", "₺": "TRY", "zl": "PLN", "kc": "CZK", "ft": "HUF", "r$": "BRL"}
DOLLAR_SIGNS = {"us$": "USD", "u$s": "USD", "u$d": "USD", "usd$": "USD", "a$": "AUD", "au$": "AUD", "aud$": "AUD"}
DOLLAR_SIGNS |= {"c$": "CAD", "ca$": "CAD", "can$": "CAD", "cad$": "CAD", "nz$": "NZD", "hk$": "HKD", "s$": "SGD"}
DOLLAR_SIGNS |= {"mx$": "MXN", "mxn$": "MXN", "ar$": "ARS", "cl$": "CLP", "clp$": "CLP", "col$": "COP", "cop$": "COP"}
WORDS = {
    "EUR": r"euros?(?![ -]?(?:pal|crate|kist|box|pool|norm))|euronen|eurs?|teur|t€",
    "GBP": r"pounds?(?: sterling)?|sterling|quid|gbps?|livres? sterling|pfund|libras? esterlinas?",
    "CHF": r"franken|sfr\.?|fr\.|stutz|francs? suisses?|francos suizos|swiss francs?",
    "INR": r"rs\.?|rupees?|inr",
    "XOF": r"f ?cfa|francs? cfa|fcfa|f\.cfa",
    "PLN": r"zloty(?:s|ch)?|zl",
    "CAD": r"dollars? canadiens?|canadian dollars?|cdn|dolares canadienses|kanadische dollar",
    "AUD": r"australian dollars?|aussie dollars?",
    "CLP": r"pesos chilenos|chilean pesos?",
    "COP": r"pesos colombianos|colombian pesos?",
    "ARS": r"pesos argentinos|argentin(?:e|ian) pesos?",
    "MXN": r"pesos mexicanos|mexican pesos?|m\.n\.",
    "PEN": r"soles|s/\.",
    "BRL": r"reais",
    "$": r"dollars?|dolares|bucks|dollar",
    "peso": r"pesos?|pesitos",
    "kr": r"kr\.?|kronor|kroner|kronen|couronnes|coronas",
}
_WORD_OF = [(re.compile(pattern), code) for code, pattern in WORDS.items()]

# Words that only senders of one country write; folded, looked for in the whole letter.
COUNTRY_WORDS = {
    "MXN": (
        r"\blic\.|\bcfdi\b|\brfc\b|\bclabe\b|cdmx|mexic|\bs\.? ?a\.? de c\.? ?v|\boxxo\b|\bspei\b"
        r"|monterrey|guadalajara|puebla\b"
    ),
    "ARS": (
        r"\b\d{4,5}-\d{8}\b|\bafip\b|\bcuit\b|\becheq\b|\bcbu\b|argentin|buenos aires|rosario\b"
        r"|\bcordoba\b|\bvos\b|mendoza"
    ),
    "COP": r"\bnit\b|\bdian\b|retefuente|s\.?a\.?s\b.{0,40}(?:bogota|cali|medellin)|colombia|bogota|medellin|\bcali\b",
    "CLP": r"\brut\b|\bdte\b|\bsii\b|chile|santiago\b|valparaiso|lucas\b",
    "CAD": r"canad|quebec|ontario|\btps\b|\btvq\b|\bhst\b|alberta|toronto|montreal|calgary|\bc\$|british columbia",
    "AUD": r"australi|sydney|melbourne|brisbane|perth\b|\babn\b|queensland|fremantle|adelaide|\ba\$",
    "NZD": r"new zealand|auckland|christchurch",
    "SEK": r"sverige|sweden|stockholm|goteborg|malmo|\bab\b|\bfaktura nr\b",
    "NOK": r"norge|norway|oslo|bergen\b|trondheim|\.no\b|\borg\.? ?nr\b",
    "DKK": r"danmark|denmark|kobenhavn|copenhagen|aarhus|\bcvr\b|danske|a/s\b|\baps\b|\.dk\b",
    "CZK": r"praha|prague|brno|czech|s\.r\.o\b",
}
_COUNTRY = {code: re.compile(pattern) for code, pattern in COUNTRY_WORDS.items()}
_CODE = re.compile(r"(?<![A-Za-z\d])(?:" + "|".join(CODES) + r")(?![a-z])")

BEFORE = (
    r"(?:[a-z]{1,3}\$s?|\$|€|£|₹|¥|(?<![a-z])(?:"
    + "|".join(CODES).lower()
    + (r"|chf|sfr\.?|fr\.|rs\.?|kr\.?|s/\.?|euros?|us ?dollars?|f ?cfa|francs? cfa)(?![a-z]))")
)
AFTER = (
    r"(?:\$ ?(?:us|can|ca|cad|usd|cop|clp|mxn|ars|mx)(?![a-z])|[a-z]{0,3}\$|€|£|₹|¥|(?:"
    + "|".join(
        WORDS[code] for code in ("CAD", "AUD", "CLP", "COP", "ARS", "MXN", "CHF", "XOF", "GBP", "PLN", "EUR", "INR")
    )
    + r"|soles|reais|"
    + "|".join(WORDS[code] for code in ("$", "peso", "kr"))
    + "|"
    + "|".join(CODES).lower()
    + r"|kc)(?![a-z]))"
)


def currency_of(mark: str, words: str, mentioned: Iterable[str] = ()) -> str | None:
    """The ISO code that a mark at an amount means in a letter of these plain `words`; `mentioned` are its codes."""
    mark = mark.strip()
    if mark.upper() in CODES:
        return mark.upper()
    if mark in SIGNS or mark in DOLLAR_SIGNS:
        return SIGNS.get(mark) or DOLLAR_SIGNS[mark]
    if mark.startswith("$") and len(mark) > 1:
        tail = mark[1:].strip()
        return {"us": "USD", "can": "CAD", "ca": "CAD", "mx": "MXN"}.get(tail, tail.upper())
    family = next((code for pattern, code in _WORD_OF if pattern.fullmatch(mark)), "$" if "$" in mark else None)
    match family:
        case "$":
            return _meant((*DOLLARS, *PESOS), words, mentioned) or "USD"
        case "peso":
            return _meant(PESOS, words, mentioned)
        case "kr":
            return _meant(KRONER, words, mentioned)
    return family


def _meant(family: tuple[str, ...], words: str, mentioned: Iterable[str]) -> str | None:
    """The one of a family that the letter mentions most, else the one whose country its words tell."""
    counts = Counter(code for code in mentioned if code in family)
    if counts:
        return counts.most_common(1)[0][0]
    return next((code for code, pattern in _COUNTRY.items() if code in family and pattern.search(words)), None)


_PLAINLY = re.compile(
    "|".join(
        f"(?P<{code}>{WORDS[code]})(?![a-z])"
        for code in ("CAD", "AUD", "CLP", "COP", "ARS", "MXN", "XOF", "EUR", "GBP")
    )
)


def mentioned_codes(text: str, words: str) -> list[str]:
    """The currencies that a text names without doubt, as often as it does: codes, and words like "pesos chilenos"."""
    return [
        *(match[0] for match in _CODE.finditer(text)),
        *(match.lastgroup or "" for match in _PLAINLY.finditer(words)),
    ]
