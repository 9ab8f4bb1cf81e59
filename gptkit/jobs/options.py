"""The options of commands that work on long input, and their values."""

from collections.abc import Mapping
from typing import NamedTuple

from gptkit.exchange.capability import capability_options
from gptkit.templates.template import Parameter, Value

OPTIONS = (
    Parameter("jobs", "integer", help="Work on N pieces of a long input at once.", least=1, is_rare=True),
    Parameter(
        "as",
        help="Format of the input, if it is not recognised: text, markdown, html, srt, vtt, po, json, yaml.",
        metavar="FORMAT",
        is_rare=True,
    ),
    Parameter(
        "keys",
        "list",
        help="Work on these values of JSON or YAML only, such as 'items.*.title'; of front matter too.",
        metavar="PATTERN",
        is_rare=True,
    ),
    Parameter("glossary", help="Use the terms and translations in this CSV or TBX file.", metavar="FILE"),
    Parameter(
        "report",
        help="Write a JSON list of failed and doubtful pieces to this file.",
        metavar="FILE",
        is_rare=True,
    ),
    Parameter(
        "memory",
        "boolean",
        default=True,
        help="Use stored answers to pieces, and store new ones.",
        is_rare=True,
    ),
    Parameter(
        "fresh",
        "boolean",
        plain=True,
        help="Ask the model again even where an answer is stored.",
        is_rare=True,
    ),
    Parameter(
        "batch",
        "boolean",
        plain=True,
        help="Submit one input for half the price and a later answer; only with `long: map`.",
        is_rare=True,
    ),
    Parameter("yes", "boolean", plain=True, help="Start a costly job without asking first.", is_rare=True),
    Parameter(
        "output-dir",
        help="Write the results of the files and folders given with -f into this folder.",
        metavar="FOLDER",
    ),
)


class JobOptions(NamedTuple):
    """The values of OPTIONS; None and empty values were not given."""

    jobs: int | None = None
    as_: str = ""
    keys: tuple[str, ...] = ()
    glossary: str = ""
    report: str = ""
    memory: bool = True
    fresh: bool = False
    batch: bool = False
    yes: bool = False
    output_dir: str = ""

    @property
    def ask_for_pieces(self) -> bool:
        """Whether an option was given that makes sense only in pieces, so that even a short text is split."""
        values = (self.as_, self.keys, self.glossary, self.report, self.output_dir)
        return bool(self.jobs or self.fresh or self.batch) or any(values)


class Languages(NamedTuple):
    """What the user says of the languages of a job, in any words; empty where nothing is said.

    `is_translation`: the answer is in another language than the text.
    """

    target: str = ""
    source: str = ""
    is_translation: bool = False


def options_of(values: Mapping[str, Value]) -> JobOptions:
    return JobOptions(**capability_options(values, JobOptions._fields))
