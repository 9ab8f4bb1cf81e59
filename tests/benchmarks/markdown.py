"""Live Markdown of 1,000 to 10,000 paragraphs: is the cost of one the same in a long answer?

    python tests/benchmarks/markdown.py

Pieces of 20 characters arrive at 2,000 a second by the clock of the program, so that 20 updates a
second are drawn. The ratio is the cost of a paragraph in relation to that in the first row.
"""

from __future__ import annotations

import time

from gptkit.core.chat import AnswerDelta
from gptkit.output.markdown import MarkdownSink

PIECE = 20
PIECES_A_SECOND = 2000
PARAGRAPHS = {
    "prose": "Paragraph {n} with **bold** words, `code` and a [link](https://x.example/{n}), long enough "
    "to be folded once or twice on a terminal of eighty columns.\n\n",
    "Chinese": "第{n}段，包含**粗体**文字、`代码`和[链接](https://x.example/{n})，长度足以在八十列的终端上折成两三行，"
    "用来测量排版的速度。\n\n",
    "list": "{n}. An item with **bold** words\n   - and one below it\n",
    "code": "```python\ndef function_{n}(argument):\n    return argument + {n}  # a comment\n```\n\n",
}


def main() -> None:
    print(f"{'':10}{'units':>8}{'seconds':>10}{'µs each':>10}{'ratio':>8}{'updates':>9}")
    for kind, paragraph in PARAGRAPHS.items():
        first = None
        for number in (1000, 5000, 10_000):
            seconds, updates = _measured("".join(paragraph.format(n=n) for n in range(number)))
            each = seconds / number
            first = first or each
            row = f"{kind:10}{number:8,}{seconds:10.2f}{each * 1e6:10.0f}{each / first:8.2f}{updates:9,}"
            print(row, flush=True)


def _measured(text: str) -> tuple[float, int]:
    clock = 0.0
    updates = 0

    def write(_: str) -> None:
        nonlocal updates
        updates += 1

    sink = MarkdownSink(write, lambda: 80, lambda: 24, lambda: clock, True)
    start = time.process_time()
    for position in range(0, len(text), PIECE):
        sink(AnswerDelta(text[position : position + PIECE]))
        clock += 1 / PIECES_A_SECOND
    sink.close()
    return time.process_time() - start, updates


if __name__ == "__main__":
    _measured("```python\nwarm = 1\n```\n")
    main()
