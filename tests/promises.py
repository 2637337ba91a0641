"""Reads ``promises.txt``, which says what each line is."""

import re
from pathlib import Path
from typing import NamedTuple


class Patch(NamedTuple):
    """A text that is in a file once, what breaks a promise in its place, and its tests."""

    file: str
    tests: list[str]
    """As ``test_memory.py::test_fork_in_a_block``."""
    lines: dict[str, list[str]]

    @property
    def old(self) -> str:
        """The text."""
        return "\n".join(self.lines["-"])

    @property
    def new(self) -> str:
        """What is put in its place."""
        return "\n".join(self.lines["+"])


class Promise(NamedTuple):
    """Sentences, each with its place, and what breaks them."""

    sentences: list[tuple[str, str]]
    patches: list[Patch]


def parsed(text: str) -> list[Promise]:
    found, place = [], ""
    for paragraph in re.sub("(?m)^#.*\n", "", text).strip("\n").split("\n\n"):
        promise = Promise([], [])
        found.append(promise)
        for line in paragraph.split("\n"):
            head = re.match(r"(\S+?\.(?:md|py|c)(?:::[\w.]+)?): ", line)
            rest = line[head.end() :] if head else line
            if head and rest.startswith("test_"):
                promise.patches.append(Patch(head[1], rest.split(), {"-": [], "+": []}))
            elif line[0] in "-+":
                promise.patches[-1].lines[line[0]].append(line[1:])
            else:
                place = head[1] if head else place
                promise.sentences.append((place, rest))
    return found


PROMISES = parsed(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))
