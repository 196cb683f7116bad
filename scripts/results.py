#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judge a test run: KTAP from the guest, and the guest's kernel log.

results.py DIR [MORE...] reads KTAP on standard input while the guest runs,
passes it on to the terminal and to DIR/results.tap, then looks at DIR/dmesg.txt
and writes DIR/results.json. MORE are the folders of other guests that the KTAP
comes from: their ends and their logs are judged as well. With --ktap before DIR
there is no guest to judge: whoever reports has done so. The last line says
"N passed, N failed, N skipped"; the exit status is not zero if anything failed.

A test that provokes a splat on purpose writes to /dev/kmsg around it:

    childkernel-selftest: expect-begin REGEX
    childkernel-selftest: expect-end

Only splats in between that match are excused; any other is a failed test.
"""

import json
import os
import re
import sys
import time

RESULT = re.compile(r"(ok|not ok)\b\s*(\d+)?\s*(?:-\s*)?(.*)")
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*(SKIP.*))?\s*$", re.I)
DIRECTIVE = re.compile(r"(?<!\\)#\s*(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b\s*(.*)", re.I)


class Level:
    """One nesting depth: its plan, and what came since its last result."""

    def __init__(self, indent):
        self.indent = indent
        self.plan = None
        self.count = 0
        self.line = 0


class Ktap:
    """Nested KTAP, counted at the leaves."""

    def __init__(self):
        self.tests = []
        self.bail = None
        self.seen_version = False
        self._levels = [Level(0)]
        self._since = None
        # Leaves whose enclosing test has not reported yet: (indent, index).
        self._open = []

    def feed(self, raw):
        if self._since is None:
            # Booting is no part of the first test.
            self._since = time.monotonic()
        line = raw.rstrip("\r\n")
        text = line.lstrip(" \t")
        indent = len(line.expandtabs(8)) - len(text.expandtabs(8))
        if text.startswith("Bail out!"):
            self.bail = text[len("Bail out!"):].strip() or "no reason given"
            return
        if re.match(r"(KTAP|TAP) version \d+", text):
            # Opens a level, even one that then says nothing more.
            level = self._level(indent)
            if level.plan is not None or level.count:
                self._close(level)
                self._level(indent)
            self.seen_version = True
            return
        plan = PLAN.match(text)
        if plan:
            level = self._level(indent)
            level.plan = int(plan.group(1))
            if level.plan == 0 and plan.group(2):
                self._add("all", "skipped", indent, plan.group(2)[4:].strip())
            return
        result = RESULT.match(text)
        if result:
            self._result(indent, *result.groups())

    def end(self):
        while self._levels:
            self._close(self._levels[-1])
        if self.bail is not None:
            self._add("bail out", "failed", 0, self.bail)
        if not self.tests:
            self._add("no tests at all", "failed", 0, "the guest reported none")

    def _level(self, indent):
        while self._levels and self._levels[-1].indent > indent:
            self._close(self._levels[-1])
        if not self._levels or self._levels[-1].indent < indent:
            self._levels.append(Level(indent))
        return self._levels[-1]

    def _close(self, level):
        self._levels.remove(level)
        if level.plan is None:
            if level.count:
                self._add("plan", "failed", level.indent, f"{level.count} results and no plan")
        elif level.plan != level.count:
            self._add("plan", "failed", level.indent,
                      f"{level.plan} tests planned, {level.count} reported")

    def _result(self, indent, verdict, _number, rest):
        level = self._level(indent)
        level.count += 1
        directive = DIRECTIVE.search(rest)
        name = (rest[:directive.start()] if directive else rest).strip()
        name = name or f"test {level.count}"
        word = directive.group(1).upper() if directive else ""
        if word == "SKIP":
            status = "skipped"
        elif verdict == "not ok":
            status = "skipped" if word in ("TODO", "XFAIL") else "failed"
        else:
            status = "passed"
        reason = directive.group(2).strip() if directive else ""

        children = [i for depth, i in self._open if depth > indent]
        self._open = [o for o in self._open if o[0] <= indent]
        for i in children:
            self.tests[i]["name"] = f"{name}/{self.tests[i]['name']}"
        if not children:
            self._add(name, status, indent, reason)
        elif status == "failed" and not any(
                self.tests[i]["status"] == "failed" for i in children):
            # It failed for a reason of its own.
            self._add(name, status, indent, reason)
        else:
            self._open.extend((indent, i) for i in children)

    def _add(self, name, status, indent, reason=""):
        now = time.monotonic()
        test = {"name": name, "status": status, "ms": int((now - (self._since or now)) * 1000)}
        if reason:
            test["reason"] = reason
        self._since = now
        self._open.append((indent, len(self.tests)))
        self.tests.append(test)


# What begins a splat.
HEADER = re.compile("|".join((
    r"\bWARNING:", r"\bBUG:", r"\bKASAN:", r"\bKCSAN:", r"\bKFENCE:", r"\bUBSAN:",
    r"\bINFO: (possible|task|rcu|suspicious|trying|inconsistent|lockdep|HARDIRQ|SOFTIRQ)",
    r"rcu: INFO: ", r"self-detected stall", r"detected (expedited )?stalls?",
    r"\bpossible (recursive|circular|irq lock)", r"soft lockup", r"hard LOCKUP",
    r"blocked for more than \d+ seconds", r"general protection fault",
    r"unable to handle", r"\bkernel BUG at", r"\bOops\b", r"Kernel panic",
    r"rust_kernel: panicked", r"refcount_t: ", r"list_(add|del) corruption",
    r"corrupted? (list|stack|freelist)", r"stack-protector:", r"stack guard page",
    r"scheduling while atomic", r"sleeping function called", r"page allocation failure",
    r"double free", r"use-after-free", r"(?<!\b0 )(?<!\bno )\bleak(ed|s)?\b(?![ =:]+0\b)", r"unreferenced object",
    r"Objects remaining in", r"DEBUG_LOCKS_WARN_ON", r"nobody cared",
    r"Voluntary context switch within RCU", r"bad: scheduling",
)))
# These continue a splat that is already open, and else are one.
MORE = re.compile(r"\bOops\b|\bkernel BUG at|Call Trace:|\[ cut here \]|---\[ end trace")
END = re.compile(r"---\[ end trace|</TASK>")
# What a program is told that has asked for what there is not: no splat, whatever words are in it.
REFUSED = re.compile(r"^[a-z_]+: [^:]+: valid are ")
# What a kernel that looks for such things says of itself. Whether it has found a leak is asked,
# and told, by a test; that lockdep is off is a line of what another splat says.
WATCHES = re.compile(r"^rcu: .* debug is enabled\.$|^kmemleak: |^INFO: lockdep is turned off\.$")
MARK = re.compile(r"childkernel-selftest: expect-(begin|end)\s*(.*)")
STAMP = re.compile(r"^\[\s*([\d.]+)\](?:\[[^]]*\])?\s?")
# A console that was taken away in the middle of a message says this, and the message from its start.
REPLAY = "** replaying previous printk message **"
# A splat's lines follow each other; this far apart they are two.
SPLAT_LINES = 80


def splats(lines):
    """Splats of a kernel log: [{"line", "at", "text", "announced"}]."""
    found = []
    expect = None
    current = None
    replayed = False
    for number, line in enumerate(lines, 1):
        stamp = STAMP.match(line)
        text = line[stamp.end():].rstrip() if stamp else line.rstrip()
        mark = MARK.search(text)
        if mark:
            expect = mark.group(2).strip() if mark.group(1) == "begin" else None
            current = None
            continue
        if REFUSED.search(text) or WATCHES.search(text):
            continue
        if text == REPLAY:
            replayed = True
            continue
        again = replayed and current and stamp and text == current["text"] and \
            float(stamp.group(1)) == current["at"]
        replayed = False
        if again:
            continue
        header = HEADER.search(text)
        more = MORE.search(text)
        if current and number - current["line"] > SPLAT_LINES:
            current = None
        if (header and not (current and more)) or (more and not current and not END.search(text)):
            if current and current["opened"] and header:
                # "cut here" or a bare trace came first: this names it.
                current["text"] = text
                current["opened"] = False
            else:
                current = {"line": number, "at": float(stamp.group(1)) if stamp else None,
                           "text": text, "announced": False, "opened": not header,
                           "expect": expect}
                found.append(current)
        if current:
            if current["expect"] and not current["announced"]:
                current["announced"] = matches(current["expect"], text)
            if END.search(text) and "end trace" in text:
                current = None
    for splat in found:
        del splat["opened"], splat["expect"]
    return found


def matches(pattern, text):
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def machine(path):
    """What the VM runner wrote about itself."""
    try:
        with open(path, encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        return {}


def judge_guest(tests, log_lines, about, name=""):
    """Adds to the tests how a guest has ended and what its log has; returns the splats."""
    of = f" of {name}" if name else ""
    status = about.get("status", "")
    failed = any(t["status"] == "failed" for t in tests)
    if status != "0" and not (failed and status == "1"):
        why = {"124": "time limit", "125": "kernel panic", "126": "the guest vanished",
               "": "the virtual machine did not report"}.get(status, f"exit status {status}")
        tests.append({"name": f"guest{' ' + name if name else ''}", "status": "failed", "ms": 0,
                      "reason": why})
    found = splats(log_lines)
    if not log_lines:
        tests.append({"name": f"kernel log{of}", "status": "failed", "ms": 0, "reason": "empty"})
    unannounced = [s for s in found if not s["announced"]]
    for splat in unannounced:
        tests.append({"name": f"kernel log{of}, line {splat['line']}", "status": "failed",
                      "ms": 0, "reason": splat["text"]})
    return found


def judge(ktap, log_lines, about, others=(), guest=True):
    """Everything that counts, as the dictionary that becomes results.json.

    others are more guests: (name, log_lines, about).
    """
    ktap.end()
    tests = ktap.tests
    found = judge_guest(tests, log_lines, about) if guest else []
    for name, more_lines, more_about in others:
        found += [{"guest": name, **s} for s in judge_guest(tests, more_lines, more_about, name)]
    return {
        "schema": 1,
        "lane": about.get("lane", ""),
        "kernel": about.get("kernel", ""),
        "accel": about.get("accel", ""),
        **{s: sum(t["status"] == s for t in tests) for s in ("passed", "failed", "skipped")},
        "tests": tests,
        "splats": found,
    }


def read_guest(directory):
    """Its log and what is known of it."""
    try:
        with open(os.path.join(directory, "dmesg.txt"), encoding="utf-8", errors="replace") as log:
            log_lines = log.readlines()
    except OSError:
        log_lines = []
    return log_lines, machine(os.path.join(directory, "machine"))


def main(argv):
    guest = argv[1:2] != ["--ktap"]
    if not guest:
        del argv[1]
    if len(argv) < 2:
        sys.exit("usage: results.py [--ktap] DIR [MORE...] <KTAP")
    directory = argv[1]
    ktap = Ktap()
    with open(os.path.join(directory, "results.tap"), "w", encoding="utf-8") as tap:
        for raw in iter(sys.stdin.buffer.readline, b""):
            line = raw.decode("utf-8", "replace").replace("\r\n", "\n")
            tap.write(line)
            tap.flush()
            sys.stdout.write(line)
            sys.stdout.flush()
            ktap.feed(line)
    others = [(os.path.basename(more), *read_guest(more)) for more in argv[2:]]
    results = judge(ktap, *read_guest(directory), others, guest)
    with open(os.path.join(directory, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    for test in results["tests"]:
        if test["status"] == "failed":
            print(f"FAILED {test['name']}" + (f": {test['reason']}" if test.get("reason") else ""))
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**results))
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
