"""How often the checks of answers call wrong, or doubtful, what people translated.

    PYTHONPATH=tests/support python tests/benchmarks/answer_checks.py [FOLDER ...]

FOLDER (/usr/share/locale) holds compiled catalogs of gettext, whose pairs are taken as good translations,
though some are not; at most 10 of each catalog and language, from English and into English.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from gettext import GNUTranslations
from pathlib import Path
from random import Random

from translations_of import marked

from gptkit.encodings.stream import split_lines
from gptkit.text.checks.language import SCRIPTS
from gptkit.text.checks.translation import TargetLanguage, piece_findings
from gptkit.text.formats import format_named
from gptkit.text.pieces import Finding

MOST = 10
SHOWN = 5
"""Pairs of each kind that are shown."""


def main() -> None:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    examples: defaultdict[str, list[str]] = defaultdict(list)
    for language, source, answer in pairs([Path(name) for name in sys.argv[1:] or ["/usr/share/locale"]]):
        for target, text, translation in ((language, source, answer), ("en", answer, source)):
            way = "into English" if target == "en" else "from English"
            found = {(one.level, one.kind): one for one in findings(text, translation, target)}
            for group in {way, target}:
                counts[group].update({"pairs", *(level for level, _ in found), *map(": ".join, found)})
            for (level, kind), finding in found.items():
                if level == "wrong":
                    example = f"[{target}] {finding.message}\n  {text!r}\n  {translation!r}"
                    examples[f"{way}: {kind}"].append(example)
    for group, kinds in sorted(counts.items()):
        shares = (f"{kind} {number / kinds['pairs']:.2%}" for kind, number in kinds.most_common()[1:])
        print(group, f"{kinds['pairs']} pairs", *shares, sep=", ")
    for kind, lines in examples.items():
        print(f"\n{kind}: {len(lines)}", *Random(5).sample(lines, min(SHOWN, len(lines))), sep="\n")


def findings(text: str, translation: str, target: str) -> list[Finding]:
    """What the program finds where the text is the only one of a catalog."""
    known = format_named("po")
    assert known
    source = f'msgid {json.dumps(text, ensure_ascii=False)}\nmsgstr ""\n'
    pieces = [one for one in known.pieces(split_lines([source]), 100_000) if one.text]
    if len(pieces) != 1 or len(pieces[0].units) != 1:
        return []
    given = marked(pieces[0], f"⟦#1⟧\n{translation.strip()}")
    return [*known.findings(pieces[0], given), *piece_findings(pieces[0], given, TargetLanguage(target))]


def pairs(folders: list[Path]) -> Iterator[tuple[str, str, str]]:
    """Yield the language, a text in English and its translation."""
    chance = Random(5)
    for path in sorted(path for folder in folders for path in folder.rglob("*.mo")):
        language = path.parent.parent.name.replace("_", "-")
        if path.name.startswith("iso_") or re.split("[-.@]", language)[0] not in SCRIPTS or "@" in language:
            continue
        catalog: dict[object, str] = {}
        with path.open("rb") as file, suppress(UnicodeDecodeError, IndexError, OSError):  # damaged
            catalog = vars(GNUTranslations(file))["_catalog"]
        known = [
            (text, answer)
            for source, answer in catalog.items()
            if isinstance(source, str)
            and (text := source.rpartition("\4")[2]) != answer
            and re.search("[A-Za-z]{2}", text)
            and answer.strip()
        ]
        for text, answer in chance.sample(known, min(MOST, len(known))):
            yield language, text, answer


if __name__ == "__main__":
    main()
