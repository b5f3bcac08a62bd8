"""What scale.py measured as one page, and what follows for 10^9 rows x 100 columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TASKS = ("classification", "regression")
FROM = 100_000  # rows from which on growth is fitted
FAR_ROWS, FAR_COLUMNS, COLUMNS = 1e9, 100, 31
NODES = (1, 3, 10, 30, 100)
NETWORK = 1.25  # GB/s between nodes: 10 Gbit/s
PRICE = 0.10  # of an hour of a node such as this machine
# Of https://github.com/rambler-digital-solutions/criteo-1tb-benchmark, results/metrics.tsv.
PUBLISHED = (
    ("Vowpal Wabbit 8.3.0, one machine of 12 cores", 6431.0, 0.131395),
    ("Spark 2.1.0 LogisticRegression, 512 cores", 5133.3, 0.131796),
)
HEAD = """\
# Growth with the rows

By `python benchmarks/scale.py`, whose head says what is measured. Seconds are of one run, MB the
peak of the largest process. Above a load of the number of CPUs others worked beside it; CPU time
tells more then, but for the threads of torch, which spin while they wait. Load when each was done:
{loads}.
"""
WHOLES = """\
## `dvc repro` beside a script in memory

| rows x 31 | task | dvc repro | script | ratio | CPU | CPU | ratio | MB | MB | ratio |
|---|---|---|---|---|---|---|---|---|---|---|
"""
LIMITS = """\
## Limits

Bytes that a stage has to read and write, of {rows:,} rows, over what was measured in the same run:
files are read at {read:.2f} GB/s and written at {write:.2f}; memory is copied at {memory:.1f} GB/s.

| stage | read | written | limit | measured | measured / limit |
|---|---|---|---|---|---|
"""
TRAININGS = """\
## Trainings beside reading their rows

Medians of three in turn, of which memory had nothing: the bytes of train.parquet, its row groups as
numbers, and trainings from it (at most 2 times the reading of its rows).

| rows | bytes | rows as numbers | closed_form | ratio | manual_gd | ratio |
|---|---|---|---|---|---|---|
"""
PUBLIC = """\
## Public systems on the same file

Seconds from the lines of the CSV file to a model of one pass over the training rows, and its log
loss on the same test rows. Ours are the stages ingest, validate, split, which see the test rows as
well, and the training; those of the others are their passes, without imports.

| rows | ours | log loss | Vowpal Wabbit | log loss | ours / its | partial_fit | log loss |
|---|---|---|---|---|---|---|---|
"""
MODEL = """\
## 10^9 rows x 100 columns: a model

Not measured. The assumptions:

- A cell costs in each stage what it did of {rows:,} x {columns} here, on a node such as this
  machine; least squares, whose products grow by the square of the columns, as much more.
- Each node has its share of the rows. What it learns of them, moments and sums of 100 columns, is
  80 kB, and passes through one node; weights of a descent in batches are averaged once an epoch.
  All rows cross a network of {network} GB/s a node once, in split, but those that stay.
- A node costs {price:.2f} an hour; beginning, failures and waiting for the slowest cost nothing.

"""
BEHIND = """
Published, for 10^9 rows of Criteo's terabyte (39 columns, most of them categories, which are
hashed; another task on other machines, so that it ranks nothing):

{published}

(https://github.com/rambler-digital-solutions/criteo-1tb-benchmark, results/metrics.tsv)
"""
Results = dict[int, dict[str, Any]]


def page(results: Results) -> str:
    """All of it in Markdown."""
    done = {
        rows: {task: one for task, one in found.items() if "load" in one}
        for rows, found in results.items()
    }
    known = {rows: found for rows, found in done.items() if found}
    parts = (_head, _wholes, _stages, _limits, _trainings, _public, _model)
    return "\n".join(part(known) for part in parts)


def _of(results: Results, task: str) -> dict[int, Any]:
    """What there is of one task, by rows."""
    return {rows: found[task] for rows, found in results.items() if task in found}


def _head(results: Results) -> str:
    each = [
        f"{rows:,} {task} {one['load']:.1f}"
        for rows, found in results.items()
        for task, one in found.items()
    ]
    return HEAD.format(loads=", ".join(each))


def _wholes(results: Results) -> str:
    lines = list[str]()
    for rows, found in results.items():
        each = {task: [one] for task, one in found.items()}
        each |= {"both": [*found.values()]} if len(found) > 1 else {}
        lines += [_whole(rows, task, some) for task, some in each.items()]
    for task in TASKS:
        seconds = {rows: one["ours"]["seconds"] for rows, one in _of(results, task).items()}
        if known := _exponent(seconds):
            said = f"Exponent of the growth of {task} from {FROM:,} rows on"
            lines += ["", f"{said}: {known} (at most 1.05)."]
    return WHOLES + "\n".join([*lines, ""])


def _whole(rows: int, task: str, some: Sequence[Any]) -> str:
    line = f"| {rows:,} | {task} "
    for key, unit, together in (("seconds", " s", sum), ("cpu", " s", sum), ("mb", "", max)):
        ours, theirs = (together(one[side][key] for one in some) for side in ("ours", "script"))
        line += f"| {ours:.0f}{unit} | {theirs:.0f}{unit} | {ours / theirs:.2f} "
    return line + "|"


def _exponent(seconds: Mapping[int, float]) -> str:
    """The slope of log seconds over log rows, of those from FROM on; "" of fewer than two."""
    known = [(rows, s) for rows, s in seconds.items() if rows >= FROM and s > 0]
    if len(known) < 2:
        return ""
    x, y = np.log(np.array(known)).T
    return f"{np.polyfit(x, y, 1)[0]:.2f}"


def _stages(results: Results) -> str:
    lines = ["## Stages", ""]
    for task in TASKS:
        known = _of(results, task)
        lines += [f"| {task} | {' | '.join(f'{n:,}' for n in known)} | exponent |"]
        lines += ["|---" * (len(known) + 2) + "|"]
        for stage in next(iter(known.values()))["ours"]["stages"] if known else ():
            of_stage = {n: one["ours"]["stages"][stage] for n, one in known.items()}
            mb = {n: one["mb"] for n, one in of_stage.items()}
            lines.append(_row(stage, {n: one["seconds"] for n, one in of_stage.items()}, mb))
        lines.append(_row("DVC itself", {n: _rest(one["ours"]) for n, one in known.items()}))
        for step in next(iter(known.values()))["script"]["steps"] if known else ():
            steps = {n: one["script"]["steps"][step] for n, one in known.items()}
            lines.append(_row(f"script: {step}", steps))
        lines.append("")
    return "\n".join(lines)


def _rest(ours: Any) -> float:
    """Seconds of `dvc repro` in which no stage ran."""
    return float(ours["seconds"] - sum(one["seconds"] for one in ours["stages"].values()))


def _row(name: str, seconds: Mapping[int, float], mb: Mapping[int, float] | None = None) -> str:
    cells = [f"{s:.1f} s" + (f", {mb[n]:.0f} MB" if mb else "") for n, s in seconds.items()]
    return f"| {name} | {' | '.join(cells)} | {_exponent(seconds)} |"


def _limits(results: Results) -> str:
    rows, found = [*results.items()][-1]
    text = LIMITS.format(rows=rows, **[*found.values()][-1]["bandwidth"])
    for task, one in found.items():
        speed, stages = one["bandwidth"], one["ours"]["stages"]
        csv, table, train = (one["bytes"][name] / 1e9 for name in ("csv", "ingested", "train"))
        moved = {"ingest": (csv, table), "validate": (table, 0.0), "split": (table, 2 * table)}
        moved |= {name: (train, 0.0) for name in stages if name.startswith("train")}
        moved |= {"evaluate": (2 * table, 0.0)}
        for stage, (read, written) in moved.items():
            name = stage if "@" in stage else f"{stage}@{task}"
            limit, seconds = (
                read / speed["read"] + written / speed["write"],
                stages[name]["seconds"],
            )
            text += (
                f"| {name} | {read:.2f} GB | {written:.2f} GB | {limit:.1f} s | {seconds:.1f} s "
            )
            text += f"| {seconds / limit:.1f} |\n"
    return text


def _trainings(results: Results) -> str:
    text = TRAININGS
    for rows, one in _of(results, "regression").items():
        times = one["trainings"]["times"]
        text += f"| {rows:,} | {times['bytes']:.2f} s | {times['rows']:.2f} s "
        for name in ("closed_form", "manual_gd"):
            text += f"| {times[name]:.2f} s | {times[name] / times['rows']:.2f} "
        text += "|\n"
    return text


def _public(results: Results) -> str:
    text = PUBLIC
    for rows, one in _of(results, "classification").items():
        wabbit, chunks, ours = one["wabbit"], one["partial_fit"], _to_once(one)
        theirs = wabbit["steps"]["pass"]
        text += f"| {rows:,} | {ours:.1f} s | {one['scores']['once']['test_log_loss']:.6f} "
        text += f"| {theirs:.1f} s | {wabbit['log_loss']:.6f} | {ours / theirs:.2f} "
        text += f"| {chunks['steps']['pass']:.1f} s | {chunks['log_loss']:.6f} |\n"
    return text


def _to_once(one: Any) -> float:
    names = ("ingest", "validate", "split")
    wanted = [*(f"{n}@classification" for n in names), "train_gradient@classification-once"]
    return float(sum(one["ours"]["stages"][name]["seconds"] for name in wanted))


def _model(results: Results) -> str:
    """Time and cost by nodes: all passes are parted, and rows are shuffled over the network."""
    rows, one = [*_of(results, "classification").items()][-1]
    stages = one["ours"]["stages"]
    more = FAR_ROWS * FAR_COLUMNS / (rows * COLUMNS)
    each = {
        name: more * stages[f"{name}@classification"]["seconds"]
        for name in ("ingest", "validate", "split", "evaluate")
    }
    each["bcpm, an epoch"] = more * stages["train_gradient@classification-once"]["seconds"]
    for size, found in _of(results, "regression").items():
        squares = found["trainings"]["times"]["closed_form"] * (FAR_COLUMNS / COLUMNS) ** 2
        each["closed_form"] = squares * FAR_ROWS / size
    text = MODEL.format(rows=rows, columns=COLUMNS, network=NETWORK, price=PRICE)
    text += "| nodes | " + " | ".join(each) + " | network | all | cost |\n"
    text += "|---" * (len(each) + 4) + "|\n"
    for nodes in NODES:
        network = FAR_ROWS * FAR_COLUMNS * 8e-9 * (nodes - 1) / nodes**2 / NETWORK
        total = sum(each.values()) / nodes + network
        cells = " | ".join(f"{seconds / nodes:,.0f} s" for seconds in each.values())
        cost = total / 3600 * nodes * PRICE
        text += f"| {nodes} | {cells} | {network:,.0f} s | {total:,.0f} s | {cost:.2f} |\n"
    published = [
        f"- {name}: {seconds:,.0f} s, log loss {loss}" for name, seconds, loss in PUBLISHED
    ]
    return text + BEHIND.format(published="\n".join(published))
