"""How often the proof of numbers is wrong about what people translated, and how often it finds damage.

    python tests/benchmarks/number_proof.py [FOLDER ...]

FOLDER (/usr/share/locale) holds compiled catalogs of gettext, whose pairs with digits are taken as good
translations, though some are not; at most 500 of each catalog's name. Then a number of each is damaged.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from gettext import GNUTranslations
from pathlib import Path
from random import Random

from gptkit.text.checks.numbers import differences
from gptkit.text.formats.html import Html
from gptkit.text.masking import mask_text

MOST = 500
NUMBER = re.compile(r"(?<![\d.,])[1-9]\d*[1-9](?!\d|[.,]\d)")


def main() -> None:
    chance, counts, damages = Random(5), Counter[str](), Counter[tuple[str, str]]()
    for source, answer in pairs([Path(name) for name in sys.argv[1:] or ["/usr/share/locale"]], chance):
        counts["pairs"] += 1
        counts[level := verdict(source, answer)] += 1
        known = set(NUMBER.findall(source))
        places = [one for one in NUMBER.finditer(answer) if one[0] in known and int(one[0]) > 12]
        if level != "wrong" and places:
            place = chance.choice(places)
            for name, new in damaged(place[0], chance).items():
                worse = answer[: place.start()] + new + answer[place.end() :]
                damages[name, verdict(source, worse)] += 1
    print(*(f"{name} {count} ({count / counts['pairs']:.2%})" for name, count in sorted(counts.items())))
    for (name, level), count in sorted(damages.items()):
        print(name, level, f"{count / sum(n for key, n in damages.items() if key[0] == name):.1%}")


def verdict(source: str, answer: str) -> str:
    found = {one.is_wrong for one in differences(source, answer)}
    return "wrong" if True in found else "doubtful" if found else "good"


def damaged(number: str, chance: Random) -> dict[str, str]:
    at = chance.randrange(len(number))
    digit = chance.choice([sign for sign in "123456789" if sign != number[at]])
    return {"changed:": number[:at] + digit + number[at + 1 :], "dropped:": "", "tenfold:": number + "0"}


def pairs(folders: list[Path], chance: Random) -> Iterator[tuple[str, str]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.mo")):
        catalog: dict[object, str] = {}
        with path.open("rb") as file, suppress(UnicodeDecodeError, IndexError):  # damaged
            catalog = vars(GNUTranslations(file))["_catalog"]
        for source, answer in catalog.items():
            if isinstance(source, str) and source != answer and not path.name.startswith("iso_"):
                texts = [mask_text(text, Html.rules)[0] for text in (source.rpartition("\4")[2], answer)]
                if re.search(r"\d", "".join(texts)) and re.search("[A-Za-z]{2}", texts[0]):
                    found.setdefault(path.name, set()).add((texts[0], texts[1]))
    for every in found.values():
        yield from chance.sample(sorted(every), min(MOST, len(every)))


if __name__ == "__main__":
    main()
