"""What a prompt file says under `course`, and what its command line says of the course."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import UsageError
from gptkit.core.yaml_tree import Problem, mapping_entries
from gptkit.exchange.capability import Capability, capability_options, import_on_call
from gptkit.templates.template import Parameter, Template, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call


KEY = "course"
_FOLDER = "gptkit.capabilities.course"
SOCRATIC = "socratic"
ASKING = (SOCRATIC, "quiz", "exam")
"""Methods by which the learner is to find what is right."""
METHODS = ("explain", *ASKING)
TRIES = 2
"""Attempts of the learner after which the solution may be shown."""
OPTIONS = (
    Parameter("tries", "integer", help="Show a solution only after N attempts of yours (default: 2)."),
    Parameter("rubric", "file", help="Grade your answer by the criteria in this file (text or YAML)."),
    Parameter("key", "file", help="Grade your answer against the right answer in this file."),
    Parameter(
        "show",
        "boolean",
        plain=True,
        help="Show the record of the course; without a subject, list all courses.",
    ),
    Parameter("due", "boolean", plain=True, help="List the cards that are due for review."),
    Parameter("review", "boolean", plain=True, help="Review the cards that are due."),
    Parameter(
        "export",
        "choice",
        choices=("anki", "csv"),
        help="Write the cards of the course, with -o into a file.",
    ),
)


class CourseOptions(NamedTuple):
    """What the command line says of OPTIONS."""

    tries: int | None = None
    rubric: str = ""
    key: str = ""
    show: bool = False
    due: bool = False
    review: bool = False
    export: str = ""

    @property
    def modes(self) -> list[str]:
        """Those that take the place of a lesson, by name."""
        return [name for name in _MODES if getattr(self, name)]


def options_of(values: Mapping[str, Value]) -> CourseOptions:
    return CourseOptions(**capability_options(values, CourseOptions._fields))


class Setting(NamedTuple):
    """What a prompt file says of its courses.

    `subject` and `method` count where the command line says nothing; `check_model` does the
    bookkeeping: the checks of drafts, the record after an answer, the ratings of reviews.
    """

    subject: str = ""
    method: str = ""
    tries: int = TRIES
    check_model: str = ""


def setting(node: "YamlNode", report: Callable[[Problem], None]) -> Setting:
    """`course: true`, or a mapping."""
    value = node.data()
    if value is True:
        return Setting()
    if not isinstance(value, dict):
        report(Problem(node.line, KEY, f"must be true or a mapping of keys, this is {node.kind}"))
        return Setting()
    entries = mapping_entries(node, KEY, report, Setting._fields)
    found = {name: entry.data() for name, entry in entries.items()}
    tries = found.get("tries", TRIES)
    if isinstance(tries, bool) or not isinstance(tries, int) or tries < 0:
        report(Problem(entries["tries"].line, f"{KEY}.tries", "must be a whole number from 0 on"))
        tries = TRIES
    words = {name: _word(entries.get(name), name, report) for name in ("subject", "method", "check_model")}
    if words["method"] and words["method"] not in METHODS:
        from gptkit.core.yaml_tree import spelling_hint

        hint = spelling_hint(words["method"], METHODS)
        report(Problem(entries["method"].line, f"{KEY}.method", f"no method '{words['method']}'", hint))
    return Setting(words["subject"], words["method"], tries, words["check_model"])


def of(template: Template) -> Setting:
    found = template.capabilities.get(KEY)
    return found if isinstance(found, Setting) else Setting()


def subject(template: Template, values: Mapping[str, Value]) -> str:
    """The subject of the course; empty where the command line must name one and does not."""
    if any(one.variable == "subject" for one in template.declared_parameters):
        return option(template, values, "subject") or of(template).subject
    return of(template).subject or template.name


def required_subject(template: Template, values: Mapping[str, Value]) -> str:
    """Raises UsageError without one."""
    found = subject(template, values)
    if not found.strip():
        hint = f"'gptkit {template.name} SUBJECT' opens a course, 'gptkit {template.name} --show' lists them"
        raise UsageError("no subject given", hint=hint)
    return found


def method(template: Template, values: Mapping[str, Value]) -> str:
    return str(values.get("method") or of(template).method or option(template, values, "method"))


def tries(template: Template, values: Mapping[str, Value]) -> int:
    """Raises UsageError for less than none."""
    given = options_of(values).tries
    if given is None:
        return of(template).tries
    if given < 0:
        raise UsageError(f"--tries {given}: must be 0 or more")
    return given


def option(template: Template, values: Mapping[str, Value], variable: str) -> str:
    """The text of an option or argument that the file may or may not have; else its default."""
    defaults = {one.variable: one.default for one in template.declared_parameters}
    found = values.get(variable, defaults.get(variable))
    return "" if found is None else str(found)


def _word(node: "YamlNode | None", name: str, report: Callable[[Problem], None]) -> str:
    from gptkit.core.yaml_tree import single_line

    return single_line(node, f"{KEY}.{name}", report)


def _take_over(call: "Call") -> int | None:
    """What options do in place of a lesson."""
    for mode in options_of(call.values).modes:
        code: int = _MODES[mode](call.services, call.template, call.values, call.shared)
        return code
    return None


_MODES = {
    "show": import_on_call(f"{_FOLDER}.commands:show"),
    "due": import_on_call(f"{_FOLDER}.review:show_due"),
    "review": import_on_call(f"{_FOLDER}.review:review_due"),
    "export": import_on_call(f"{_FOLDER}.export:export"),
}
COURSE = Capability(
    KEY,
    setting,
    options=OPTIONS,
    variables=(KEY,),
    prepare=import_on_call(f"{_FOLDER}.lesson:prepare"),
    run=import_on_call(f"{_FOLDER}.lesson:run"),
    take_over=_take_over,
    store=import_on_call(f"{_FOLDER}.store:course_store"),
    session_name=import_on_call(f"{_FOLDER}.commands:session_name"),
    loop_commands=import_on_call(f"{_FOLDER}.commands:commands"),
    begin_loop=import_on_call(f"{_FOLDER}.commands:begin"),
)
