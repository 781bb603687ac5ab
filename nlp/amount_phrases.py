"""How figures are written and what words around them say, in four languages: declared here, read by `amounts.py`.

Patterns meet plain words (`plain.py`). No quantifier stands within another without a bound.
"""

import re

from nlp.currencies import AFTER as CURRENCY_AFTER
from nlp.currencies import BEFORE as CURRENCY_BEFORE
from nlp.number_words import PATTERN as NUMBER_WORDS

GROUPED = r"\d{1,3}([.,' ])\d{3}(?:\1\d{3}){0,4}(?:[.,]\d{1,2}(?!\d))?(?!\d|[.,]\d)"
INDIAN = r"\d{1,2}(?:,\d{2}){1,4},\d{3}(?:\.\d{1,2})?(?!\d)"
SIMPLE = r"\d{1,13}(?:[.,]\d{1,4}(?!\d))?"
NUMBER = re.compile(rf"(?<![\w])(?<!\w[.,/:'#-])(?:{INDIAN}|{GROUPED}|{SIMPLE})(?:[.,] ?-{{1,2}}(?!\d))?")
TIMES = re.compile(
    r"(?: ?(?P<k>k|tsd\.?|mil|thousand|tausend|mille)|(?P<M> ?(?:mio\.?|mln\.?|mill\.?|million(?:s"
    r"|en)?|millon(?:es)?(?: de)?|mn)"
    r"|m(?= ?(?:eur|usd|gbp|€|\$|£))| m(?= ?(?:€|\$|£))|m)|(?P<lakh> ?(?:lakhs?|lacs?))|(?P<crore> ?crores?))(?![a-z])"
)
SCALE = {"k": 1_000, "M": 1_000_000, "lakh": 100_000, "crore": 10_000_000}
BEFORE = re.compile(rf"({CURRENCY_BEFORE})[ :]{{0,3}}$")
AFTER = re.compile(rf" ?({CURRENCY_AFTER})")
CENTS = re.compile(r" (\d{2})(?![\w.,/:%-])")
WORDED = re.compile(rf"\b({NUMBER_WORDS}) (pounds?|quid|euros?|dollars?|bucks|franken|francs?|pesos|soles)(?![a-z])")

NOT_MONEY_AFTER = re.compile(
    r" ?(?:%|°|prozent|percent|per ?cent|por ciento|pour ?cent|pct\b|v\.? ?h\.?\b|punkte"
    r"|points?\b|uhr\b|a\.?m\.?\b|p\.?m\.?\b|hs?\b|hrs?\b"
    r"|kgs?\b|grs?\b|g\b|mg\b|t\b|to\b|tons?\b|tonnes?\b|tonnen\b|toneladas?\b|km\b|m\b|m[23²³]"
    r"|qm\b|cbm\b|fm\b|rm\b|lfm\b|cm\b|mm\b|l\b|ltr\b|lit[er]+s?\b"
    r"|litros?\b|h\b|std\b|stunden\b|hours?\b|heures?\b|horas?\b|stk\b|stck\b|stuck\b|pcs\b"
    r"|pieces?\b|units?\b|kwh\b|mwh\b|kw\b|x\b|x \d|bar\b|ml\b|cl\b|dl\b|days?\b|tage?n?\b"
    r"|jours?\b|dias?\b|weeks?\b|months?\b(?! ))"
)
NOT_MONEY_BEFORE = re.compile(
    r"(?:§|\bart(?:\.|icle|iculo|ikel)?|\bversion|\bv|\bclause|\bsection|\bnumeral|\bziffer"
    r"|\bpos\.?|\bline|\bzeile|\bligne|\blinea|\bral|\bdin|\biso"
    r"|\ba las|\bat|\bum|\ba|\bvers|\bruta|\bkw|\bcode|\berror|\bleitweg-id|\btel\.?:?|\bph\.?"
    r"|\bfax:?|\bext\.?|\bdurchwahl|\bposte|\btaux de|\bn[°º]\.?|\bno\.|\bnr\.?|#|@) ?$"
)
DOCUMENT_LEAD = re.compile(
    r"(?:\binv(?:oices?|s)?|\bbills?|rechnung(?:en|s)?(?:nummer|nr)?|\brgs?|\brechn|\bfaktura"
    r"|\bfactures?|\bfacturas?|\bfras?|\bfact?s?|\bn[°º]|\bnr|\bno\b|\bnumero|\bbeleg|#)["
    r" .:n°º#or]{0,6}$"
)
CLOCK = re.compile(r"(?:[01]?\d|2[0-3])[.,][0-5]\d")
THRESHOLD = re.compile(
    r"(?:\bab|\bdes|\bfrom|\babove|\borders? over|\bexceed(?:s|ing)?|\bpass(?:es)?|\boberhalb(?:"
    r" von)?|\ba partir de|\bsuperieure?s? a|\bsuperior(?:es)? a"
    r"|\bmindestens|\bminimum(?: of)?|\bunter|\bbelow|\bunder|\bup to|\bhasta|\bbis zu|\bau-dessus"
    r" de|\bau-dela de|\bthreshold(?: of)?|\blimit(?:e)?(?: of| de)?"
    r"|\bmindestbestellwert(?: von)?|\bfreigrenze(?: von)?|\bmas de|\bplus de|\bover) ?$"
)
# Words of billing and paying that a bare figure may follow, with at most two short words between.
MONEY_LEAD = re.compile(
    r"(?:\b(?:said|says?|quoted?|billed|charged?|invoiced|paid|pay(?:ing)?|owe[sd]?|owing"
    r"|short(?:-?paid)?|deduct(?:ed)?|withheld|hold(?:ing)?|kept|transferr?ed|wired"
    r"|total(?:s|ling|ing)?|sum|balance|amount(?:s|ing)?|price[ds]?|cost[s]?|fee|deposit"
    r"|difference|remaining|rest|credit(?:ed)?|instead of|chance of|put"
    r"|betrag|summe|rest|gesamt|brutto|netto|differenz|abzug|kurzung|zahle[nr]?|uberwiesen"
    r"|uberweise|gezahlt|bezahlt|berechnet|kostet|kosten|macht|also|statt|preis|je|zu je"
    r"|montant|solde|total|reste|paye[rz]?|regle[rz]?|vire[rz]?|facturez|factur(?:ons|ent)"
    r"|dois|devons|doit|pas|mais|soit|environ|autour de|a raison de|prix|tarif"
    r"|importe|monto|saldo|son|y no|no|pagamos|pague|pago|pagado|cobra(?:n|do|ron)?|cargado"
    r"|costaba|cuesta|valor|neto|precio|diferencia|de flete|los|transferi(?:mos)?|deposit[eo]"
    r"|por)"
    r"[ :=(]{1,3}(?:(?:by|of|only|just|nur|von|uber|de|the|die|den|los|las|les|about|me|you"
    r"|uns|us|ihr|sie|nous|vous|nos|otros) ){0,2})$"
)
MONEY_TAIL = re.compile(
    r" ?(?:\+ ?(?:iva|vat|tva|mwst)|ttc\b|ht\b|netto\b|brutto\b|net\b|each\b|apiece\b|a month\b"
    r"|per month|a piece\b|la piece|l'unite|pro st|das stuck|cada un|c/u\b|al mes"
    r"|(?:that'?s? |which is |is )?(?:owing|owed|outstanding|due)\b|short\b|zu viel|zu wenig|de trop|de mas\b|too much)"
)
THING = re.compile(r" ?[a-z]{3,}")
NO_THING = re.compile(
    r" ?(?:and|und|et|y|o|or|oder|ou|but|aber|mais|pero|for|fur|pour|por|para|per|pro|par"
    r"|on|auf|sur|en|in|at|to|the|that|thats|this|is|are|was|were|ist|sind|war|waren|est"
    r"|sont|es|son|fue|que|which|who|from|with|without|mit|ohne|avec|sans|con|sin"
    r"|instead|statt|au|aus|bitte|please|drin|brutto|netto|net|gross|ttc|each|jeweils|chacune?"
    r"|cada|again|through|this|today|heute|heut|still|noch|not|nicht|pas|no|restantes?|restants?"
    r"|hier|ayer|yesterday|inkl|inc|incl|plus|zzgl|more|less"
    r"|too|zu|zuviel|short|out|off|back|ab|you|we|ich|wir|nous|vous|vs|versus|which|when"
    r"|als|uber|pending|only|nur|angewiesen|uberwiesen|transferred|paid|bezahlt|cheque|outstanding"
    r"|owing|owed|due|offen|gutschreiben|abgezogen|a|je|le|la|el|los|les)\b"
)
