#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of test_report.py."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import test_report


def results(passed=1, failed=0, skipped=0, tests=(), splats=()):
    return {"kernel": "7.3.4", "accel": "tcg", "passed": passed, "failed": failed,
            "skipped": skipped, "tests": list(tests), "splats": list(splats)}


class Report(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory()
        self.addCleanup(self.top.cleanup)

    def put(self, name, text):
        path = os.path.join(self.top.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text if isinstance(text, str) else json.dumps(text))

    def made(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            test_report.main(["", self.top.name, "/nonexistent", "abc"])
        with open(os.path.join(self.top.name, "report.md"), encoding="utf-8") as file:
            return said.getvalue(), file.read()

    def test_each_run_has_a_row(self):
        self.put("stock/results.json", results(614))
        self.put("torture/uml/results.json", results(40, 1, tests=[
            {"name": "twin x", "status": "failed", "reason": "not caught"}]))
        said, page = self.made()
        self.assertRegex(said, r"(?m)^stock +7\.3\.4 +tcg +614 +0 +0 +clean$")
        self.assertIn("| torture/uml | 7.3.4 | tcg | 40 | 1 | 0 | clean |", page)
        self.assertIn("- torture/uml: twin x: not caught", page)

    def test_torture_has_a_row(self):
        self.put("torture/uml/report.json", {
            "kernel": "7.3.4", "passed": 175, "failed": 0, "skipped_tests": 2, "skipped": [],
            "tests": []})
        said, _ = self.made()
        self.assertRegex(said, r"(?m)^torture/uml +7\.3\.4 +- +175 +0 +2 +clean$")

    def test_logs_are_judged(self):
        self.put("a/results.json", results(splats=[{"announced": True}]))
        self.put("b/results.json", results(splats=[{"announced": True}, {"announced": False}]))
        said, _ = self.made()
        self.assertRegex(said, r"(?m)^a .* clean, 1 on purpose$")
        self.assertRegex(said, r"(?m)^b .* 1 splats$")

    def test_what_was_skipped_is_said(self):
        self.put("a/results.json", results(0, 0, 1, tests=[
            {"name": "herd", "status": "skipped", "reason": "not installed"}]))
        _, page = self.made()
        self.assertIn("- a: herd: not installed", page)
        self.assertIn("## Failed\n\nNone.", page)

    def test_a_broken_file_is_a_failure(self):
        self.put("a/results.json", "{")
        said, page = self.made()
        self.assertRegex(said, r"(?m)^a +- +- +0 +1 +0 ")
        self.assertIn("- a: results.json: ", page)

    def test_reports_of_runs_become_parts(self):
        self.put("a/results.json", results())
        self.put("a/report.md", "# Twins\n\ntext\n")
        _, page = self.made()
        self.assertIn("## a\n\n### Twins\n\ntext", page)

    def test_nothing_is_no_report(self):
        with self.assertRaises(SystemExit):
            test_report.main(["", self.top.name, "/nonexistent", "abc"])


if __name__ == "__main__":
    unittest.main()
