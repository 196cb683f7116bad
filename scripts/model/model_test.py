# SPDX-License-Identifier: GPL-2.0
"""What models say is counted as it was said, and places are named so that edits nearby do no harm."""

import io
import json
import os
import stat
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from model import interleave, litmus, main, orderings, supervisor  # noqa: E402
from model.report import Report  # noqa: E402

SOURCE = """\
impl Ring {
    /// Loads it: load(Acquire) in a comment orders nothing.
    fn room(&self) {
        self.seen.load_acquire(); // swap(
        self.head.load_acquire();
    }

    pub(super) unsafe fn fill(&self) {
        self.turn.store_release(1);
        self.all
            .fetch_update(
                f, Full);
    }
}
"""


class Reported(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.out = io.StringIO()
        self.report = Report(self.dir.name, self.out)
        self.addCleanup(self.report.close)

    def end(self):
        good = self.report.end()
        with open(os.path.join(self.dir.name, "results.json"), encoding="utf-8") as file:
            results = json.load(file)
        return good, [(t["name"], t["status"]) for t in results["tests"]]

    def last(self):
        return self.out.getvalue().splitlines()[-1]


class Counts(Reported):
    def test_each_as_what_it_is(self):
        self.report.result("a", True, "seen")
        self.report.skip("b", "not installed")
        self.assertEqual(self.end(), (True, [("a", "passed"), ("b", "skipped")]))
        self.assertEqual(self.last(), "1 passed, 0 failed, 1 skipped")

    def test_a_failure_fails_all(self):
        self.report.result("a # SKIP b", False)
        good, tests = self.end()
        self.assertFalse(good)
        self.assertEqual([status for _, status in tests], ["failed"])

    def test_nothing_at_all_is_a_failure(self):
        self.assertFalse(self.end()[0])


class Names(unittest.TestCase):
    def named(self, text, *places):
        return list(orderings.names(places, lambda _: text.splitlines()).values())

    def test_by_function_and_which_one(self):
        names = self.named(SOURCE, "r.rs:5:19 load(Acquire)", "r.rs:4:19 load(Acquire)",
                           "r.rs:9:19 store(Release)")
        self.assertCountEqual(names, ["r.rs room load(Acquire) (1 of 2)",
                                      "r.rs room load(Acquire) (2 of 2)",
                                      "r.rs fill store(Release)"])

    def test_lines_above_make_no_difference(self):
        self.assertEqual(self.named(SOURCE, "r.rs:9:19 store(Release)"),
                         self.named("//\n//\n" + SOURCE, "r.rs:11:19 store(Release)"))

    def test_what_no_model_meets(self):
        with tempfile.TemporaryDirectory() as top:
            with open(os.path.join(top, "r.rs"), "w", encoding="utf-8") as file:
                file.write(SOURCE)
            met = ["r.rs:4:19 load(Acquire)", "r.rs:9:19 store(Release)",
                   "r.rs:11:14 fetch_update(Full)"]
            self.assertEqual(orderings.not_met([*met, "r.rs:5:19 load(Acquire)"], top, ["r.rs"]),
                             [])
        self.assertEqual(orderings.orders(SOURCE), [4, 5, 9, 12])


class Listed(unittest.TestCase):
    FOUND = {("r.rs:4:1 a", "relaxed"): ("one", "why"), ("r.rs:5:1 b", "acquire"): (None, "none")}
    NAMED = {"r.rs:4:1 a": "r.rs f a", "r.rs:5:1 b": "r.rs f b"}

    def listed(self, found=None):
        return orderings.List.of(found or self.FOUND, self.NAMED)

    def test_is_read_as_written(self):
        read = orderings.List.read(self.listed().text())
        self.assertEqual(read.entries, self.listed().entries)
        self.assertEqual(read.differences(self.listed()), [])

    def test_another_model_is_no_difference(self):
        found = {**self.FOUND, ("r.rs:4:1 a", "relaxed"): ("two", "why")}
        self.assertEqual(self.listed().differences(self.listed(found)), [])

    def test_what_is_caught_no_more_is(self):
        found = {**self.FOUND, ("r.rs:4:1 a", "relaxed"): (None, "none")}
        self.assertEqual(self.listed().differences(self.listed(found)),
                         ["r.rs f a -> relaxed: was one, is unproven"])

    def test_so_is_what_is_new_or_gone(self):
        less = self.listed({("r.rs:4:1 a", "relaxed"): ("one", "why")})
        self.assertEqual(self.listed().differences(less), ["gone: r.rs f b -> acquire"])
        self.assertEqual(less.differences(self.listed()), ["new: r.rs f b -> acquire: unproven"])

    def test_page_names_all(self):
        page = orderings.table(self.FOUND, {}, ["r.rs:9 g: x"], self.NAMED)
        self.assertIn("| r.rs:4 | f a | relaxed | one: why |", page)
        self.assertIn("| r.rs:5 | f b | acquire | **unproven**: none |", page)
        self.assertIn("- r.rs:9 g: x", page)


class Mutants(Reported):
    def test_unproven_is_skipped_only_if_that_is_known(self):
        listed = Listed("test_page_names_all").listed()
        main.report_mutants(Listed.FOUND, Listed.NAMED, listed, self.report)
        worse = {("r.rs:4:1 a", "relaxed"): (None, "none")}
        main.report_mutants(worse, Listed.NAMED, listed, self.report)
        self.assertEqual([status for _, status in self.end()[1]], ["passed", "skipped", "failed"])


class Programs(Reported):
    """Programs that stand for those that are compiled."""

    def program(self, text):
        path = os.path.join(self.dir.name, "program")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def test_models_and_mutants(self):
        model = {"model": "m", "shows": "s", "preemptions": 2, "operations": 9}
        place = {"place": "r.rs:1:1 load(Acquire)", "order": "acquire", "weaker": ["relaxed"]}
        other = {"place": "r.rs:2:1 load(Acquire)", "order": "acquire", "weaker": ["relaxed"]}
        ran = {"model": "m", "interleavings": 5, "places": [place, other]}
        models = interleave.Interleave(self.program(f"""
            case "$*" in
            list) echo '{json.dumps(model)}' ;;
            *:1:1*) echo 'deadlock; threads = 1' >&2; exit 1 ;;
            *) echo '{json.dumps(ran)}' ;;
            esac
            """), self.report, 1)
        models.run_models()
        self.assertEqual(models.run_mutants(), {
            (place["place"], "relaxed"): ("m", "one sleeps for good"),
            (other["place"], "relaxed"): (None, "no model fails")})
        self.assertIn("5 interleavings, at most 2 preemptions", self.out.getvalue())

    def test_a_model_that_fails(self):
        model = {"model": "m", "shows": "s", "preemptions": None, "operations": 9}
        models = interleave.Interleave(self.program(
            f"[ $1 = run ] || exec echo '{json.dumps(model)}'\necho oops >&2; exit 1\n"),
            self.report, 1)
        models.run_models()
        self.assertFalse(self.end()[0])

    def test_supervisor(self):
        held = {"held": True, "cases": 9, "said": "3 generations"}
        missed = {"mutant": "x", "breaks": "y", "caught": False, "said": "all is well"}
        lines = f"echo '{json.dumps(held)}'\necho '{json.dumps(missed)}'\n"
        supervisor.run(self.program(lines), 9, self.report)
        self.assertEqual([status for _, status in self.end()[1]], ["passed", "failed"])

    def test_supervisor_that_says_nothing(self):
        supervisor.run(self.program("exit 0"), 9, self.report)
        self.assertFalse(self.end()[0])


class Litmus(Reported):
    DOC = """\
    /// Some words:
    ///
    /// ```text
    /// C MP+x
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {}
    /// ```
    ///
    /// ```text
    /// no test
    /// ```
"""

    def test_found_in_comments(self):
        tests = litmus.in_source(self.DOC, "src/x.rs")
        self.assertEqual([(t.name, t.where, t.expected) for t in tests],
                         [("MP+x", "src/x.rs:3", "Never")])
        self.assertTrue(tests[0].text.startswith("C MP+x\n\n(*\n * Result: Never\n"))

    def judged(self, said):
        tests = litmus.in_source(self.DOC, "src/x.rs")
        litmus.write(tests, self.dir.name)
        if said is not None:
            with open(os.path.join(self.dir.name, "MP+x.out"), "w", encoding="utf-8") as file:
                file.write(said)
        litmus.judge(tests, self.dir.name, self.report)
        return [status for _, status in self.end()[1]]

    def test_as_expected(self):
        self.assertEqual(self.judged("Observation MP+x Never 0 3\n"), ["passed"])

    def test_not_as_expected(self):
        self.assertEqual(self.judged("Observation MP+x Sometimes 1 3\n"), ["failed"])

    def test_what_herd7_does_not_understand(self):
        self.assertEqual(self.judged("unexpected '}'\n"), ["failed"])

    def test_without_herd7(self):
        self.assertEqual(self.judged(None), ["skipped"])

    def test_those_of_the_tree_say_what_they_expect(self):
        top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        tests = litmus.in_tree(top)
        self.assertTrue(tests)
        self.assertEqual([t.where for t in tests if t.expected is None], [])
        self.assertEqual(len({t.name for t in tests}), len(tests))


if __name__ == "__main__":
    unittest.main()
