"""Which stage may begin when."""

from collections.abc import Collection, Mapping, Sequence

# `params` refuses faults before anything else runs, and removes what has no line. `track` tells
# MLflow the checksum of dvc.lock, and so of all other stages.
ALONE = ("params", "track")


def awaited(steps: Sequence[str], needs: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """The stages that have to end before each may begin.

    Parameters
    ----------
    steps : sequence of str
        All stages in the order in which `dvc repro` takes them.
    needs : mapping
        The stages whose outputs each depends on.

    >>> awaited(["params", "a", "b", "track"], {"b": ["a"]})["b"] == {"params", "a"}
    True
    """
    found, before = dict[str, set[str]](), set[str]()
    wall = set[str]()  # what no later stage may overtake
    for step in steps:
        found[step] = {*before} if step in ALONE else {*needs.get(step, ()), *wall}
        before.add(step)
        if step in ALONE:
            wall.add(step)
    return found


def ready(
    steps: Sequence[str], waits: Mapping[str, Collection[str]], ended: Collection[str]
) -> list[str]:
    """Those of the steps that wait for nothing any more, in the order of the steps."""
    return [step for step in steps if waits[step] <= ended]  # type: ignore[operator]
