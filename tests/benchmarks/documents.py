"""How long a question over many documents takes: the first index, a rescan, and the time to the request.

    python tests/benchmarks/documents.py FOLDER ...

FOLDER holds a collection as `retrieval.py` takes it. The sentences of all of them are shuffled into 50,000
passages in 500 files, and into 10,000 files of a paragraph. `gptkit ask` of the same run is the baseline.
"""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fake.server import FakeServer
from retrieval import collection
from timing import PROGRAM, environ, median, run, table

PASSAGES, FILES, SMALL_FILES = 50_000, 500, 10_000
LENGTH = 650
"""Characters of a paragraph."""
ROUNDS = 7
REPLY = json.dumps({"quotes": [], "answer": ""})


def main(folders: list[Path]) -> None:
    texts, questions = [], []
    for folder in folders:
        found = collection(folder)
        texts += [text for _, text in found.documents.values()]
        questions += [" ".join(question.split()) for question in found.questions.values()]
    chance = random.Random(3)
    sentences = [each for text in texts for each in re.split(r"(?<=[.!?。！？])\s*", text) if each.strip()]
    with tempfile.TemporaryDirectory() as temporary, FakeServer() as server:
        root = Path(temporary)
        write(root / "many", sentences, FILES, PASSAGES // FILES, chance)
        write(root / "small", sentences, SMALL_FILES, 1, chance)
        time.sleep(2.5)  # what changed in the last two seconds is read again
        variables = {
            name: environ(OPENAI_BASE_URL=server.url, GPTKIT_HOME=str(root / f"home-{name}"))
            for name in ("ask", "many", "small")
        }
        print(first_index(root, variables), end="\n\n")
        print(requests(root, server, variables, chance.sample(questions, ROUNDS)), end="\n\n")


def write(folder: Path, sentences: list[str], files: int, paragraphs: int, chance: random.Random) -> None:
    folder.mkdir()
    for number in range(files):
        texts = []
        for _ in range(paragraphs):
            text = ""
            while len(text) < LENGTH / (2 if text[:1] > "\u2e80" else 1):
                text += chance.choice(sentences) + " "
            texts.append(text)
        (folder / f"{number}.md").write_text("\n\n".join(texts), "utf-8")


def first_index(root: Path, variables: dict[str, dict[str, str]]) -> str:
    rows = []
    for name in ("many", "small"):
        command = [PROGRAM, "index", "refresh", str(root / name)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=variables[name], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        again = [run(command, variables[name]) for _ in range(3)]
        size = (root / f"home-{name}" / "cache" / "documents.db").stat().st_size
        memory = f"{after.ru_maxrss / 1024:.0f} MB"
        rescan = f"{median([one.cpu for one in again]) * 1000:.0f} ms"
        rows.append([name, f"{cpu:.1f} s", memory, f"{size / 1e6:.0f} MB", rescan])
    return table(["files", "first index (CPU)", "peak memory", "index", "rescan (CPU of the run)"], rows)


def requests(
    root: Path, server: FakeServer, variables: dict[str, dict[str, str]], questions: list[str]
) -> str:
    wire: dict[str, list[float]] = {"ask": [], "many": [], "small": []}
    cpu: dict[str, list[float]] = {"ask": [], "many": [], "small": []}
    for question in questions:
        for name, found in wire.items():
            server.say(REPLY)
            words = [question] if name == "ask" else [question, str(root / name)]
            program = "ask" if name == "ask" else "qa"
            done = run([PROGRAM, program, *words], variables[name], 0 if name == "ask" else 85)
            found.append(server.requests[-1].time - done.start)
            cpu[name].append(done.cpu)
    rows = [
        [
            {"ask": "`gptkit ask`", "many": "50,000 passages, 500 files", "small": "10,000 files"}[name],
            f"{median(found) * 1000:.0f} ms",
            f"{median(found) / median(wire['ask']):.2f}",
            f"{median(cpu[name]) * 1000:.0f} ms",
        ]
        for name, found in wire.items()
    ]
    return table(["start to request", "median", "ratio", "CPU"], rows)


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
