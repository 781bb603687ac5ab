"""How days are named in four languages: pieces of patterns, declared here and put together by `days.py`.

They meet plain words (`plain.py`): small letters, no accents.
"""

import re

from nlp.number_words import PATTERN as NUMBER_WORDS

MONTH_NAMES = (
    r"jan(?:uar[yi]?|ner|v(?:ier)?)?|janner|jaenner|enero|ene",
    r"feb(?:ruary|ruar|r(?:ero)?)?|fevr(?:ier)?|fev|febrero|feber",
    r"mar(?:ch|s|z|zo)?|maerz|mrz",
    r"apr(?:il)?|avr(?:il)?|abr(?:il)?",
    r"may|mai|mayo",
    r"june?|juni|juin|junio",
    r"july?|juli|juil(?:let)?|julio",
    r"aug(?:ust)?|aout|ago(?:sto)?",
    r"sept?(?:ember|embre|iembre)?|setiembre",
    r"oct(?:ober|obre|ubre)?|okt(?:ober)?",
    r"nov(?:ember|embre|iembre)?",
    r"dec(?:ember|embre)?|dez(?:ember)?|dic(?:iembre)?",
)
WEEKDAY_NAMES = (
    r"monday|montag|lundi|lunes",
    r"tues?(?:day)?|dienstag|mardi|martes",
    r"wed(?:nesday|s)?|mittwoch|mercredi|miercoles",
    r"thu(?:rs?)?(?:day)?|donnerstag|jeudi|jueves",
    r"fri(?:day)?|freitag|vendredi|viernes",
    r"saturday|samstag|sonnabend|samedi|sabado",
    r"sunday|sonntag|dimanche|domingo",
)
MONTH = "(?:" + "|".join(MONTH_NAMES) + ")"
WEEKDAY = "(?:" + "|".join(f"(?:{names})" for names in WEEKDAY_NAMES) + ")"
MONTHS = [re.compile(names) for names in MONTH_NAMES]
WEEKDAYS = [re.compile(names) for names in WEEKDAY_NAMES]


FEASTS = {
    (
        r"drei-?koenige?n?|drei-?konige?n?|heilige[n]? drei konige?n?|heilig-drei-konig|epiphany"
        r"|l'epiphanie|reyes"
    ): (1, 6)
}
FEASTS |= {
    (r"neujahr|new year'?s day|new year|nouvel an|ano nuevo"): (1, 1),
    r"weihnachten|christmas|noel|navidad(?:es)?": (12, 25),
}


YEAR = r"(?:,? ?(?:de |del |of )?(?P<y>20\d\d|'\d\d)(?!\d))?"
NEXT_MONTH = (
    r"(?:next month|(?:des )?(?:nachsten|naechsten|kommenden|folge)-?\s?monats|(?:du )?mois prochain"
    r"|(?:del )?(?:proximo mes|mes (?:que viene|proximo|entrante)))"
)
THIS_MONTH = (
    r"(?:(?:the |this |current )?month|(?:des |dieses |diesen )?monats?|(?:du |de |ce )?mois"
    r"|(?:de |del |este )?mes)(?: en cours| en curso| courant)?"
)
WHICH_MONTH = rf"(?:(?P<next>{NEXT_MONTH})|(?:of |de |du |d'|del )?(?P<m>{MONTH})\b\.?{YEAR}|{THIS_MONTH})"
END = (
    r"(?:end of|ende(?: des)?|(?:la |en |d'ici (?:la )?)?fin(?: de| du| d')?|(?:fin|fines|finales"
    r"|final|ultimos)(?: de| del)?|last day of|close of|ultimo)"
)
MIDDLE = r"(?:(?:mid(?:dle)?(?: of)?|mid-)|mitte(?: des)?|mi|mediados(?: de| del)?|middle of)"
START = r"(?:(?:beginning|start) of|early(?: in)?|anfang(?: des)?|debut|(?:principios|comienzos|inicios)(?: de| del)?)"
UNIT = (
    r"(?P<unit>days?|tagen?|jours?|dias?|weeks?|wochen?|semaines?|semanas?|months?|monaten?|mois"
    r"|mes(?:es)?|hours?|hrs?|stunden|std|heures?|horas?)\b"
)
WORK = r"(?P<work>working |business |bank(?:ing)? |werk|arbeits|bankarbeits)?"
COUNTED_FROM = (
    r"(?P<from>(?: ouvr(?:es|ables)| habiles| naturales| calendaires| ouvres)?,? (?:of\b"
    r"|after\b|following\b|from (?!today|now|the date of this)|nach\b|ab (?!heute|jetzt)"
    r"|apres\b|a compter d[eu] (?!ce jour|aujourd)"
    r"|suivant\b|desde\b|tras\b|a partir de (?!hoy)|despues\b|a contar|de (?:la |su |haber"
    r" |recib|rece|date)|post\b|once\b|nachdem\b))?"
)

# "The week of 12 May" is its Friday.
WEEK_OF = re.compile(
    r"(?:\bweek (?:of|commencing|beginning|starting|from)|\bw/c|\bw/b|\bwc"
    r"|\bwoche (?:vom|ab|des)|\bsemaine du|\bsemana del?)"
    r"(?: the| dem| dia)? $"
)
ISO = re.compile(r"(?<![\w/-])(?P<y>20\d\d)[-/.](?P<m>\d\d)[-/.](?P<d>\d\d)(?![\w/-])")
NUMERIC = re.compile(r"(?<![\w/-])(?P<a>\d{1,2})([./-]) ?(?P<b>\d{1,2})\2 ?(?P<y>20\d\d|\d\d)(?![\w/-])(?!\.\d)")
WORDED = re.compile(
    rf"(?<![\w/.-])(?P<d>\d{{1,2}})[-. ]?(?:st|nd|rd|th|er|º|°)?[-. ]{{0,2}}(?:of |de |du"
    rf" )?(?P<m>{MONTH})\b(?:[-. ]?,? ?(?:de |del )?(?P<y>20\d\d|(?<=-)\d\d|'\d\d)(?!\d))?"
)
MONTH_DAY = re.compile(
    rf"\b(?P<m>{MONTH})\.? (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?![\w]|[.,/-]\d)(?:,?"
    rf" (?P<y>20\d\d)(?!\d))?"
)
GERMAN_SHORT = re.compile(r"(?<![\w/.,-])(?P<a>\d{1,2})\. ?(?P<b>\d{1,2})\.(?!\d)")
SLASHED = re.compile(r"(?<![\w/.,-])(?P<a>[0-3]?\d)/(?P<b>[01]?\d)(?![\w/-]|[.,]\d)")
PREPOSED = re.compile(
    r"(?:\b(?:am|bis|zum|per|vor dem|le|au|du|on|by|el|al)) (?P<a>[0-3]?\d)[.-](?P<b>[01]?\d)(?![\w/"
    r".-]|,\d)"
)
TODAY = re.compile(
    r"\b(?:today|tonight|heute|heut|aujourd'hui|ce jour(?: meme)?|ce soir|hoy(?: mismo)?"
    r"|this (?:morning|afternoon|evening)|eod|cob|ce (?:matin|midi)|esta (?:tarde|manana))\b(?!\s*vo"
    r"r)"
)
AFTER_TOMORROW = re.compile(r"\bday after tomorrow\b|\b(?:ue|u)bermorgen\b|\bapres[- ]demain\b|\bpasado manana\b")
TOMORROW = re.compile(
    r"(?<!guten )(?<!gut )(?<!heute )(?<!schonen )(?<!de la )(?<!por la )(?<!esta )(?<!la"
    r" )\b(?:tomorrow|tmrw|tomorow|morgen|demain|manana)\b"
)
ON_WEEKDAY = re.compile(
    r"(?:\b(?P<past>last|letzten?|letzter|vergangenen?|vorigen|le dernier|el pasado"
    r"|since|seit|depuis|desde) |\b(?P<over>(?:a )?week on|uber?nachsten) |\b(?:next"
    r"|this|coming|kommenden?|nachsten?|naechsten?|diesen?|ce|este|proximo) )?"
    rf"\b(?P<w>{WEEKDAY})\b(?:\.?,? (?:the |den |dem |le |dia )?(?P<d>\d{{1,2}})(?:st"
    rf"|nd|rd|th|er|\.)?(?![\w/:h]|[.,]\d| ?(?:uhr|h\b|am\b|pm\b|{MONTH}\b)))?(?P<past2>"
    rf" (?:dernier|passe|pasado|anterior))?(?P<over2> week| en huit| in einer woche)?(?:"
    rf" prochain| que viene| proximo)?"
)
NUMBERED_WEEK = re.compile(
    r"\b(?:kw|cw|wk|week(?: no\.?)?|woche|semaine|sem\.?|semana|kalenderwoche)[ .]{0,2}(?:n[°o]"
    r" ?)?(?P<n>\d{1,2})(?![\d.,/-]\d|\d)(?:[/ ](?P<y>20\d\d))?|\b(?P<n2>\d{1,2})\. ?kw\b"
)
THIS_WEEK = re.compile(
    r"\b(?:(?:the )?end of (?:this |the )?week|(?:this|diese|dieser|cette|esta|en esta) (?:woche"
    r"|week|semaine|semana)|ende (?:der|dieser) woche|wochenende|(?:la )?fin (?:de (?:la"
    r" |cette )?semaine)|(?:fin|finales|final) de (?:esta |la )?semana)\b(?! (?:prochaine"
    r"|que viene|proxima)|-la)"
)
NEXT_WEEK = re.compile(
    r"\b(?:(?:(?:the )?end of |late |early )?next week|(?:(?:ende|anfang|mitte) )?(?:der"
    r" )?(?:nachste[rn]?|naechste[rn]?|kommende[rn]?) woche|(?:(?:la )?(?:fin de|debut de)"
    r" )?(?:la )?semaine prochaine|(?:(?:fin(?:ales)?|principios) de )?(?:la )?(?:semana"
    r" (?:que viene|proxima|entrante)|proxima semana))\b"
)
WEEK_AFTER = re.compile(r"\b(?:(?:the )?week after next|ubernachste[rn]? woche|uebernaechste[rn]? woche)\b")
MONTH_END = re.compile(rf"\b{END} {WHICH_MONTH}\b|\bmonatsende\b|\bmonatsultimo\b|\bmonth[- ]end\b|\beom\b")
MONTH_MIDDLE = re.compile(rf"\b{MIDDLE}[ -]?{WHICH_MONTH}\b|\bquincena\b")
MONTH_START = re.compile(rf"\b{START} {WHICH_MONTH}\b")
QUARTER_END = re.compile(
    r"\b(?:end of (?:the |this )?(?:quarter|q(?P<q>[1-4]))|quartalsende|ende des quartals"
    r"|quarter[- ]end|fin (?:de|du|d'u?n?) ?(?:ce )?trimestre|(?:fin(?:ales)?|final) del?"
    r" trimestre)\b"
)
YEAR_END = re.compile(
    r"\b(?:(?:the )?end of (?:the |this )?year|year[- ]end|jahresende|ende des jahres|(?:la"
    r" )?fin (?:d'annee|de l'annee)|(?:fin(?:ales)?|final) de(?:l)? ano)\b"
)
SPAN_OF_DAYS = re.compile(
    rf"\b(?:in|within|binnen|innerhalb(?: von)?|innert|sous|dans(?: un delai de)?"
    rf"|d'ici(?: a)?|en(?: un plazo (?:maximo )?de)?|dentro de|in den|over)(?: the"
    rf"| les| los)?(?: next| nachsten| naechsten| prochains?| proximos?)? (?:about"
    rf" |ca\.? )?(?P<n>\d{{1,3}}|{NUMBER_WORDS}|a)(?: ?\(\d+\))? "
    rf"{WORK}{UNIT}{COUNTED_FROM}"
)
FORTNIGHT = re.compile(r"\bsous (?:huitaine|quinzaine)\b|\bin (?:a|one) fortnight\b|\bwithin a fortnight\b")
THE_NTH = re.compile(rf"\b(?:the|by|on) (?P<d>\d{{1,2}})(?:st|nd|rd|th)\b(?! (?:of )?{MONTH}\b)(?P<d2>)")
DEN_NTEN = re.compile(rf"\b(?:am|zum|bis|vor dem|den|ab dem) (?P<d>\d{{1,2}})\.(?! ?(?:\d|{MONTH}\b|kw))(?P<d2>)")
LE_N = re.compile(
    rf"\b(?:le|au|du|avant le) (?P<d>[0-3]?\d)(?:er)?\b(?![./,-]\d)(?! ?(?:{MONTH}\b|€|%|h\b"
    rf"|eur|[a-z]{{4,}}s\b))(?P<d2>)"
)
EL_N = re.compile(
    rf"\b(?:el|al)(?: dia)? (?P<d>[0-3]?\d)\b(?![./,-]\d)(?! ?(?:de {MONTH}\b|€|%|h\b|eur"
    rf"|por ciento|[a-z]{{4,}}s\b))|\bdia (?P<d2>[0-3]?\d)\b(?! de)"
)
FEAST = re.compile(
    (
        r"\b(?P<after>(?:the )?day after |tag nach |(?:le )?lendemain de |(?:el )?dia (?:despues"
        r"|siguiente) (?:de|a) |despues de |nach )?(?:los )?(?P<f>"
    )
    + "|".join(FEASTS)
    + r")\b"
)
