"""Names of languages as the tags of BCP 47: `French`, `français` and `fr_FR` are all `fr`."""

from __future__ import annotations

import re

_NAMES = """
    af afrikaans|ar arabic العربية|bg bulgarian български|bn bengali বাংলা|ca catalan català
    |cs czech čeština|cy welsh cymraeg|da danish dansk|de german deutsch|el greek ελληνικά
    |en english american_english|en-GB british_english|eo esperanto|es spanish español castellano
    |es-MX mexican_spanish|et estonian eesti|eu basque euskara|fa persian farsi فارسی|fi finnish suomi
    |fr french français|fr-CA canadian_french|ga irish gaeilge|gl galician galego|he hebrew עברית
    |hi hindi हिन्दी|hr croatian hrvatski|hu hungarian magyar|hy armenian հայերեն
    |id indonesian bahasa_indonesia|is icelandic íslenska|it italian italiano|ja japanese 日本語 日语 日文
    |ka georgian ქართული|kk kazakh қазақ|km khmer ខ្មែរ|ko korean 한국어 韩语|la latin latina
    |lt lithuanian lietuvių|lv latvian latviešu|mk macedonian македонски|mn mongolian монгол
    |mr marathi मराठी|ms malay bahasa_melayu|my burmese မြန်မာ|nb norwegian norsk bokmål
    |ne nepali नेपाली|nl dutch nederlands|nn nynorsk|pl polish polski
    |pt portuguese português brazilian_portuguese|pt-PT european_portuguese|ro romanian română
    |ru russian русский 俄语|sk slovak slovenčina|sl slovenian slovenščina|sq albanian shqip
    |sr serbian српски|sv swedish svenska|sw swahili kiswahili|ta tamil தமிழ்|te telugu తెలుగు
    |th thai ไทย|tl tagalog filipino|tr turkish türkçe|uk ukrainian українська|ur urdu اردو
    |uz uzbek oʻzbek|vi vietnamese tiếng_việt|zh chinese mandarin simplified_chinese 中文 汉语 简体中文 简体
    |zh-TW traditional_chinese taiwanese_mandarin 繁體中文 繁体中文 正體中文 繁體|zu zulu isizulu
"""
_USUAL = """
    ar-EG bg-BG ca-ES cs-CZ da-DK de-DE el-GR en-US es-ES et-EE eu-ES fa-IR fi-FI fr-FR ga-IE gl-ES
    he-IL hi-IN hr-HR hu-HU id-ID is-IS it-IT ja-JP ko-KR lt-LT lv-LV nb-NO nl-NL pl-PL pt-BR ro-RO
    ru-RU sk-SK sl-SI sr-RS sv-SE ta-IN th-TH tr-TR uk-UA vi-VN zh-CN zh-Hans zh-Hans-CN
"""
"""Regions and scripts that go without saying, from the likely subtags of the Unicode CLDR."""
_OTHERS = {"zh-hant": "zh-TW", "zh-hant-tw": "zh-TW", "no": "nb", "no-no": "nb", "iw": "he", "in": "id"}
_TAG = re.compile("[a-z]{2,3}(?:-[a-z0-9]{2,8})*", re.IGNORECASE | re.ASCII)
_names: dict[str, str] = {}


def tag(name: str) -> str:
    """The shortest tag of a language; empty where it is not known.

    A region is left out where it is the usual one: `fr-FR` is `fr`, `fr-CA` stays.
    """
    if not _names:
        _names.update(_read())
    plain = " ".join(name.casefold().replace("_", " ").split())
    if found := _names.get(plain):
        return found
    hyphened = name.strip().replace("_", "-")
    if not _TAG.fullmatch(hyphened) or hyphened.lower() in ("und", "mul", "zxx"):
        return ""
    return _names.get(hyphened.casefold(), _cased(hyphened))


def _read() -> dict[str, str]:
    found: dict[str, str] = dict(_OTHERS)
    for group in _NAMES.replace("\n", " ").split("|"):
        code, *names = group.split()
        found.update(dict.fromkeys((name.replace("_", " ").casefold() for name in names), code))
        found[code.casefold()] = code
    for each in _USUAL.split():
        found[each.casefold()] = each.partition("-")[0]
    return found


def _cased(code: str) -> str:
    """`pt-br` is written `pt-BR`, `zh-hant` `zh-Hant`."""
    primary, *rest = code.split("-")
    shown = [
        each.upper() if len(each) == 2 else each.title() if len(each) == 4 else each.lower() for each in rest
    ]
    return "-".join([primary.lower(), *shown])
