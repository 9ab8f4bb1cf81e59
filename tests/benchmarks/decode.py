"""How often each detector reads text of unknown encoding rightly, wrongly, or leaves it undecided.

Run `python tests/benchmarks/decode.py`. Beside gptkit it measures whichever of chardet, charset-normalizer,
cchardet (or faust-cchardet) and chardetng-py is installed. The texts in `tests/support/data/encodings` are
cut into pieces that begin at every line and in the middle of every line; a piece is asked about if it holds a
character that is not ASCII and is not valid UTF-8 by chance. The code pages of Europe gptkit does not decode
by itself: there, only `wrong` is a fault.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gptkit.core.errors import DataError
from gptkit.encodings.decode import decode

TEXTS = Path(__file__).parents[1] / "support" / "data" / "encodings"
LENGTHS = (8, 16, 32, 64, 200, 2000)
WESTERN = ("cp1252", "cp1250", "iso8859-2", "cp1251", "koi8-r")
CASES = (
    *(("zh-hans", "gb18030"), ("zh-hant", "gb18030"), ("zh-hant", "big5"), ("zh-hant", "big5hkscs")),
    *(
        ("ja", "shift_jis"),
        ("ja", "euc_jp"),
        ("ko", "euc_kr"),
        ("zh-hans", "utf-16-le"),
        ("ja", "utf-16-be"),
        ("ru", "utf-16-le"),
    ),
    *((language, "cp1252") for language in ("en", "fr", "de", "es", "pt", "it", "sv")),
    *(("pl", "cp1250"), ("pl", "iso8859-2"), ("ru", "cp1251"), ("ru", "koi8-r")),
)
Detector = Callable[[bytes], str | None]


def main() -> None:
    for name, detect in detectors():
        start, asked, totals = time.process_time(), 0, [0, 0, 0]
        print(f"\n{name}: right/wrong/undecided by length in characters")
        print(f"{'':21}" + "".join(f"{length:>11}" for length in LENGTHS))
        for language, codec in CASES:
            cells = []
            for length in LENGTHS:
                counts = tally(detect, language, codec, length)
                asked += sum(counts)
                totals = [total + count for total, count in zip(totals, counts, strict=True)]
                cells.append("/".join(map(str, counts)))
            print(f"{language:9}{codec:12}" + "".join(f"{cell:>11}" for cell in cells))
        spent = time.process_time() - start
        print(f"in all {'/'.join(map(str, totals))}, {1000 * spent / asked:.1f} ms each")


def tally(detect: Detector, language: str, codec: str, length: int) -> tuple[int, int, int]:
    right = wrong = undecided = 0
    for piece in pieces(language, length):
        data = piece.encode(
            codec, "ignore"
        )  # plain Big5 has no such zero as in the year 2023 written in hanzi
        text = data.decode(codec)
        if text.isascii() or ("utf" not in codec and valid_utf8(data)):
            continue
        found = detect(data)
        right += found == text
        undecided += found is None
        wrong += found not in (None, text)
    return right, wrong, undecided


def pieces(language: str, length: int) -> Iterator[str]:
    """Texts of `length` characters from the language's file, which is taken to go round in a circle."""
    whole = (TEXTS / f"{language}.txt").read_text("utf-8")
    round_and_round = whole * (2 + length // len(whole))
    place = 0
    for number, line in enumerate(whole.splitlines(keepends=True)):
        if length < 2000 or number % 10 == 0:
            yield round_and_round[place : place + length]
            middle = place + len(line) // 2
            yield round_and_round[middle : middle + length]
        place += len(line)


def valid_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def detectors() -> Iterator[tuple[str, Detector]]:
    yield "gptkit", ours
    for module, name, ask in (
        ("charset_normalizer", "charset-normalizer", lambda its, data: its.from_bytes(data).best()),
        ("chardet", "chardet", lambda its, data: its.detect(data)),
        ("cchardet", "cchardet", lambda its, data: its.detect(data)),
        ("chardetng_py", "chardetng", lambda its, data: its.detect(data)),
    ):
        try:
            its = importlib.import_module(module)
        except ImportError:
            continue
        yield f"{name} {getattr(its, '__version__', '')}", theirs(its, ask)


def ours(data: bytes) -> str | None:
    try:
        return decode(data, "a sample")
    except DataError:
        return None


def theirs(module: Any, ask: Callable[[Any, bytes], Any]) -> Detector:
    def detect(data: bytes) -> str | None:
        answer = ask(module, data)
        name = answer["encoding"] if isinstance(answer, dict) else getattr(answer, "encoding", answer)
        try:
            return data.decode(name) if name else None
        except (LookupError, UnicodeDecodeError):
            return None

    return detect


if __name__ == "__main__":
    main()
