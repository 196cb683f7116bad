# SPDX-License-Identifier: GPL-2.0
"""What models say as they go: KTAP, judged as that of any other test."""

import json
import os

import results


class Report:
    """Writes each result to the terminal and to a file, and sums them up."""

    def __init__(self, directory, out):
        self._directory = directory
        self._out = out
        self._ktap = results.Ktap()
        self._count = 0
        # pylint: disable-next=consider-using-with
        self._tap = open(os.path.join(directory, "results.tap"), "w", encoding="utf-8")
        self._line("KTAP version 1")

    def _line(self, line):
        for file in (self._out, self._tap):
            file.write(line + "\n")
            file.flush()
        self._ktap.feed(line)

    def say(self, text):
        """What is no result."""
        for line in text.splitlines():
            self._line(f"# {line}")

    def result(self, name, passed, note=""):
        """One result. A note says what was seen."""
        self._count += 1
        # A number sign would begin a directive.
        name, note = name.replace("#", "no. "), note.replace("#", "no. ")
        self._line(f"{'ok' if passed else 'not ok'} {self._count} {name}")
        if note:
            self.say(f"  {note}")

    def skip(self, name, why):
        """What could not be tried, or is not shown."""
        self._count += 1
        name, why = name.replace("#", "no. "), why.replace("#", "no. ")
        self._line(f"ok {self._count} {name} # SKIP {why}")

    def end(self):
        """Sums up. Whether nothing has failed."""
        self._line(f"1..{self._count}")
        self._ktap.end()
        tests = self._ktap.tests
        counts = {s: sum(t["status"] == s for t in tests) for s in ("passed", "failed", "skipped")}
        with open(os.path.join(self._directory, "results.json"), "w", encoding="utf-8") as file:
            json.dump({"schema": 1, "lane": "model", **counts, "tests": tests}, file, indent=1)
            file.write("\n")
        for test in tests:
            if test["status"] == "failed":
                self._out.write(f"FAILED {test['name']}\n")
        self._out.write("{passed} passed, {failed} failed, {skipped} skipped\n".format(**counts))
        return not counts["failed"]

    def close(self):
        """Nothing more is said."""
        self._tap.close()
