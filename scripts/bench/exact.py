#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The table of exact instructions that stands in the tree.

    exact.py table BENCH            print it, of the records below BENCH (build/bench)
    exact.py diff TABLE BENCH       print what those records change of a table
    exact.py diff --strict ...      the same; exit status 1 if anything has changed

The same records give the same text. A figure that is not there is "n/a".
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench import ratios, records  # noqa: E402

BUILDS = {0: "plain", 1: "INLINE=1"}
COLUMNS = ("operation", "against", "C", "Rust", "ratio", "C inl.", "Rust inl.", "ratio inl.")
HEAD = """\
.. SPDX-License-Identifier: GPL-2.0

===========================================
Instructions of an operation, Rust and C
===========================================

``make bench-exact`` makes this file, and prints what a new run changes. Each
figure is the least of at least 30 rounds, in instructions for one operation,
counted by an emulator (``-icount``) with one CPU: the same in every run, but no
time, and not for hardware decisions. Both sides are in one module and run in turn.
"""
TAIL = """\
C is the twin in ``src/bench/`` that does the same with the same primitive, or what
stands under "against". The columns with "inl." are those of a build with ``INLINE=1``,
where helpers are no calls.
"""
# A dash would be a list in the markup.
NONE = "n/a"
# Repeat runs differ by less, in instructions (the table has tenths) and as a part of the figure.
SAME = 0.15
SAME_PART = 0.003


class Table:
    """Rows in order: (operation, against) to its figures."""

    def __init__(self):
        self.kernels = {}
        self.loops = {}
        self.rows = {}


def from_lane(lane):
    table = Table()
    for found in ratios.ratios({"exact": lane}):
        inline = found["inline"]
        name = found["name"] + (f": {found['what']}" if found["what"] else "")
        against = "" if found["rival_name"] == "c" else found["rival_name"]
        row = table.rows.setdefault((name, against), {})
        row[inline] = (found["rival"], found["rust"], found["ratio"])
        table.kernels[inline] = found["release"]
        table.loops[inline] = lane.loops(inline)
    return table


def cell(value, digits=1):
    return NONE if value is None else f"{value:.{digits}f}"


def text(table):
    """As it stands in the tree."""
    lines = [HEAD]
    for inline, build in BUILDS.items():
        if inline in table.kernels:
            loops = ", ".join(f"{cell(cost)} of {side}'s loop"
                              for side, cost in table.loops.get(inline, {}).items())
            lines.append(f":{build}: kernel {table.kernels[inline]}; "
                         f"{loops or 'the loop around it'} in each figure")
    rows = [COLUMNS]
    for (name, against), found in table.rows.items():
        row = [name, against or "C"]
        for inline in BUILDS:
            c, rust, ratio = found.get(inline, (None, None, None))
            row += [cell(c), cell(rust), cell(ratio, 3)]
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    rule = "  ".join("=" * width for width in widths)
    lines += ["", rule]
    for row in rows:
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
        if row is COLUMNS:
            lines.append(rule)
    lines += [rule, "", TAIL]
    return "\n".join(lines)


def parse(content):
    """The table of a text; ValueError if it is none."""
    table, cuts, rules = Table(), [], 0
    for line in content.splitlines():
        for inline, build in BUILDS.items():
            if line.startswith(f":{build}: kernel "):
                table.kernels[inline] = line.split("kernel ", 1)[1].split(";")[0]
        if line.startswith("=") and "  =" in line:
            rules += 1
            cuts = cuts or [i for i in range(len(line))
                            if line[i] == "=" and (i == 0 or line[i - 1] == " ")]
        elif rules == 2:
            cells = [line[a:b].strip() for a, b in zip(cuts, cuts[1:] + [None])]
            if len(cells) != len(COLUMNS):
                raise ValueError(f"not a row of the table: {line}")
            figures = [None if c == NONE else float(c) for c in cells[2:]]
            row = table.rows.setdefault((cells[0], "" if cells[1] == "C" else cells[1]), {})
            for inline in BUILDS:
                three = tuple(figures[3 * inline:3 * inline + 3])
                if three[0] is not None:
                    row[inline] = three
    if rules != 3:
        raise ValueError("no table in it")
    return table


def differs(old, new):
    return abs(old - new) > max(SAME, SAME_PART * abs(old))


def diff(old, new):
    """What has changed, a line each. What was not measured now is not compared."""
    lines = []
    for inline, build in BUILDS.items():
        now = [key for key, row in new.rows.items() if inline in row]
        before = [key for key, row in old.rows.items() if inline in row]
        if not now:
            if before:
                lines.append(f"{build}: not measured in this run")
            continue
        if before and old.kernels.get(inline) != new.kernels.get(inline):
            lines.append(f"{build}: kernel {old.kernels.get(inline)} -> {new.kernels.get(inline)}")
        for key in now:
            label = f"{build}: {key[0]}" + (f" against {key[1]}" if key[1] else "")
            c, rust, ratio = new.rows[key][inline]
            if key not in before:
                lines.append(f"{label}: new: C {cell(c)}, Rust {cell(rust)}, "
                             f"ratio {cell(ratio, 3)}")
                continue
            c_old, rust_old, ratio_old = old.rows[key][inline]
            changes = [f"{side} {cell(a)} -> {cell(b)} ({b - a:+.1f})"
                       for side, a, b in (("C", c_old, c), ("Rust", rust_old, rust))
                       if differs(a, b)]
            if changes:
                lines.append(f"{label}: {', '.join(changes)}, "
                             f"ratio {cell(ratio_old, 3)} -> {cell(ratio, 3)}")
        lines += [f"{build}: {key[0]}: no longer measured" for key in before if key not in now]
    return lines


def changes(old, new):
    """Those lines of a diff that say that something is different."""
    return [line for line in diff(old, new) if not line.endswith("not measured in this run")]


def main(argv):
    strict = "--strict" in argv
    argv = [a for a in argv if a != "--strict"]
    if argv[1:2] not in (["table"], ["diff"]) or len(argv) != {"table": 3, "diff": 4}[argv[1]]:
        print("usage: exact.py table BENCH | diff [--strict] TABLE BENCH", file=sys.stderr)
        return 2
    lanes = records.load(argv[-1])
    if "exact" not in lanes or not lanes["exact"].pairs():
        print(f"no exact measurements yet: {records.COMMANDS['exact']} makes them", file=sys.stderr)
        return 1
    new = from_lane(lanes["exact"])
    if argv[1] == "table":
        sys.stdout.write(text(new))
        return 0
    try:
        with open(argv[2], encoding="utf-8") as file:
            old = parse(file.read())
    except (OSError, ValueError) as error:
        print(f"{argv[2]}: {error}", file=sys.stderr)
        return 1
    # What the table shows is compared, not more digits than it has.
    new = parse(text(new))
    lines = diff(old, new)
    changed = changes(old, new)
    for line in lines:
        print(line)
    if not changed:
        print(f"nothing has changed of {argv[2]}")
    return 1 if strict and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
