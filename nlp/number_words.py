"""Numbers written as words, in four languages: "forty two", "zweihundertfünfzig", "quatre-vingt-dix", "doscientos"."""

import re

_ONES = {
    1: "one|ein|eine|einen|einem|eins|un|une|uno|una",
    2: "two|zwei|zwo|deux|dos|couple of",
    3: "three|drei|trois|tres",
    4: "four|vier|quatre|cuatro",
    5: "five|funf|fuenf|cinq|cinco",
    6: "six|sechs|seis",
    7: "seven|sieben|sept|siete",
    8: "eight|acht|huit|ocho",
    9: "nine|neun|neuf|nueve",
    10: "ten|zehn|dix|diez",
    11: "eleven|elf|onze|once",
    12: "twelve|zwolf|zwoelf|douze|doce",
    13: "thirteen|treize|trece",
    14: "fourteen|quatorze|catorce",
    15: "fifteen|quinze|quince",
    16: "sixteen|sechzehn|seize|dieciseis",
    17: "seventeen|siebzehn|diecisiete",
    18: "eighteen|dieciocho",
    19: "nineteen|diecinueve",
    20: "twenty|zwanzig|vingt|veinte|veinti",
    30: "thirty|dreisig|dreissig|trente|treinta",
    40: "forty|fourty|vierzig|quarante|cuarenta",
    50: "fifty|funfzig|fuenfzig|cinquante|cincuenta",
    60: "sixty|sechzig|soixante|sesenta",
    70: "seventy|siebzig|septante|setenta",
    80: "eighty|achtzig|quatre vingts|quatre-vingts|quatre-vingt|quatre vingt|huitante|octante|ochenta",
    90: "ninety|neunzig|nonante|noventa",
    200: "doscientos|doscientas",
    300: "trescientos|trescientas",
    400: "cuatrocientos|cuatrocientas",
    500: "quinientos|quinientas",
    600: "seiscientos|seiscientas",
    700: "setecientos|setecientas",
    800: "ochocientos|ochocientas",
    900: "novecientos|novecientas",
}
_TIMES = {100: "hundred|hundert|cents|cent|cien|ciento", 1000: "thousand|tausend|mille|mil"}

_VALUES = {word: value for table in (_ONES, _TIMES) for value, words in table.items() for word in words.split("|")}
_WORD = "|".join(sorted(_VALUES, key=len, reverse=True))
_PIECE = re.compile(_WORD)
# At most eight pieces; each is followed by at most one joiner, so that no text costs more than its length.
PATTERN = rf"(?:(?:{_WORD})(?:[ -]and[ -]|und|[ -]et[ -]|[ -]y[ -]|[ -])?){{0,7}}(?:{_WORD})"


def number_of(words: str) -> int:
    """The number that plain words of `PATTERN` tell.

    >>> [number_of(words) for words in ("forty two", "zweihundertfunfzig", "quatre-vingt-dix", "tres mil doscientos")]
    [42, 250, 90, 3200]
    """
    total = group = 0
    for value in (_VALUES[piece] for piece in _PIECE.findall(words)):
        if value == 1000:
            total, group = total + max(group, 1) * 1000, 0
        elif value == 100:
            group = max(group, 1) * 100
        else:
            group += value
    return total + group
