"""`--export anki|csv`: the cards of a course for other programs."""

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
from gptkit.capabilities.course.model import Card, Learner, identity
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
"""Drawn once: Anki knows note types by number, and a new number would be a new note type."""
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠|%]|[\t\n]")
_CSS = ".card { font-family: sans-serif; font-size: 20px; text-align: center; }"


def cards_csv(learner: Learner) -> str:
    """One line a card under a line of names.

    What a spreadsheet would take for a formula gets an apostrophe in front: models and documents
    wrote the cards.
    """
    file = io.StringIO()
    rows = table.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    for card in learner.cards:
        words = [_harmless(text) for text in (card.front, card.back, card.topic)]
        rows.writerow([*words, *_memory(card)])
    return file.getvalue()


def _harmless(cell: str) -> str:
    cell = cell.replace("\r\n", "\n").replace("\r", "\n")  # the writer does not quote a lone CR: two lines
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _memory(card: Card) -> tuple[object, ...]:
    due = card.due.isoformat()
    if card.memory is None:
        return due, "", "", "", ""
    memory = card.memory
    return due, memory.stage, memory.stability, memory.difficulty, memory.reviewed.isoformat()


def anki_package(learner: Learner, now: datetime) -> bytes:
    """A package (.apkg); imported again later it updates the cards that are there.

    `now` must be later than at the last export for Anki to take changes. Raises ConfigurationError
    without the extra.
    """
    genanki = _genanki()
    deck = genanki.Deck(_number("deck", identity(learner.subject)), learner.subject.replace("::", ":"))
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
        known_by = genanki.guid_for("gptkit", identity(learner.subject), identity(card.front))
        fields = [_field(card.front), _field(card.back)]
        deck.add_note(genanki.Note(note_type, fields, tags=_tags(card.topic), guid=known_by))
    return _package(genanki, deck, now)


def _genanki() -> ModuleType:
    try:
        import genanki
    except ImportError:
        raise ConfigurationError(
            "packages for Anki need the extra 'anki'", hint="pip install 'gptkit[anki]'"
        ) from None
    return genanki  # type: ignore[no-any-return]


def _package(genanki: ModuleType, deck: Any, now: datetime) -> bytes:  # noqa: ANN401 - an untyped library
    """The library's own writer leaves its database behind in the folder of temporary files."""
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
        raise CannotWriteError(f"cannot write the package for Anki{reason}") from error
    return packed.getvalue()


def _number(*parts: str) -> int:
    """The same number for the same parts, in the range that Anki's numbers have."""
    digest = sha256("\x1f".join(parts).encode("utf-8", "replace")).digest()
    return (1 << 30) + int.from_bytes(digest[:4], "big") % (1 << 30)


def _field(text: str) -> str:
    """As HTML that shows the text. Brackets too: Anki runs LaTeX for `[latex]` and plays `[sound:...]`."""
    shown = html.escape(text.replace("\x1f", " "), quote=False).replace("[", "&#91;")
    return shown.replace("{{", "&#123;&#123;").replace("\n", "<br>")


def _tags(topic: str) -> list[str]:
    """A tag of Anki has no spaces, and `::` would nest it."""
    tag = re.sub(r"[\s\x00-\x1f\"]+", "_", topic.strip()).replace("::", ":")
    return [tag] if tag else []


def export(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """CSV goes to standard output without `-o`; a package is bytes that no terminal can show."""
    path = shared.output if str(shared.output) != "-" else None
    is_anki = options_of(values).export == "anki"
    if is_anki and path is None:
        raise UsageError("a package for Anki goes into a file", hint="name it with -o, such as -o cards.apkg")
    learner = required_course(services, template, values)
    if not learner.cards:
        raise NoInputError(f"the course '{learner.subject}' has no cards yet")
    if path is not None:
        answer.check(services.terminal, path, [course_store(services).path(learner.subject)])
    if not is_anki and path is None:
        services.terminal.print_sanitized(cards_csv(learner).removesuffix("\n"))
        return 0
    data = anki_package(learner, course_store(services).now()) if is_anki else cards_csv(learner).encode()
    if path is not None:
        write_atomic(path, data)
    return 0
