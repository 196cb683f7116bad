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
