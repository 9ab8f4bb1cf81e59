"""`gptkit history actions`: the audit log of what tools have done."""

from __future__ import annotations

import json
import re
from time import localtime, strftime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.capabilities.tools.toolbox import open_toolbox
from gptkit.core.errors import UsageError
from gptkit.core.table import format_table, format_time

if TYPE_CHECKING:
    from gptkit.capabilities.tools.log import LoggedAction
    from gptkit.services import Services

app = typer.Typer(add_completion=False)
_DAY = 86_400


@app.command()
def actions(
    ctx: typer.Context,
    since: Annotated[
        str | None, typer.Option(help="Show those of the last N days: 7d.", metavar="DAYS")
    ] = None,
    limit: Annotated[int, typer.Option(help="Show at most N.", metavar="N", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Show what tools have done, the newest first; 'unknown' may have happened."""
    services = cast("Services", ctx.obj)
    terminal = services.terminal
    begin = 0.0 if since is None else terminal.unix_time() - _days(since) * _DAY
    rows = open_toolbox(services).log.actions(begin, limit)
    if as_json:
        for row in rows:
            terminal.print_sanitized(json.dumps(_record(row), ensure_ascii=False))
    elif rows:
        cells = [(format_time(r.began), r.outcome, r.risk, r.approved, r.does or f"({r.tool})") for r in rows]
        terminal.print_sanitized(format_table(cells, terminal.stdout_is_terminal))


def _days(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}d", text):
        raise UsageError(f"--since {text}: must be a number of days, such as 7d")
    return int(text[:-1])


def _record(row: LoggedAction) -> dict[str, object]:
    return {
        **row._asdict(),
        "arguments": json.loads(row.arguments) if row.arguments else None,
        "began": _iso_time(row.began),
        "ended": None if row.ended is None else _iso_time(row.ended),
    }


def _iso_time(moment: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S%z", localtime(moment))
