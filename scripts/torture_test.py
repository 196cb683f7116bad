# SPDX-License-Identifier: GPL-2.0
"""Unit tests for torture.py."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torture  # pylint: disable=wrong-import-position


def line(kind, **fields):
    record = json.dumps({"torture": kind, **fields}, separators=(",", ":"))
    return f"[    1.000000] childkernel: torture {record}\n"


def begin(subjects=1, twins=1):
    return line("begin", seed=7, seconds=60, cpus=2, release="7.3.4", subjects=subjects,
                twins=twins)


def twin(caught=True):
    return line("twin", subject="mutex", twin="unlocked", what="forgets", caught=caught, ops=12,
                ms=3, wrong={"together": 1} if caught else {})


def subject(**more):
    return line("subject", **{"name": "mutex", "bouts": 1, "ops": 30, "softirq": 0, "hardirq": 0,
                              "each": [10, 20], "longest_ns": 5, "violations": 0, "wrong": {},
                              **more})


END = line("end")


class Judge(unittest.TestCase):
    def judged(self, *lines):
        report = torture.judge(list(lines), "uml")
        return report["passed"], report["failed"], report["skipped_tests"]

    def test_all_well(self):
        self.assertEqual(self.judged(begin(), twin(), subject(), END), (2, 0, 0))

    def test_survivor(self):
        self.assertEqual(self.judged(begin(), twin(caught=False), subject(), END), (1, 1, 0))

    def test_violation(self):
        self.assertEqual(self.judged(begin(), twin(), subject(violations=1), END), (1, 1, 0))

    def test_idle(self):
        self.assertEqual(self.judged(begin(), twin(), subject(ops=0), END), (1, 1, 0))

    def test_cut_short(self):
        self.assertEqual(self.judged(begin(), twin(), subject()), (2, 1, 0))
        self.assertEqual(self.judged(), (0, 1, 0))

    def test_left_out(self):
        self.assertEqual(self.judged(begin(), subject(), END), (1, 1, 0))

    def test_skip_is_no_pass(self):
        skip = line("skip", subject="mutex", twin="kept", why="needs two processors")
        self.assertEqual(self.judged(begin(), skip, subject(), END), (1, 0, 1))

    def test_splat(self):
        bug = "[    2.000000] BUG: scheduling while atomic\n"
        self.assertEqual(self.judged(begin(), twin(), bug, subject(), END), (2, 1, 0))

    def test_splat_on_purpose(self):
        marks = ["[    2.000000] childkernel-selftest: expect-begin Comm: t:crashes\n",
                 "[    2.000000] ------------[ cut here ]------------\n",
                 "[    2.000000] kernel BUG at rust/helpers/bug.c:8!\n",
                 "[    2.000000] CPU: 0 UID: 0 PID: 9 Comm: t:crashes\n",
                 "[    2.000000] childkernel-selftest: expect-end\n"]
        self.assertEqual(self.judged(begin(), twin(), *marks, subject(), END), (2, 0, 0))


class Figures(unittest.TestCase):
    def test_jain(self):
        self.assertEqual(torture.jain([5, 5, 5, 5]), 1)
        self.assertEqual(torture.jain([8, 0, 0, 0]), 0.25)
        self.assertEqual(torture.jain([0, 0]), 0)

    def test_spread(self):
        self.assertEqual(torture.spread([2, 6]), 3)
        self.assertIsNone(torture.spread([0, 6]))

    def test_page(self):
        page = torture.page(torture.judge([begin(), twin(caught=False), subject(), END], "uml"))
        self.assertIn("SEED=7", page)
        self.assertIn("**not caught**", page)


if __name__ == "__main__":
    unittest.main()
