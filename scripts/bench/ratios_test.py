# SPDX-License-Identifier: GPL-2.0
"""Ratios, spreads, fairness."""

import unittest

from bench import ratios, units
from bench.fixtures import begin, end, floor, lanes, native, pair


def one(kind, start, *records):
    return ratios.ratios(lanes(**{kind: (start, *records, end())}))[0]


class Ratio(unittest.TestCase):
    def test_exact_takes_the_least(self):
        found = one("exact", begin(), floor("loop_c", [30, 31]),
                    pair("spinlock", [330, 320, 999], [215, 400, 210]))
        self.assertEqual((found["rust"], found["rival"]), (32.0, 21.0))
        self.assertAlmostEqual(found["ratio"], 32 / 21)
        self.assertEqual(found["loop"], 3.0)
        self.assertEqual((found["unit"], found["rounds"], found["ops"]), ("instructions", 3, 10))

    def test_exact_without_the_loop(self):
        self.assertIsNone(one("exact", begin(), pair("a", [2], [1]))["loop"])

    def test_the_loop_is_that_of_the_build(self):
        found = ratios.ratios(lanes(exact=(
            begin(), floor("loop_c", [30]), pair("a", [90], [90]), end(),
            begin(inline=1), floor("loop_c", [20]), pair("a", [90], [90]), end())))
        self.assertEqual([r["loop"] for r in found], [3.0, 2.0])

    def test_native_takes_the_median_of_rounds(self):
        # The second round was disturbed on both sides alike.
        found = one("native", native(), pair("a", [110, 990, 100], [100, 900, 100]))
        self.assertAlmostEqual(found["ratio"], 1.1)
        self.assertAlmostEqual(found["spread"][0], 1.05)
        self.assertAlmostEqual(found["spread"][1], 1.1)
        self.assertEqual((found["rust"], found["rival"]), (11.0, 10.0))
        self.assertIsNone(found["loop"])

    def test_one_round(self):
        self.assertEqual(one("native", native(), pair("a", [12], [10]))["spread"], [1.2, 1.2])

    def test_keys_of_the_schema(self):
        found = one("native", native(), pair("mailbox", [1], [2], rival="ptr_ring"))
        self.assertLessEqual({"name", "kind", "rust", "rival", "rival_name", "ratio", "spread"},
                             set(found))
        self.assertEqual((found["rival_name"], found["kind"]), ("ptr_ring", "native"))


class Jain(unittest.TestCase):
    def test_fair(self):
        self.assertEqual(ratios.jain([5, 5, 5, 5]), 1.0)

    def test_one_alone(self):
        self.assertEqual(ratios.jain([9, 0, 0, 0]), 0.25)

    def test_between(self):
        self.assertAlmostEqual(ratios.jain([1, 3]), 0.8)

    def test_nothing(self):
        self.assertIsNone(ratios.jain([0, 0]))


class Units(unittest.TestCase):
    def test_time(self):
        for ns, text in ((0, "0 ns"), (3.14159, "3.14 ns"), (400, "400 ns"), (999.9, "1 µs"),
                         (1234, "1.23 µs"), (5e7, "50 ms"), (2.5e9, "2.5 s"), (None, "-")):
            self.assertEqual(units.time(ns), text)

    def test_rate(self):
        for value, text in ((0, "0"), (12.34, "12.3"), (4040000, "4.04 M"), (999999, "1 M"),
                            (None, "-")):
            self.assertEqual(units.rate(value), text)


if __name__ == "__main__":
    unittest.main()
