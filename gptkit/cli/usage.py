"""`gptkit usage`: tokens and cost by day, model, command or session."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.errors import UsageError
from gptkit.core.sanitize import one_line
from gptkit.core.table import format_table

if TYPE_CHECKING:
    from gptkit.core.chat import Charge
    from gptkit.core.prices import Prices
    from gptkit.history.model import Grouping
    from gptkit.services import Services


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
        cost, source = self.prices.charge_cost(charge)
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


app = typer.Typer()
LATELY = "30d"


class By(StrEnum):
    day = "day"
    model = "model"
    command = "command"
    session = "session"


@app.command()
def usage(
    ctx: typer.Context,
    by: Annotated[By, typer.Option(help="Group by this.")] = By.day,
    since: Annotated[
        str, typer.Option(help="Begin with this day, or the last 7 days: 7d.", metavar="DATE|DAYS")
    ] = LATELY,
    until: Annotated[str | None, typer.Option(help="End with this day.", metavar="DATE|DAYS")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show tokens and cost of past requests."""

    services = cast("Services", ctx.obj)
    now = services.terminal.unix_time()
    start, end = period(since, until, now)
    found = _spending(services, by.value, start, end)
    month = _month(services, month_start(now))
    if as_json:
        record = _record(found, by.value, day(start), month)
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
    elif not found.rows:
        services.terminal.print_error_line(f"gptkit: no requests since {day(start)}")
    else:
        services.terminal.print_sanitized(_table(found, by.value, services.terminal.stdout_is_terminal))
        for remark in _remarks(found, month):
            services.terminal.print_error_line(f"gptkit: {remark}")


class Month:
    """What the month's limit is and how much of it is used."""

    __slots__ = ("limit", "name", "spent")

    def __init__(self, name: str, limit: float, spent: Sum) -> None:
        self.name = name
        self.limit = limit
        self.spent = spent


def _spending(services: Services, by: Grouping, since: float, until: float | None) -> Spending:
    from gptkit.history.query import charges

    found = Spending(services.prices)
    if services.history.path is not None and services.history.path.exists():  # asking does not make one
        with services.history.reading() as connection:
            for key, charge in charges(connection, by, since, until):
                found.add(key, charge)
    found.sort(by)
    return found


def _month(services: Services, start: float) -> Month | None:
    limit = services.settings.value("monthly_limit")
    if limit is None:
        return None

    return Month(day(start)[:7], float(str(limit)), _spending(services, "day", start, None).total)


def _table(found: Spending, by: str, aligned: bool) -> str:
    """For people with a head and a total, for a program without."""
    rows = [_cells(row) for row in found.rows]
    if aligned:
        total = [_cells(found.total)] if len(rows) > 1 else []
        rows = [(by, "requests", "in", "out", "USD", ""), *rows, *total]
    return format_table(rows, aligned)


def _cells(row: Sum) -> tuple[str, ...]:
    """Name, requests, tokens in and out, US dollars, what to know about those."""
    doubts = ["estimated"] if row.estimated else []
    if row.unpriced:
        doubts.append(f"{row.unpriced} without a price")
    cost = "" if row.cost is None else f"{row.cost:.6f}"
    counts = (row.requests, row.prompt_tokens, row.completion_tokens)
    return (row.name, *map(str, counts), cost, ", ".join(doubts))


def _remarks(found: Spending, month: Month | None) -> list[str]:
    """What the figures rest on, and how much of the month's limit they use up."""
    remarks = []
    if found.listed:
        remarks.append(f"prices: {found.prices.version}, {found.prices.date}")
    if found.total.unpriced:
        shown = ", ".join(sorted(found.unpriced)[:5]) + (", …" if len(found.unpriced) > 5 else "")
        of = f"{found.total.unpriced} of {found.total.requests} requests"
        remarks.append(f"no price is known for {of}: {shown}")
        remarks.append("'gptkit config set prices.MODEL \"[INPUT, OUTPUT]\"' sets one (USD a million tokens)")
    if month is not None:
        spent, share = month.spent.cost or 0.0, (month.spent.cost or 0.0) / month.limit
        least = "at least " if month.spent.unpriced else "≈" if month.spent.estimated else ""
        remarks.append(f"{month.name}: {least}{spent:.4g} of {month.limit:.6g} USD used ({share:.0%})")
    return remarks


def _record(found: Spending, by: str, since: str, month: Month | None) -> dict[str, object]:
    return {
        "by": by,
        "since": since,
        "rows": [{by: row.name, **_figures(row)} for row in found.rows],
        "total": _figures(found.total),
        "unpriced_models": sorted(found.unpriced),
        "prices": {"list": found.prices.version, "date": found.prices.date} if found.listed else None,
        "monthly_limit": month and {"month": month.name, "limit": month.limit, **_figures(month.spent)},
    }


def _figures(row: Sum) -> dict[str, object]:
    return {
        "requests": row.requests,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cost": None if row.cost is None else round(row.cost, 9),
        "estimated": row.estimated,
        "unpriced_requests": row.unpriced,
    }


_LONGEST = 36500


def period(since: str, until: str | None, now: float) -> tuple[float, float | None]:
    """From the beginning of a day to the end of another; raises UsageError."""
    today = datetime.fromtimestamp(now).date()
    first = _day("--since", since, today)
    if until is None:
        return _midnight(first), None
    last = _day("--until", until, today)
    if last < first:
        raise UsageError(f"--until is before --since: {last} and {first}")
    return _midnight(first), _midnight(last + timedelta(days=1))


def beginning(option: str, text: str, now: float) -> float:
    """When a day began that an option names; raises UsageError."""
    return _midnight(_day(option, text, datetime.fromtimestamp(now).date()))


def month_start(now: float) -> float:
    """When the month began."""
    return _midnight(datetime.fromtimestamp(now).date().replace(day=1))


def day(moment: float) -> str:
    return datetime.fromtimestamp(moment).date().isoformat()


def _day(option: str, text: str, today: date) -> date:
    """`2026-11-20`, or `7d`: the first of the last seven days, of which today is one."""
    try:
        if days := re.fullmatch(r"([0-9]{1,5})d", text.strip()):
            count = min(max(int(days[1]), 1), _LONGEST)
            return today - timedelta(days=count - 1)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
            found = date.fromisoformat(text.strip())
            if found.year >= 1970:
                return found
    except ValueError:
        pass  # the 31st of June
    raise UsageError(f"{option}: '{one_line(text, 50)}' is not a day", hint="such as 2026-11-20, or 7d")


def _midnight(day: date) -> float:
    return datetime.combine(day, time()).timestamp()
