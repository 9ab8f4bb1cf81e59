"""Adds up what requests took and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gptkit.core.chat import Charge
    from gptkit.core.prices import Prices

LISTED = ("provider", "name")
"""Prices from the dated list; those for a `name` are the usual ones, not that address's own."""


class Sum:
    """The requests of one row. `cost` leaves out the `unpriced` requests; None if no other is left."""

    __slots__ = ("completion_tokens", "cost", "estimated", "name", "prompt_tokens", "requests", "unpriced")

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests = self.prompt_tokens = self.completion_tokens = self.unpriced = 0
        self.cost: float | None = None
        self.estimated = False

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def add(self, charge: Charge, cost: float | None, estimated: bool) -> None:
        self.requests += 1
        self.prompt_tokens += charge.prompt_tokens
        self.completion_tokens += charge.completion_tokens
        self.estimated |= estimated
        if cost is None:
            self.unpriced += 1
        else:
            self.cost = (self.cost or 0.0) + cost


class Spending:
    """Rows by name and their total, the models without a price, and whether the list was asked."""

    def __init__(self, prices: Prices) -> None:
        self.prices = prices
        self.total = Sum("total")
        self.unpriced: set[str] = set()
        self.listed = False
        self._rows: dict[str, Sum] = {}

    @property
    def rows(self) -> list[Sum]:
        return list(self._rows.values())

    def add(self, name: str, charge: Charge) -> None:
        cost, source = self.prices.charged(charge)
        estimated = charge.estimated or (source == "name" and cost is not None)
        for each in (self._rows.setdefault(name, Sum(name)), self.total):
            each.add(charge, cost, estimated)
        if cost is None:
            self.unpriced.add(charge.model)
        elif source in LISTED:
            self.listed = True

    def sort(self, by: str) -> None:
        """Days as they came, anything else with the dearest first."""
        rows = sorted(self.rows, key=lambda row: row.name)
        if by != "day":
            rows.sort(key=lambda row: (row.cost or 0.0, row.tokens), reverse=True)
        self._rows = {row.name: row for row in rows}
