"""The capability `course`: its key in prompt files, its options, and what takes the place of a lesson."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import UsageError
from gptkit.core.yaml_tree import Problem, true_or_mapping
from gptkit.exchange.capability import Capability, capability_options, import_on_call
from gptkit.templates.template import Parameter, Template, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call


KEY = "course"
_FOLDER = "gptkit.capabilities.course"
SOCRATIC = "socratic"
ASKING = (SOCRATIC, "quiz", "exam")
"""Methods by which the learner has to find the answer."""
METHODS = ("explain", *ASKING)
TRIES = 2
"""Default number of attempts of the learner before the solution may be shown."""
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
    """The values of OPTIONS on a command line."""

    tries: int | None = None
    rubric: str = ""
    key: str = ""
    show: bool = False
    due: bool = False
    review: bool = False
    export: str = ""

    @property
    def modes(self) -> list[str]:
        """The names of the given options that take the place of a lesson."""
        return [name for name in _MODES if getattr(self, name)]


def options_of(values: Mapping[str, Value]) -> CourseOptions:
    return CourseOptions(**capability_options(values, CourseOptions._fields))


class CourseConfig(NamedTuple):
    """What a prompt file says under `course`.

    The command line overrides `subject`, `method` and `tries`. `check_model` is the model for the checks of
    drafts, the record after an answer and the ratings of reviews.
    """

    subject: str = ""
    method: str = ""
    tries: int = TRIES
    check_model: str = ""


def parse_config(node: "YamlNode", report: Callable[[Problem], None]) -> CourseConfig:
    """Read `course: true`, or a mapping; reports what is wrong and then returns defaults."""
    entries = true_or_mapping(node, KEY, report, CourseConfig._fields)
    tries = entries["tries"].data() if "tries" in entries else TRIES
    if isinstance(tries, bool) or not isinstance(tries, int) or tries < 0:
        report(Problem(entries["tries"].line, f"{KEY}.tries", "must be a whole number, at least 0"))
        tries = TRIES
    words = {name: _word(entries.get(name), name, report) for name in ("subject", "method", "check_model")}
    if words["method"] and words["method"] not in METHODS:
        from gptkit.core.yaml_tree import spelling_hint

        hint = spelling_hint(words["method"], METHODS)
        report(Problem(entries["method"].line, f"{KEY}.method", f"no method '{words['method']}'", hint))
    return CourseConfig(words["subject"], words["method"], tries, words["check_model"])


def config_of(template: Template) -> CourseConfig:
    config = template.capabilities.get(KEY)
    return config if isinstance(config, CourseConfig) else CourseConfig()


def subject(template: Template, values: Mapping[str, Value]) -> str:
    """Return the subject of the course; empty if the command line should name one but does not."""
    if any(parameter.variable == "subject" for parameter in template.declared_parameters):
        return option_text(template, values, "subject") or config_of(template).subject
    return config_of(template).subject or template.name


def required_subject(template: Template, values: Mapping[str, Value]) -> str:
    """Return the subject of the course; raises UsageError without one."""
    name = subject(template, values)
    if not name.strip():
        hint = f"'gptkit {template.name} SUBJECT' opens a course, 'gptkit {template.name} --show' lists them"
        raise UsageError("no subject given", hint=hint)
    return name


def method(template: Template, values: Mapping[str, Value]) -> str:
    return str(values.get("method") or config_of(template).method or option_text(template, values, "method"))


def tries(template: Template, values: Mapping[str, Value]) -> int:
    """Return how often the learner must try before the solution may be shown; raises UsageError below 0."""
    limit = options_of(values).tries
    if limit is None:
        return config_of(template).tries
    if limit < 0:
        raise UsageError(f"--tries {limit}: must be 0 or more")
    return limit


def option_text(template: Template, values: Mapping[str, Value], variable: str) -> str:
    """Return an option or argument as text, else its default; empty if the file does not declare it."""
    defaults = {parameter.variable: parameter.default for parameter in template.declared_parameters}
    value = values.get(variable, defaults.get(variable))
    return "" if value is None else str(value)


def _word(node: "YamlNode | None", name: str, report: Callable[[Problem], None]) -> str:
    from gptkit.core.yaml_tree import single_line

    return single_line(node, f"{KEY}.{name}", report)


def _take_over(call: "Call") -> int | None:
    """Do what an option wants in place of a lesson; return the exit code, or None without such an option."""
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
    parse_config,
    options=OPTIONS,
    variables=(KEY,),
    prepare=import_on_call(f"{_FOLDER}.lesson:prepare"),
    run=import_on_call(f"{_FOLDER}.lesson:run"),
    take_over=_take_over,
    store=import_on_call(f"{_FOLDER}.store:course_store"),
    session_name=import_on_call(f"{_FOLDER}.commands:session_name"),
    loop_commands=import_on_call(f"{_FOLDER}.commands:loop_commands"),
    begin_loop=import_on_call(f"{_FOLDER}.commands:begin_loop"),
)
