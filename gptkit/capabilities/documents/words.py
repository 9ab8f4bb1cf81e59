"""The words by which a text is found: folded, stemmed, and pairs of characters where no spaces part words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from gptkit.core.patterns import lazy_pattern

_SPACELESS = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana, Chinese characters, hangul."""
_INDIC = r"\u0900-\u0dff\u0300-\u036f"
"""Scripts whose vowel signs are no letters to `re`, and accents."""
_RUN = lazy_pattern(rf"([{_SPACELESS}]+)|((?:[^\W_{_SPACELESS}]|[{_INDIC}])+)")
_ASCII_RUN = re.compile(r"[a-z0-9]+")
_KNOWN = 200_000
"""Words whose stems are remembered: more than one language has, less than a list of part numbers."""

STOP_WORDS = frozenset(
    """a about above after again against all also am an and any are aren as at be because been before being
    below between both but by can cannot could couldn d did didn do does doesn doing don down during each
    few for from further had hadn has hasn have haven having he her here hers herself him himself his how i
    if in into is isn it its itself just ll m ma me might mightn more most must mustn my myself need needn
    no nor not now o of off on once only or other our ours ourselves out over own re s same shall shan she
    should shouldn so some such t than that the their theirs them themselves then there these they this
    those through to too under until up upon us ve very was wasn we were weren what when where which while
    who whom whose why will with won would wouldn y you your yours yourself yourselves""".split()  # noqa: SIM905
)
QUESTION_PHRASES = lazy_pattern(
    "是什么时候|什么时候|是什么样的|什么样的|是什么意思|为什么|是什么|叫什么|有什么|做什么|什么|是多少|有多少|多少|是哪些|有哪些|哪些"
    "|是哪个|哪个|哪几|哪一|哪年|哪里|是哪|在哪|哪|是谁|谁|怎么样|怎样|怎么|如何|有几|是几|几个|吗|呢|请问|"
    "是什麼時候|什麼時候|為什麼|是什麼|叫什麼|有什麼|什麼|怎麼樣|怎樣|怎麼|請問|嗎|哪個|哪裡|誰"
)
"""What a Chinese question asks with; none of it stands in the answer."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in their order, without stop words."""
    stems = _stems()
    if text.isascii():
        return [stem for word in _ASCII_RUN.findall(text.lower()) if (stem := stems[word])]
    found: list[str] = []
    for run, word in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if word:
            if stem := stems[word]:
                found.append(stem)
        elif len(run) == 1:
            found.append(run)
        else:
            found += map(str.__add__, run, run[1:])
    return found


def question_words(text: str) -> list[str]:
    """Return the words of a question, without its question words; all its words if nothing else is left."""
    if text.isascii():
        return words_of(text) or _ASCII_RUN.findall(text.lower())
    folded = unicodedata.normalize("NFKC", text)
    found = words_of(QUESTION_PHRASES.sub(" ", folded))
    return found or [(run or word).casefold() for run, word in _RUN.findall(folded)]


class _Stems(dict[str, str]):
    """The stems of words, empty for stop words. Words with other than ASCII letters are their own stems."""

    def __init__(self, stem: Callable[[str], str]) -> None:
        super().__init__(dict.fromkeys(STOP_WORDS, ""))
        self._stem = stem

    def __missing__(self, word: str) -> str:
        if len(self) > _KNOWN:
            self.clear()
            self.update(dict.fromkeys(STOP_WORDS, ""))
        self[word] = stem = self._stem(word) if word.isascii() else word
        return stem


@cache
def _stems() -> _Stems:
    import Stemmer

    stemmer = Stemmer.Stemmer("english", 0)
    return _Stems(stemmer.stemWord)
