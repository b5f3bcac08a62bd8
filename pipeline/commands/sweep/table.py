"""The points of a sweep in order, best first, and what follows from it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from tabulate import tabulate

from pipeline.commands.results import interval, number
from pipeline.commands.sweep.search import REPEATS, Bench, Point, key_of
from pipeline.commands.sweep.space import Space, shown
from pipeline.core.artifacts.evaluated import Comparison
from pipeline.core.files import write_text
from pipeline.core.text import csv_writer
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
        return next(filter(self._is_current, self.points))

    def changes(self) -> dict[str, Value]:
        """What the winner has that params.yaml has not."""
        now, swept = self.bench.current, self.swept(self.points[0])
        return {k: v for k, v in swept.items() if shown(v) != shown(now[k])}

    def swept(self, point: Point) -> dict[str, Value]:
        """The params of a point that the sweep is about."""
        return {name: point.params[name] for name in self.space.axes}

    def name(self, point: Point) -> str:
        """The swept params of a point in one line, as one types them."""
        return " ".join(f"{name}={shown(value)}" for name, value in self.swept(point).items())

    def text(self, interrupted: bool) -> str:
        """The table for a reader, with a line above that says what the figures are.

        At most MOST points are shown; `csv` has all.
        """
        others = [m for m in self.bench.settings.metrics if m != self.bench.metric]
        header = [*self.space.axes, self.bench.metric, "sd", "interval", *others, ""]
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
        metric, winner = self.bench.metric, self.name(self.points[0])
        found = f"{metric} {number(self.points[0].scores[self.bench.score])}"
        if not self.changes():
            return f"best: {winner}, the current params ({found})"
        versus = f"the current params {self.bench.lost}"
        follows = "; --apply writes it to params.yaml"
        if self.current.folds:
            c = self._against_current()
            follows += "" if c.words in SAID else " all the same"
            sure = f"{100 * self.bench.params.intervals.confidence:g} %"
            versus = (
                f"{SAID.get(c.words, 'not distinguishable from')} the current params "
                f"({metric} {c.difference:+.4g}, {sure} interval {c.low:+.4g} to {c.high:+.4g})"
            )
        return f"best: {winner} ({found}); {versus}{'' if applied else follows}"

    @cached_property
    def folder(self) -> Path:
        """Where the results lie: a folder for each sweep of the model, 1, 2, ...

        The same results lie in the same folder again.
        """
        of_model = FOLDER / f"{self.bench.dataset}-{self.bench.model}"
        tables = (of_model / str(number) / "table.csv" for number in count(1))
        return next(
            table.parent
            for table in tables
            if not table.exists() or table.read_bytes() == self.csv.encode()
        )

    def write(self) -> list[Path]:
        """Write table.csv, and a picture for each param.

        Returns
        -------
        list of Path
            What was written, the table first.
        """
        files = [self.folder / "table.csv"]
        write_text(files[0], self.csv)
        if self.best is not None:
            from pipeline.commands.sweep.pictures import draw

            for name in self.space.axes:
                files.append(self.folder / f"{name}.svg")
                write_text(files[-1], draw(self, name))
        return files

    @cached_property
    def csv(self) -> str:
        """Every point with all its scores, exactly."""
        best = self.points[0].scores
        names = sorted(best, key=lambda name: not name.startswith(self.bench.score))
        buffer = io.StringIO()
        writer = csv_writer(buffer)
        writer.writerow([*self.space.axes, "current", "diverged", *names])
        for point in self.points:
            swept = map(shown, self.swept(point).values())
            kind = int(self._is_current(point)), int(not point.folds)
            writer.writerow([*swept, *kind, *map(point.scores.get, names)])
        return buffer.getvalue()

    def _is_current(self, point: Point) -> bool:
        return key_of(point.params) == key_of(self.bench.current)

    def _about(self) -> str:
        scheme, bench = self.bench.scheme, self.bench
        rows = f"the {scheme.rows} training rows"
        by = {"rows": "", "groups": ", whole groups each", "moments": ", forward in time"}
        cut = f"{scheme.folds} folds of {rows}{by[scheme.kept]}, {REPEATS} repeat"
        if scheme.leave_one_out:
            cut = f"each of {rows} held out by itself"
        sure = f"{100 * bench.params.intervals.confidence:g} %"
        better = "lower" if bench.sign == 1 else "higher"
        return (
            f"{bench.dataset} {bench.model}: {bench.metric} ({better} is better), {cut}; "
            f"{sure} intervals; best of {len(self.points)} points first"
        )

    def _row(self, point: Point, others: Sequence[str]) -> list[str]:
        mark = "current" if self._is_current(point) else ""
        swept = [*map(shown, self.swept(point).values())]
        if not point.folds:
            return [*swept, self.bench.lost, *[""] * (len(others) + 2), mark]
        score = self.bench.score
        names = [score, f"{score}_sd", *(f"{score.split('_')[0]}_{name}" for name in others)]
        mean, sd, *more = (number(point.scores.get(name)) for name in names)
        return [*swept, mean, sd, interval(point.scores, score), *more, mark]

    def _against_current(self) -> Comparison:
        """The winner against the current params, as the verdict compares models."""
        bench = self.bench
        pair = {"best": self.points[0].units, "current": self.current.units}
        return contrast(pair, bench.metric, bench.scheme, bench.params.intervals.confidence)
