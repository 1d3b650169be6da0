"""SmartNoise SQL as a peer of `accuracy/…`: the same SQL over a data frame, with the same bounds declared.

Reads and writes what opendp_peer.py does; a case has its "sql" over `data.rows` besides. SmartNoise spends ε on every column
that an aggregate needs, so ε is lowered until the whole query costs what it may. It has no medians.
"""

import json
import sys
import time
import warnings

import pandas
from snsql import Privacy, from_df

warnings.filterwarnings("ignore")


def table(task, frame):
    unit = task.get("unit")
    described = {
        "rows": len(frame),
        "censor_dims": False,
        "clamp_counts": False,
        "clamp_columns": True,
        "row_privacy": unit is None,
        "max_ids": task["rows_per_unit"],
        "sample_max_ids": False,
    }
    for case in task["cases"]:
        if "column" in case:
            described[case["column"]] = {"type": "int", "lower": case["lo"], "upper": case["hi"]}
        if "key" in case:
            described[case["key"]] = {"type": "string"}
    if unit is not None:
        described[unit] = {"type": "string", "private_id": True}
    return {"": {"data": {"rows": described}}}


def main():
    task = json.load(sys.stdin)
    frame = pandas.read_csv(task["file"], usecols=task["columns"], dtype=task["types"])
    metadata = table(task, frame)

    def reader(epsilon, delta):
        return from_df(frame, privacy=Privacy(epsilon=epsilon, delta=delta), metadata=metadata)

    for case in task["cases"]:
        if case["kind"] == "median":
            continue
        epsilon, delta = task["epsilon"], task["delta"]
        cost = reader(epsilon, delta).get_privacy_cost(case["sql"])
        epsilon, delta = epsilon * epsilon / float(cost[0]), delta * delta / max(float(cost[1]), delta)
        answers, times = [], []
        for _ in range(task["runs"]):
            asked = reader(epsilon, delta)
            started = time.perf_counter()
            rows = asked.execute(case["sql"])[1:]
            times.append(time.perf_counter() - started)
            keyed = "key" in case
            answers.append([[row[0] if keyed else None, float(row[-1])] for row in rows if row[-1] is not None])
        times.sort()
        print(json.dumps({"name": case["name"], "answers": answers, "seconds": times[len(times) // 2]}), flush=True)


if __name__ == "__main__":
    main()
