"""The plural forms of a language, as the header of a gettext catalog describes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

Forms = Sequence[tuple[bool, str]]
"""For each plural form whether it is for the number 1 alone, and a note on which numbers it is for."""
RULE = re.compile(
    r"^Plural-Forms:\s*nplurals\s*=\s*([1-9][0-9]?)\s*;\s*plural\s*=\s*([^;\n]+)",
    re.MULTILINE | re.IGNORECASE,
)


def plural_forms(header: str) -> Forms | None:
    """The forms that a catalog's header tells of; None where it does not, as in a template."""
    found = RULE.search(header)
    return _forms(int(found[1]), found[2]) if found else None


def germanic(count: int) -> Forms:
    """The forms of an entry in a catalog whose header is silent: gettext then takes one, and other."""
    return _forms(count, "n != 1" if count > 1 else "0")


@lru_cache(maxsize=8)
def _forms(count: int, rule: str) -> Forms:
    from gettext import c2py

    numbers: list[list[int]] = [[] for _ in range(count)]
    try:
        form_of = c2py(rule.strip())
        for number in (*range(1, 1001), 0, 1_000_000):
            if 0 <= (form := int(form_of(number))) < count:
                numbers[form].append(number)
    except (ValueError, ArithmeticError):
        return [(False, f"plural form {form + 1} of {count}") for form in range(count)]
    return [(of == [1], _numbers(of, form, count)) for form, of in enumerate(numbers)]


def _numbers(numbers: Sequence[int], form: int, count: int) -> str:
    if count == 1:
        return "for any number"
    some = ", ".join(map(str, numbers[:6])) + (" and so on" if len(numbers) > 6 else "")
    return f"plural form {form + 1} of {count}" + (f", for {some}" if some else "")
