"""Export the cards of a course for other programs: `--export anki` or `--export csv`."""

from __future__ import annotations

import csv as table
import html
import io
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gptkit.capabilities.course.config import options_of
from gptkit.capabilities.course.model import Flashcard, Learner, normalize_name
from gptkit.capabilities.course.review import required_course
from gptkit.capabilities.course.store import course_store
from gptkit.core.errors import CannotWriteError, ConfigurationError, NoInputError, UsageError
from gptkit.core.files import write_atomic
from gptkit.session import answer

if TYPE_CHECKING:
    from types import ModuleType

    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


COLUMNS = ("front", "back", "topic", "due", "stage", "stability", "difficulty", "reviewed")
_NOTE_TYPE = 1_748_205_331
"""A random number, drawn once: Anki knows a note type by its number."""
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠|%]|[\t\n]")
_CSS = ".card { font-family: sans-serif; font-size: 20px; text-align: center; }"


def cards_csv(learner: Learner) -> str:
    """Write the cards as CSV, one line for each, below a line of names.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, since models wrote the
    cards.
    """
    file = io.StringIO()
    rows = table.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    for card in learner.cards:
        words = [_escape_formula(text) for text in (card.front, card.back, card.topic)]
        rows.writerow([*words, *_schedule_cells(card)])
    return file.getvalue()


def _escape_formula(cell: str) -> str:
    cell = cell.replace("\r\n", "\n").replace("\r", "\n")  # the writer does not quote a lone CR
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _schedule_cells(card: Flashcard) -> tuple[object, ...]:
    due = card.due.isoformat()
    if card.memory is None:
        return due, "", "", "", ""
    memory = card.memory
    return due, memory.stage, memory.stability, memory.difficulty, memory.reviewed.isoformat()


def anki_package(learner: Learner, now: datetime) -> bytes:
    """Write the cards as a package for Anki (.apkg), which updates the cards of an earlier import.

    Anki takes changes only if `now` is later than at the last export. Raises ConfigurationError without the
    extra `anki`.
    """
    genanki = _genanki()
    deck = genanki.Deck(
        _stable_number("deck", normalize_name(learner.subject)), learner.subject.replace("::", ":")
    )
    note_type = genanki.Model(
        _NOTE_TYPE,
        "gptkit",
        fields=[{"name": "Front"}, {"name": "Back"}],
        templates=[
            {"name": "Card 1", "qfmt": "{{Front}}", "afmt": "{{FrontSide}}<hr id=answer>{{Back}}"},
        ],
        css=_CSS,
    )
    for card in learner.cards:
        guid = genanki.guid_for("gptkit", normalize_name(learner.subject), normalize_name(card.front))
        fields = [_html_field(card.front), _html_field(card.back)]
        deck.add_note(genanki.Note(note_type, fields, tags=_tags(card.topic), guid=guid))
    return _package(genanki, deck, now)


def _genanki() -> ModuleType:
    try:
        import genanki
    except ImportError:
        raise ConfigurationError(
            "an Anki package needs the extra 'anki'", hint="pip install 'gptkit[anki]'"
        ) from None
    return genanki  # type: ignore[no-any-return]


def _package(genanki: ModuleType, deck: Any, now: datetime) -> bytes:  # noqa: ANN401 - an untyped library
    """Write a package; unlike the library's own function this leaves no temporary file behind."""
    import itertools
    import sqlite3
    import zipfile
    from contextlib import closing
    from pathlib import Path
    from tempfile import TemporaryDirectory

    seconds = now.timestamp()
    packed = io.BytesIO()
    try:
        with TemporaryDirectory(prefix="gptkit-") as folder:
            file = Path(folder) / "collection.anki2"
            with closing(sqlite3.connect(file)) as database:
                package = genanki.Package(deck)
                package.write_to_db(database.cursor(), seconds, itertools.count(int(seconds * 1000)))
                database.commit()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("collection.anki2", file.read_bytes())
                archive.writestr("media", "{}")
    except (OSError, sqlite3.Error) as error:
        reason = ": " + error.strerror.lower() if isinstance(error, OSError) and error.strerror else ""
        raise CannotWriteError(f"cannot write the Anki package{reason}") from error
    return packed.getvalue()


def _stable_number(*parts: str) -> int:
    """Hash the parts to a number in the range that Anki uses."""
    digest = sha256("\x1f".join(parts).encode("utf-8", "replace")).digest()
    return (1 << 30) + int.from_bytes(digest[:4], "big") % (1 << 30)


def _html_field(text: str) -> str:
    """Escape a text as HTML, with its brackets: Anki runs LaTeX for `[latex]` and plays `[sound:...]`."""
    escaped = html.escape(text.replace("\x1f", " "), quote=False).replace("[", "&#91;")
    return escaped.replace("{{", "&#123;&#123;").replace("\n", "<br>")


def _tags(topic: str) -> list[str]:
    """Return the topic as a tag for Anki: without spaces, and without `::`, which nests tags."""
    tag = re.sub(r"[\s\x00-\x1f\"]+", "_", topic.strip()).replace("::", ":")
    return [tag] if tag else []


def export(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Run `--export`: write CSV to standard output or a file, a package for Anki to a file."""
    path = shared.output if str(shared.output) != "-" else None
    is_anki = options_of(values).export == "anki"
    if is_anki and path is None:
        raise UsageError("an Anki package must be written to a file", hint="name it: -o cards.apkg")
    learner = required_course(services, template, values)
    if not learner.cards:
        raise NoInputError(f"the course '{learner.subject}' has no cards yet")
    if path is not None:
        answer.check_output(services.terminal, path, [course_store(services).path(learner.subject)])
    if not is_anki and path is None:
        services.terminal.print_sanitized(cards_csv(learner).removesuffix("\n"))
        return 0
    data = anki_package(learner, course_store(services).now()) if is_anki else cards_csv(learner).encode()
    if path is not None:
        write_atomic(path, data)
    return 0
