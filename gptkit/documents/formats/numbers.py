"""Whether the numbers of a text are in another one, however either language writes them."""

from __future__ import annotations

import re

from gptkit.documents.formats import number_words as named
from gptkit.documents.formats.number_pairs import unpaired
from gptkit.documents.formats.numbers_said import unsaid
from gptkit.documents.formats.readings import LENIENT_SIGN, MINUTE, NUMBER, Number, read

HAS_NUMBER = re.compile(r"[\d¼-¾⅐-⅞]")


def differences(before: str, after: str) -> tuple[list[Number], list[Number]]:
    """Numbers that are missing in the second text, and those that only it has."""
    if not HAS_NUMBER.search(before) and not HAS_NUMBER.search(after):
        return [], []
    old, new = read(before), read(after)
    missing, added = _signless(old, after), _signless(new, before)
    if missing or added:
        return missing, added
    missing, added = unpaired(old, new)
    missing, added = unsaid(missing, before, after), unsaid(added, after, before)
    missing, added = (
        [one for one in missing if not _is_full_hour(one)],
        [one for one in added if not _may_come(one)],
    )
    return missing or _without_percent(old, before, after), added


def _signless(numbers: list[Number], other: str) -> list[Number]:
    """Those below zero, if the other text says of fewer that they are."""
    below = [one for one in numbers if one.negative]
    if not below:
        return []
    signs = sum(
        LENIENT_SIGN.search(other, max(0, found.start() - 3), found.start()) is not None
        for found in NUMBER.finditer(other)
    )
    short = len(below) - signs - len(named.pattern(named.MINUS).findall(other))
    return [one._replace(written=f"-{one.written}") for one in below[:short]] if short > 0 else []


def _is_full_hour(one: Number) -> bool:
    """The minutes of three o'clock."""
    return one.kind == MINUTE and one.values == {0.0}


def _may_come(one: Number) -> bool:
    """An article or a word for `each` is a number in some languages."""
    return _is_full_hour(one) or (one.values == {1.0} and len(one.written) == 1 and one.kind != MINUTE)


def _without_percent(numbers: list[Number], before: str, after: str) -> list[Number]:
    """Those that were percentages, where nothing says so any more."""
    shares = [one for one in numbers if one.percent]
    if not shares or named.pattern(named.PERCENT).search(after):
        return []
    said = {value for number in read(after) for value in number.values}
    return [one._replace(written=f"{one.written}%") for one in shares if one.values & said]
