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


LIST_SOURCES = ("provider", "name")
"""Sources that are the dated price list; `name` is the usual price of a model, whatever the server."""


class UsageRow:
    """The sums of one row; `cost` is without the `unpriced` requests, None if all are unpriced."""

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


class UsageReport:
    """The rows by name, their total, the models without a price, and whether the price list was used."""

    def __init__(self, prices: Prices) -> None:
        self.prices = prices
        self.total = UsageRow("total")
        self.unpriced: set[str] = set()
        self.uses_price_list = False
        self._rows: dict[str, UsageRow] = {}

    @property
    def rows(self) -> list[UsageRow]:
        return list(self._rows.values())

    def add(self, name: str, charge: Charge) -> None:
        cost, source = self.prices.charge_cost(charge)
        estimated = charge.estimated or (source == "name" and cost is not None)
        for row in (self._rows.setdefault(name, UsageRow(name)), self.total):
            row.add(charge, cost, estimated)
        if cost is None:
            self.unpriced.add(charge.model)
        elif source in LIST_SOURCES:
            self.uses_price_list = True

    def sort(self, by: str) -> None:
        """Sort days by date, and all other rows by cost, the highest first."""
        rows = sorted(self.rows, key=lambda row: row.name)
        if by != "day":
            rows.sort(key=lambda row: (row.cost or 0.0, row.tokens), reverse=True)
        self._rows = {row.name: row for row in rows}


app = typer.Typer()
DEFAULT_PERIOD = "30d"


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
    ] = DEFAULT_PERIOD,
    until: Annotated[str | None, typer.Option(help="End with this day.", metavar="DATE|DAYS")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show tokens and cost of past requests."""

    services = cast("Services", ctx.obj)
    now = services.terminal.unix_time()
    start, end = parse_period(since, until, now)
    report = _usage_report(services, by.value, start, end)
    month = _monthly_budget(services, *month_span(now))
    if as_json:
        record = _record(report, by.value, format_day(start), month)
        services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))
    elif not report.rows:
        services.terminal.print_error_line(f"gptkit: no requests since {format_day(start)}")
    else:
        services.terminal.print_sanitized(
            _format_table(report, by.value, services.terminal.stdout_is_terminal)
        )
        for note in _report_notes(report, month):
            services.terminal.print_error_line(f"gptkit: {note}")


class MonthlyBudget:
    """The limit of a month in US dollars, and the usage of that month."""

    __slots__ = ("limit", "name", "spent")

    def __init__(self, name: str, limit: float, spent: UsageRow) -> None:
        self.name = name
        self.limit = limit
        self.spent = spent


def _usage_report(services: Services, by: Grouping, since: float, until: float | None) -> UsageReport:
    from gptkit.history.query import charges

    report = UsageReport(services.prices)
    path, journal_folder = services.history.path, services.history.journal_folder
    # a report does not create the store, unless the very first process was killed
    if path is not None and (path.exists() or journal_folder.exists()):
        with services.history.reading() as connection:
            for key, charge in charges(connection, by, since, until):
                report.add(key, charge)
    report.sort(by)
    return report


def _monthly_budget(services: Services, start: float, end: float) -> MonthlyBudget | None:
    limit = services.settings.value("monthly_limit")
    if limit is None:
        return None

    return MonthlyBudget(
        format_day(start)[:7], float(str(limit)), _usage_report(services, "day", start, end).total
    )


def _format_table(report: UsageReport, by: str, aligned: bool) -> str:
    """Format the rows as a table with a heading; with `aligned` also with the total."""
    rows = [_cells(row) for row in report.rows]
    total = [_cells(report.total)] if aligned and len(rows) > 1 else []
    heading = (by, "requests", "in", "out", "USD", "" if aligned else "notes")
    return format_table([heading, *rows, *total], aligned)


def _cells(row: UsageRow) -> tuple[str, ...]:
    """Return the cells of a row: name, requests, tokens in and out, US dollars, notes."""
    notes = ["estimated"] if row.estimated else []
    if row.unpriced:
        notes.append(f"{row.unpriced} without a price")
    cost = f"{row.cost:.6f}" if row.cost or not row.unpriced else ""
    counts = (row.requests, row.prompt_tokens, row.completion_tokens)
    return (row.name, *map(str, counts), cost, ", ".join(notes))


def _report_notes(report: UsageReport, month: MonthlyBudget | None) -> list[str]:
    """Return notes on the prices, on unpriced requests, and on the limit of the month."""
    notes = []
    if report.uses_price_list:
        notes.append(f"prices: {report.prices.version}, {report.prices.date}")
    if report.total.unpriced:
        shown = ", ".join(sorted(report.unpriced)[:5]) + (", …" if len(report.unpriced) > 5 else "")
        of = f"{report.total.unpriced} of {report.total.requests} requests"
        notes.append(f"no price is known for {of}: {shown}")
        notes.append("'gptkit config set prices.MODEL \"[INPUT, OUTPUT]\"' sets one (USD a million tokens)")
    if month is not None:
        spent, used_share = month.spent.cost or 0.0, (month.spent.cost or 0.0) / month.limit
        sign = "at least " if month.spent.unpriced else "≈" if month.spent.estimated else ""
        notes.append(f"{month.name}: {sign}{spent:.4g} of {month.limit:.6g} USD used ({used_share:.0%})")
    return notes


def _record(report: UsageReport, by: str, since: str, month: MonthlyBudget | None) -> dict[str, object]:
    return {
        "by": by,
        "since": since,
        "rows": [{by: row.name, **_figures(row)} for row in report.rows],
        "total": _figures(report.total),
        "unpriced_models": sorted(report.unpriced),
        "prices": {"list": report.prices.version, "date": report.prices.date}
        if report.uses_price_list
        else None,
        "monthly_limit": month and {"month": month.name, "limit": month.limit, **_figures(month.spent)},
    }


def _figures(row: UsageRow) -> dict[str, object]:
    return {
        "requests": row.requests,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cost": None if row.cost is None else round(row.cost, 9),
        "estimated": row.estimated,
        "unpriced_requests": row.unpriced,
    }


_MOST_DAYS = 36500


def parse_period(since: str, until: str | None, now: float) -> tuple[float, float | None]:
    """Parse a period of days; returns its start and end in Unix seconds, None for no end.

    Raises UsageError.
    """
    today = datetime.fromtimestamp(now).date()
    first = _parse_day("--since", since, today)
    if until is None:
        return _midnight_time(first), None
    last = _parse_day("--until", until, today)
    if last < first:
        raise UsageError(f"--until is before --since: {last} and {first}")
    return _midnight_time(first), _midnight_time(last + timedelta(days=1))


def day_start(option: str, text: str, now: float) -> float:
    """Parse the day of an option; returns its start in Unix seconds. Raises UsageError."""
    return _midnight_time(_parse_day(option, text, datetime.fromtimestamp(now).date()))


def month_span(now: float) -> tuple[float, float]:
    """Return the starts of this month and of the next in Unix seconds."""
    first = datetime.fromtimestamp(now).date().replace(day=1)
    return _midnight_time(first), _midnight_time((first + timedelta(days=31)).replace(day=1))


def format_day(moment: float) -> str:
    return datetime.fromtimestamp(moment).date().isoformat()


def _parse_day(option: str, text: str, today: date) -> date:
    """Parse `2026-11-20`, or `7d`: the first of the last seven days, today included."""
    try:
        if days := re.fullmatch(r"([0-9]{1,5})d", text.strip()):
            count = min(max(int(days[1]), 1), _MOST_DAYS)
            return today - timedelta(days=count - 1)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
            parsed = date.fromisoformat(text.strip())
            if parsed.year >= 1970:
                return parsed
    except ValueError:
        pass  # the 31st of June
    raise UsageError(f"{option}: '{one_line(text, 50)}' is not a day", hint="such as 2026-11-20, or 7d")


def _midnight_time(day: date) -> float:
    return datetime.combine(day, time()).timestamp()
