"""`gptkit usage`: tokens and cost by day, model, command or session."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.cli.spending import Spending, Sum
from gptkit.core.table import columns

if TYPE_CHECKING:
    from gptkit.history.store import Grouping
    from gptkit.services import Services

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
    by: Annotated[By, typer.Option(help="What the rows are.")] = By.day,
    since: Annotated[
        str, typer.Option(help="From this day on, or of the last days: 7d.", metavar="DATE|DAYS")
    ] = LATELY,
    until: Annotated[str | None, typer.Option(help="To the end of this day.", metavar="DATE|DAYS")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the tokens and the cost of what was asked."""
    from gptkit.cli import periods

    services = cast("Services", ctx.obj)
    now = services.terminal.clock()
    start, end = periods.period(since, until, now)
    found = _spending(services, by.value, start, end)
    month = _month(services, periods.month_start(now))
    if as_json:
        record = _record(found, by.value, periods.day(start), month)
        services.terminal.show(json.dumps(record, ensure_ascii=False, indent=2))
    elif not found.rows:
        services.terminal.note(f"gptkit: nothing was asked since {periods.day(start)}")
    else:
        services.terminal.show(_table(found, by.value, services.terminal.stdout_is_terminal))
        for remark in _remarks(found, month):
            services.terminal.note(f"gptkit: {remark}")


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
    from gptkit.cli.periods import day

    return Month(day(start)[:7], float(str(limit)), _spending(services, "day", start, None).total)


def _table(found: Spending, by: str, aligned: bool) -> str:
    """For people with a head and a total, for a program without."""
    rows = [_cells(row) for row in found.rows]
    if aligned:
        total = [_cells(found.total)] if len(rows) > 1 else []
        rows = [(by, "requests", "in", "out", "USD", ""), *rows, *total]
    return columns(rows, aligned)


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
