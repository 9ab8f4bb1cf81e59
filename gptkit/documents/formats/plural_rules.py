"""The plural rules of languages, as the manual of gettext and its users' catalogs state them."""

from __future__ import annotations

import re

_EAST_SLAVIC = "n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2"
_RULES = {
    "id ja km ko lo ms my th vi zh": (1, "0"),
    """af az bg ca da de el en eo es et eu fi fo fy gl he hu it ka kk ku la lb ml mn mr nb ne nl nn no ps
    pt-PT so sq sv sw ta te tr ur uz yi""": (2, "n != 1"),
    "am bn fa fil fr gu hi hy kn pa pt si tl zu": (2, "n > 1"),
    "is mk": (2, "n%10==1 && n%100!=11 ? 0 : 1"),
    "be bs hr ru sh sr uk": (3, _EAST_SLAVIC),
    "cs sk": (3, "(n==1) ? 0 : (n>=2 && n<=4) ? 1 : 2"),
    "pl": (3, "n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2"),
    "lt": (3, "n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || n%100>=20) ? 1 : 2"),
    "lv": (3, "n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2"),
    "ro": (3, "n==1 ? 0 : (n==0 || (n%100 > 0 && n%100 < 20)) ? 1 : 2"),
    "ga": (3, "n==1 ? 0 : n==2 ? 1 : 2"),
    "sl": (4, "n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3"),
    "gd": (4, "(n==1 || n==11) ? 0 : (n==2 || n==12) ? 1 : (n>2 && n<20) ? 2 : 3"),
    "mt": (4, "n==1 ? 0 : n==0 || (n%100>1 && n%100<11) ? 1 : (n%100>10 && n%100<20) ? 2 : 3"),
    "ar": (6, "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5"),
    "cy": (6, "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : n==6 ? 4 : 5"),
}
"""The number of forms, and which of them is for `n`, by the tags of the languages."""
LANGUAGES = {tag: rule for tags, rule in _RULES.items() for tag in tags.split()}
_LOCALES = {"pt": "pt_BR", "zh": "zh_CN"}
_SCRIPTS = {"latn": "@latin", "cyrl": "@cyrillic"}


def rule_of(tag: str) -> tuple[int, str] | None:
    """The plural rule of a language by its tag of BCP 47; None where it is not known."""
    return LANGUAGES.get(tag) or LANGUAGES.get(language_of(tag))


def language_of(name: str) -> str:
    """The language alone, of a tag or of a locale's name."""
    return re.split(r"[-_@.]", name.strip(), maxsplit=1)[0].lower()


def locale_of(tag: str) -> str:
    """The name of a language in the header of a catalog: `pt-PT` is `pt_PT`, `sr-Latn` is `sr@latin`."""
    language, *rest = tag.split("-")
    parts = [_SCRIPTS.get(part.lower(), f"_{part}") for part in rest]
    return _LOCALES.get(tag) or language + "".join(sorted(parts, reverse=True))
