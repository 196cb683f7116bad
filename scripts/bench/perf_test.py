# SPDX-License-Identifier: GPL-2.0
"""What perf.py must make of what perf says."""

import contextlib
import io
import json
import os
import tempfile
import unittest

from bench import fixtures, perf

WORK = ("_RNvXs8_NtNtCs4l16JZErtQ0_11childkernel8workload7counterINtB5_7CounterINtNtNtB9_4sync"
        "5order7OrderedNtNtB18_6levels4LoadINtNtNtB9_5stats7counted7CountedINtNtNtCsb5MLIFMWygY_"
        "6kernel4sync4lock4LockyNtNtB2r_5mutex12MutexBackendEEEENtB7_4Load4workB9_")
KALLSYMS = f"ffffffffc0628000 t early\t[childkernel]\nffffffffc06282f0 t {WORK}\t[childkernel]\n"
CALLER = f"""# output: contended; total wait; max wait; avg wait; type; caller; stacktrace
29; 4673039674; 1083725973; 161139299; mutex; {WORK[:127]}; \
0xffffffff84d5dc6e __mutex_lock.constprop.0+0x96e: 0xffffffffc062858c {WORK[:127]}
bad 0, total 58
"""
LOCK = """# output: contended; total wait; max wait; avg wait; address; symbol; type
29; 4673039674; 1083725973; 161139299; ff27bb5187c5cf18; ; mutex
"""
STAT = """# started on Wed Nov 25 04:40:00 2026

2530;;context-switches;2607592912;100.00;;
12;;cpu-migrations;2607592912;100.00;;
<not supported>;;cycles;0;100.00;;
0;;childkernel:child_state;2607592912;100.00;;
"""
FACTS = """kernel=7.3
cpus=2
processor=a = b
spinlocks=test-and-set
perf=perf version 7.3
bpf=this perf is built without BUILD_BPF_SKEL=1
seconds=1
hold_ns=10
children=2
"""


def stats(load, contended, ops):
    return json.dumps({
        "children": [{"workload": load, "ops": ops}, {"workload": load, "ops": 1}],
        "locks": [{"name": load, "contended": contended, "acquisitions": ops + 1,
                   "wait_ns": {"p50": 1, "p99": 2, "max": 3},
                   "sites": [{"at": "b.rs:2", "contended": 1}, {"at": "a.rs:1", "contended": 8}]}],
    })


class Directory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = directory.name
        self.write("facts", FACTS)

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="utf-8") as file:
            file.write(text)

    def load(self, load, **files):
        name = load.replace("/", "-")
        for when in (0, 1, 2):
            self.write(f"{name}.{when}.us", str(2000000 * when))
            self.write(f"{name}.{when}.json", stats(load, 10 * when, 100 * when))
        self.write(f"{name}.stat.csv", STAT)
        self.write(f"{name}.kallsyms", KALLSYMS)
        for by, text in files.items():
            self.write(f"{name}.{by}.csv", text)
        return list(perf.records(self.path, [load]))

    def test_a_mutex_is_perfs(self):
        caller, lock, own, stat = self.load("counter/mutex", caller=CALLER, lock=LOCK)
        self.assertEqual((caller["source"], caller["column"], caller["by"]), ("perf", True, "caller"))
        self.assertEqual(caller["contended"], 29)
        self.assertEqual(caller["total_ns"], 4673039674)
        self.assertEqual(caller["caller"], perf.short(perf.demangle(WORK)))
        self.assertEqual((lock["by"], lock["caller"], lock["column"]), ("lock", "ff27bb5187c5cf18 mutex", False))
        self.assertEqual((own["source"], own["column"], own["contended"]), ("childkernel", False, 10))
        self.assertEqual(own["caller"], "a.rs:1")
        self.assertEqual((stat["ops"], stat["cycles"], stat["instructions"]), (100, None, None))
        self.assertEqual((stat["context_switches"], stat["ns"]), (2530, 2607592912))

    def test_a_spinlock_is_ours_where_perf_is_blind(self):
        caller, own, _ = self.load("counter/spinlock", caller=CALLER)
        self.assertFalse(caller["column"])
        self.assertTrue(own["column"])
        self.assertIn("test and set", own["why"])
        self.write("facts", FACTS.replace("test-and-set", "pv"))
        caller, own, _ = perf.records(self.path, ["counter/spinlock"])
        self.assertTrue(caller["column"])
        self.assertFalse(own["column"])

    def test_what_perf_did_not_see_is_ours(self):
        own, _ = self.load("counter/mutex", caller="# output: nothing\n")
        self.assertTrue(own["column"])
        self.assertIn("saw nothing", own["why"])

    def test_the_report_can_read_them(self):
        found = self.load("counter/mutex", caller=CALLER, lock=LOCK) + self.load("table/spinlock")
        lane = fixtures.lane("real", *found)
        self.assertEqual(lane.problems, [])
        self.assertEqual([len(of) for of in lane.loads.values()], [4, 2])
        self.assertEqual({tuple(r) for r in lane.loads["contention"]},
                         {tuple(fixtures.waits("a")), tuple(found[2])})
        self.assertEqual(set(found[2]), set(fixtures.own_waits("a", None)))
        self.assertEqual(set(found[3]), set(fixtures.stat("a")))

    def test_a_load_that_was_interrupted_is_left_out(self):
        self.load("counter/mutex", caller=CALLER)
        os.remove(os.path.join(self.path, "counter-mutex.2.json"))
        self.assertEqual(list(perf.records(self.path, ["counter/mutex", "counter/rwsem"])), [])

    def test_the_table_names_the_source(self):
        records = self.load("counter/mutex", caller=CALLER) + self.load("table/spinlock")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            perf.table(perf.facts(os.path.join(self.path, "facts")),
                             [json.dumps(record) for record in records])
        text = out.getvalue()
        self.assertRegex(text, r"counter/mutex +29 +29 +4\.67 s +1\.08 s +161\.14 ms +perf ")
        self.assertRegex(text, r"table/spinlock +10 +5 +- +3 ns +- +childkernel +a\.rs:1")
        self.assertIn("BUILD_BPF_SKEL", text)


class Figures(unittest.TestCase):
    def test_switches_of_a_thousand(self):
        for switches, ops, each in ((7, 100, 70), (0, 100, 0), (None, 100, None), (7, 0, None)):
            self.assertEqual(perf.a_thousand({"context_switches": switches, "ops": ops}), each)

    def test_a_second(self):
        self.assertEqual(perf.a_second({"contended": 3, "ns": 2000000000}), 1.5)
        self.assertIsNone(perf.a_second({"contended": 3, "ns": 0}))


class Names(unittest.TestCase):
    def test_short(self):
        self.assertEqual(perf.short("<a::B<c::D<e>, f> as g::H<i>>::work"), "<a::B as g::H>::work")
        self.assertEqual(perf.short("a::b::<c::D<e>>::{closure#0}"), "a::b::{closure#0}")
        self.assertEqual(perf.short("<a::B<c::D<e>>>::lock"), "<a::B>::lock")
        self.assertEqual(perf.short("queued_spin_lock"), "queued_spin_lock")

    def test_names_are_whole(self):
        self.assertEqual(perf.Symbols(KALLSYMS.splitlines()).find(0xffffffffc062858c), WORK)
        self.assertIsNone(perf.Symbols([]).find(1))
        row = next(perf.rows(CALLER))
        self.assertEqual(perf.caller_of(row, perf.Symbols(KALLSYMS.splitlines())),
                         perf.short(perf.demangle(WORK)))

    def test_caller_of_a_lock_that_takes_the_time(self):
        taken = ("_RNvMNtNtCs4l16JZErtQ0_11childkernel5stats7countedINtB2_7CountedINtNtNtCsb5MLIFM"
                 "WygY_6kernel4sync4lock4LockyNtNtB12_5mutex12MutexBackendEE10take_timedB6_")
        symbols = perf.Symbols(
            f"{KALLSYMS}ffffffffc0629000 t {taken}\t[childkernel]\n".splitlines())
        stack = (f"0xffffffff84d5dc6e __mutex_lock.constprop.0+0x220: "
                 f"0xffffffffc062921e {taken[:127]}: 0xffffffffc062858c {WORK[:127]}: "
                 f"0xffffffff84f8cd95 kthread+0xe5")
        row = ["29", "4673039674", "1083725973", "161139299", "mutex", taken[:127], stack]
        self.assertEqual(perf.caller_of(row, symbols), perf.short(perf.demangle(WORK)))
        # Not without the rest of the stack.
        row[6] = f"0xffffffffc062921e {taken[:127]}"
        self.assertEqual(perf.caller_of(row, symbols), perf.short(perf.demangle(taken)))


if __name__ == "__main__":
    unittest.main()
