"""Stages side by side: the same dvc.lock, messages and exit codes as `dvc repro`."""

import itertools
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import dumps_yaml
from dvc.utils.serialize._yaml import parse_yaml_for_update
from hypothesis import given
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.commands.repro.dvc_process import OF_DVC
from pipeline.commands.repro.order import awaited, ready
from pipeline.commands.repro.screen import Screen
from pipeline.core.dvc_lock import PLAIN, STAGE, with_stage
from tests.conftest import Clone, copied, reduced
from tests.kills import VICTIMS, commands_in, hashes, parts, stage_of, wait_for
from tests.side_by_side import COMMAND, MENDING, Killer, children


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    """Stages in the order of `dvc repro`, and what each needs: stages before it."""
    names = ["params", *(f"s{k}" for k in range(draw(st.integers(0, 8)))), "track"]
    return {
        name: draw(st.sets(st.sampled_from(names[:place]), max_size=3)) if place else set[str]()
        for place, name in enumerate(names)
    }


@given(needs=graphs(), jobs=st.integers(1, 4), data=st.data())
def test_every_stage_begins_once_all_that_it_needs_has_ended(
    needs: dict[str, set[str]], jobs: int, data: st.DataObject
) -> None:
    waits = awaited([*needs], needs)
    left, running, ended = [*needs], list[str](), list[str]()
    while left or running:
        for name in ready(left, waits, {*ended})[: jobs - len(running)]:
            assert needs[name] <= {*ended}
            assert name != "track" or len(ended) == len(needs) - 1
            assert name == "params" or "params" in ended
            left.remove(name)
            running.append(name)
        ended.append(running.pop(data.draw(st.integers(0, len(running) - 1))))
    assert sorted(ended) == sorted(needs)


def test_with_one_job_the_order_is_that_of_dvc() -> None:
    needs = {"params": set(), "b": set(), "a": {"b"}, "c": set(), "track": {"a"}}
    waits, left, ended = awaited([*needs], needs), [*needs], list[str]()
    while left:
        ended.append(ready(left, waits, {*ended})[0])
        left.remove(ended[-1])
    assert ended == [*needs]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]))
    | st.sampled_from([0.1, 1e-05, 1e-7, 3e-4, 1e10, 1e16, 2.5e-6, 100.0, -0.0])
    | st.sampled_from(["yes", "2026-01-01", "1e5", "010", "# x", "a: b", "long " * 40, "", "日本"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["params", "ingest@a", "ingest@b", "split@a", "train_direct@a-x"])


@given(entries=st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6))
def test_a_stage_is_put_into_dvc_lock_as_dvc_puts_it(entries: list[tuple[str, Any]]) -> None:
    """DVC reads the file with all that it says, changes one stage and writes all of it."""
    text, by_dvc = "", dict[str, Any]()
    for name, value in entries:
        stage = {name: {"cmd": "exec", "params": {"params.yaml": {"lr": value}}}}
        by_dvc = parse_yaml_for_update(text, "dvc.lock") if text else {"schema": "2.0"}
        by_dvc.setdefault("stages", {}).update(stage)
        expected = dumps_yaml(by_dvc)
        entry = dumps_yaml({"schema": "2.0", "stages": stage})
        assert not text or PLAIN.fullmatch(text)
        text = with_stage(text, entry) if text else entry
        assert text == expected


def test_stages_stand_in_the_order_of_dvc_whichever_ends_first() -> None:
    entries = {name: f"schema: '2.0'\nstages:\n  {name}:\n    cmd: x\n" for name in "dcba"}
    texts = set()
    for ends in itertools.permutations("abcd"):
        text = entries[ends[0]]
        for name in ends[1:]:
            text = with_stage(text, entries[name], ["b", "a", "d", "c"])
        texts.add(text)
    assert len(texts) == 1
    assert [line for line in texts.pop().split() if line in ("a:", "b:", "c:", "d:")] == [
        *("b:", "a:", "d:", "c:")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "# mine\nschema: '2.0'\nstages:\n  a:\n    cmd: x\n",
        "schema: '2.0'\nstages:\n  # mine\n  a:\n    cmd: x\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: x\ndatasets:\n- name: d\n",
        "schema: '2.0'\nstages: {}\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: x",
    ],
)
def test_a_lock_of_another_form_is_left_to_dvc(text: str) -> None:
    assert not PLAIN.fullmatch(text)
    assert PLAIN.fullmatch("schema: '2.0'\nstages:\n  a:\n    cmd: x\n")


@pytest.mark.parametrize("jobs", ["0", "x", "-1", "1.5", "", "101", "²"])
def test_a_number_of_jobs_that_is_none_is_refused(
    jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["repro", f"--jobs={jobs}"]) == 2
    assert capsys.readouterr().err == (
        f"error: repro: -j {jobs}: expected a whole number from 1 to 100\n"
    )


def test_what_stages_say_stands_behind_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.begin("split@a")
    screen.say("split@a", f"{OF_DVC}Running stage 'split@a':")
    screen.say("split@a", f"{OF_DVC}> exec python -m pipeline.core")
    screen.say("split@a", "warning: split: a row", error=True)
    screen.end("split@a")
    printed = capsys.readouterr()
    assert printed.out == "Running stage 'split@a':\n"
    assert printed.err == "split@a: warning: split: a row\n"


ORDER = (  # of `dvc repro`, in a dvc.lock that has the textbook alone
    *("textbook", "params", "ingest@house", "validate@house", "split@house"),
    *("train_direct@house-pairwise_mean", "train_direct@house-closed_form"),
    *("train_gradient@house-manual_gd", "train_gradient@house-torch_sgd"),
    *("evaluate@house", "report", "track"),
)


@pytest.mark.slow
def test_cold_stages_make_the_bytes_of_dvc_repro(house_alone: Clone, tmp_path: Path) -> None:
    clone = copied(house_alone, tmp_path)
    lock, before = clone.folder / "dvc.lock", hashes(clone.folder)
    clone.ok("rm -rf .dvc/cache data/[1-5]_* metrics/house.json metrics/plots metrics/report*")
    head, *stages = STAGE.split(lock.read_text())
    entries = {stage.partition(":")[0]: f"  {stage}" for stage in stages}
    assert entries.keys() == {*ORDER}
    lock.write_text(head + entries["textbook"])
    command = clone.start(f"exec {COMMAND}")
    servers, most = set[str](), 0
    while command.poll() is None:
        most = max(most, len(children(command.pid)))
        servers |= set(re.findall(r"preload\.py (\d+)", " ".join(commands_in(clone.folder))))
        time.sleep(0.02)
    said, _ = command.communicate()
    assert command.returncode == 0, said
    assert servers == {str(command.pid)}
    assert most == 2
    assert lock.read_text() == head + "".join(entries[name] for name in ORDER)
    assert hashes(clone.folder) == before
    assert parts(clone.folder) == []
    assert clone.ok("dvc repro") == clone.ok(COMMAND) == clone.ok("python -m pipeline repro -j 1")


@pytest.mark.slow
def test_a_stage_that_refuses_ends_all_as_dvc_repro_does(
    house_alone: Clone, tmp_path: Path
) -> None:
    clone = copied(house_alone, tmp_path)
    before = hashes(clone.folder)
    raw = clone.folder / "data/raw/house.csv"
    raw.write_text(raw.read_text().replace("95,", "wide,"))
    ours, dvcs = clone.run(COMMAND), clone.run("dvc repro")
    assert ours.returncode == dvcs.returncode == 255
    why = re.search("error: validate: .* 'wide', .*", dvcs.stdout)
    assert why
    assert f"validate@house: {why[0]}\n" in ours.stdout
    end = "ERROR: failed to reproduce 'validate@house': failed to run: "
    assert end in dvcs.stdout
    assert end in ours.stdout
    assert "split@house" not in ours.stdout
    assert "Traceback" not in ours.stdout
    found = hashes(clone.folder)
    assert {path for path in before if found.get(path) != before[path]} == {
        "data/1_ingested/house.parquet"
    }


@pytest.mark.slow
def test_ctrl_c_ends_all_that_run_and_another_dvc_is_told_who_works(
    house_alone: Clone, tmp_path: Path
) -> None:
    clone = copied(house_alone, tmp_path)
    clone.ok("dvc repro")
    before, good = hashes(clone.folder), (clone.folder / "params.yaml").read_text()
    (clone.folder / "params.yaml").write_text(good.replace("epochs: 100", "epochs: 1000000000", 1))
    (clone.folder / "mlflow.db").unlink()  # a training that lasts makes it anew
    # the tests may run in the background, where SIGINT is ignored
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command = clone.start(f"exec {COMMAND}")
    finally:
        signal.signal(signal.SIGINT, ours)

    def both_train() -> bool:
        stages = [stage_of(fork) for fork in children(command.pid)]
        return len(stages) == 2 and None not in stages and (clone.folder / "mlflow.db").exists()

    assert wait_for(both_train, 300)
    other = clone.run("dvc repro")
    assert other.returncode == 255
    named = re.search(r"\(PID (\d+)\): .*/pipeline/__main__\.py repro -j 2", other.stdout)
    assert named, other.stdout
    assert int(named[1]) in children(command.pid)
    for process in processes_below(command.pid):  # as a terminal does
        os.kill(process, signal.SIGINT)
    said, _ = command.communicate(timeout=60)
    assert command.returncode == 255
    assert said.count(": interrupted\n") == 2
    assert said.count("exited with 130") == 2
    assert "Running stage 'evaluate@house'" not in said
    assert wait_for(lambda: not commands_in(clone.folder), 5)
    (clone.folder / "params.yaml").write_text(good)
    clone.ok(COMMAND)
    assert hashes(clone.folder) == before
    assert clone.ok("git status --porcelain") == ""


def processes_below(process: int) -> list[int]:
    """It, its forks, and their stages: what a terminal has in the foreground."""
    forks = children(process)
    return [process, *forks, *(child for fork in forks for child in children(fork))]


@pytest.fixture(scope="module")
def killer(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Killer:
    return Killer(reduced(reproduced, tmp_path_factory.mktemp("kills"), "breast_cancer"), seed=7)


@pytest.mark.nightly
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_is_mended_by_the_next_command(killer: Killer, victim: str) -> None:
    mending = MENDING[VICTIMS.index(victim) % 2]
    assert killer.kill(victim, mending) == []


@pytest.mark.nightly
def test_fifty_kills_are_mended_by_the_next_command(killer: Killer) -> None:
    for count in range(50):
        victim, mending = VICTIMS[count % 3], MENDING[count // 3 % 2]
        assert killer.kill(victim, mending) == [], (count, victim, mending)
