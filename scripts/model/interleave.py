# SPDX-License-Identifier: GPL-2.0
"""Tries the interleavings of all models, and then each ordering of the sources weakened.

A mutant is one place of one source whose ordering is weaker, in a program that is the same
otherwise; which places there are the models tell themselves. A mutant is caught if one of the models
that met its place fails. One that none catches is unproven: loom does not reorder a load with a
store that follows, nor does it know dependencies, so it may be needed all the same.
"""

import concurrent.futures
import json
import os
import subprocess
import time

# A mutant may have many more interleavings than what it was made of.
MUTANT_SLOWER = 20
MUTANT_LEAST_S = 20
MODEL_S = 600


class Run:
    """One run of a program: what it printed, and how it ended."""

    def __init__(self, command, limit):
        begun = time.monotonic()
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, timeout=limit, check=False)
            self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            self.status, self.out, self.err = None, "", ""
        self.seconds = time.monotonic() - begun

    def reason(self):
        """Why it failed, in a few words."""
        return reason(self.err)


def reason(err):
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    text = " ".join(line for line in lines if not line.startswith("panicked at"))
    if "deadlock" in text:
        return "one sleeps for good"
    if "Causality violation" in text or "Concurrent" in text:
        return "two use it at once"
    if "maximum number of branches" in text:
        return "a loop does not end"
    if "left:" in text:
        text = text.replace("assertion `left == right` failed: ", "")
    return text[:100] or "no reason given"


class Interleave:
    """The program, and what was found by it."""

    def __init__(self, program, report, workers):
        self._program = program
        self._report = report
        self._workers = workers
        self.models = []
        self.places = {}

    def _run(self, model, *weaker, limit=MODEL_S):
        return Run([self._program, "run", model, *weaker], limit)

    def run_models(self):
        """Each model as it is."""
        listed = Run([self._program, "list"], 60)
        self.models = [json.loads(line) for line in listed.out.splitlines()]
        with concurrent.futures.ThreadPoolExecutor(self._workers) as pool:
            runs = pool.map(lambda m: self._run(m["model"]), self.models)
            for model, run in zip(self.models, runs):
                self._judge(model, run)

    def _judge(self, model, run):
        bound = model["preemptions"]
        bound = "any number of preemptions" if bound is None else f"at most {bound} preemptions"
        name = f"interleavings of {model['model']}: {model['shows']}"
        model["seconds"] = run.seconds
        if run.status != 0:
            why = "time limit" if run.status is None else run.reason()
            self._report.result(name, False, why)
            return
        said = json.loads(run.out)
        model["interleavings"] = said["interleavings"]
        self._report.result(name, True, f"{said['interleavings']} interleavings, {bound}, "
                            f"at most {model['operations']} operations each, {run.seconds:.1f} s")
        for place in said["places"]:
            known = self.places.setdefault(place["place"], {**place, "models": []})
            known["models"].append(model)

    def _caught_by(self, weaker, models):
        """The first model that fails, and why; or None, and whether all had the time."""
        whole = True
        for model in sorted(models, key=lambda m: m["interleavings"]):
            limit = MUTANT_LEAST_S + MUTANT_SLOWER * model["seconds"]
            run = self._run(model["model"], *weaker, limit=limit)
            if run.status is None:
                whole = False
            elif run.status != 0:
                return model["model"], run.reason()
        return None, "no model fails" if whole else "no model fails in time"

    def run_mutants(self):
        """All mutants: {(place, strength): (model or None, why)}."""
        mutants = [(place["place"], to, place["models"])
                   for place in self.places.values() for to in place["weaker"]]
        with concurrent.futures.ThreadPoolExecutor(self._workers) as pool:
            found = pool.map(lambda m: self._caught_by([f"{m[0]}={m[1]}"], m[2]), mutants)
            return {(place, to): result for (place, to, _), result in zip(mutants, found)}

    def run_pairs(self, mutants):
        """Of what is not caught alone, two at once: {(place, place): (model, why)}, if caught."""
        alone = sorted({place for (place, to), (model, _) in mutants.items()
                        if model is None and self._weakest(place) == to})
        pairs = []
        for i, one in enumerate(alone):
            for other in alone[i + 1:]:
                theirs = self.places[other]["models"]
                both = [m for m in self.places[one]["models"] if m in theirs]
                if both:
                    pairs.append((one, other, both))
        with concurrent.futures.ThreadPoolExecutor(self._workers) as pool:
            found = pool.map(lambda p: self._caught_by(
                [f"{p[0]}={self._weakest(p[0])}", f"{p[1]}={self._weakest(p[1])}"], p[2]), pairs)
            return {(one, other): result for (one, other, _), result in zip(pairs, found)
                    if result[0]}

    def _weakest(self, place):
        return self.places[place]["weaker"][-1]


def workers():
    """As many as there are processors for us."""
    return max(1, len(os.sched_getaffinity(0)))
