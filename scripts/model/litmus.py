# SPDX-License-Identifier: GPL-2.0
"""Litmus tests of the documentation, by herd7 and the kernel's own memory model.

They stand in doc comments, beside what they are about: a block of text whose first line is "C" and
a name, and whose header says what is expected.
"""

import os
import re

COMMENT = re.compile(r"^\s*//[/!] ?(.*)$")
NAME = re.compile(r"^C (\S+)\s*$")
RESULT = re.compile(r"^ \* Result: (Never|Sometimes|Always)\s*$", re.M)
OBSERVED = re.compile(r"^Observation \S+ (Never|Sometimes|Always)\b", re.M)


class Litmus:
    """One test."""

    def __init__(self, name, where, text):
        self.name, self.where, self.text = name, where, text
        result = RESULT.search(text)
        self.expected = result.group(1) if result else None


def in_source(text, where):
    """The tests of one source."""
    found = []
    block = None
    for number, line in enumerate(text.splitlines(), 1):
        comment = COMMENT.match(line)
        said = comment.group(1).rstrip() if comment else None
        if block is None:
            if said == "```text":
                block = (number, [])
        elif said is None or said == "```":
            name = NAME.match(block[1][0]) if block[1] else None
            if name:
                whole = "\n".join(block[1]) + "\n"
                found.append(Litmus(name.group(1), f"{where}:{block[0]}", whole))
            block = None
        else:
            block[1].append(said)
    return found


def in_tree(top):
    """All tests below src/."""
    found = []
    for directory, _, files in sorted(os.walk(os.path.join(top, "src"))):
        for file in sorted(files):
            if file.endswith(".rs"):
                path = os.path.join(directory, file)
                with open(path, encoding="utf-8") as source:
                    found += in_source(source.read(), os.path.relpath(path, top))
    return found


def observed(output):
    """What herd7 has seen."""
    found = OBSERVED.search(output)
    return found.group(1) if found else None


def write(tests, directory):
    """Each in a file of its own, for herd7."""
    os.makedirs(directory, exist_ok=True)
    for test in tests:
        with open(os.path.join(directory, test.name + ".litmus"), "w", encoding="utf-8") as file:
            file.write(test.text)


def judge(tests, directory, report):
    """What herd7 said of each, in a file beside it; there is none where there is no herd7."""
    names = [test.name for test in tests]
    for test in tests:
        name = f"litmus test {test.name} ({test.where.rsplit(':', 1)[0]})"
        if test.expected is None:
            report.result(name, False, f"{test.where}: its header has no line ' * Result: ...'")
            continue
        if names.count(test.name) > 1:
            report.result(name, False, f"{test.where}: another one has this name")
            continue
        try:
            with open(os.path.join(directory, test.name + ".out"), encoding="utf-8") as file:
                output = file.read()
        except FileNotFoundError:
            report.skip(name, "herd7 is not installed")
            continue
        seen = observed(output)
        note = f"expected {test.expected}, observed {seen}"
        if seen is None:
            note = " ".join(output.split())[:200] or "it said nothing"
        report.result(name, seen == test.expected, note)
