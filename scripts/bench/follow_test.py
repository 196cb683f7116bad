# SPDX-License-Identifier: GPL-2.0
"""Records are kept as they come, and nothing else is."""

import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench import follow  # noqa: E402

BEGIN = {"bench": "begin", "suite": "exact", "figures": 2}
PAIR = {"bench": "pair", "name": "spinlock", "rust": [1], "c": [1]}
POINT = {"bench": "point", "curve": "contended", "primitive": "mutex"}
END = {"bench": "end", "suite": "exact"}


def log(*records):
    return [f"[    1.2] childkernel: bench {json.dumps(r)}\r\n" for r in records]


def followed(lines):
    keep, said, now = io.StringIO(), io.StringIO(), iter(range(0, 1000, 20))
    ended = follow.follow(lines, keep, follow.Progress(said, lambda: next(now)))
    return ended, [json.loads(line) for line in keep.getvalue().splitlines()], said.getvalue()


class Follow(unittest.TestCase):
    def test_keeps_all_to_the_end(self):
        ended, kept, said = followed(log(BEGIN, PAIR, POINT, END, PAIR))
        self.assertTrue(ended)
        self.assertEqual(kept, [BEGIN, PAIR, POINT, END])
        self.assertIn("2 figures in 60 s", said)

    def test_what_is_cut_off_keeps_what_came(self):
        ended, kept, _ = followed(log(BEGIN, PAIR) + ['childkernel: bench {"bench":"pai'])
        self.assertFalse(ended)
        self.assertEqual(kept, [BEGIN, PAIR])

    def test_other_lines_are_none_of_it(self):
        others = ["childkernel: bench: hello\n", "bench {}\n", "childkernel: bench {\"x\":1}\n",
                  "childkernel: bench [1]\n", "\n"]
        self.assertEqual(followed(others + log(END))[1], [END])

    def test_a_record_that_is_none_is_not_kept(self):
        mangled = ['childkernel: bench {"bench":"pair",[   1.0] other: words}\n']
        self.assertEqual(followed(log(BEGIN) + mangled + log(END))[1], [BEGIN, END])

    def test_shows_what_figures_may_suffer_from(self):
        trouble = "[    2.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"
        _, kept, said = followed(log(BEGIN) + [trouble + "\r\n", "hello\n"] + log(END))
        self.assertEqual(kept, [BEGIN, END])
        self.assertIn(trouble + "\n", said)
        self.assertNotIn("hello", said)

    def test_says_how_far_it_is(self):
        said = followed(log(BEGIN, PAIR, POINT, END))[2]
        self.assertIn("[1/2] spinlock, about 20 s left\n", said)
        self.assertIn("[2/2] contended mutex, about 0 s left\n", said)


class Status(unittest.TestCase):
    """As scripts call it."""

    def run_on(self, lines):
        with tempfile.TemporaryDirectory() as at:
            records = os.path.join(at, "records.jsonl")
            ended = subprocess.run([sys.executable, "-B", follow.__file__, records],
                                   input="".join(lines).encode(), capture_output=True,
                                   check=False)
            with open(records, encoding="utf-8") as kept:
                return ended.returncode, [json.loads(line)["bench"] for line in kept]

    def test_a_suite_that_ended(self):
        self.assertEqual(self.run_on(log(BEGIN, PAIR, END)), (0, ["begin", "pair", "end"]))

    def test_a_log_that_ended_before(self):
        self.assertEqual(self.run_on(log(BEGIN, PAIR)), (1, ["begin", "pair"]))


if __name__ == "__main__":
    unittest.main()
