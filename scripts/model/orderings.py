# SPDX-License-Identifier: GPL-2.0
"""Which orderings there are in the modelled sources, by names that outlive an edit nearby.

A program that tries interleavings names a place by file, line and column. A list that is kept in the
tree would change with each line that is added above, so there it is the function, what is done
there, and which of several such in that function it is.
"""

import os
import re

# The sources whose orderings are accounted for, each of them.
MODELLED = (
    "src/child/identity.rs",
    "src/child/mailbox/lock_free.rs",
    "src/child/mailbox/ring.rs",
    "src/child/mailbox/sleepers.rs",
    "src/child/pulse.rs",
    "src/child/state.rs",
    "src/stats/counters.rs",
    "src/stats/histogram.rs",
    "src/stats/site.rs",
    "src/sync/rcu/retired.rs",
    "src/sync/rcu_list.rs",
    "src/sync/rcu_list/cursor.rs",
    "src/sync/rcu_pointer.rs",
)

PLACE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+) (?P<what>.*)")
FUNCTION = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:const\s+)?(?:unsafe\s+)?fn\s+(\w+)")
# What orders: as an argument, and as a method of a ring's memory.
ORDERS = re.compile(
    r"(?<![\w:])(?:Acquire|Release|Full)\s*\)|smp_mb\(\w+\)"
    r"|\.(?:load_acquire|store_release|swap)\(|full_barrier\(\)")
COMMENT = re.compile(r"//.*")


def function_at(lines, number):
    """The function that a line, from 1, is in."""
    for line in reversed(lines[:number]):
        found = FUNCTION.match(line)
        if found:
            return found.group(1)
    return "?"


def orders(text):
    """The lines, from 1, of a source that order something."""
    return [number for number, line in enumerate(text.splitlines(), 1)
            if ORDERS.search(COMMENT.sub("", line)) and not line.lstrip().startswith("fn ")]


def names(places, read):
    """From places to names. read gives the lines of a file."""
    found = {}
    groups = {}
    for place in sorted(places, key=sort_key):
        match = PLACE.fullmatch(place)
        if match["file"] == "C":
            found[place] = f"C {match['what']}"
            continue
        function = function_at(read(match["file"]), int(match["line"]))
        group = (match["file"], function, match["what"])
        groups.setdefault(group, []).append(place)
    for (file, function, what), members in groups.items():
        for number, place in enumerate(members, 1):
            which = f" ({number} of {len(members)})" if len(members) > 1 else ""
            found[place] = f"{file} {function} {what}{which}"
    return found


def sort_key(place):
    match = PLACE.fullmatch(place)
    return match["file"], int(match["line"]), int(match["column"])


def not_met(places, top, modelled=MODELLED):
    """Lines of the modelled sources that order something and that no model has met."""
    met = set()
    for place in places:
        match = PLACE.fullmatch(place)
        met.add((match["file"], int(match["line"])))
    missed = []
    for file in modelled:
        with open(os.path.join(top, file), encoding="utf-8") as source:
            text = source.read()
        lines = text.splitlines()
        for number in orders(text):
            # A call that goes over several lines is where its method is.
            if not any((file, near) in met for near in range(number - 4, number + 1)):
                missed.append(f"{file}:{number} {function_at(lines, number)}: "
                              f"{lines[number - 1].strip()}")
    return missed


class List:
    """What is known of each mutant: a model that fails, or that none does."""

    HEAD = ("# Orderings of the modelled sources, what each was weakened to, and a model that fails\n"
            "# then. Made by make model WRITE=1; a run compares.\n")
    UNPROVEN = "unproven"
    LINE = re.compile(r"(?P<name>.+) -> (?P<to>\w+): (?P<model>\w+)")

    def __init__(self, entries):
        self.entries = entries

    @classmethod
    def of(cls, mutants, named):
        """From what was found."""
        return cls({(named[place], to): model or cls.UNPROVEN
                    for (place, to), (model, _) in mutants.items()})

    @classmethod
    def read(cls, text):
        """From a file."""
        entries = {}
        for line in text.splitlines():
            match = cls.LINE.fullmatch(line)
            if match:
                entries[match["name"], match["to"]] = match["model"]
        return cls(entries)

    def text(self):
        """For a file."""
        lines = [f"{name} -> {to}: {model}" for (name, to), model in sorted(self.entries.items())]
        return self.HEAD + "\n".join(lines) + "\n"

    def is_proven(self, key):
        """Whether there is a model that fails."""
        return self.entries.get(key, self.UNPROVEN) != self.UNPROVEN

    def differences(self, now):
        """What is not as it was: lines for people. Which model fails makes no difference."""
        found = []
        for key in sorted({*self.entries, *now.entries}):
            name = f"{key[0]} -> {key[1]}"
            if key not in now.entries:
                found.append(f"gone: {name}")
            elif key not in self.entries:
                found.append(f"new: {name}: {now.entries[key]}")
            elif self.is_proven(key) != now.is_proven(key):
                found.append(f"{name}: was {self.entries[key]}, is {now.entries[key]}")
        return found


def table(mutants, pairs, missed, named):
    """What was found, for people: a page in Markdown."""
    lines = ["# Orderings of the modelled sources", "",
             "Each is weakened alone, in a program that is the same otherwise. loom is not the",
             "kernel's memory model: what is unproven here may be needed all the same, and is only",
             "to be weakened with an argument in that model.", "",
             "| place | function and operation | weakened to | without it |", "|---|---|---|---|"]
    for (place, to), (model, why) in sorted(mutants.items(), key=lambda m: (sort_key(m[0][0]), m[0][1])):
        match = PLACE.fullmatch(place)
        where = f"{match['file']}:{match['line']}" if match["file"] != "C" else "C"
        what = named[place].removeprefix(match["file"]).strip()
        result = f"{model}: {why}" if model else f"**unproven**: {why}"
        lines.append(f"| {where} | {what} | {to} | {result.replace('|', '/')} |")
    if pairs:
        lines += ["", "Of two that are unproven alone, and both weakened:", "",
                  "| one | the other | without both |", "|---|---|---|"]
        lines += [f"| {named[one]} | {named[other]} | {model}: {why} |"
                  for (one, other), (model, why) in sorted(pairs.items())]
    if missed:
        lines += ["", "No model meets these, so nothing is known of them:", ""]
        lines += [f"- {line}" for line in missed]
    return "\n".join(lines) + "\n"
