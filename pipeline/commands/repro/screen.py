"""What `repro` shows: lines of stages and of DVC, on a terminal one for each stage that runs."""

import sys

from tqdm import tqdm

from pipeline.commands.repro.dvc_process import OF_DVC

# What DVC says of every stage, and is no news here.
LEFT_OUT = ("> ", "Updating lock file", "Generating lock file")


class Screen:
    """The lines of several stages at once."""

    def __init__(self) -> None:
        tqdm.monitor_interval = 0  # else DVC's bars begin a thread, which forks would miss
        self._bars = dict[str, tqdm]()

    def begin(self, stage: str) -> None:
        """Show that a stage runs."""
        places = {-bar.pos for bar in self._bars.values()}
        place = next(place for place in range(len(places) + 1) if place not in places)
        look = {"bar_format": "{desc} {elapsed}", "leave": False, "dynamic_ncols": True}
        self._bars[stage] = tqdm(desc=stage, position=place, disable=None, **look)

    def end(self, stage: str) -> None:
        """Take its line away."""
        self._bars.pop(stage).close()

    def tick(self) -> None:
        """Let the clocks go on."""
        for bar in self._bars.values():
            bar.refresh()

    def say(self, stage: str, line: str, error: bool = False) -> None:
        """Show a line of a stage, behind its name, or of DVC."""
        if line.startswith(OF_DVC):
            line = line.removeprefix(OF_DVC)
            if not line.strip() or line.startswith(LEFT_OUT):
                return
        else:
            line = f"{stage}: {line}"
        tqdm.write(line, file=sys.stderr if error else sys.stdout)
