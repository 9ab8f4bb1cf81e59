"""A course as YAML that people can read and edit; what is written reads back as the same course."""

from __future__ import annotations

import math
import re
from datetime import datetime

from gptkit.learning.model import Card, Learner, Memory, Mistake, Topic

HEADER = """\
# What gptkit knows of one learner in one subject. Edit it as you like.
# gptkit writes this file anew after a lesson: comments of yours and the order of keys are not kept.
# mastery goes from 0 to 1; times are UTC. A card is known by its front: a new front is a new card.
"""


def course_yaml(learner: Learner) -> str:
    """The whole file, by the library's slow writer: the fast one escapes emoji and rare ideographs."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _: object) -> bool:
            return True  # the reader knows none

        def represent_text(self, value: str) -> yaml.Node:
            value = re.sub("[\ud800-\udfff]", "\ufffd", value)  # half a character cannot be written
            style = '"' if re.search("[\x85\u2028\u2029]", value) else "|" if "\n" in value else None
            return self.represent_scalar("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, Dumper.represent_text)
    lists: dict[str, tuple[Topic | Mistake | Card, ...]]
    lists = {"topics": learner.topics, "mistakes": learner.mistakes, "reviews": learner.cards}
    course = _known(learner._replace(topics=(), mistakes=(), cards=()))
    course |= {key: [_known(one) for one in found] for key, found in lists.items() if found}
    return HEADER + yaml.dump(course, None, Dumper, allow_unicode=True, sort_keys=False, width=math.inf)


def _known(value: Learner | Topic | Mistake | Card | Memory) -> dict[str, object]:
    """The fields that say something, with those of a card's memory beside its own."""
    found: dict[str, object] = {}
    for key, each in value._asdict().items():
        if isinstance(each, Memory):
            found |= _known(each)
        elif each not in (None, "", ()):
            found[key] = each.replace(tzinfo=None) if isinstance(each, datetime) else each
    return found
