"""The points of a sweep in order, best first, and what follows from it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tabulate import tabulate

from pipeline.commands.sweep.search import REPEATS, Bench, Point
from pipeline.commands.sweep.space import Space, listed, shown
from pipeline.core.artifacts.evaluated import Comparison
from pipeline.core.files import write_text
from pipeline.core.params import METRICS
from pipeline.core.trainers import Value
from pipeline.evaluate.comparison import contrast

FOLDER = Path("data/sweeps")
MOST = 50  # rows on the screen; table.csv has all
SAID = {"better": "better than", "worse": "worse than"}


@dataclass(frozen=True)
class Ranking:
    """All points that were measured.

    Attributes
    ----------
    bench : Bench
        What they were measured by.
    space : Space
        What was asked for.
    points : list of Point
        Best first, those that diverged last. Of equals the current params come first, then the
        point that was tried first.
    """

    bench: Bench
    space: Space
    points: Sequence[Point]

    @property
    def best(self) -> Point | None:
        """The winner; None where all diverged."""
        return self.points[0] if self.points[0].folds else None

    @property
    def current(self) -> Point:
        """The params that params.yaml has."""
        return next(point for point in self.points if point.params == self.bench.current)

    def changes(self) -> dict[str, Value]:
        """What the winner has that params.yaml has not."""
        return {k: v for k, v in self.swept(self.points[0]).items() if v != self.bench.current[k]}

    def swept(self, point: Point) -> dict[str, Value]:
        """The params of a point that the sweep is about."""
        return {name: point.params[name] for name in self.space.axes}

    def name(self, point: Point) -> str:
        """The swept params of a point in one line, as one types them."""
        return listed(self.swept(point), "=", " ")

    def text(self, interrupted: bool) -> str:
        """The table for a reader, with a line above that says what the figures are.

        At most MOST points are shown; `csv` has all.
        """
        others = [m for m in METRICS[self.bench.settings.task] if m != self._metric]
        header = [*self.space.axes, self._metric, "sd", "interval", *others, ""]
        rows = [header, *(self._row(point, others) for point in self.points[:MOST])]
        lines = [tabulate(rows, tablefmt="plain", disable_numparse=True)]
        if len(self.points) > MOST:
            lines.append(f"... and {len(self.points) - MOST} more, in {self.folder}/table.csv")
        note = ["interrupted: the points measured so far"] if interrupted else []
        return "\n".join([*note, self._about(), "", *lines, ""])

    def conclusion(self, applied: bool) -> str:
        """The winner, how it compares with the current params, and what to type next.

        Parameters
        ----------
        applied : bool
            Whether the winner is written to params.yaml in any case.
        """
        metric, winner = self._metric, self.name(self.points[0])
        found = f"{metric} {_number(self.points[0].scores[self.bench.score])}"
        if not self.changes():
            return f"best: {winner}, the current params ({found})"
        versus = "the current params diverge"
        if self.current.folds:
            c = self._against_current()
            sure = f"{100 * self.bench.params.intervals.confidence:g} %"
            versus = (
                f"{SAID.get(c.words, 'not distinguishable from')} the current params "
                f"({metric} {c.difference:+.4g}, {sure} interval {c.low:+.4g} to {c.high:+.4g})"
            )
        follows = "" if applied else "; --apply writes it to params.yaml"
        return f"best: {winner} ({found}); {versus}{follows}"

    @property
    def folder(self) -> Path:
        """Where the results lie."""
        return FOLDER / f"{self.bench.dataset}-{self.bench.model}"

    def write(self) -> list[Path]:
        """Write table.csv, and a picture for each param; pictures of other params go.

        Returns
        -------
        list of Path
            What was written, the table first.
        """
        table = self.folder / "table.csv"
        write_text(table, self.csv)
        pictures = {}
        if self.best is not None:
            from pipeline.commands.sweep.pictures import draw

            pictures = {self.folder / f"{k}.svg": draw(self, k) for k in self.space.axes}
        for path, picture in pictures.items():
            write_text(path, picture)
        for path in self.folder.glob("*.svg"):
            if path not in pictures:
                path.unlink(missing_ok=True)
        return [table, *pictures]

    @cached_property
    def csv(self) -> str:
        """Every point with all its scores, exactly."""
        best = self.points[0].scores
        names = sorted(best, key=lambda name: not name.startswith(self.bench.score))
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([*self.space.axes, "current", "diverged", *names])
        for point in self.points:
            writer.writerow(
                [
                    *map(shown, self.swept(point).values()),
                    int(point.params == self.bench.current),
                    int(not point.folds),
                    *(point.scores.get(name) for name in names),
                ]
            )
        return buffer.getvalue()

    @property
    def _metric(self) -> str:
        return self.bench.settings.evaluate.metric

    def _about(self) -> str:
        scheme, bench = self.bench.scheme, self.bench
        rows = f"the {scheme.rows} training rows"
        cut = f"{scheme.folds} folds of {rows}, {REPEATS} repeat"
        if scheme.leave_one_out:
            cut = f"each of {rows} held out by itself"
        better = "lower" if bench.sign == 1 else "higher"
        sure = f"{100 * bench.params.intervals.confidence:g} %"
        return (
            f"{bench.dataset} {bench.model}: {self._metric} ({better} is better), {cut}; "
            f"{sure} intervals; best of {len(self.points)} points first"
        )

    def _row(self, point: Point, others: Sequence[str]) -> list[str]:
        bench = self.bench
        mark = "current" if point.params == bench.current else ""
        swept = [shown(value) for value in self.swept(point).values()]
        if not point.folds:
            return [*swept, "diverged", *[""] * (len(others) + 2), mark]
        low, high = (point.scores.get(f"{bench.score}_{end}") for end in ("low", "high"))
        prefix = bench.score.split("_")[0]
        return [
            *swept,
            _number(point.scores[bench.score]),
            _number(point.scores.get(f"{bench.score}_sd")),
            f"{_number(low)} to {_number(high)}" if low is not None else "-",
            *(_number(point.scores.get(f"{prefix}_{name}")) for name in others),
            mark,
        ]

    def _against_current(self) -> Comparison:
        """The winner against the current params, as verdict compares models: fold by fold."""
        bench, metric = self.bench, self.bench.settings.evaluate.metric
        pair = {"best": self.points[0], "current": self.current}
        scores = {
            name: [score for score in point.folds[metric] if score is not None]
            for name, point in pair.items()
        }
        confidence = bench.params.intervals.confidence
        return contrast(scores, metric, bench.scheme.folds, confidence)


def ranked(bench: Bench, space: Space) -> Ranking:
    """Order what was measured: by score, the best first; what diverged last.

    The order is stable: of equal scores the point that was measured first comes first.
    """

    def place(point: Point) -> tuple[bool, float]:
        score = point.scores.get(bench.score)
        return score is None, bench.sign * (score or 0.0)

    return Ranking(bench, space, sorted(bench.points.values(), key=place))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
