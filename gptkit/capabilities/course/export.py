"""`--export anki|csv`: the cards of a course for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.capabilities.course.config import options_of
from gptkit.capabilities.course.review import required_course
from gptkit.capabilities.course.store import course_store
from gptkit.core.errors import NoInput, UsageFault
from gptkit.core.files import write_atomic
from gptkit.learning import export as cards
from gptkit.session import answer as target

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


def export(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """CSV goes to standard output without `-o`; a package is bytes that no terminal can show."""
    path = shared.output if str(shared.output) != "-" else None
    is_anki = options_of(values).export == "anki"
    if is_anki and path is None:
        raise UsageFault("a package for Anki goes into a file", hint="name it with -o, such as -o cards.apkg")
    learner = required_course(services, template, values)
    if not learner.cards:
        raise NoInput(f"the course '{learner.subject}' has no cards yet")
    if path is not None:
        target.check(services.terminal, path, [course_store(services).path(learner.subject)])
    if not is_anki and path is None:
        services.terminal.show(cards.cards_csv(learner).removesuffix("\n"))
        return 0
    data = (
        cards.anki_package(learner, course_store(services).now())
        if is_anki
        else cards.cards_csv(learner).encode()
    )
    if path is not None:
        write_atomic(path, data)
    return 0
