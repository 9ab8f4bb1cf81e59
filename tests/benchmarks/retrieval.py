"""How well passages are found: questions with known answers, through `--retrieve-only --json`.

    python tests/benchmarks/retrieval.py FOLDER [postgresql://HOST/DATABASE]

With an address the documents are pushed into that shared index and searched there. FOLDER holds one of these
collections, under the names that they are published with:

- Cranfield: `cran.all.1400`, `cran.qry`, `cranqrel`. Relevant is a document with a code above 0: -1 is not.
- CISI: `CISI.ALL`, `CISI.QRY`, `CISI.REL`.
- CMRC 2018: `cmrc2018_dev.json` in the style of SQuAD; relevant is the paragraph that the question is about.

The baselines of the same run are SQLite's FTS5 with its Porter stemmer over title and text, and plain BM25.
"""

from __future__ import annotations

import json
import math
import random
import re
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from gptkit.__main__ import main
from gptkit.capabilities.documents.rank import K1, B, bag
from gptkit.capabilities.documents.words import question_words, words_of
from gptkit.core.terminal import MemoryTerminal, memory_terminal

PASSAGES = 60
"""Passages that are asked for: several may be of one document."""


class Collection(NamedTuple):
    """Documents as pairs of title and text, questions, and the documents that answer each question."""

    documents: Mapping[str, tuple[str, str]]
    questions: Mapping[str, str]
    relevant: Mapping[str, frozenset[str]]


def collection(folder: Path) -> Collection:
    if (folder / "cran.all.1400").exists():
        return cranfield(folder)
    return cisi(folder) if (folder / "CISI.ALL").exists() else cmrc(folder / "cmrc2018_dev.json")


def cranfield(folder: Path) -> Collection:
    questions = {str(number): one["W"] for number, one in enumerate(smart(folder / "cran.qry"), 1)}
    relevant: dict[str, set[str]] = {}
    for line in (folder / "cranqrel").read_text().splitlines():
        question, document, code = line.split()
        if int(code) > 0:
            relevant.setdefault(question, set()).add(document)
    return Collection(documents(folder / "cran.all.1400"), questions, frozen(relevant))


def cisi(folder: Path) -> Collection:
    relevant: dict[str, set[str]] = {}
    for line in (folder / "CISI.REL").read_text().splitlines():
        question, document = line.split()[:2]
        relevant.setdefault(question, set()).add(document)
    questions = {one["I"]: one.get("T", "") + one.get("W", "") for one in smart(folder / "CISI.QRY")}
    asked = {number: text for number, text in questions.items() if number in relevant}
    return Collection(documents(folder / "CISI.ALL"), asked, frozen(relevant))


def cmrc(file: Path) -> Collection:
    texts: dict[str, tuple[str, str]] = {}
    questions: dict[str, str] = {}
    relevant: dict[str, set[str]] = {}
    for article in json.loads(file.read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            texts[paragraph["id"]] = ("", paragraph["context"])
            for one in paragraph["qas"]:
                questions[one["id"]] = one["question"]
                relevant[one["id"]] = {paragraph["id"]}
    return Collection(texts, questions, frozen(relevant))


def documents(file: Path) -> Mapping[str, tuple[str, str]]:
    return {one["I"]: (" ".join(one.get("T", "").split()), one.get("W", "")) for one in smart(file)}


def smart(file: Path) -> list[dict[str, str]]:
    """The records of a file in the format of the SMART system: fields by their letters."""
    records: list[dict[str, str]] = []
    field = ""
    for line in file.read_text("utf-8", "replace").splitlines(keepends=True):
        if begun := re.fullmatch(r"\.I (\d+)\s*", line):
            records.append({"I": str(int(begun[1]))})
        elif named := re.fullmatch(r"\.([TABWXKNC])\s*", line):
            field = named[1]
        else:
            records[-1][field] = records[-1].get(field, "") + line
    return records


def frozen(relevant: Mapping[str, set[str]]) -> Mapping[str, frozenset[str]]:
    return {question: frozenset(found) for question, found in relevant.items()}


def write(found: Collection, folder: Path) -> None:
    for number, (title, text) in found.documents.items():
        head = f"# {title}\n\n" if title else ""
        (folder / f"{number}.md").write_text(head + text, "utf-8")


def run_program(folder: Path, home: Path, url: str = "") -> Callable[[str], list[str]]:
    """Answers a question with the documents that `gptkit qa --retrieve-only` ranks, the best first."""

    def run(*arguments: str) -> MemoryTerminal:
        terminal = memory_terminal(environ={"GPTKIT_HOME": str(home), "HOME": str(home)})
        assert main(list(arguments), terminal) in (0, 85), terminal.errors
        return terminal

    if url:
        run("index", "push", url, str(folder))
    where = ["--index", url] if url else [str(folder)]

    def ranked(question: str) -> list[str]:
        words = " ".join(question.split())
        terminal = run("qa", words, *where, "--retrieve-only", "--json", f"--passages={PASSAGES}")
        return list(dict.fromkeys(Path(one["file"]).stem for one in json.loads(terminal.output)))

    return ranked


def run_porter(found: Collection) -> Callable[[str], list[str]]:
    """FTS5 with `porter unicode61` over title and text."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5 (title, text, name UNINDEXED, tokenize = 'porter')")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [(*d, n) for n, d in found.documents.items()])

    def ranked(question: str) -> list[str]:
        words = re.findall(r"\w+", question)
        query = " OR ".join(f'"{word}"' for word in words)
        rows = connection.execute("SELECT name FROM t WHERE t MATCH ? ORDER BY rank LIMIT 100", (query,))
        return [name for (name,) in rows]

    return ranked


def run_bm25(found: Collection) -> Callable[[str], list[str]]:
    """BM25 over the words that gptkit makes, title and text alike."""
    bags = {name: bag((), words_of(f"{title}\n{text}")) for name, (title, text) in found.documents.items()}
    frequency = Counter(word for one in bags.values() for word in one.counts)
    average = sum(one.length for one in bags.values()) / len(bags)

    def score(name: str, words: Sequence[str]) -> float:
        counts, length = bags[name]
        total = 0.0
        for word in words:
            count, known = counts.get(word, 0), frequency[word]
            idf = math.log(1 + (len(bags) - known + 0.5) / (known + 0.5))
            total += idf * count * (K1 + 1) / (count + K1 * (1 - B + B * length / average))
        return total

    def ranked(question: str) -> list[str]:
        words = question_words(question)
        return sorted(bags, key=lambda name: -score(name, words))[:100]

    return ranked


def ndcg(order: Sequence[str], relevant: frozenset[str], most: int = 10) -> float:
    gain = sum(1 / math.log2(at + 2) for at, name in enumerate(order[:most]) if name in relevant)
    return gain / sum(1 / math.log2(at + 2) for at in range(min(most, len(relevant))))


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def interval(gains: Sequence[float]) -> tuple[float, float]:
    """95 % of the means of samples drawn from the paired differences (bootstrap)."""
    chance = random.Random(1)
    means = sorted(mean(chance.choices(gains, k=len(gains))) for _ in range(2000))
    return means[50], means[1949]


def measure(found: Collection, rankers: Mapping[str, Callable[[str], list[str]]]) -> None:
    gains: dict[str, list[float]] = {}
    for name, ranked in rankers.items():
        orders = {number: ranked(question) for number, question in found.questions.items()}
        asked = [(orders[number], found.relevant[number]) for number in orders if number in found.relevant]
        gains[name] = [ndcg(order, relevant) for order, relevant in asked]
        hits = [mean(bool(relevant & set(order[:most])) for order, relevant in asked) for most in (1, 5)]
        print(f"{name:12} nDCG@10 {mean(gains[name]):.4f}  hit@1 {hits[0]:.4f}  hit@5 {hits[1]:.4f}")
    first, *others = gains
    for other in others:
        paired = [mine - its for mine, its in zip(gains[first], gains[other], strict=True)]
        low, high = interval(paired)
        print(f"{first} over {other}: {mean(paired):+.4f} ({low:+.4f} to {high:+.4f})")


if __name__ == "__main__":
    known = collection(Path(sys.argv[1]))
    print(f"{len(known.documents)} documents, {len(known.questions)} questions")
    with tempfile.TemporaryDirectory() as temporary:
        texts, own = Path(temporary) / "documents", Path(temporary) / "home"
        texts.mkdir()
        write(known, texts)
        rankers = {
            "gptkit": run_program(texts, own, *sys.argv[2:3]),
            "porter": run_porter(known),
            "BM25": run_bm25(known),
        }
        measure(known, rankers)
