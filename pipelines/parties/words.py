"""Words of company names that say what a company is and not which one: data, read by `names`.

Legal forms are those in common use, by ISO 3166 country, without dots, accents or capitals; a form of several words
stands as those words, without "&". Names of companies have no place here.
"""

LEGAL_FORMS = {
    "US": "inc, incorporated, corp, corporation, co, company, llc, llp, lp, ltd, limited, pllc, pc, plc",
    "GB": "ltd, limited, plc, llp, lp, cic",
    "IE": "ltd, limited, plc, dac, clg, ulc, teoranta, teo",
    "CA": "inc, incorporated, ltd, limited, ltee, corp, ulc",
    "AU": "pty ltd, pty, ltd, nl",
    "NZ": "ltd, limited",
    "ZA": "pty ltd, pty, ltd, cc, npc, soc ltd",
    "IN": "pvt ltd, private limited, pvt, ltd, llp",
    "SG": "pte ltd, pte, ltd, llp",
    "MY": "sdn bhd, bhd",
    "HK": "ltd, limited",
    "DE": "gmbh, ag, kg, ohg, gbr, ug, ev, eg, kgaa, mbh, gmbh co kg, ag co kg, se co kgaa",
    "AT": "gmbh, gesmbh, ges m b h, ag, kg, og, eu",
    "CH": "ag, sa, gmbh, sarl, sagl",
    "FR": "sa, sas, sasu, sarl, eurl, sci, snc, scop, gie",
    "BE": "sa, nv, srl, bv, sprl, bvba, scrl, cvba",
    "NL": "bv, nv, vof, cv",
    "LU": "sa, sarl, scs",
    "IT": "spa, srl, srls, sapa, snc, sas, scarl",
    "ES": "sa, sl, slu, sau, sll, scoop",
    "PT": "sa, lda, unipessoal, unipessoal lda",
    "BR": "sa, ltda, me, epp, eireli",
    "MX": "sa de cv, sapi de cv, s de rl de cv",
    "AR": "sa, srl, sas",
    "DK": "as, aps, is, ks",
    "SE": "ab, hb, kb",
    "NO": "as, asa, ans, da",
    "FI": "oy, oyj, ky, ab",
    "IS": "hf, ehf",
    "PL": "sa, sp z oo, spzoo, sp j, sp k",
    "CZ": "as, sro, vos",
    "SK": "as, sro",
    "HU": "kft, zrt, nyrt, bt, rt",
    "RO": "srl, sa",
    "BG": "ood, eood, ad, ead",
    "HR": "doo, dd, jdoo",
    "RS": "doo, ad",
    "SI": "doo, dd",
    "EE": "ou, as",
    "LV": "sia, as",
    "LT": "uab, ab, mb",
    "GR": "ae, epe, ike, oe",
    "TR": "as, ltd sti",
    "RU": "ooo, zao, oao, pao, ao, ооо, зао, оао, пао, ао",
    "UA": "tov",
    "JP": "kk, gk, kabushiki kaisha, godo kaisha, co ltd, 株式会社, 合同会社, 有限会社",
    "CN": "co ltd, 有限公司, 有限责任公司, 股份有限公司",
    "KR": "co ltd, yuhan hoesa",
    "TH": "co ltd, pcl",
    "VN": "co ltd, jsc",
    "ID": "pt, tbk, cv",
    "PH": "inc, corp",
    "AE": "llc, fze, fzco, fzc, fz llc",
    "IL": "ltd",
    "EU": "se, eeig, sce",
}

# One spelling for one legal form, so that "Corporation" and "Corp" do not contradict each other.
SAME_FORM = {
    "incorporated": "inc",
    "corporation": "corp",
    "company": "co",
    "limited": "ltd",
    "ltee": "ltd",
    "gesmbh": "gmbh",
    "ges m b h": "gmbh",
    "mbh": "gmbh",
    "sp z oo": "spzoo",
    "private limited": "pvt ltd",
}

# Forms that also stand in front of the name, and forms that are written without a blank.
LEADING_FORMS = frozenset({"oao", "ooo", "pao", "pt", "zao", "зао", "оао", "ооо", "пао", "有限会社", "株式会社"})
UNSPACED_FORMS = ("股份有限公司", "有限责任公司", "有限公司", "株式会社", "有限会社", "合同会社")

ABBREVIATIONS = {
    "admin": "administration",
    "agri": "agriculture",
    "assn": "association",
    "bldg": "building",
    "bros": "brothers",
    "chem": "chemicals",
    "comm": "communications",
    "constr": "construction",
    "ctr": "center",
    "centre": "center",
    "dept": "department",
    "dist": "distribution",
    "distr": "distribution",
    "elec": "electric",
    "eng": "engineering",
    "engr": "engineering",
    "ent": "enterprises",
    "eqpt": "equipment",
    "fds": "foods",
    "gebr": "gebruder",
    "govt": "government",
    "grp": "group",
    "hldg": "holdings",
    "hldgs": "holdings",
    "holding": "holdings",
    "hosp": "hospital",
    "ind": "industries",
    "inds": "industries",
    "ins": "insurance",
    "intl": "international",
    "int": "international",
    "labs": "laboratories",
    "lab": "laboratories",
    "mfg": "manufacturing",
    "mgmt": "management",
    "mkt": "market",
    "mkts": "markets",
    "natl": "national",
    "nat": "national",
    "pharm": "pharmacy",
    "prod": "products",
    "prods": "products",
    "rest": "restaurant",
    "serv": "services",
    "svc": "services",
    "svcs": "services",
    "sys": "systems",
    "tech": "technologies",
    "technology": "technologies",
    "trans": "transport",
    "univ": "university",
    "whse": "warehouse",
    "whsl": "wholesale",
}

# Left out between two words; articles also in front of two letters or more.
CONNECTORS = frozenset({"and", "und", "et", "y", "e", "og", "och", "en", "of", "de", "du", "des", "di", "da", "do"})
ARTICLES = frozenset({"the", "der", "die", "das", "le", "la", "les", "el", "los"})

# What names a place of the party and not the party: taken off together with the number behind it.
LOCATORS = frozenset(
    {
        "agence",
        "branch",
        "dc",
        "depot",
        "filiale",
        "location",
        "outlet",
        "plant",
        "shop",
        "site",
        "store",
        "sucursal",
        "unit",
        "whse",
    }
)


def legal_forms() -> frozenset[tuple[str, ...]]:
    """Every legal form as its words.

    >>> ("gmbh", "&", "co", "kg") in legal_forms(), ("inc",) in legal_forms()
    (False, True)
    """
    return frozenset(tuple(form.split()) for listed in LEGAL_FORMS.values() for form in listed.split(", "))
