# SPDX-License-Identifier: GPL-2.0
"""What of a log's records counts, and what is named as wrong."""

import json
import os
import tempfile
import unittest

from bench import records
from bench.fixtures import begin, contended, end, floor, guarded, lane, native, own_waits, pair
from bench.fixtures import point, stat, waits


def read(*lines):
    one = records.Lane("exact")
    one.read(lines)
    return one


class Reading(unittest.TestCase):
    def test_whole(self):
        one = lane("exact", begin(), pair("spinlock", [30, 31], [20, 21]), floor("x", [5]), end())
        self.assertEqual(one.problems, [])
        self.assertEqual([r["name"] for _, r in one.pairs()], ["spinlock"])
        self.assertEqual(one.interrupted(), [])

    def test_cut_off_line(self):
        text = json.dumps(pair("mutex", [1], [1]))
        one = read(json.dumps(begin()), json.dumps(pair("spinlock", [3], [2])), text[:-9])
        self.assertEqual([r["name"] for _, r in one.pairs()], ["spinlock"])
        self.assertEqual(len(one.problems), 1)
        self.assertIn("line 3", one.problems[0])

    def test_interrupted(self):
        one = lane("exact", begin(), pair("spinlock", [3], [2]))
        self.assertEqual(one.interrupted(), ["exact"])
        again = lane("exact", begin(), begin(), pair("spinlock", [3], [2]), end())
        self.assertEqual(again.interrupted(), [])

    def test_after_a_bad_line_it_goes_on(self):
        one = read(json.dumps(begin()), "{}", "[]", "no", json.dumps(floor("x", [5])))
        self.assertEqual(len(one.problems), 3)
        self.assertEqual(one.floor("x"), 0.5)

    def test_before_any_begin(self):
        self.assertEqual(len(lane("exact", pair("a", [1], [1])).problems), 1)
        self.assertEqual(len(lane("exact", begin(), end(), pair("a", [1], [1])).problems), 1)

    def test_what_is_no_record(self):
        for wrong in (pair("a", [], []), pair("a", [1, 2], [1]), pair("a", [1], ["1"]),
                      pair("a", [1], [1], ops=0), pair("a", [True], [1]), pair("a", [0], [1]),
                      {"bench": "pair", "ops": 1, "rust": [1], "c": [1]},
                      floor("a", []), floor("a", [1], ops=None), {"bench": "what"},
                      point("nothing", ns=1, ops=1), point("messages", ns=1, ops=1),
                      guarded("a", 1) | {"ns": 0}, guarded("a", 1) | {"hold": None},
                      contended("a", []), contended("a", [1]) | {"wait": [1, 2, 3]}):
            one = lane("exact", begin(), wrong, end())
            self.assertEqual(len(one.problems), 1, wrong)
            self.assertEqual(one.pairs() + one.floors(), [])

    def test_rounds_under_the_rivals_name(self):
        record = pair("mailbox", [1], [2], rival="ptr_ring")
        record["ptr_ring"] = record.pop("c")
        one = lane("exact", begin(), record)
        self.assertEqual(one.pairs()[0][1]["c"], [2])


class Loads(unittest.TestCase):
    def test_they_need_no_run(self):
        one = lane("real", waits("counter/mutex"), own_waits("counter/mutex", None),
                   stat("counter/mutex"), stat("table/spinlock", ns=None))
        self.assertEqual(one.problems, [])
        self.assertEqual([len(found) for found in one.loads.values()], [2, 2])
        self.assertEqual(one.runs, [])

    def test_what_is_none(self):
        found = waits("a/b")
        for wrong in ({"load": 1}, {"by": None}, {"source": None}, {"why": None}, {"ns": None},
                      {"contended": "7"}, {"total_ns": "7"}, {"column": 1}, {"caller": 7},
                      {"p50_ns": "7"}, {"p99_ns": [7]}, {"acquisitions": "7"}):
            one = lane("real", found | wrong)
            self.assertEqual((len(one.problems), one.loads["contention"]), (1, []), wrong)
        for lost in ("load", "by", "source", "column", "why", "ns", "contended", "total_ns",
                     "max_ns", "avg_ns", "caller"):
            one = lane("real", {key: value for key, value in found.items() if key != lost})
            self.assertEqual((len(one.problems), one.loads["contention"]), (1, []), lost)
        for wrong in ({"ops": None}, {"load": None}, {"cycles": "many"}):
            one = lane("real", stat("a/b") | wrong)
            self.assertEqual((len(one.problems), one.loads["stat"]), (1, []), wrong)

    def test_cut_off_line(self):
        text = json.dumps(waits("c/d"))
        one = read(json.dumps(waits("a/b")), text[:40], text)
        self.assertEqual([r["load"] for r in one.loads["contention"]], ["a/b", "c/d"])
        self.assertIn("line 2: cut off", one.problems[0])


class Latest(unittest.TestCase):
    def test_a_later_run_counts(self):
        one = lane("exact", begin(), pair("a", [1], [1]), pair("b", [1], [1]), end(),
                   begin(release="new"), pair("a", [7], [1]), end())
        found = {r["name"]: (run.begin["release"], r["rust"]) for run, r in one.pairs()}
        self.assertEqual(found, {"a": ("new", [7]), "b": ("7.3.4-test", [1])})

    def test_builds_are_apart(self):
        one = lane("exact", begin(), pair("a", [1], [1]), end(),
                   begin(inline=1), pair("a", [2], [1]), end())
        self.assertEqual([(run.inline, r["rust"]) for run, r in one.pairs()], [(0, [1]), (1, [2])])

    def test_repeats_of_a_point(self):
        one = lane("native", native(), guarded("a", 10), guarded("b", 5), guarded("a", 30),
                   guarded("a", 20), end())
        points = one.curve("guarded")[1]
        self.assertEqual([(p["primitive"], p.cost) for p in points], [("a", 20), ("b", 5)])

    def test_a_later_run_takes_the_place_of_repeats(self):
        one = lane("native", native(), guarded("a", 10), guarded("a", 30), end(),
                   native(), guarded("a", 5))
        self.assertEqual([p.cost for p in one.curve("guarded")[1]], [5])

    def test_words_tell_points_apart(self):
        one = lane("native", native(), guarded("a", 1) | {"mode": "x"},
                   guarded("a", 3) | {"mode": "y"})
        self.assertEqual([p.cost for p in one.curve("guarded")[1]], [1, 3])

    def test_skipped(self):
        skip = {"bench": "skip", "name": "a", "why": "no CPU"}
        self.assertEqual(lane("exact", begin(), skip).skipped(), [("a", "no CPU")])
        again = lane("exact", begin(), skip, end(), begin(), pair("a", [1], [1]))
        self.assertEqual(again.skipped(), [])


class Points(unittest.TestCase):
    def test_rate_of_threads(self):
        one = lane("native", native(), contended("a", [100, 300], ns=1000000))
        self.assertEqual(one.curve("contended")[1][0].rate, 400e3)

    def test_nothing_done(self):
        one = lane("native", native(), contended("a", [0, 0]))
        self.assertIsNone(one.curve("contended")[1][0].cost)

    def test_median_of_lists(self):
        one = lane("native", native(), contended("a", [1]),
                   contended("a", [1]) | {"wait": [10, 20, 30, 40]})
        self.assertEqual(one.curve("contended")[1][0].median("wait"), [20, 110, 465, 2520])


class Load(unittest.TestCase):
    def test_folders(self):
        with tempfile.TemporaryDirectory() as top:
            self.assertEqual(records.load(top), {})
            os.makedirs(os.path.join(top, "exact"))
            name = os.path.join(top, "exact", "records.jsonl")
            with open(name, "w", encoding="utf-8") as file:
                file.write(json.dumps(begin()) + "\n")
            # A begin alone has measured nothing.
            self.assertEqual(records.load(top), {})
            with open(name, "a", encoding="utf-8") as file:
                file.write(json.dumps(pair("a", [1], [1])) + "\n" + '{"bench":"pa')
            os.utime(name, (86400, 86400))
            with open(os.path.join(top, "exact", "machine"), "w", encoding="utf-8") as file:
                file.write("accel=icount\ncommand=make bench-exact QUICK=1\n")
            lanes = records.load(top)
            self.assertEqual(list(lanes), ["exact"])
            self.assertEqual(lanes["exact"].about["date"], "1970-01-02")
            self.assertEqual(lanes["exact"].command, "make bench-exact QUICK=1")
            self.assertEqual(len(lanes["exact"].problems), 1)

    def test_who_waits_is_enough(self):
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(os.path.join(top, "real"))
            name = os.path.join(top, "real", "contention.jsonl")
            with open(name, "w", encoding="utf-8") as file:
                pass
            self.assertEqual(records.load(top), {})
            with open(name, "w", encoding="utf-8") as file:
                file.write(json.dumps(waits("a/b")) + "\n" + json.dumps(waits("c/d"))[:-9])
            os.utime(name, (86400, 86400))
            with open(os.path.join(top, "real", "facts"), "wb") as file:
                file.write(b"kernel=7\nprocessor=a = \xff\ncut of")
            real = records.load(top)["real"]
            self.assertEqual([r["load"] for r in real.loads["contention"]], ["a/b"])
            self.assertIn("real/contention.jsonl, line 2", real.problems[0])
            self.assertEqual(real.facts, {"kernel": "7", "processor": "a = \ufffd"})
            self.assertEqual((real.about["date"], real.command), ("1970-01-02", "make bench"))

    def test_what_is_hardware(self):
        self.assertFalse(lane("exact").hardware)
        self.assertFalse(lane("native").hardware)
        real = lane("real")
        self.assertTrue(real.hardware)
        real.about["accel"] = "tcg"
        self.assertFalse(real.hardware)
        self.assertEqual(real.command, "make bench EMULATED=1")


if __name__ == "__main__":
    unittest.main()
