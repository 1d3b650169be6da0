"""OpenDP as a peer of `accuracy/…`: the program that one would write with its building blocks for each question.

Reads {"file": CSV, "rows_per_unit", "epsilon", "delta", "mechanism", "runs", "cases": [...]} and writes a line a case:
{"name", "answers": [[[key, value], ...] per run], "seconds"}. A case has a "kind" (count, count_by, sum, mean, median), and
"column", "lo", "hi" or "key", "categories" as its kind needs. One answer is from the columns in memory to the noised value.
The mechanism is gaussian, which as ours composes well and needs δ, or laplace, which is better for a single question.
"""

import csv
import json
import sys
import time

import opendp.prelude as dp

dp.enable_features("contrib")


def read(path, cases):
    numbers = {case["column"] for case in cases if "column" in case}
    texts = {case["key"] for case in cases if "key" in case}
    columns = {name: [] for name in numbers | texts}
    rows = 0
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows += 1
            for name in numbers:
                if row[name]:
                    columns[name].append(int(row[name]))
            for name in texts:
                columns[name].append(row[name])
    columns[None] = [1] * rows
    return columns


class Peer:
    def __init__(self, task):
        self.rows_per_unit = task["rows_per_unit"]
        self.epsilon, self.delta = task["epsilon"], task["delta"]
        self.gaussian = task["mechanism"] == "gaussian"
        self.whole = dp.vector_domain(dp.atom_domain(T="i64")), dp.symmetric_distance()
        self.text = dp.vector_domain(dp.atom_domain(T=str)), dp.symmetric_distance()

    def noise(self, scale):
        return dp.m.then_gaussian(scale) if self.gaussian else dp.m.then_laplace(scale)

    def calibrated(self, make):
        """The mechanism with the least noise that keeps to ε and δ for all rows of a unit; `make` takes a factor."""

        def measured(factor):
            mechanism = make(factor * self.rows_per_unit)
            if not self.gaussian:
                return mechanism
            return dp.c.make_fix_delta(dp.c.make_zCDP_to_approxDP(mechanism), self.delta)

        loss = (self.epsilon, self.delta) if self.gaussian else self.epsilon
        factor = dp.binary_search_param(measured, d_in=self.rows_per_unit, d_out=loss, bounds=(0.01, 10_000.0))
        return measured(factor)

    def total(self, case):
        lo, hi = case["lo"], case["hi"]
        return self.whole >> dp.t.then_clamp((lo, hi)) >> dp.t.then_sum(), max(abs(lo), abs(hi))

    def count(self, _):
        counted = self.whole >> dp.t.then_count()
        mechanism = self.calibrated(lambda factor: counted >> self.noise(factor))
        return lambda rows: [[None, mechanism(rows)]]

    def count_by(self, case):
        categories = case["categories"]
        metric = "L2Distance<i64>" if self.gaussian else "L1Distance<i64>"
        counted = self.text >> dp.t.then_count_by_categories(categories, MO=metric, null_category=True, TOA="i64")
        mechanism = self.calibrated(lambda factor: counted >> self.noise(factor))
        return lambda rows: [list(pair) for pair in zip(categories, mechanism(rows))]

    def sum(self, case):
        total, most = self.total(case)
        mechanism = self.calibrated(lambda factor: total >> self.noise(factor * most))
        return lambda rows: [[None, mechanism(rows)]]

    def mean(self, case):
        total, most = self.total(case)
        counted = self.whole >> dp.t.then_count()

        def make(factor):
            return dp.c.make_composition([total >> self.noise(factor * most), counted >> self.noise(factor)])

        mechanism = self.calibrated(make)

        def answer(rows):
            value, count = mechanism(rows)
            return [[None, value / max(count, 1)]]

        return answer

    def median(self, case):
        candidates = list(range(case["lo"], case["hi"] + 1))
        scores = self.whole >> dp.t.then_quantile_score_candidates(candidates, 0.5)
        measure = dp.zero_concentrated_divergence() if self.gaussian else dp.max_divergence()
        mechanism = self.calibrated(lambda factor: scores >> dp.m.then_noisy_max(measure, factor, negate=True))
        return lambda rows: [[None, candidates[mechanism(rows)]]]


def main():
    task = json.load(sys.stdin)
    columns = read(task["file"], task["cases"])
    peer = Peer(task)
    for case in task["cases"]:
        rows = columns[case.get("column") or case.get("key")]
        answers, times = [], []
        answer = getattr(peer, case["kind"])(case)
        for _ in range(task["runs"]):
            started = time.perf_counter()
            answers.append(answer(rows))
            times.append(time.perf_counter() - started)
        times.sort()
        print(json.dumps({"name": case["name"], "answers": answers, "seconds": times[len(times) // 2]}), flush=True)


if __name__ == "__main__":
    main()
