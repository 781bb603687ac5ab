"""What words around a number say of it, in four languages: declared here, read by `number_rules.py`.

Patterns meet plain words (`plain.py`): small letters, no accents, "ss" for the sharp s only where it was typed so.
"""

import re
from enum import StrEnum


class Kind(StrEnum):
    """What a number in a letter is the number of."""

    INVOICE = "invoice"
    CONTRA = "contra"
    PO = "po"
    CREDIT = "credit"
    DELIVERY = "delivery"
    CUSTOMER = "customer"
    OFFER = "offer"
    CASE = "case"
    REFERENCE = "reference"
    PAYMENT = "payment"
    BANK = "bank"
    TAX = "tax"
    PHONE = "phone"
    ARTICLE = "article"
    OTHER = "other"
    UNKNOWN = "unknown"


# Longer phrases first: the first that fits at a place is taken.
CUES: tuple[tuple[Kind, str], ...] = (
    (
        Kind.CONTRA,
        (
            r"our (?:own )?invoice|unsere[rn]? (?:eigenen? )?rechnung|notre (?:propre )?facture|nuestra"
            r" (?:propia )?factura"
        ),
    ),
    (
        Kind.OTHER,
        (
            r"notas? de (?:debito|cargo)|note de debit|debit notes?|lastschriftanzeige|belastungsanzeige"
            r"|debitnote|nd(?= \d)|contra invoices?|gegenrechnung"
        ),
    ),
    (
        Kind.CREDIT,
        (
            r"credit notes?|credit memos?|notas? (?:de )?credito|notes? de credit|notas? de abono"
            r"|notas?(?= [a-z]{1,3}-?\d)|\w{0,12}gutschrift\w{0,12}|gu(?=[ -]\d)|avoirs?|abonos?(?="
            r" ?(?:n[.o°º]|[a-z]{0,3}[-/]?\d))|stornorechnung|rechnungskorrektur|cn(?= ?\d)|nc(?="
            r" ?\d)|credit nr|rectificativa|belastung"
        ),
    ),
    (
        Kind.OFFER,
        (
            r"order confirmations?|auftragsbestatigung(?:en)?|(?:own )?confirmations?|confirmacion(?:"
            r" de pedido)?|confirmation de commande|accuse de commande|quot(?:e|es|ation|ations)"
            r"|offers?|angebote?s?|offres?|devis|presupuestos?|cotizacion(?:es)?|proposals?|proforma"
            r"|contracts?|vertrage?s?|rahmen\w{0,12}|contrats?|contratos?(?: abierto| marco)?|marche"
            r"|convenio|agreement|mietvertrag|wartungsvertrag|sla|order conf|bestellbestatigung|sales"
            r" orders?|ab(?= \d{5})|so(?= ?\d)|oa(?= ?\d)|kostenvoranschlag|clausula|job|projekt"
            r"|project|projet|proyecto|chantier"
        ),
    ),
    (
        Kind.PO,
        (
            r"purchase orders?|p\.o\.|po|blanket orders?|call-?offs?|bestell(?:ung|ungen|nummer|nr"
            r"|zeichen|bezug)|(?:unser |unsere |ihr )?auftrag(?:s?nummer|s?nr|s)?|abruf|bons? de"
            r" commande|numero d'engagement|engagement(?: juridique)?|commandes?|b\.?c\.?(?=[ :n]{0,4}[\d°])"
            r"|bdc|ordenes de compra|orden(?: de compra)?|pedidos?|o\.?c\.?(?=[ :.n]{0,4}[\d#°º])"
            r"|orders?|bestell-?nr"
        ),
    ),
    (
        Kind.DELIVERY,
        (
            r"delivery (?:notes?|dockets?|tickets?|no)|deliver(?:y|ies)|lieferscheine?s?|lieferung(?:en)?"
            r"|lfs?\.?(?= ?\d)|ls(?= ?(?:nr)?[ .]{0,2}\d)|liefersch\.?|bl(?=[ (:n°o]{0,4}\d)|bons?"
            r" de (?:livraison|reprise|restitution|retour|transport)|livraisons?|albaran(?:es)?|alb\.?(?="
            r" ?\d)|remitos?|guias?(?: de (?:despacho|remision))?|pods?(?= )|packing (?:list|slip)s?"
            r"|shipments?|consignments?|cmr|awb|tracking|collection (?:sheet|note|order)s?|(?:return"
            r"|service|signed|job|time|weight) (?:note|sheet|report|card|ticket)s?|sheet|rma|ruckschein\w*"
            r"|ruckgabe\w*|rucklieferung\w*|sendung\w{0,10}|wareneingang\w{0,6}|goods receipts?|grn?(?="
            r" ?\d)|waybill|wiegeschein\w*|ladung|dn(?= ?\d)|entrega|bordereau|hoja de entrada\w*"
            r"|ses|entrada|load|trip|acta|quittung\w*|recibo|receipt|bon d'intervention|intervention"
            r"|arbeitsschein|stundenzettel|leistungsnachweis|blattnummer"
        ),
    ),
    (
        Kind.TAX,
        (
            r"vat(?: no| id| reg| number)?|ust-?id\w{0,6}|ustid\w{0,4}|uid|tva|cif|nif|nit|rfc|cuit"
            r"|rut|siret|siren|gstin?|steuernummer|steuer-?nr|ein|tin|nip|neq|ik|hrb|eori|abn|acn"
            r"|pan|tax id|fiscal|sap|reg(?:istered)?\.?|company|rcs|leitweg-id|registration|bodacc"
            r"|attestation|exemption|certificate|certificat\w*|zertifikat\w*|freistellung\w*|agrement"
        ),
    ),
    (
        Kind.BANK,
        (
            r"iban|bic|swift|clabe|cbu|bank account|account number|kontonummer|konto(?:-?nr)?|kto"
            r"|blz|compte(?: bancaire| n)|cuenta (?:corriente|nueva|bancaria)|sort code|routing|transit"
            r"|institution|card"
        ),
    ),
    (
        Kind.PHONE,
        (
            r"tel(?:efon|ephone|efono|\.)?|phone|mobile|mobil|cell|celular|fax|ext(?:ension|\.)?"
            r"|durchwahl|dw|handy|whatsapp|rufnummer|movil|fon|port\.?(?= \d)|portable|poste|ring"
            r" (?:me|us)(?: on| at)?|call(?: me| us)?(?: on| at)?|hotline|linea?"
        ),
    ),
    (
        Kind.PAYMENT,
        (
            r"cheques?|checks?|chq|talon(?: nominativo)?|\w{0,16}schecks?(?:nummer|-?nr)?|utr|virement(?:"
            r" n| ref)?|transfers?|uberweisung|transaction|transaccion|txn|trx|payment (?:ref(?:erence)?"
            r"|document|order|doc|no|number|advice)|bank ref(?:erence)?|zahlungs(?:beleg|referenz"
            r"|nummer|avis|dokument)|mandat|echeq|transferencia|operacion|op\.|rastreo|spei|folio"
            r" de pago|ref\. virement|file|bacs|end-?to-?end|fed ref|auth|authorisation|remittance(?:"
            r" advice)?|avis(?: de paiement)?|sepa|lauf|buchung\w{0,8}|beleg der bank|remesa|ordre"
            r" de virement|lote"
        ),
    ),
    (
        Kind.CUSTOMER,
        (
            r"customers?(?: no| number| id| code)?|clients?|clientes?|accounts?|a/c|acct|kunden?(?:-?nr"
            r"|-?nummer|konto|nr)?\w{0,3}|kd\.?(?:-?nr)?|debitor\w{0,8}|comptes?|cuentas?|code client"
            r"|mandant\w{0,3}|vendors?|suppliers?|fournisseurs?|proveedor(?:es)?|lieferanten?(?:nr"
            r"|nummer)?|kreditor\w{0,8}|member|mitglied\w*|abonne|user|site"
        ),
    ),
    (
        Kind.CASE,
        (
            r"tickets?|cases?|vorgang\w{0,8}|vorgangs-?nr|aktenzeichen|az\.?|gz|claims?|reclamacion(?:es)?"
            r"|reclamos?|dossiers?|expedientes?|exp\.?|incident\w?|requests?|anfrage|schaden\w{0,8}"
            r"|sinistre|casos?|registro|incidencia|protokoll\w*|report no|pruefbericht|prufbericht"
            r"|policy|police|reservation|reserva|booking|buchungsnr|(?:litige |reclamacion |vorgang"
            r" )?(?:est )?(?:enregistree?|registrad[oa]|erfasst) (?:chez nous )?(?:sous|con|bajo"
            r"|unter)|ref\. de auditoria|our ref(?:erence)?|unser zeichen|notre ref(?:erence)?|nuestra"
            r" ref(?:erencia)?|nos ref|interne nr|internal (?:no|ref)|interne|invitation code|campaign"
            r"|kampagne|kassenzeichen|meldung|rechtssache|sperre|rechnungssperre|id|8d-report|nonconformity"
            r"|nc-report"
        ),
    ),
    (Kind.REFERENCE, r"ref(?:s|erences?|erenz)?\.?"),
    (
        Kind.ARTICLE,
        (
            r"articles?|articulos?|art\.?(?:-?nr)?|artikel\w{0,8}|skus?|items?|parts?(?: no| number)?"
            r"|clave|batch(?:es)?|chargen?|lots?|lotes?|serials?|serien\w{0,8}|pos\.?|position\w{0,3}"
            r"|lines?|lignes?|zeile|models?|modele|modelo|typ|type|size|ral|din|iso|en(?= \d{3,})"
            r"|vdi|class|code|error|rooms?|zimmer|chambre|habitacion|clauses?|§+|sections?|numeral"
            r"|ziffer|absatz|version|building|unit|suite|floor|box|postfach|p\.?o\.? box|seite|page"
            r"|annex|kst|kostenstelle|cost cent(?:er|re)|polter|werk|plant|machine|maschine|rollo"
            r"|raum|halle|hall|kapitel|form|formular"
        ),
    ),
    (
        Kind.INVOICE,
        (
            r"(?:tax |commercial |vat |final )?invoices?(?: no| nos| number| numbers)?|inv(?:s|\."
            r"|oice)?|bills?(?: no)?|\w{0,24}rechnung(?:en|s)?(?:s?-?nummern?|s?-?nrn?)?|rechn?\.?(?:-?nr)?"
            r"|rgs?\.?(?:-?nrn?)?|rgn\.?|rn\.?|re\.?-?nr|\w{0,12}fakturen?|\w{0,12}faktura|fakt?\."
            r"|\w{0,12}abrechnung|factures?|fact\.?s?|facs?\.?|fras?\.?|ftras?\.?|facturas?|comprobantes?"
            r"|cfdi|dte|folio|boletas?|belege?(?:nr|nummer|s)?|pieces?|documents?|documentos?|documente?"
            r"|dokumente?|docs?\.?|fattura|faktury|faktur|reminder(?: for)?|\w{0,10}erinnerung|mahnung(?:"
            r" zu| fur)?|relance|rappel|recordatorio(?: de pago)?|overdue|past due|impayee?|litige"
            r"|dispute(?: on)?|query(?: on)?|reklamation|mangelanzeige|honorarnoten?(?:-nr)?|your"
            r" ref(?:erence)?|votre ref(?:erence)?|ihr zeichen|su ref(?:erencia)?|vos ref|comprob\."
            r"|recibos?|decompte"
        ),
    ),
)

CUE = re.compile(
    r"(?<![a-z\d])(?:"
    + "|".join(f"(?P<{kind.name}{at}>{words})" for at, (kind, words) in enumerate(CUES))
    + r")(?![a-z])"
)
KIND_OF_GROUP = {f"{kind.name}{at}": kind for at, (kind, _) in enumerate(CUES)}

_FILLING = (
    r"n[°ºo]?s?|nr|nrn|num|numero|numeros|nummern?|numbers?|no|nos|ref|refs|id|s|your|our"
    r"|my|ihre[rnm]?|unsere[rnm]?|eure[rnm]?|votre|notre|vos|su|sus|vuestras?|la|le|les|el"
    r"|los|las|lo|die|der|den|dem|das|the|this|these|"
    r"de|des|du|del|von|vom|of|with|mit|lautet|lauten|is|ist|was|war|es|est|era|interno|interna"
    r"|original|e|con|numerada|which|acaba|en|folio|serie|a|nuestro|nuestra|yours?|ours?"
    r"|both|beide|namely|namlich|aber|eigentlich|genannte|between|zwischen|entre|from|desde|number"
)
# What may stand between a cue and its number.
FILLING = re.compile(rf"[ \t:.,#°º'\"«»(\[*_|=>-]*(?:(?:{_FILLING})[ \t:.,#°º'\"«»(\[*_|=-]+){{0,3}}")
# The same for cues that are also common words ("payment of", "account is"): only words for "number".
PLAIN_FILLING = re.compile(
    r"[ \t:.,#°º'\"«»()\[*_|=-]*(?:(?:n[°ºo]s?|nr|num|numero|nummern?|numbers?|no|ref|id|your"
    r"|ihre|votre|su|lautet|is|ist|est|es)[ \t:.,#°º'\"«»(\[*_|=-]*){0,2}"
)
# What may stand between two numbers of one list.
LISTED = re.compile(
    r"[ \t]*(?:[,;&+/]|\n[-*• \t]*|and|und|et|y|e|u|sowie|as well as|or|oder|ou|o|plus|=)?[ \t]*(?:(?:an"
    r"d|und|et|y|sowie|the|die|la|le|les|el|las|los|auch|also|no\.|nr\.?|n[°º]|#|aussi|ainsi"
    r" que)[ \t]*){0,2}[#]?"
)

PREFIXES: dict[Kind, frozenset[str]] = {
    Kind.PO: frozenset(["po", "oc", "bc", "bdc", "be", "pur", "pord"]),
    Kind.DELIVERY: frozenset(["ls", "lfs", "bl", "dn", "alb", "gr", "grn", "rma", "pod", "ret"]),
    Kind.CREDIT: frozenset(["cn", "gs", "av", "gu", "crn", "cm", "cr", "gut", "scn", "ga"]),
    Kind.PAYMENT: frozenset(["trx", "utr", "trn", "txn", "chk", "lot", "sepa", "pay", "zv"]),
    Kind.CASE: frozenset(["tl", "req", "inc", "cs", "sr", "rfc", "tkt", "case", "az"]),
    Kind.OFFER: frozenset(["dv", "ang", "quo", "rv", "so", "job", "ord"]),
    Kind.CUSTOMER: frozenset(["kd", "cust", "acc"]),
    Kind.ARTICLE: frozenset(["ral", "din", "iso", "vdi", "kw", "pos", "art", "sku", "lot", "charge"]),
}
PREFIX_KIND = {prefix: kind for kind, prefixes in PREFIXES.items() for prefix in prefixes}

# "no. 7714402": then the nearest cue of the sentence tells.
LABEL_ALONE = re.compile(r"(?:n[°ºo]\.?|nr\.?|numero|nummer|number|#) ?$")
# A document of the reader's: "your 7702013".
POSSESSIVE = re.compile(r"\b(?:your|ihre[rn]?|eure[rn]?|votre|su|vuestra|tu|deine)(?: n[°ºo]\.?| nr\.?)? $")
# Before a count the article would be plural: "la 30551", "auf der 44120".
SINGULAR = re.compile(r"\b(?:la|cette|esta|esa|zur|(?:auf|mit|aus|von|bei|in|nach|unter|wegen) der|diese|this) $")
# Words before a bare number that make it somebody's document ("on 7781", "die 3318", "la 30551").
ARTICLE_BEFORE = re.compile(
    r"(?:^|\b(?:n[°ºo]\.?|nr\.?|no\.?|as|on|in|the|this|these|for|of|against|re|with|from"
    r"|and|under|die|der|den|zur|zu|auf|aus|von|bei|mit|fur|gegen|und|als|la|las|le|les|el"
    r"|los|sur|de la|de|du|a la|por|sobre|con|contra|et|pour|y|your|our|ihre|eure|votre|su"
    r"|was|paid|pay|cancel|resend|find|credit|settle|bezahlt|bezahle|uberwiesen|payer|regler"
    r"|pagar)|[:,;(=\"'«\n#*|>-]) ?$"
)
UNIT_AFTER = re.compile(
    r" ?(?:%|€|\$|£|°|kg|kgs|g|t|to(?! \w{0,9}\d)|km|m|m2|m3|cm|mm|l|ltr|h|std|stk|stck|pcs"
    r"|x|kwh|bar|ml|cl|uhr|tage?n?|days?|jours?|dias?|weeks?|wochen|semaines?|semanas?|months?"
    r"|monate?n?|mois|meses|years?|jahre?n?|ans|anos?|eur|usd|gbp|chf|stuck|pieces?|units?"
    r"|boxes|cajas|cartons?|pallets?|paletten|palettes|sacs|sacos|rollen|rolls|people|personen"
    r"|mann|prozent|percent|minutes?|minuten|hours?|stunden|heures?|horas?|clics?|clicks?"
    r"|klicks?)\b"
)
FUNCTION_AFTER = re.compile(
    r"[ ]*(?:$|[\n.,;:!?)\]/=|(*\"'»+>&-]|(?:and|und|et|y|e|or|oder|ou|o|is|ist|est|es|are"
    r"|sind|sont|son|was|war|etait|fue|were|has|have|hat|haben|a|on|in|at|to|for|from|of"
    r"|with|by|vor|an|are|will|goes|went|can|could|until|mit|von|vom|zu|zum|zur|bis|fur|fuer"
    r"|uber|auf|aus|per|wurde|wird|werden|geht|gehen|kommt|steht|bleibt|raus|eben|ist|nicht"
    r"|noch|schon|habe?n?|wir|ich|du|de|du|des|le|la|les|el|los|las|del|que|qui|pour|par"
    r"|sur|en|dans|c'est|n'est|a ete|sont|partira|sera|se|ya|no|va|por|para|con|al|lo|fue"
    r"|esta|sin|not|out|paid|bezahlt|payee?|virement|uberwiesen|wait|through|as|fallig\w*"
    r"|overdue|due|over|dated|which|please|bitte|svp|merci|signed?e?|again|we|you|it|the"
    r"|this|still|erledigt|der|die|das|den|ab|am|im|sowie|au|through|thru|inkl|lt|laut|instead"
    r"|statt|y/o|sont|meme|but|aber|mais|pero|both|beide|las|tambien|auch|also|open|offen"
    r"|looks?|has|shows?|says?|arrived|came)\b)"
)
