"""docs/descent/index.html: what it computes is what the solvers do, and everyone can use it."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import reduce
from io import StringIO
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from ruamel.yaml import YAML

from docs.descent import build, data
from pipeline.core.errors import Diverged
from pipeline.core.params import parse_params
from pipeline.core.preprocessing import fit_scaler, split_rows, standardized
from pipeline.core.settings.network import NetworkDescent
from pipeline.core.tables import Array
from pipeline.core.trainers import no_callback
from pipeline.solvers import descent, network, pairwise_mean, quadratic
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import ArrayRows
from tests.browser import is_drawn, opened
from tests.conftest import ROOT

FILE = ROOT / "docs/descent/index.html"
CANCER = pd.read_csv(ROOT / "data/raw/breast_cancer.csv")
State = dict[str, Any]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with opened(FILE, width=1280) as seen:
        yield seen.page
        assert seen.requests == []
        assert seen.errors == []


def close(ours: Any, theirs: Any) -> None:
    """Equal to a billionth, of the largest number of the array."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())


def descents() -> list[State]:
    """Settings on the six flats: every method, scale and batch size, rates that diverge too."""
    rates = {"raw": (1e-5, 8.25e-5, 1e-4), "standardized": (0.01, 0.5, 1.5)}
    found: list[State] = []
    for scale, method in product(rates, ("sgd", "momentum", "rmsprop", "adam")):
        for k, lr in enumerate(rates[scale]):
            batch, start = (6, 6, 6) if k == 1 else (1, 4, 6), (k, 10 * k)
            for seed, size in enumerate(batch[: 2 + (k == 2)]):
                found.append(
                    {
                        **{"scale": scale, "method": method, "lr": lr, "batch": size},
                        **{"epochs": 20 * (k + 1), "momentum": 0.3 * (k + 1), "seed": seed + k},
                        **{"w0": start[0], "b0": start[1]},
                    }
                )
    large = {**found[0], "lr": 100, "epochs": 1000, "scale": "standardized"}
    return [*found, {**large, "batch": 6}, {**large, "batch": 1}, {**large, "method": "momentum"}]


@pytest.mark.slow
def test_descents_take_the_steps_of_the_solvers(page: Page) -> None:
    """Path, losses and the epoch of divergence, in each of more than 50 settings."""
    settings = descents()
    assert len(settings) >= 50
    runs = page.evaluate(
        """settings => settings.map(one => {
            const state = {...chapter.stateOf(""), ...one};
            const problem = chapter.problemOf(chapter.data, state.scale);
            const {path, losses, perEpoch, diverged} = chapter.runOf(chapter.data, problem, state);
            return {path: [...path], losses, perEpoch, diverged};
        })""",
        settings,
    )
    diverged = 0
    for one, run in zip(settings, runs, strict=True):
        theirs = solved(one)
        assert run["diverged"] == theirs["diverged"]
        diverged += theirs["diverged"] > 0
        each_epoch = np.reshape(run["path"], (-1, 2))[:: run["perEpoch"]][: len(theirs["path"])]
        close(each_epoch, theirs["path"])
        close(run["losses"], theirs["losses"])
    assert diverged == 3


def solved(one: State) -> dict[str, Any]:
    """What the solvers make of a state of the page: theta after each epoch, losses, divergence."""
    start = np.array([one["w0"], one["b0"]], float)
    rows, chosen = data.house(one["scale"] == "raw"), descent_settings(one)
    whole = descent.batch_size(rows, chosen) is None
    objective: Any = (
        quadratic.mean_squared_error(rows) if whole else descent.RowLoss(rows, chosen, "mse", True)
    )
    step = optimizer(chosen.optimizer, chosen.lr, chosen.momentum).step
    path: list[Array] = [] if whole else [start]
    losses: list[float] = []

    def after(theta: Array, history: Any) -> bool:
        path.append(theta.copy())
        losses[:] = history
        return False

    try:
        descent.train(objective, step, start, chosen, lambda: None, after=after)
        return {"path": path, "losses": losses, "diverged": 0}
    except Diverged as error:
        (epoch,) = re.findall(r"epoch (\d+)", str(error))
        return {"path": path, "losses": losses, "diverged": int(epoch)}


def descent_settings(one: State) -> Any:
    return data.settings(
        **{"lr": one["lr"], "epochs": one["epochs"], "optimizer": one["method"]},
        **{"momentum": one["momentum"], "batch_size": one["batch"], "seed": one["seed"]},
    )


@pytest.mark.slow
def test_the_steps_of_a_whole_run_are_those_of_the_quadratic(page: Page) -> None:
    """The solver behind manual_gd takes many steps at once; so does listing 3-5."""
    cases = [("raw", 1e-5, 1000), ("raw", 8.25e-5, 1000), ("standardized", 0.1, 100)]
    for scale, lr, epochs in cases:
        loss = quadratic.mean_squared_error(data.house(scale == "raw"))
        theta, history = quadratic.descend(loss, np.ones(2), lr, epochs)
        run = page.evaluate(
            """one => {
                const state = {...chapter.stateOf(""), ...one};
                const problem = chapter.problemOf(chapter.data, state.scale);
                const {path, losses} = chapter.runOf(chapter.data, problem, state);
                return {theta: [...path.slice(-2)], losses};
            }""",
            {"scale": scale, "lr": lr, "epochs": epochs, "w0": 1, "b0": 1},
        )
        close(run["theta"], theta)
        close(run["losses"], history)
    ours = page.evaluate("chapter.listing35(chapter.problemOf(chapter.data, 'raw').loss)")
    loss = quadratic.mean_squared_error(data.house(True))
    for k, (value, *theta) in enumerate(ours, 1):
        exact = quadratic.analytic_iterate(loss, np.ones(2), 1e-5, k * data.MILLION)
        before = quadratic.analytic_iterate(loss, np.ones(2), 1e-5, k * data.MILLION - 1)
        close([value, *theta], [loss.values(before), *exact])
        assert [f"{one:.4f}" for one in (value, *theta)] == data.book()[k - 1]


@pytest.mark.slow
def test_lines_without_steps_and_rates_are_those_of_the_solvers(page: Page) -> None:
    for scale in ("raw", "standardized"):
        rows = data.house(scale == "raw")
        loss = quadratic.mean_squared_error(rows)
        found = page.evaluate(
            """scale => {
                const {runOf, problemOf, factor, stableRate} = chapter;
                const problem = problemOf(chapter.data, scale), state = chapter.stateOf("");
                const of = (method) => [...runOf(chapter.data, problem, {...state, method}).path];
                const [slow, steep] = problem.loss.values;
                const momenta = [0, 0.3, 0.9, 0.99];
                return {
                    direct: of("closed_form"), pairs: of("pairwise_mean"), values: [slow, steep],
                    stable: stableRate(steep), minimum: problem.loss.minimum,
                    batches: [1, 2, 3, 4, 5, 6].map(k => chapter.stableInBatches(problem.x, k)),
                    factors: [slow, steep].map(value => momenta.map(m => [0.1, 0.9, 1.4].map(
                        share => factor(share * 2 / steep, value, m)))),
                };
            }""",
            scale,
        )
        close(found["direct"], least_squares(rows).theta)
        close(found["pairs"], pairwise_mean.fit(rows).theta)
        close(found["minimum"], loss.minimum)
        close(found["stable"], loss.max_stable_lr())
        values = np.linalg.eigvalsh(loss.hessian)
        # The slow one is lost to rounding in a matrix whose eigenvalues differ 400,000 times.
        np.testing.assert_allclose(found["values"], values, rtol=1e-9)
        close(found["batches"], [stable_in_batches(rows, size) for size in range(1, 7)])
        for value, of_value in zip(values, found["factors"], strict=True):
            for momentum, of_momentum in zip((0, 0.3, 0.9, 0.99), of_value, strict=True):
                for share, factor in zip((0.1, 0.9, 1.4), of_momentum, strict=True):
                    lr = share * 2 / values[-1]
                    close(factor, spectral_radius(lr * value, momentum))


def stable_in_batches(rows: ArrayRows, size: int) -> float:
    """The least of the stable rates of every batch."""
    chosen = combinations(range(6), size)
    batches = [ArrayRows(rows.X[[*one]], rows.y[[*one]]) for one in chosen]
    grams = [np.column_stack([one.X, np.ones(size)]) for one in batches]
    return float(min(2 / np.linalg.eigvalsh(2 / size * A.T @ A)[-1] for A in grams))


def spectral_radius(rate: float, momentum: float) -> float:
    """Of a step on (theta, theta before) in the direction of an eigenvector."""
    step = np.array([[1 + momentum - rate, -momentum], [1.0, 0.0]])
    return float(np.abs(np.linalg.eigvals(step)).max())


@pytest.mark.slow
def test_bcpm_on_two_features_predicts_as_the_solver_does(page: Page) -> None:
    settings = [
        {"first": 0, "second": 1, "bmethod": "sgd", "blr": 0.1, "bepochs": 100},
        {"first": 27, "second": 20, "bmethod": "momentum", "blr": 0.5, "bepochs": 50},
        {"first": 7, "second": 23, "bmethod": "adam", "blr": 0.1, "bepochs": 200},
        {"first": 3, "second": 3, "bmethod": "rmsprop", "blr": 0.01, "bepochs": 20},
    ]
    fits = page.evaluate(
        """settings => settings.map(one => {
            const state = {...chapter.stateOf(""), ...one}, table = chapter.data.cancer;
            const {theta, losses, onTest} = chapter.pairOf(table, state);
            const labels = table.test.map(row => table.labels[row]);
            const counts = [0.1, 0.5, 0.9].map(t => chapter.confusion(onTest, labels, t));
            return {theta: [...theta], losses, onTest, counts};
        })""",
        settings,
    )
    X, y = CANCER.to_numpy(float)[:, :-1], CANCER["target"].to_numpy(float)
    train, test = split_rows(len(y), 0.2, 1234)
    for one, fit in zip(settings, fits, strict=True):
        Z = X[:, [one["first"], one["second"]]]
        Z = standardized(Z, *fit_scaler(Z[train]))
        chosen = data.settings(lr=one["blr"], epochs=one["bepochs"], optimizer=one["bmethod"])
        rows = ArrayRows(Z[train], y[train])
        theirs = descent.descend(rows, chosen, "bce_with_logits", np.zeros(3), True, no_callback)
        p = sigmoid(Z[test] @ theirs.theta[:-1] + theirs.theta[-1])
        close(fit["theta"], theirs.theta)
        close(fit["losses"], theirs.history)
        close(fit["onTest"], p)
        for threshold, counts in zip((0.1, 0.5, 0.9), fit["counts"], strict=True):
            said = (p >= threshold).astype(int)
            assert (
                counts
                == pd.crosstab(y[test], said, dropna=False)
                .reindex(index=[0, 1], columns=[0, 1], fill_value=0)
                .to_numpy()
                .tolist()
            )


@pytest.mark.slow
def test_networks_learn_as_the_solver_does(page: Page) -> None:
    settings = [
        {"drawn": "rings", "hidden": 4, "activation": "tanh", "nmethod": "adam", "nlr": 0.05},
        {"drawn": "xor", "hidden": 8, "activation": "relu", "nmethod": "momentum", "nlr": 0.1},
        {"drawn": "moons", "hidden": 1, "activation": "sigmoid", "nmethod": "sgd", "nlr": 1.0},
        {"drawn": "xor", "hidden": 4, "activation": "tanh", "nmethod": "rmsprop", "nlr": 0.01},
    ]
    fits = page.evaluate(
        """settings => settings.map((one, nseed) => {
            const state = {...chapter.stateOf(""), ...one, nseed};
            const net = chapter.networkOf(chapter.data, state), losses = [];
            for (let k = 0; k < 60; k++) losses.push(net.step());
            const {hidden, activation} = state;
            const judged = chapter.judge(net.theta, hidden, activation, net.test);
            return {theta: [...net.theta], losses, ...judged};
        })""",
        settings,
    )
    for seed, (one, fit) in enumerate(zip(settings, fits, strict=True)):
        drawn = data.drawn(one["drawn"])
        X, y = np.array([drawn["x"], drawn["y"]]).T, np.array(drawn["labels"], float)
        Z, n = standardized(X, *fit_scaler(X[: data.TRAINED])), data.TRAINED
        chosen = NetworkDescent.of(
            **data.settings(
                lr=one["nlr"], epochs=60, optimizer=one["nmethod"], seed=seed
            ).model_dump(),
            **{"hidden": [one["hidden"]], "activation": one["activation"]},
            **{"dropout": 0.0, "early_stopping": 0.0},
        )
        theirs = network.fit(ArrayRows(Z[:n], y[:n]), chosen, "cross_entropy")
        (w1, w2), (b1, b2) = theirs.layers.weights, theirs.layers.biases
        close(fit["theta"], np.concatenate([w1.ravel(), b1, w2, b2[None]]))
        close(fit["losses"], theirs.history[:-1])
        assert fit["accuracy"] == np.mean((theirs.layers(Z[n:]) > 0) == y[n:])


def test_the_answers_of_the_exercises_are_measured() -> None:
    """By paths taken step by step, where data.py has a formula."""
    found = data.exercises()
    values = {name: one["values"] for name, one in found.items()}
    zeros, raw = np.zeros(2), quadratic.mean_squared_error(data.house(True))
    for lr, grows in (
        (values["rate"]["two"] * 1.001, True),
        (values["rate"]["two"] * 0.999, False),
    ):
        _, losses = quadratic.descend(raw, zeros, lr, 20_000)
        assert (losses[-1] > losses[0]) == grows
    for lr, grows in (
        (values["momentum"]["more"] * 1.01, True),
        (values["momentum"]["more"] * 0.99, False),
    ):
        losses = data.fit_flats(zeros, lr=lr, epochs=1000, optimizer="momentum").history
        assert (losses[-1] > losses[0]) == grows
    texts = build.read_texts()["exercises"]
    assert {*texts} == {*found}
    assert len(found) == 10
    for name, one in found.items():
        options = texts[name]["options"]
        assert one["right"] in options
        labels = [option["label"]["en"].format(**one["values"]) for option in options.values()]
        assert len({*labels}) == len(labels) >= 3


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_text_is_there_in_both_languages(lang: str) -> None:
    def leaves(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, str]]]:
        if isinstance(next(iter(node.values())), str):
            yield path, node
        else:
            for name, inner in node.items():
                yield from leaves(inner, f"{path}.{name}")

    texts = tomllib.loads(build.read("texts.toml"))
    for path, leaf in leaves(texts):
        assert leaf[lang].strip(), path
        names = [sorted({*re.findall(r"\{(\w+)\}", text)}) for text in leaf.values()]
        assert names[0] == names[1], path


def test_the_page_is_what_the_build_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == build.make()
    assert FILE.stat().st_size < 400_000
    assert not re.search(r"(?<![\w/])(https?:)?//(?!www\.w3\.org)[a-z]+\.", build.joined())


@pytest.mark.slow
def test_the_commands_that_are_shown_give_what_is_shown(page: Page) -> None:
    """Every line of Python runs, and each `-S` is a param that may have that value."""
    states: list[State] = [
        {"lr": 0.05, "epochs": 30, "method": "momentum", "momentum": 0.8},
        {"lr": 0.1, "epochs": 20, "batch": 2, "seed": 3},
        {"lr": 0.1, "epochs": 20, "batch": 4, "seed": 2, "method": "adam", "w0": 5, "b0": -3},
        {"scale": "raw", "lr": 1e-5, "epochs": 100, "w0": 1, "b0": 1},
        {"method": "closed_form"},
        {"method": "pairwise_mean"},
    ]
    shown = page.evaluate(
        """states => states.map(one => {
            const state = {...chapter.stateOf(""), ...one};
            const problem = chapter.problemOf(chapter.data, state.scale);
            const {path, losses} = chapter.runOf(chapter.data, problem, state);
            const [w, b] = path.slice(-2);
            return {commands: chapter.commandsOf(state), w, b, loss: losses.at(-1),
                    price: w * problem.seen(140) + b};
        })""",
        states,
    )
    typed: list[str] = []
    for one in shown:
        for command in one["commands"]:
            if command.startswith("dvc"):
                typed.append(command)
                continue
            printed = numbers_of(said_by(command))
            stepless, own_start = len(printed) == 1, "fit_flats" in command
            wanted = [one["w"], one["b"], one["loss"]] if own_start else [one["price"], one["loss"]]
            np.testing.assert_allclose(printed, wanted[:1] if stepless else wanted, rtol=1e-6)
    rest = page.evaluate(
        """() => {
            const state = {...chapter.stateOf(""), bmethod: "adam", threshold: 0.7};
            const {data} = chapter, fit = chapter.pairOf(data.cancer, state);
            const labels = data.cancer.test.map(row => data.cancer.labels[row]);
            const net = (hidden) => {
                const of = {...state, hidden, nepochs: 40}, one = chapter.networkOf(data, of);
                for (let k = 0; k < 40; k++) one.step();
                const judged = (rows) => chapter.judge(one.theta, hidden, "tanh", rows);
                const [{loss}, {accuracy}] = [one.train, one.test].map(judged);
                return {command: chapter.depthCommand(data, of), loss, accuracy};
            };
            const raw = chapter.problemOf(data, "raw").loss;
            return {
                cancer: chapter.cancerCommands(data.cancer, state), nets: [net(4), net(0)],
                counts: chapter.confusion(fit.onTest, labels, 0.7),
                listing: chapter.listingCommand(state),
                theta: chapter.analyticIterate(raw, [1, 1], 1e-5, 5e6),
            };
        }"""
    )
    python, dvc = rest["cancer"]
    table = np.reshape(numbers_of(said_by(python).split("\n", 2)[2]), (2, 3))
    assert table[:, 1:].tolist() == rest["counts"]
    np.testing.assert_allclose(numbers_of(said_by(rest["listing"]))[:2], rest["theta"], rtol=1e-6)
    for net in rest["nets"]:
        printed = numbers_of(said_by(net["command"]))
        np.testing.assert_allclose(printed, [net["loss"], net["accuracy"]], rtol=1e-9)
    for command in [*typed, dvc]:
        assert command.startswith("dvc exp run -S ")
        params: Any = YAML().load(ROOT / "params.yaml")
        for change in command.removeprefix("dvc exp run -S ").partition("  #")[0].split(" -S "):
            key, _, value = change.partition("=")
            *path, last = key.split(".")
            place = reduce(lambda node, name: node[name], path, params)
            assert last in place, key
            place[last] = YAML(typ="safe").load(value)
        text = StringIO()
        YAML().dump(params, text)
        parse_params(text.getvalue(), "params.yaml")
    assert len(typed) == 2


def said_by(python: str) -> str:
    said = StringIO()
    with redirect_stdout(said):
        exec(python, {})
    return said.getvalue()


def numbers_of(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d+\.?\d*(?:e[-+]\d+)?", text)]


CONTRASTS = """() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], under) => [r, g, b].map((v, k) => a * v + (1 - a) * under[k]);
    const behind = (node) => {
        const own = node ? parse(getComputedStyle(node).backgroundColor) : [255, 255, 255];
        return own[3] === 0 ? behind(node.parentElement) : over(own, [255, 255, 255]);
    };
    const light = (rgb) => rgb.map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const found = {};
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some(one => one.nodeType === 3 && one.data.trim());
        const seen = node.getClientRects().length && !node.closest("script, style, :disabled");
        if (!own || !seen) continue;
        const style = getComputedStyle(node), under = behind(node);
        const text = over(parse(node.closest("svg") ? style.fill : style.color), under);
        const [low, high] = [light(text), light(under)].sort((a, b) => a - b);
        found[`${text} on ${under}`] = (high + 0.05) / (low + 0.05);
    }
    return found;
}"""


@pytest.mark.slow
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_text_stands_out_and_nothing_overflows(page: Page, colours: Any) -> None:
    page.emulate_media(color_scheme=colours)
    show(page, "reading=book&lang=zh")
    page.locator("[name=rate]").first.check()
    page.locator("[name=momentum]").last.check()
    found = page.evaluate(CONTRASTS)
    assert len(found) >= 6
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}
    for width, lang in product((320, 390, 1280, 1920), ("en", "zh")):
        page.set_viewport_size({"width": width, "height": 900})
        page.locator(f"[data-lang={lang}]").click()
        expect(page.locator("html")).to_have_attribute("lang", re.compile(f"^{lang}"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 390, "height": 900})
    pictures = page.locator("figure svg, .stage").all()
    assert len(pictures) >= 8
    for picture in pictures:
        assert is_drawn(picture, colours=10)
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_control_and_picture_has_a_name(page: Page, lang: str) -> None:
    """As a screen reader finds them: in the tree that the browser gives it."""
    show(page, f"lang={lang}&batch=2&method=momentum")
    tree = page.locator("body").aria_snapshot()
    roles = r"slider|combobox|button|checkbox|radio|img|table|region|group|navigation"
    found = re.findall(rf"(?m)^ *- '?({roles})( .*|)$", tree)
    counts = {role: sum(one == role for one, _ in found) for role, _ in found}
    assert counts["slider"] >= 18
    assert counts["img"] >= 10
    assert counts["radio"] >= 30
    assert [role for role, rest in found if not re.match(r' "[^"]+', rest)] == []
    pictures = page.locator("[role=img]").evaluate_all("all => all.map(one => one.ariaLabel)")
    assert all(label and "NaN" not in label and "{" not in label for label in pictures)


@pytest.mark.slow
def test_the_keyboard_reaches_what_the_mouse_does(page: Page) -> None:
    show(page, "ask=yes&lr=1.5")
    verdict = page.locator("#question [role=status]")
    assert "diverges" not in verdict.inner_text()
    page.keyboard.press("Tab")  # to the languages; then on, to the question
    for _ in range(60):
        if page.evaluate("document.activeElement.textContent") == "It will":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(verdict).to_contain_text(
        "Right. It diverges: lr 1.5 is above the largest stable rate, 1."
    )
    page.locator("#lr").focus()
    before = page.locator("#surface [role=img]").get_attribute("aria-label")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("[#&]lr=1.48(&|$)"))
    assert page.locator("#surface [role=img]").get_attribute("aria-label") != before
    assert page.locator("#lr").get_attribute("aria-valuetext") == "1.48"


@pytest.mark.slow
def test_the_address_keeps_the_state_and_refuses_what_is_none(page: Page) -> None:
    state = {"lang": "zh", "scale": "raw", "lr": 2e-5, "batch": 3, "threshold": 0.7, "hidden": 0}
    hash_ = page.evaluate("one => chapter.hashOf({...chapter.stateOf(''), ...one})", state)
    show(page, hash_.removeprefix("#"))
    kept = page.evaluate("chapter.state")
    assert {name: kept[name] for name in state} == state
    assert page.title() == build.read_texts()["title"]["zh"]
    page.locator("nav a").nth(3).click()
    expect(page).to_have_url(re.compile("part=cancer.*lr=0.00002"))
    expect(page.locator("#cancer h2")).to_be_in_viewport()  # once it has scrolled there
    show(page, "lr=1e9&epochs=2.5&lang=<b>&method=toString&batch=&hidden=-1&scale=__proto__")
    assert page.evaluate("JSON.stringify(chapter.state) === JSON.stringify(chapter.stateOf(''))")


@pytest.mark.slow
def test_a_network_may_be_changed_while_it_learns_and_a_path_may_diverge(page: Page) -> None:
    """The fixture asserts that no number of a picture was lost on the way."""
    show(page, "lr=100&epochs=1000&batch=1&nepochs=2000")  # a path that ends beyond all numbers
    assert page.evaluate(
        "chapter.runOf(chapter.data, chapter.problemOf(chapter.data), chapter.state).diverged"
    )
    for hidden in (8, 0, 3, 1):
        page.evaluate(
            """hidden => new Promise(done => requestAnimationFrame(() => {
                chapter.set({hidden});
                requestAnimationFrame(() => requestAnimationFrame(done));
            }))""",
            hidden,
        )
    expect(page.locator("#depth-facts tr").last.locator("td").first).to_have_text("5")


def show(page: Page, hash_: str) -> None:
    """Open the page anew at an address."""
    page.goto(f"{FILE.as_uri()}#{hash_}")
    page.reload()
