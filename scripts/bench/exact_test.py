# SPDX-License-Identifier: GPL-2.0
"""The table in the tree: its text, read back, and what changes it."""

import unittest

from bench import exact
from bench.fixtures import begin, end, floor, lane, pair


def table(*records):
    return exact.from_lane(lane("exact", *records))


def plain(*pairs, release="7.3.4-test", inline=0):
    return (begin(release=release, inline=inline), floor("loop_c", [30]), *pairs, end())


SPIN = pair("spinlock", [321], [210], what="lock, add, unlock")
RING = pair("mailbox", [900], [800], rival="ptr_ring", what="")
BOTH = (*plain(SPIN, RING), *plain(pair("spinlock", [210], [210], what="lock, add, unlock"),
                                   inline=1))


class Text(unittest.TestCase):
    def test_read_back(self):
        text = exact.text(table(*BOTH))
        back = exact.parse(text)
        self.assertEqual(back.rows, {
            ("spinlock: lock, add, unlock", ""): {0: (21.0, 32.1, 1.529), 1: (21.0, 21.0, 1.0)},
            ("mailbox", "ptr_ring"): {0: (80.0, 90.0, 1.125)}})
        self.assertEqual(back.kernels, {0: "7.3.4-test", 1: "7.3.4-test"})

    def test_same_records_same_text(self):
        self.assertEqual(exact.text(table(*BOTH)), exact.text(table(*BOTH)))

    def test_says_what_it_is(self):
        text = exact.text(table(*BOTH))
        self.assertIn("not for hardware decisions", text)
        self.assertIn("3.0 of C's loop in each figure", text)
        self.assertNotIn(" \n", text)
        self.assertTrue(text.endswith("\n") and not text.endswith("\n\n"))

    def test_one_build_only(self):
        back = exact.parse(exact.text(table(*plain(SPIN, inline=1))))
        self.assertEqual(list(back.rows["spinlock: lock, add, unlock", ""]), [1])

    def test_no_table(self):
        cut_off = exact.text(table(*BOTH)).rsplit("=====", 1)[0].rsplit("\n", 2)[0]
        for text in ("", "hello\n", cut_off):
            with self.assertRaises(ValueError):
                exact.parse(text)


class Diff(unittest.TestCase):
    def diff(self, old, new):
        return exact.diff(*(exact.parse(exact.text(table(*of))) for of in (old, new)))

    def test_nothing(self):
        self.assertEqual(self.diff(BOTH, BOTH), [])

    def test_noise(self):
        big = plain(pair("semaphore", [100000], [100000]))
        self.assertEqual(self.diff(big, plain(pair("semaphore", [100200], [100000]))), [])
        self.assertEqual(len(self.diff(big, plain(pair("semaphore", [100400], [100000])))), 1)
        self.assertEqual(self.diff(plain(SPIN), plain(pair("spinlock", [322], [210],
                                                           what="lock, add, unlock"))), [])

    def test_changed(self):
        lines = self.diff(plain(SPIN), plain(pair("spinlock", [240], [210],
                                                  what="lock, add, unlock")))
        self.assertEqual(lines, ["plain: spinlock: lock, add, unlock: Rust 32.1 -> 24.0 (-8.1), "
                                 "ratio 1.529 -> 1.143"])

    def test_new_and_gone(self):
        lines = self.diff(plain(SPIN), plain(RING))
        self.assertEqual(lines, [
            "plain: mailbox against ptr_ring: new: C 80.0, Rust 90.0, ratio 1.125",
            "plain: spinlock: lock, add, unlock: no longer measured"])

    def test_another_kernel(self):
        self.assertEqual(self.diff(plain(SPIN), plain(SPIN, release="7.3.5")),
                         ["plain: kernel 7.3.4-test -> 7.3.5"])

    def test_a_build_that_did_not_run_is_not_gone(self):
        new = table(*plain(SPIN, RING))
        lines = exact.diff(table(*BOTH), new)
        self.assertEqual(lines, ["INLINE=1: not measured in this run"])
        self.assertEqual(exact.changes(table(*BOTH), new), [])


if __name__ == "__main__":
    unittest.main()
