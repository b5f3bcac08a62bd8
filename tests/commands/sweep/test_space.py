import pytest

from pipeline.commands.sweep.space import Range, Space, parse_space
from pipeline.core.errors import PipelineError
from pipeline.core.scikit_learn import defaults, of_line
from pipeline.core.settings.descent import params_of
from pipeline.core.settings.models import Wanted
from pipeline.core.trainers import Value
from tests.conftest import descent


def parsed(*arguments: str, trials: int | None = None) -> Space:
    params = params_of("torch_sgd", descent(loss="mse", device="cpu"))
    return parse_space(arguments, Wanted("torch_sgd", "torch_sgd", params), trials)


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("lr=1e-3,0.1,1", (0.001, 0.1, 1.0)),
        ("epochs=50,100", (50, 100)),
        ("batch_size=16,full", (16, "full")),
        ("optimizer=adam,sgd", ("adam", "sgd")),
        ("loss_threshold=0,1e-05", (0.0, 1e-05)),
        ("tolerance=0,1e-4", (0.0, 1e-4)),
        ("seed=7", (7,)),
    ],
)
def test_values_are_read_as_from_params_yaml(argument: str, values: tuple[Value, ...]) -> None:
    (axis,) = parsed(argument).axes.values()
    assert axis == values
    assert [type(value) for value in values] == [type(value) for value in axis]


LAYERS = Wanted("deep", "network", {"hidden": [16, 8], "activation": "relu", "dropout": 0.0})


def of_network(*arguments: str, trials: int | None = None) -> Space:
    rest = params_of("manual_gd", descent(loss="mse"))
    rest |= {"early_stopping": 0.1, "class_weight": "none"}
    return parse_space(arguments, LAYERS._replace(params=LAYERS.params | rest), trials)


def test_lists_are_values_too() -> None:
    space = of_network("hidden=[8],[16,8], [4, 4,4]", "activation=relu,tanh", "dropout=0,0.5")
    assert space.axes["hidden"] == ([8], [16, 8], [4, 4, 4])
    assert space.axes["activation"] == ("relu", "tanh")
    assert space.size == 12 == len([*space.grid()])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "hidden=16,8",
            r"^hidden=16,8: hidden: expected list, got 16; write hidden=\[16,8\] for one",
        ),
        ("hidden=[]", r"^hidden=\[\]: hidden: expected .*at least 1 item"),
        ("hidden=[0]", r"^hidden=\[0\]: hidden\.0: expected greater than or equal to 1, got 0$"),
        ("hidden=[[8],[16]]", r"^hidden=\[\[8\],\[16\]\]: hidden\.0: expected integer, got \[8\]"),
        ("hidden=[8,[16", r"^hidden=\[8,\[16: \[8,\[16 is no value$"),
        ("hidden=[8]]", r"^hidden=\[8\]\]: \[8\]\] is no value$"),
        ("hidden=[8],", r"^hidden=\[8\],: a value is missing"),
        ("hidden=[8],[8]", r"^hidden=\[8\],\[8\]: \[8\] is given twice$"),
        ("hidden=[4]..[8]", r"^hidden=\[4\]\.\.\[8\]: a range is of numbers"),
        ("activation=gelu", r"^activation=gelu: activation: expected 'relu', 'tanh' or 'sigmoid'"),
        ("dropout=1", r"^dropout=1: dropout: expected less than 1, got 1$"),
    ],
)
def test_a_bad_value_of_a_network_is_named(argument: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        of_network(argument)


def of_estimator(name: str, *arguments: str, trials: int | None = None) -> Space:
    params = of_line(name, {}) | {f"params.{k}": v for k, v in defaults(name).items()}
    return parse_space(arguments, Wanted("one", "sklearn", params), trials)


def test_an_estimator_may_make_two_things_of_one_number() -> None:
    space = of_estimator("RandomForestRegressor", "params.max_features=1,1.0")
    assert [*map(repr, space.axes["params.max_features"])] == ["1", "1.0"]
    one = of_estimator("RandomForestRegressor", "params.max_features=1.0")
    assert one.asks_for({"params.max_features": 1.0})
    assert not one.asks_for({"params.max_features": 1})


@pytest.mark.parametrize("name", ["MLPRegressor", "MLPClassifier"])
def test_layers_of_an_estimator_are_swept(name: str) -> None:
    space = of_estimator(name, "params.hidden_layer_sizes=[8],[16,8]")
    assert space.axes["params.hidden_layer_sizes"] == ([8], [16, 8])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("params.max_features=1.0,1.00", r"1\.0 is given twice$"),
        ("params.max_leaf_nodes=.inf", r"params\.max_leaf_nodes: expected a number, text, true"),
        ("params.criterion={a: 1}", r"params\.criterion: expected a number, text, true"),
        ("params.bootstrap=false..true", r"a range is of numbers"),
        ("params.max_depth=1..true", r"max_depth: expected an int|a range is of numbers"),
    ],
)
def test_a_bad_value_of_an_estimator_is_named(argument: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        of_estimator("RandomForestRegressor", argument, trials=3 if ".." in argument else None)


@pytest.mark.parametrize(
    ("argument", "axis"),
    [
        ("lr=0.001..1", Range(0.001, 1.0)),
        ("weight_decay=0..0.1", Range(0.0, 0.1)),
        ("weight_decay=1e-6..1e-1", Range(1e-06, 0.1)),
        ("momentum=.5...9", Range(0.5, 0.9)),
        ("epochs=10..200", Range(10, 200)),
        ("batch_size=8..64", Range(8, 64)),
    ],
)
def test_ranges_are_read(argument: str, axis: Range) -> None:
    (found,) = parsed(argument, trials=5).axes.values()
    assert found == axis
    assert [*map(type, found)] == [*map(type, axis)]


def test_a_grid_has_every_combination_in_order() -> None:
    space = parsed("lr=0.1,0.2", "epochs=1,2,3")
    assert space.size == 6
    assert [tuple(point.values()) for point in space.grid()] == [
        (lr, epochs) for lr in (0.1, 0.2) for epochs in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lr"], r"^lr: expected PARAM=VALUES, such as lr=0\.001,0\.01,0\.1$"),
        (["lrr=1"], r"^lrr=1: torch_sgd has no param 'lrr' \(did you mean lr\?\); it has lr, "),
        (["=1"], r"^=1: torch_sgd has no param ''"),
        (["lr=0.1", "lr=1"], r"^lr=1: lr is given twice"),
        (["lr="], r"^lr=: a value is missing"),
        (["lr=0.1,,1"], r"^lr=0\.1,,1: a value is missing"),
        (["lr=0.1,-1"], r"^lr=0\.1,-1: lr: expected greater than 0, got -1$"),
        (["lr=abc"], r"^lr=abc: lr: expected number, got \"abc\"$"),
        (["lr=.nan"], r"^lr=\.nan: lr: expected a finite number, got NaN$"),
        (["lr=true"], r"^lr=true: lr: expected number, got true$"),
        (["lr=null"], r"^lr=null: lr: expected number, got null$"),
        (["lr=[1"], r"^lr=\[1: \[1 is no value$"),
        (["lr=!!python/name:os.system"], r"^lr=.*: !!python/name:os\.system is no value$"),
        (["epochs=1.5"], r"^epochs=1\.5: epochs: expected"),
        (["batch_size=0"], r"^batch_size=0: batch_size: expected full or a whole number from 1"),
        (["optimizer=adma"], r"^optimizer=adma: optimizer: expected 'sgd', "),
        (["lr=0.1,1e-1"], r"^lr=0\.1,1e-1: 0\.1 is given twice$"),
        (["lr=0.1..1"], r"^lr=0\.1\.\.1: a range needs --trials N, such as --trials 30$"),
        (["lr=0.1..1,2"], r"^lr=0\.1\.\.1,2: 0\.1\.\.1: one range, LOW\.\.HIGH, or a list"),
        (["lr=" + ",".join(map(str, range(1, 102))), "epochs=" + "1," * 99 + "2"], "10,100 points"),
    ],
)
def test_a_bad_argument_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        parsed(*arguments)


@pytest.mark.parametrize(
    ("argument", "trials", "message"),
    [
        ("lr=0.1,1", 5, r"^--trials 5: goes with a range, such as lr=0\.001\.\.1"),
        ("lr=0.1..1", 0, r"^--trials 0: expected a whole number from 1 to 10,000$"),
        ("lr=0.1..1", 10_001, r"^--trials 10001: expected"),
        ("lr=1..0.1", 5, r"^lr=1\.\.0\.1: the lower end of a range comes first"),
        ("lr=0..1", 5, r"^lr=0\.\.1: lr: expected greater than 0, got 0$"),
        ("optimizer=adam..sgd", 5, r"^optimizer=adam\.\.sgd: a range is of numbers"),
        ("batch_size=8..full", 5, r"^batch_size=8\.\.full: a range is of numbers"),
        ("epochs=1..2.5", 5, r"^epochs=1\.\.2\.5: epochs: expected"),
    ],
)
def test_a_bad_range_is_named(argument: str, trials: int, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        parsed(argument, trials=trials)


def test_a_trainer_has_only_its_own_params() -> None:
    with pytest.raises(PipelineError, match="bcpm has no param 'loss'"):
        parse_space(["loss=mae"], Wanted("bcpm", "bcpm", params_of("bcpm", descent())))
