"""Numbers of two texts that are the same, in pairs; each is compared with few, however many there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import NamedTuple

from gptkit.documents.formats.readings import CLOCK, DECADE, MINUTE, MONTH, PLAIN, SHARES, Number

MOST_TRIED = 32
"""Numbers of one key that one is compared with: those that have a key in common are the same as a rule."""
PHONE = 7
"""Digits of a row that may be grouped in another way."""
Same = Callable[[Number, Number], bool]
Keys = Iterable[Hashable]


class Rule(NamedTuple):
    """When two numbers are the same; those that are have a key in common."""

    same: Same
    keys: Callable[[Number], Keys]

    def of_kind(self) -> Rule:
        return Rule(
            lambda one, two: one.kind == two.kind and self.same(one, two),
            lambda one: ((one.kind, key) for key in self.keys(one)),
        )


def unpaired(old: list[Number], new: list[Number]) -> tuple[list[Number], list[Number]]:
    """What only one of them has."""
    missing, added = old, new
    for rule in (*RULES, _unnamed(old, new), *LOOSE):
        missing, added = _unlike(missing, added, rule)
    missing, added = _taken_apart(missing, added)
    if missing and added and _one_row(missing, added):
        return [], []
    return missing, added


def _alike(one: Number, two: Number) -> bool:
    """The same digits, and not a million where there was a billion."""
    return one.digits == two.digits and (bool(one.values & two.values) or one.values == two.values)


def _equal(one: Number, two: Number) -> bool:
    if one.values or two.values:
        return bool(one.values & two.values)
    return sorted(one.parts) == sorted(two.parts) and len(one.parts) > 2  # a date in another order


def _unnamed(old: Iterable[Number], new: Iterable[Number]) -> Rule:
    """A million in a language of which the words for it are not known."""
    known = any(one.scaled for one in old) == any(one.scaled for one in new)
    return Rule(lambda one, two: not known and one.scaled != two.scaled, lambda one: (one.digits,))


def _same_hour(one: Number, two: Number) -> bool:
    """Of twelve or of twenty-four."""
    return CLOCK in (one.kind, two.kind) and any(
        abs(hour - other) == 12 and max(hour, other) <= 24 for hour in one.values for other in two.values
    )


def _same_decade(one: Number, two: Number) -> bool:
    """The 1980s are the 80s of the 20th century."""
    return any(
        year % 10 == 0 and year % 100 == other and 1000 <= year < 2100
        for first, second in ((one, two), (two, one))
        if DECADE in (first.kind, second.kind)
        for year in first.values
        for other in second.values
    )


def _same_share(one: Number, two: Number) -> bool:
    """Half an hour is 30 minutes."""
    return any(
        SHARES.get(share) == minutes
        for first, second in ((one, two), (two, one))
        for share in first.values
        for minutes in second.values
    )


def _by_digits(one: Number) -> Keys:
    return (one.digits,)


def _by_value(one: Number) -> Keys:
    return one.values or (tuple(sorted(one.parts)),)


def _by_hour(one: Number) -> Keys:
    return {value % 12 for value in one.values if value <= 24}


def _by_year(one: Number) -> Keys:
    return {value % 100 for value in one.values if value < 100 or (1000 <= value < 2100 and value % 10 == 0)}


def _by_share(one: Number) -> Keys:
    return {SHARES.get(value, value) for value in one.values}


def _taken_apart(missing: list[Number], added: list[Number]) -> tuple[list[Number], list[Number]]:
    """Dates, hours and fractions that one language writes in one and the other in parts."""
    if not (missing and added) and not any(_is_date(one) for one in (*missing, *added)):
        return missing, added
    missing, added = _in_parts(missing, added), _in_parts(added, missing)
    for rule in (EXACT[1], HOUR, SHARE):
        missing, added = _unlike(missing, added, rule)
    return missing, added


def _in_parts(numbers: list[Number], others: list[Number]) -> list[Number]:
    values = {value for other in others if not other.parts for value in other.values}
    values |= {(value + 12) % 24 for value in values}
    twins = {tuple(sorted(other.parts)) for other in others}
    done: list[Number] = []
    for one in numbers:
        twin = tuple(sorted(one.parts)) in twins
        if one.scaled or not one.parts or twin or not (_is_date(one) or _are_there(one, values)):
            done.append(one)
            continue
        hour = len(one.parts) == 2 and one.parts[0] <= 24 and one.parts[1] < 60
        for at, part in enumerate(one.parts):
            month = part <= 12 and _is_date(one)
            kind = MONTH if month else (MINUTE if at else CLOCK) if hour else PLAIN
            done.append(Number(one.written, one.start + at, frozenset({part}), kind=kind))
    return done


def _are_there(one: Number, values: set[float]) -> bool:
    """Whether each of its parts is; the minutes of a full hour and a half may be said otherwise."""
    first, *others = one.parts
    return first in values and all(part in values or part < 1 for part in others)


def _is_date(one: Number) -> bool:
    years = [part for part in one.parts if part >= 1000]
    return len(one.parts) == 3 and len(years) == 1 and sum(part <= 31 for part in one.parts) == 2


def _one_row(missing: list[Number], added: list[Number]) -> bool:
    """Whether they are one long row of digits that is grouped in another way, as that of a telephone."""
    rows = ["".join(one.digits for one in some) for some in (missing, added)]
    return (
        rows[0] == rows[1]
        and len(rows[0]) >= PHONE
        and not any("." in one.written or "," in one.written or one.scaled for one in (*missing, *added))
    )


def _unlike(missing: list[Number], added: list[Number], rule: Rule) -> tuple[list[Number], list[Number]]:
    """What is left of both without pairs that are the same by a rule; only those of one key are compared."""
    if not missing or not added:
        return missing, added
    places: dict[Hashable, deque[int]] = {}
    for at, one in enumerate(added):
        for key in rule.keys(one):
            places.setdefault(key, deque()).append(at)
    taken: set[int] = set()
    unmatched = []
    for one in missing:
        match = _match(one, added, rule, places, taken)
        if match is None:
            unmatched.append(one)
        else:
            taken.add(match)
    return unmatched, [one for at, one in enumerate(added) if at not in taken]


def _match(
    one: Number, added: list[Number], rule: Rule, places: dict[Hashable, deque[int]], taken: set[int]
) -> int | None:
    for key in rule.keys(one):
        there = places.get(key, deque())
        while there and there[0] in taken:
            there.popleft()
        for at in islice(there, MOST_TRIED):
            if at not in taken and rule.same(one, added[at]):
                return at
    return None


EXACT = (Rule(_alike, _by_digits), Rule(_equal, _by_value))
HOUR, DECADES, SHARE = Rule(_same_hour, _by_hour), Rule(_same_decade, _by_year), Rule(_same_share, _by_share)
RULES = (*(rule.of_kind() for rule in (*EXACT, HOUR)), *EXACT)
"""Hours are sought among hours first."""
LOOSE = (HOUR, DECADES, SHARE)
