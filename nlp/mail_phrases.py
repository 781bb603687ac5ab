"""How mail programs and people write what stands around a message, in four languages: declared, and read by `parts.py`.

A pattern is matched against one folded line (`folding.py`) of bounded length, with `>` taken off. Nothing here spans
lines, so that a hostile mail costs time in proportion to its length.
"""

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


# "On 3 March 2025 at 10:11, Ann Lee <a@b.c> wrote:" may be broken over up to three lines.
WROTE_LINES = 3
WROTE_BEGINS = _any(
    r"^(?:on|am|le|el|il|op|em|den|w dniu)\b.{4,}",
    r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b.{2,}",
    r"^.{0,80}<[^<> ]+@[^<> ]+>",
    r"^(?:mon|tue|wed|thu|fri|sat|sun)\w*\.?,? .{4,}",
    r"^(?:mo|di|mi|do|fr|sa|so)\.,? .{4,}",
    r"^(?:lun|mar|mer|mie|jeu|jue|ven|vie|sam|sab|dim|dom)\w*\.?,? .{4,}",
)
WROTE_ENDS = _any(
    r"\bwrote ?:$",
    r"\bschrieb\b[^:]{0,80}:$",
    r"\ba ecrit ?:$",
    r"\bescribio ?:$",
    r"\b(?:ha scritto|schreef|escreveu|skrev|napisal(?:\(a\))?) ?:$",
)

_RULE = r"^[-_* ]{2,}\s*"
ORIGINAL_MESSAGE = _any(
    rf"{_RULE}original message\b",
    rf"{_RULE}(?:originalnachricht|urspru?e?ngliche (?:nachricht|e-?mail|mail))\b",
    rf"{_RULE}message (?:d'origine|initial|original)\b",
    rf"{_RULE}mensaje original\b",
)
FORWARDED_MESSAGE = _any(
    rf"{_RULE}forwarded (?:message|by)\b",
    rf"{_RULE}(?:weitergeleitete (?:nachricht|e-?mail|mail)|weiterleitung)\b",
    rf"{_RULE}message (?:transfere|reexpedie)\b",
    rf"{_RULE}mensaje reenviado\b",
    r"^begin forwarded message ?:$",
    r"^anfang der weitergeleiteten (?:nachricht|e-?mail) ?:$",
    r"^debut du message (?:transfere|reexpedie) ?:$",
    r"^inicio del mensaje reenviado ?:$",
)
FORWARDED_SUBJECT = _any(r"^\s*(?:fwd?|wg|wtr|tr|i|rv|reenv|enc)\s*:")

# Outlook's block: a sender, then at least one more field on the next lines.
FIELD_FROM = _any(r"^\*?(?:from|von|de|expediteur|absender|remitente)\*? ?:\*?\s*\S")
FIELD_OTHER = _any(
    r"^\*?(?:sent|date|to|cc|subject|importance)\*? ?:",
    r"^\*?(?:gesendet|datum|an|betreff|kopie|wichtigkeit)\*? ?:",
    r"^\*?(?:envoye(?: le)?|a|objet)\*? ?:",
    r"^\*?(?:enviado(?: el)?|fecha|para|asunto)\*? ?:",
)

BANNER = _any(
    r"^\W*(?:external|extern|externe|externo|externer)(?: e-?mail| sender| message| absender)?[\W_]{0,4}$",
    r"^\W*(?:caution|warning|external)\b.{0,60}\b(?:external|outside)\b",
    r"^\W*(?:achtung|vorsicht|warnung|extern)\b.{0,60}\b(?:extern\w*|ausserhalb)\b",
    r"^\W*attention\b.{0,60}\bexter(?:ne|ieur\w*)\b",
    r"^\W*atencion\b.{0,60}\b(?:extern\w*|fuera de)\b",
    r"^\W*this (?:e-?mail|message) (?:originated|comes|came|was sent) from\b",
    r"^\W*you don't often get e-?mail from\b",
    r"^\W*(?:diese e-?mail (?:stammt|kommt|wurde)|sie erhalten nicht ha?e?ufig e-?mails? von)\b",
    r"^\W*ce (?:message|mail|courriel) (?:provient|vient)\b",
    r"^\W*este (?:correo|mensaje) (?:proviene|se origino)\b",
    r"^\W*(?:do not click|klicken sie nicht|ne cliquez pas|no haga clic)\b",
)

SENT_FROM = _any(
    r"^(?:sent from|sent via|sent with) \S.{0,40}$",
    r"^get outlook for \w+",
    r"^(?:von meinem|von unterwegs|diktiert|mobil gesendet|gesendet (?:von|mit|aus))\b.{0,50}$",
    r"^envoye (?:de|depuis|a partir de)\b.{0,50}$",
    r"^telecharger outlook\b.{0,50}$",
    r"^(?:enviado (?:desde|con)|obtener outlook)\b.{0,50}$",
)

CLOSING = _any(
    r"^(?:with )?(?:(?:my|our|kind(?:est)?|best|warm(?:est)?|many|thanks|and) ){0,4}(?:regards|rgds|wishes)\b.{0,20}$",
    r"^(?:kr|br|rgds|cheers|ta|best|thanks|thx|thank you|many thanks)[ ,.!]*(?:[-–]? ?\w+\.?)?[ ,.!]*$",
    r"^(?:yours )?(?:sincerely|faithfully|truly)\b.{0,20}$",
    r"^(?:mit )?(?:freundliche|beste|viele|herzliche|liebe|schoe?ne)[nmr]? (?:gru(?:e?ss|s)e?n?|dank)\b.{0,30}$",
    r"^(?:mfg|vg|lg|bg|grue?sse|gruss|hochachtungsvoll|ppa\.|i\. ?[av]\.)(?:[ ,.!/].{0,40})?$",
    r"^(?:bien |tres )?(?:cordialement|a vous|sincerement|amicalement|cdt|cdlt|salutations)\b.{0,30}$",
    r"^bonne (?:journee|reception|soiree|fin de)\b.{0,30}$",
    r"^(?:avec )?(?:mes |nos )?meilleures salutations\b.{0,30}$",
    r"^.{0,60}\b(?:salutations|sentiments) (?:distinguee?s|les meilleure?s)\b.{0,10}$",
    r"^(?:un |reciba un )?(?:cordial(?:es)?|atento|afectuoso) saludos?\b.{0,30}$",
    r"^(?:saludos|slds|atte|atentamente|un abrazo|un saludo)\b.{0,30}$",
)
SIGN_DASHES = _any(r"^(?:--|—|__+|\*\*\*+|==+)$")
POSTSCRIPT = _any(r"^(?:p\.? ?s\.?|p\.? ?d\.?|n\.? ?b\.?|nachtrag|postdata)\s*[:.)-]?\s")
CONTACT_LINE = _any(
    r"(?:^|\s)(?:tel|telefon|phone|ph|fon|fax|mobile?|movil|cell|portable|direct|durchwahl|dw)\b[\s.:]*[+(\d]",
    r"\b(?:iban|bic|swift|vat(?: no| id| reg)?|ust-?id\w*|tva)\b[\s.:-]*[a-z]{2}\d",
    r"\b(?:nif|cif|rfc|cuit|siret|siren|rcs|hrb|fn)\b[\s.:-]*[a-z]?\d",
    r"^(?:www\.|https?://)\S+$",
    r"^\S+@\S+\.\w+$",
)
DISCLAIMER = _any(
    r"\b(?:confidential|privileged|intended (?:recipient|solely|only)|addressee|unauthori[sz]ed|privacy notice)\b",
    r"\b(?:vertraulich\w*|irrtue?mlich|bestimmungsgemae?ss\w*|unbefugt\w*|datenschutz\w*)\b",
    r"\b(?:confidentiel\w*|destinataire|par erreur|confidencial\w*|destinatario|por error)\b",
    r"\b(?:before printing|consider the environment|think before you print)\b",
    r"\b(?:umwelt|ausdrucken|imprimer ce|imprimir este)\b",
    r"\b(?:registered (?:in|office|number)|company (?:no|number|reg))\b",
    r"\b(?:sitz der gesellschaft|registergericht|amtsgericht|handelsregister)\b",
    r"\b(?:gescha?e?ftsfue?hr(?:er|ung)|vorstand|aufsichtsrat\w*|siege social|capital (?:de|social))\b",
)

# "See below" above a forwarded text: then what is below is what the sender says.
POINTER = _any(
    r"\b(?:see|as|answer|reply|mail|message|info|details?) (?:\w+ ){0,3}below\b",
    r"\b(?:fyi|for your (?:information|attention|action)|please (?:handle|advise|see|take care))\b",
    r"\b(?:siehe unten|s\. ?u\.|s\. ?unten|untenstehend\w*|nachfolgend\w*)",
    r"\b(?:z\. ?k\.|zur (?:kenntnis|info\w*|bearbeitung))",
    r"\b(?:voir|cf\.?|ci)[ -](?:\w+[ -])?dessous\b",
    r"\bpour (?:info\w*|suite|traitement)\b",
    r"\b(?:ver|vease|mira|mas) (?:\w+ )?abajo\b",
    r"\b(?:reenvio|para su (?:informacion|conocimiento|gestion))\b",
)
# What we ourselves write when we dun; never the customer's word.
OUR_DUNNING = _any(
    r"\b(?:payment reminder|overdue|past due|outstanding balance|final notice|our records show|remains? unpaid)\b",
    r"\b(?:zahlungserinnerung|mahnung|zahlungsrue?ckstand|ue?berfae?llig\w*|offene posten|fae?llige[nr]? betr)",
    r"\b(?:relance|rappel de paiement|impayee?s?|mise en demeure|en retard de paiement|echeance depassee)\b",
    r"\b(?:recordatorio|reclamacion de pago|impagad[oa]s?|saldo (?:pendiente|vencido))\b",
    r"\bfacturas? (?:vencidas?|pendientes?)\b",
)
