# SPDX-License-Identifier: GPL-2.0
"""The section on who waits: what it shows, what it says of it, and what of it is missing."""

import contextlib
import html
import io
import json
import os
import re
import tempfile
import unittest

from bench import page, records, report, waiters
from bench.fixtures import lanes, native, floor, own_waits, stat, waits

BLIND = "perf sees no <spinlock> here"
MUTEX = (waits("counter/mutex", "<a::B as g::H>::work"), waits("counter/mutex", "next", column=False),
         waits("counter/mutex", "ff27 <mutex>", "lock", column=False),
         waits("counter/mutex", "w1 & co", "owner", column=False),
         waits("counter/mutex", "w2", "thread", column=False),
         own_waits("counter/mutex", "own.rs:1", column=False, why="for comparison"))
SPIN = (waits("table/spinlock", "late", column=False, why=BLIND, contended=3),
        waits("table/spinlock", "dd01 rq_lock", "lock", column=False, why=BLIND),
        own_waits("table/spinlock", "a<b>.rs:8", why=BLIND, contended=5000))
FACTS = {"kernel": "7.3-test", "cpus": "4", "children": "4", "hold_ns": "10000", "seconds": "5",
         "bpf": "no <BTF>"}
MISSING = "Not measured yet: who waits for which lock. <code>make bench</code> measures it."


def cells(text, start):
    """Those of the first row that begins so, as a reader sees them."""
    row = re.search(rf"<tr>(<td>{re.escape(start)}</td>.*?)</tr>", text, re.S)[1]
    return [html.unescape(c) for c in re.findall(r"<td[^>]*>(.*?)</td>", row)]


def section(*found, facts=FACTS, kind="real"):
    of = lanes(**{kind: found})
    of[kind].facts = facts
    return waiters.who_waits(of)


class Section(unittest.TestCase):
    def test_who_waits_for_what_and_who_says_so(self):
        text = section(*MUTEX, *SPIN)
        self.assertEqual(cells(text, "counter/mutex"), [
            "counter/mutex", "<a::B as g::H>::work", "ff27 <mutex>", "w1 & co", "perf", "29",
            "14.5", "4.67 s", "161 ms", "1.08 s"])
        self.assertEqual(cells(text, "table/spinlock"), [
            "table/spinlock", "a<b>.rs:8", "table/spinlock", "-", "childkernel", "5000", "2.5 k",
            "-", "-", "7 µs"])

    def test_it_says_why_perf_is_not_believed(self):
        text = html.unescape(section(*MUTEX, *SPIN))
        self.assertIn("perf: all pass (counter/mutex).", text)
        self.assertIn(f"childkernel: {BLIND} (table/spinlock).", text)
        self.assertNotIn("for comparison (", text)
        self.assertIn("no sum of them", text)
        self.assertNotIn("no sum of them", section(MUTEX[0]))
        self.assertNotIn("whole machine", section(SPIN[-1]))

    def test_names_are_escaped(self):
        text = section(*MUTEX, *SPIN, waits("<i>/x", "<i>", by="<i>", source="<i>", why="<i>"),
                       stat("<i>/x"), facts={key: f"<i>{value}" for key, value in FACTS.items()})
        self.assertNotIn("<i>", text)
        for name in ("<B", "<a::", "<b>", "<mutex", "<spin", "& co"):
            self.assertNotIn(name, text)

    def test_all_that_was_seen_is_there(self):
        whole = section(*MUTEX, *SPIN).split("<summary>By caller")[1]
        self.assertEqual(whole.count("<tr><td>counter/mutex"), len(MUTEX))
        self.assertEqual(whole.count("<tr><td>table/spinlock"), len(SPIN))
        for by in ("caller", "lock", "owner", "thread"):
            self.assertIn(f"<td>{by}</td>", whole)
        self.assertEqual(cells(whole[whole.index("own.rs:1") - 99:], "counter/mutex")[-2:],
                         ["127 ns", "511 ns"])

    def test_it_says_how_it_was_made(self):
        text = html.unescape(section(*MUTEX))
        for part in ("lane real", "kernel 7.3-test", "4 CPUs", "4 children a load", "10000 ns inside",
                     "looked at for 5 s;", "can not tell owners, which needs -b: no <BTF>",
                     "2000-01-01", "<code>make bench</code>"):
            self.assertIn(part, text)
        text = section(*MUTEX, facts={**FACTS, "bpf": "yes"})
        self.assertIn("for 5 s by each of caller, lock and owner; perf counted in the kernel", text)
        for facts in ({}, {"kernel": "7"}):
            self.assertIn("lane real", section(*MUTEX, facts=facts))

    def test_what_was_emulated_is_marked(self):
        of = lanes(real=(*MUTEX, stat("counter/mutex")))
        self.assertNotIn(page.WARNING, waiters.who_waits(of))
        of["real"].about["accel"] = "tcg"
        text = waiters.who_waits(of)
        self.assertEqual(text.count(page.WARNING), text.count("<table"))

    def test_what_the_loads_cost(self):
        text = section(*MUTEX, stat("counter/mutex", cycles=9), stat("table/spinlock", ops=0))
        costs = text.split("by perf stat")[1]
        self.assertEqual(cells(costs, "counter/mutex"),
                         ["counter/mutex", "200", "7", "35", "0", "-", "9"])
        self.assertEqual(cells(costs, "table/spinlock")[3], "-")
        self.assertNotIn("by perf stat", section(*MUTEX))

    def test_none(self):
        self.assertEqual(waiters.who_waits({}), MISSING.join(('<p class="missing">', "</p>")))
        self.assertIn(MISSING, section(native(), floor("ping_pong", [1]), kind="native"))
        self.assertIn(MISSING, section(stat("counter/mutex")))

    def test_a_load_whose_line_was_lost(self):
        text = section(*MUTEX[1:])
        self.assertNotIn("who waits</th>", text)
        self.assertEqual(text.count("<tr><td>counter/mutex"), len(MUTEX) - 1)


class Files(unittest.TestCase):
    """What make report does with what make bench has left."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.top = directory.name
        os.makedirs(os.path.join(self.top, "real"))

    def write(self, name, *found, more=""):
        with open(os.path.join(self.top, "real", name), "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(r) + "\n" for r in found) + more)

    def report(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = report.main(["report.py", self.top])
        self.assertEqual(status, 0, said.getvalue())
        with open(os.path.join(self.top, "report.html"), encoding="utf-8") as file:
            return file.read(), said.getvalue()

    def test_who_waits_stands_behind_the_other_waits(self):
        self.write("contention.jsonl", *MUTEX)
        self.write("facts", more="kernel=7.3-test\ncpus=4\n")
        text, _ = self.report()
        ids = re.findall(r'<section id="(\w+)"', text)
        self.assertEqual(ids[ids.index("waits") + 1], "who")
        self.assertIn('<a href="#who">Contention: who waits</a>', text)
        self.assertIn("ff27 &lt;mutex&gt;", text)
        self.assertEqual(cells(text, "real")[2:4], ["7.3-test", "4"])
        self.assertIn("the benchmarks have not run", text)

    def test_an_empty_file(self):
        self.write("contention.jsonl")
        self.assertEqual(records.load(self.top), {})
        self.write("records.jsonl", native(), floor("ping_pong", [1]))
        text, _ = self.report()
        self.assertIn(MISSING, text)
        self.assertNotIn("the benchmarks have not run", text)

    def test_no_file(self):
        self.write("records.jsonl", native(), floor("ping_pong", [1]))
        self.assertIn(MISSING, self.report()[0])

    def test_a_damaged_line(self):
        self.write("contention.jsonl", *MUTEX, more=json.dumps(SPIN[-1])[:-20])
        text, said = self.report()
        self.assertNotIn(MISSING, text)
        self.assertIn("ff27 &lt;mutex&gt;", text)
        self.assertNotIn("table/spinlock", text)
        for where in (text, said):
            self.assertIn("real/contention.jsonl, line 7: cut off, or not JSON", where)


if __name__ == "__main__":
    unittest.main()
