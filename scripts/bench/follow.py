#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Follows a benchmark: keeps its records as they come, and says how far it is.

    follow.py RECORDS <LOG          RECORDS is written anew

Reads a kernel log until the suite ends. Shows what else in it a figure may have
suffered from. Exit status 0 if the suite ended; 1 if the log ended before: what had
come by then is kept.
"""

import json
import re
import sys
import time

RECORD = re.compile(r"childkernel: ([a-z]+) (\{.*\})\s*$")
TROUBLE = re.compile(r"BUG: |Oops|WARNING: |Kernel panic|rcu: INFO: |soft lockup|hung_task")
NAMES = ("name", "primitive", "mailbox", "how", "what", "curve")


def record_of(line, room="bench"):
    """The record of this room of the module in a line of the log, or None."""
    found = RECORD.search(line)
    if not found or found[1] != room:
        return None
    try:
        record = json.loads(found[2])
    except ValueError:
        return None
    return record if isinstance(record, dict) and room in record else None


def title(record):
    """What a record is about, in a word or two."""
    words = [record.get("curve") if record["bench"] == "point" else None]
    words += [next((str(record[n]) for n in NAMES if n in record), None)]
    words = [w for w in dict.fromkeys(words) if w]
    return " ".join(words) or record["bench"]


def duration(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Progress:
    """One line for each record on a terminal, one in ten seconds elsewhere."""

    def __init__(self, out, clock=time.monotonic):
        self.out, self.clock = out, clock
        self.total = self.done = 0
        self.begun = self.said = clock()

    def say(self, text):
        """A line that stays."""
        self.out.write("\r\033[K" * self.out.isatty() + text + "\n")
        self.out.flush()

    def see(self, record):
        now = self.clock()
        if record["bench"] == "begin":
            self.total, self.done = record.get("figures", 0), 0
            self.begun = now
            return
        if record["bench"] == "end":
            self.say(f"{self.done} figures in {duration(now - self.begun)}")
            return
        self.done += 1
        left = (now - self.begun) / self.done * max(self.total - self.done, 0)
        text = f"[{self.done}/{self.total}] {title(record)}, about {duration(left)} left"
        if self.out.isatty():
            self.out.write(f"\r\033[K{text}")
            self.out.flush()
        elif now - self.said >= 10 or self.done == 1:
            self.said = now
            self.say(text)


def follow(lines, keep, progress):
    """Keeps all records of the lines up to the end of the suite; says whether it came."""
    for line in lines:
        record = record_of(line)
        if record is None:
            if TROUBLE.search(line):
                progress.say(line.rstrip())
            continue
        keep.write(json.dumps(record, separators=(",", ":")) + "\n")
        keep.flush()
        progress.see(record)
        if record["bench"] == "end":
            return True
    return False


def main(argv):
    if len(argv) != 2:
        sys.exit("usage: follow.py RECORDS <LOG")
    lines = (raw.decode("utf-8", "replace") for raw in iter(sys.stdin.buffer.readline, b""))
    with open(argv[1], "w", encoding="utf-8") as keep:
        progress = Progress(sys.stderr)
        if follow(lines, keep, progress):
            return 0
    progress.say(f"the suite did not end; what it measured is in {argv[1]}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
