"""The status line: model, tokens against the window, cost against the budget, as much as fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.sanitize import one_line
from gptkit.core.table import text_width

if TYPE_CHECKING:
    from gptkit.cli.talk import Status

BETWEEN = " · "
MODEL_CAP = 60


def status_line(status: Status, width: int) -> str:
    """The longest form of a status that takes fewer columns than the width; empty if none does."""
    model = one_line(status.model, MODEL_CAP)
    exact, short = tokens(status), _tokens(status, _short, "/")
    cost, rounded = money(status), _money(status, 2, "/")
    forms = (
        (model, f"{exact} tokens", cost),
        (model, short, rounded),
        (short, rounded),
        (short,),
    )
    for form in forms:
        line = BETWEEN.join(part for part in form if part)
        if text_width(line) < width:
            return line
    return ""


def tokens(status: Status) -> str:
    """Exact: `1,234 of 128,000`."""
    return _tokens(status, lambda number: f"{number:,}", " of ")


def money(status: Status) -> str:
    """`$0.0123 of $1.00`; empty where nothing is known and nothing limited."""
    return _money(status, 4, " of ")


def fitted(text: str, width: int) -> str:
    """One line of foreign text that takes no more columns than that."""
    line = one_line(text, max(width, 2))
    while line and text_width(line) > width:
        line = line.removesuffix("…")[:-1].rstrip() + "…" if len(line) > 1 else ""
    return line


def _tokens(status: Status, number: _Number, against: str) -> str:
    window = against + number(status.window) if status.window else ""
    return f"{number(status.tokens)}{window}"


def _money(status: Status, digits: int, against: str) -> str:
    limit = f"${status.limit:.2f}" if status.limit is not None else ""
    if status.cost is None:
        return f"price unknown{against}{limit}" if limit else ""
    about = "≈" if status.estimated else ""
    cost = f"{about}${status.cost:.{digits}f}"
    return f"{cost}{against}{limit}" if limit else cost


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.0f}{letter}" if scaled >= 10 else f"{scaled:.1f}{letter}"
    return str(number)


if TYPE_CHECKING:
    from collections.abc import Callable

    _Number = Callable[[int], str]
