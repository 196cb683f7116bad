# SPDX-License-Identifier: GPL-2.0
"""What refused.py must make of what compilers say."""

import collections
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import refused  # noqa: E402

NAMES = ["one.rs", "two.rs"]
INSIDE = "evaluation of `lib::Arena::alloc::<Box<u64>>::{constant#0}` failed"
ASKED = "the above error was encountered while instantiating `fn lib::Arena::alloc::<Box<u64>>`"


def span(file, line, primary=True, expansion=None):
    return {"file_name": file, "line_start": line, "is_primary": primary, "expansion": expansion}


def say(level, message, *spans, code=None, children=()):
    return {"level": level, "message": message, "code": code and {"code": code},
            "spans": list(spans), "children": list(children), "rendered": f"{level}: {message}"}


def judged(*said):
    found, strays = refused.refused(said, NAMES)
    return {name: dict(errors) for name, errors in found.items() if errors}, strays


class RefusedTest(unittest.TestCase):
    def test_wanted(self):
        self.assertEqual(dict(refused.wanted("a\nb //~ E0080\nc //~ E0277 E0277 E0505\n//~ no\n")),
                         {(2, "E0080"): 1, (3, "E0277"): 2, (3, "E0505"): 1})

    def test_in_a_file(self):
        self.assertEqual(judged(say("error", "x", span("two.rs", 9, False), span("/a/one.rs", 3),
                                    code="E0505")), ({"one.rs": {(3, "E0505"): 1}}, []))

    def test_warnings_do_not_count(self):
        self.assertEqual(judged(say("warning", "x", span("one.rs", 3)),
                                say("error", "aborting due to 2 previous errors")), ({}, []))

    def test_inside_the_library(self):
        error = say("error", INSIDE, span("src/arena.rs", 240), code="E0080")
        note = say("note", ASKED, span("/a/one.rs", 24))
        other = say("error", "y", span("/a/two.rs", 7), code="E0277")
        want = ({"one.rs": {(24, "E0080"): 1}, "two.rs": {(7, "E0277"): 1}}, [])
        # Two compilers, in whatever order.
        self.assertEqual(judged(error, note, other), want)
        self.assertEqual(judged(error, other, note), want)
        self.assertEqual(judged(other, error, note), want)

    def test_asked_for_within(self):
        note = say("note", "inside here", span("one.rs", 5))
        self.assertEqual(judged(say("error", INSIDE, span("src/arena.rs", 240), code="E0080",
                                    children=[note])), ({"one.rs": {(5, "E0080"): 1}}, []))

    def test_by_a_macro(self):
        made = {"span": span("one.rs", 6)}
        self.assertEqual(judged(say("error", "x", span("src/lib.rs", 1, True, made),
                                    code="E0308")), ({"one.rs": {(6, "E0308"): 1}}, []))

    def test_nobody_asked(self):
        self.assertEqual(judged(say("error", INSIDE, span("src/arena.rs", 240), code="E0080")),
                         ({}, [INSIDE]))
        self.assertEqual(judged(say("error", "no such option")), ({}, ["no such option"]))

    def test_once_each(self):
        error = say("error", INSIDE, span("src/arena.rs", 240), code="E0080")
        self.assertEqual(judged(error, error, say("note", ASKED, span("one.rs", 1))),
                         ({"one.rs": {(1, "E0080"): 1}}, [INSIDE]))

    def test_text(self):
        lines = ["  RUSTC one.o\n", json.dumps(say("error", "x")) + "\n", "{}\n", "3\n"]
        said, text = refused.read(lines)
        self.assertEqual((len(said), text), (1, "  RUSTC one.o\nerror: x\n{}\n3\n"))

    def test_differences(self):
        want, got = collections.Counter([(1, "A"), (1, "A")]), collections.Counter([(1, "A")])
        self.assertEqual(list(refused.differences(want, got)), ["is not refused: line 1 A"])
        self.assertEqual(list(refused.differences(got, want)), ["is refused: line 1 A"])
        self.assertEqual(list(refused.differences(got, got)), [])
        self.assertEqual(list(refused.differences(got - got, got))[0], "it names no error")


if __name__ == "__main__":
    unittest.main()
