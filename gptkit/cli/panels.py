"""A help page on a terminal: its sections in Rich's frames."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

Rows = Sequence[tuple[str, str]]
OPTION = r"(?<!\S)--?[\w-]+"
PLACEHOLDER = r"\[[A-Z][^\]]*\]|\b[A-Z]{2,}\b"


def panels(
    usage: str, about: str, sections: Mapping[str, Rows], epilog: str, *, width: int, colour: bool
) -> str:
    """The page as a terminal shows it. Typer's own loads Markdown and highlighters to draw it."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=True,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
    )
    usage_line = Text(f"Usage: {usage}", "bold")
    usage_line.highlight_regex(PLACEHOLDER, "not bold yellow")
    console.print(Padding(usage_line, 1, expand=False))
    console.print(Padding(Text.from_ansi(about), (0, 1, 1, 1), expand=False))
    for title, rows in sections.items():
        console.print(_panel(title, rows, width))
    if epilog:
        console.print(Padding(Text.from_ansi(epilog), 1, expand=False))
    return "\n".join(line.rstrip(" ") for line in file.getvalue().split("\n"))


def _panel(title: str, rows: Rows, width: int) -> RenderableType:
    from rich.cells import cell_len
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), expand=True)
    longest = max(cell_len(name) for name, _ in rows)
    table.add_column(width=min(longest, max(8, (width - 6) * 45 // 100)), overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for name, text in rows:
        table.add_row(_panel_name(name), Text.from_ansi(text))  # a text of Rich's own markup is none here
    return Panel(table, title=title, title_align="left", border_style="dim")


def _panel_name(name: str) -> Text:
    from rich.text import Text

    text = Text(name, "yellow" if name.startswith("-") else "bold cyan")
    text.highlight_regex(OPTION, "bold cyan")
    return text
