"""Which language a text is surely not in: by script, by letters, by the count of function words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from operator import itemgetter
from typing import NamedTuple
from unicodedata import name

LEAST = 40
"""Weight (see `weight`) of a text from which its language is told; measured on 124,000 translations."""
FEW = 4
"""Weight of an answer in a script that neither its language nor its source has, from which it is wrong."""
LEAST_WORDS, LEAST_SHARE = 2, 0.18
MANY_WORDS, SHARE_OF_MANY = 6, 0.12
"""Function words, and their share of all words, from which their count decides."""
OFTEN = 5
"""How often a word counts at most, so that no table of letters is a language."""
WEIGHTS = {"CJK": 3, "HIRAGANA": 1.5, "KATAKANA": 1.5, "HANGUL": 2}
"""How much a character says: with these, texts of the same meaning weigh about the same in any language."""
KANA = ("HIRAGANA", "KATAKANA")
SCRIPTS: Mapping[str, str] = {
    code: script
    for script, codes in (
        ("LATIN", "af ca cs cy da de en eo es et eu fi fr ga gl hr hu id is it la lt lv ms nb nl nn no pl"),
        ("LATIN", "pt ro sk sl sq sv sw tl tr vi zu"),
        ("CYRILLIC", "be bg kk ky mk mn ru tg uk"),
        ("ARABIC", "ar fa ps ur"),
        ("DEVANAGARI", "hi mr ne"),
        ("CJK", "ja zh"),
        *((one, code) for code, one in zip("ko he el th bn ta te ka hy".split(), (  # noqa: SIM905
            "HANGUL", "HEBREW", "GREEK", "THAI", "BENGALI", "TAMIL", "TELUGU", "GEORGIAN", "ARMENIAN"
        ), strict=True)),
    )
    for code in codes.split()
}  # fmt: skip
ALIKE = (
    (
        *("zh", "这国们个来会时说为过对学后开样经发现动还没机问无应数据设请选择项务网页图单户码权错误"),
        *("zh-Hant", "這國們個來會時說為過對學後開樣經發現動還沒機問無應數據設請選擇項務網頁圖單戶碼權錯誤"),
    ),
    ("ru", "ыэъё", "uk", "іїєґ"),
    ("fa", "پچژگکی", "ar", "ةىيكإ"),
)
"""Two languages of one script, each with letters that the other does not write."""
WORDS: Mapping[str, frozenset[str]] = {
    code: frozenset(words.split())
    for code, words in {
        "en": "the of and to is that for with are this be was it as from or have you not by can will "
        "which an your if has should when been their there would must",
        "fr": "le la les des est et une un du dans pour que qui sur pas par avec au aux ce cette sont "
        "vous ne plus être ou nous il elle sera votre en de",
        "de": "der die das und ist nicht ein eine zu den von mit für auf dem werden sich des im oder wird "
        "auch sind kann als bei einer wenn aus nach sie haben es",
        "es": "el la los las de que y en un una es por con para del se no al lo como está son su más esta "
        "este puede o ser si sus pero",
        "it": "il la di che e un una è per non con del della sono nel alla dei delle gli le da si come "
        "più questo questa può essere al o i lo",
        "pt": "o a os as de que e um uma é para não com do da em no na dos das se por mais como são ou "
        "ser está pode este esta ao foi você",
        "nl": "de het een en van is dat in te niet op voor met zijn die aan er wordt worden deze kan als "
        "of bij ook uit naar dit door om hebben",
        "sv": "och att det som en ett är för på av inte med den till kan de har om från eller du ska "
        "denna när detta vara var dina alla",
        "da": "og at det som en et er på af ikke med den til kan de har om fra eller du skal denne når "
        "dette være ble vil blir av blive må",
        "pl": "i w na nie z do to się jest że o jak ale za od po dla przez są lub być tego może tym które "
        "aby oraz który ten co jego czy",
        "tr": "ve bir bu için ile da de olarak olan daha en çok gibi kadar değil var veya her ne ancak "
        "sonra olduğu bunu tarafından mi göre",
        "id": "yang dan di untuk dengan ini dari dalam tidak pada akan adalah itu atau ke oleh anda dapat "
        "bisa sebuah telah juga lebih kami sebagai ada",
    }.items()
}
NAMES: Mapping[str, str] = {
    "en": "English",
    "fr": "French",
    "de": "German",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "sv": "Swedish",
    "da": "Danish",
    "pl": "Polish",
    "tr": "Turkish",
    "id": "Indonesian",
    "zh": "simplified Chinese",
    "zh-Hant": "traditional Chinese",
    "ja": "Japanese",
    "ru": "Russian",
    "uk": "Ukrainian",
    "fa": "Persian",
    "ar": "Arabic",
    "ko": "Korean",
}
NEIGHBOURS = {"nb": "da", "no": "da", "nn": "da", "ms": "id", "gl": "pt", "af": "nl", "ca": "es"}
"""Languages without a list of words; they share most function words with the other one."""
WORD = re.compile(r"[^\W\d_]+")


class Vote(NamedTuple):
    """How many words of a text are function words of the language that has most of them."""

    code: str
    words: int
    of: int
    by_code: Mapping[str, int]

    @property
    def counts(self) -> bool:
        share = SHARE_OF_MANY if self.words >= MANY_WORDS else LEAST_SHARE
        return self.words >= LEAST_WORDS and self.words >= share * self.of


def weight(text: str) -> float:
    """Return how much a text says: a letter is 1, a Chinese character 3, a syllable between."""
    return sum(scripts(text).values()) + sum(map(str.isdigit, text))


def scripts(text: str) -> dict[str, float]:
    """Return the weight of the letters of each script."""
    weights: defaultdict[str, float] = defaultdict(float)
    for sign, times in Counter(text).items():
        if script := _script(sign):
            weights[script] += times * WEIGHTS.get(script, 1)
    return weights


@cache
def _script(sign: str) -> str:
    """Return the first word of a letter's Unicode name; empty for any other character."""
    return name(sign, "").partition(" ")[0] if sign.isalpha() else ""


def main_tag(language: str) -> str:
    """Reduce a tag of BCP 47 to the language without region; Chinese is `zh` or `zh-Hant`."""
    code, _, rest = language.lower().replace("_", "-").partition("-")
    is_traditional = code == "zh" and any(region in ("hant", "tw", "hk", "mo") for region in rest.split("-"))
    return "zh-Hant" if is_traditional else code


def count_function_words(text: str) -> Vote:
    words = Counter(match.lower() for match in WORD.findall(text))
    hits = {code: sum(min(words[word], OFTEN) for word in table) for code, table in WORDS.items()}
    best = max(hits, key=lambda code: hits[code])
    return Vote(best, hits[best], words.total(), hits)


def other_language(text: str, language: str) -> str | None:
    """Name the language or script of a text if it surely is not `language` (a tag of BCP 47), else None."""
    tag = main_tag(language)
    weights = scripts(text)
    total, own = sum(weights.values()), SCRIPTS.get(tag.partition("-")[0])
    if own is None or total < LEAST:
        return None
    script, script_weight = max(weights.items(), key=itemgetter(1))
    kana, han = sum(weights[letters] for letters in KANA), weights["CJK"]
    if own == "CJK":
        if tag == "ja" and not kana and han >= 1.5 * LEAST:
            return "Chinese"
        if tag != "ja" and kana * 10 > han + kana and script != "LATIN":
            return NAMES["ja"]
        weights["CJK"] += kana
    if script not in (own, "LATIN") and not (own == "CJK" and script in KANA):
        return _script_name(script) if script_weight * 2 > total else None
    if script == "LATIN" and own != "LATIN" and weights[own] * 6 > total:
        return None
    return _other_by_letters(text, tag) if script != "LATIN" else _other_by_words(text, tag)


def foreign_script(source: str, answer: str, language: str) -> str:
    """Name the script of an answer of any length that has no letter of its language's script.

    Empty for one that may be right: Latin letters are names in any language; what the source has may stay.
    """
    own = SCRIPTS.get(main_tag(language).partition("-")[0])
    weights, there = scripts(answer), scripts(source)
    if own is None or not weights or weights.get(own) or (own == "CJK" and any(map(weights.get, KANA))):
        return ""
    script, letters = max(weights.items(), key=itemgetter(1))
    return _script_name(script) if script != "LATIN" and script not in there and letters >= FEW else ""


def _script_name(script: str) -> str:
    names = {"CJK": "Chinese", "HANGUL": NAMES["ko"], **dict.fromkeys(KANA, NAMES["ja"])}
    return names.get(script) or f"{script.capitalize()} letters"


def _other_by_words(text: str, tag: str) -> str | None:
    """Name the language whose function words a text in Latin letters has, rather than those of `tag`."""
    vote = count_function_words(text)
    own_count = vote.by_code.get(NEIGHBOURS.get(tag, tag), 0)
    is_clear = vote.words > 3 * own_count and (vote.words > 3 or not own_count)
    if not vote.counts or vote.code == NEIGHBOURS.get(tag, tag) or not is_clear:
        return None
    if tag in NEIGHBOURS or (tag not in WORDS and SCRIPTS[tag.partition("-")[0]] == "LATIN"):
        known = vote.by_code["en"] == vote.words  # neighbours of a language share its words
        return NAMES["en"] if known else None
    return NAMES[vote.code]


def _other_by_letters(text: str, tag: str) -> str | None:
    for first, first_letters, second, second_letters in ALIKE:
        if tag in (first, second):
            own_letters, other_letters = (
                (first_letters, second_letters) if tag == first else (second_letters, first_letters)
            )
            count = Counter(text.lower())
            wrong = sum(count[sign] for sign in set(other_letters) - set(own_letters))
            right = sum(count[sign] for sign in set(own_letters) - set(other_letters))
            if wrong >= 4 and wrong > 5 * right:
                return NAMES[second if tag == first else first]
    return None


def detect_language(text: str) -> str:
    """Return the tag of the language that a text is surely in; empty where that cannot be told."""
    weights = scripts(text)
    if sum(weights.values()) < LEAST:
        return ""
    script = max(weights, key=lambda name: weights[name])
    if script == "LATIN":
        vote = count_function_words(text)
        second_count = sorted(vote.by_code.values())[-2]
        return vote.code if vote.counts and vote.words > 1.5 * second_count else ""
    if script in ("CJK", *KANA):
        if any(weights[name] for name in KANA):
            return "ja"
        return (
            "zh-Hant" if _other_by_letters(text, "zh") else "zh" if _other_by_letters(text, "zh-Hant") else ""
        )
    return {"HANGUL": "ko", "GREEK": "el", "HEBREW": "he", "THAI": "th"}.get(script, "")
