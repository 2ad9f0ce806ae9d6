"""Shards of a batch as branches of a fork: by threads, by processes, by Dask's workers."""

import importlib.util
import itertools
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from parallel_losses import Loss, W, die_once, fail, mean_error, wait

from tinygrad_lstm import (
    LSTM,
    DataError,
    DtypeError,
    GradientError,
    ShapeError,
    Tensor,
    add_n,
    compare,
    data_parallel,
    gradients,
)
from tinygrad_lstm.cli.main import main

rng = np.random.default_rng(0)
X, TARGETS = rng.normal(size=(4, 10, 2)), rng.normal(size=(4, 10, 3))
SINGLE = gradients(Loss()(X, TARGETS))
NAMES = [f"{kind}_{gate}" for kind in "Wb" for gate in "fuco"]
DASK = importlib.util.find_spec("distributed") is not None


def close(g, reference=SINGLE):
    for name in NAMES:
        np.testing.assert_allclose(g[name], reference[name], rtol=1e-12, atol=1e-13)


# What comes back.


@pytest.mark.parametrize("shards", [1, 2, 3, 10, 99])
def test_gradients_equal_those_of_one_process(shards):
    with data_parallel(Loss(), shards=shards) as step:
        loss, g = step(X, TARGETS, axis=1)
    np.testing.assert_allclose(loss, Loss()(X, TARGETS).item(), rtol=1e-13)
    assert list(g) == [*NAMES, "loss<1>", "loss"]
    close(g)


def test_a_shard_is_a_branch():
    with data_parallel(Loss(), shards=3) as step:
        _, g = step(X, TARGETS, axis=1, branches=True)
    for i, (start, stop) in enumerate([(0, 3), (3, 6), (6, 10)]):
        alone = gradients(Loss()(X[:, start:stop], TARGETS[:, start:stop]))
        np.testing.assert_allclose(g.branches("W_f")[i].gradient, alone["W_f"], rtol=1e-12)
        np.testing.assert_array_equal(g[f"W_f @ {i + 1}"], g.branches("W_f")[i].gradient)
    assert len(next(f for f in g.tape.forks if f.name == "W_f").branches) == 3
    assert compare(g, {name: SINGLE[name] for name in NAMES})
    report = compare(g, {"W_f @ 2": 2 * g["W_f @ 2"], "W_f": g["W_f"]})
    assert report.first.name == "W_f @ 2"


def test_the_sum_is_a_tree_over_the_shards_in_their_order():
    values = [np.float32(v) for v in (1e8, 1, -1e8, 1, 1)]
    w = Tensor(np.float32(1), True, "w")

    def loss(x):
        return (w * x).sum()

    with data_parallel(loss, shards=5, params={"w": w}) as step:
        _, g = step(np.array(values))
    assert g["w"] == ((values[0] + values[1]) + (values[2] + values[3])) + values[4]


@pytest.mark.parametrize("branches", [False, True])
def test_a_mean_is_weighted_by_rows(branches):
    x, targets = rng.normal(size=(7, 2)), rng.normal(size=(7, 2))
    arguments = {"params": {"W": W}, "shards": 3, "reduction": "mean"}
    with data_parallel(mean_error, **arguments) as step:
        loss, g = step(x, targets, branches=branches)
    whole = mean_error(x, targets)
    np.testing.assert_allclose(loss, whole.item(), rtol=1e-13)
    np.testing.assert_allclose(g["W"], gradients(whole)["W"], rtol=1e-12)


def test_weights_of_shards():
    with data_parallel(Loss(), shards=2, weights=[1.0, 0.5]) as step:
        loss, g = step(X, TARGETS, axis=1)
    halves = Loss()
    whole = add_n(halves(X[:, :5], TARGETS[:, :5]), 0.5 * halves(X[:, 5:], TARGETS[:, 5:]))
    np.testing.assert_allclose(loss, whole.item(), rtol=1e-13)
    close(g, gradients(whole))


def test_a_list_of_batches_options_and_whole_arguments():
    parts = [(X[:, :2], TARGETS[:, :2]), (X[:, 2:], TARGETS[:, 2:])]
    mask = [0, 0, 0, 1]
    with data_parallel(Loss()) as step:
        loss, g = step(parts, axis=1, mask=mask)
    whole = Loss()(X, TARGETS, mask=mask)
    np.testing.assert_allclose(loss, whole.item(), rtol=1e-13)
    close(g, gradients(whole))
    a = Tensor(np.array([1.0, 2.0]), True, "a")
    with data_parallel(lambda x, m: ((x @ m) * a).sum(), params={"a": a}, shards=2) as step:
        _, g = step(X[0], np.eye(2), axis=(0, None))
    np.testing.assert_allclose(g["a"], X[0].sum(axis=0), rtol=1e-12)


def test_an_array_in_a_bag_is_a_batch_of_one_argument():
    bag = pytest.importorskip("dask.bag")
    dask = pytest.importorskip("dask")
    a = Tensor(np.array([1.0, 2.0]), True, "a")
    parts = [X[0, :3], X[0, 3:]]
    with data_parallel(lambda x: (x * a).sum(), params={"a": a}) as step:
        for given in (bag.from_sequence(parts, npartitions=2), [dask.delayed(p) for p in parts]):
            _, g = step(given)
            np.testing.assert_allclose(g["a"], X[0].sum(axis=0), rtol=1e-12)


def test_float32_stays_and_parameters_are_read_afresh():
    lstm = LSTM(2, 3, rng=0, dtype=np.float32)
    with data_parallel(lstm.error, shards=2) as step:
        one, g = step(X.astype(np.float32), TARGETS.astype(np.float32), axis=1)
        assert one.dtype == g["W_f"].dtype == np.float32
        lstm.b_o.data = lstm.b_o.data + np.float32(1)
        two, _ = step(X.astype(np.float32), TARGETS.astype(np.float32), axis=1)
    assert one != two


def test_nested_parameters_have_names_with_points():
    model = {"a": {"w": Tensor(1.0, True)}, "b": Tensor(2.0, True, "b")}

    def loss(x):
        return (model["a"]["w"] * x + model["b"]).sum()

    with data_parallel(loss, params=model, shards=2) as step:
        _, g = step(np.arange(4.0))
    assert (float(g["a.w"]), float(g["b"])) == (6.0, 4.0)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_programs(executor):
    with data_parallel(Loss(), executor, shards=3, workers=2, compile=True) as step:
        close(step(X, TARGETS, axis=1)[1])
        step.parameters["b_f"].data = step.parameters["b_f"].data + 1
        _, g = step(X, TARGETS, axis=1)
        other = Loss()
        other.lstm.b_f.data = other.lstm.b_f.data + 1
        close(g, gradients(other(X, TARGETS)))


# By whom.


def test_processes():
    with data_parallel(Loss(), "processes", shards=4, workers=2) as step:
        first = step(X, TARGETS, axis=1)
        step.parameters["b_f"].data = step.parameters["b_f"].data + 1
        second = step(X, TARGETS, axis=1)
    close(first[1])
    assert first[0] != second[0]


def test_the_users_executors():
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1) as processes:
        for executor in (threads, processes):
            with data_parallel(Loss(), executor, shards=2) as step:
                close(step(X, TARGETS, axis=1)[1])
        assert threads.submit(int).result() == 0  # is not shut down


@pytest.mark.skipif(not importlib.util.find_spec("threadpoolctl"), reason="needs threadpoolctl")
def test_exact_is_the_same_to_the_last_bit():
    found = []
    for executor, workers in (("threads", 1), ("threads", 3), ("processes", 2)):
        with data_parallel(Loss(), executor, 3, exact=True, workers=workers) as step:
            found.append(step(X, TARGETS, axis=1)[1])
    for one, other in itertools.pairwise(found):
        assert all((one[name] == other[name]).all() for name in NAMES)


# Faults.


def test_a_killed_process_loses_nothing(tmp_path):
    loss = Loss(die_once, str(tmp_path / "died"))
    with data_parallel(loss, "processes", shards=3, workers=2) as step:
        close(step(X, TARGETS, axis=1)[1])
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_shard_that_fails_says_which_rows(executor):
    with (
        data_parallel(Loss(fail), executor, shards=2, workers=1) as step,
        pytest.raises(DataError, match="shard 1, rows 0 to 4: ValueError: a worker's own words"),
    ):
        step(X, TARGETS, axis=1)


def test_a_loss_that_is_not_finite_says_which_rows():
    w = Tensor(1.0, True, "w")
    with (
        data_parallel(lambda x: (w * x).sum(), params={"w": w}, shards=2) as step,
        pytest.raises(DataError, match="shard 2, rows 2 to 3: the loss is not finite: got inf"),
    ):
        step(np.array([1.0, 1, 1, np.inf]))


def test_the_others_are_cancelled():
    ran = []

    def before():
        ran.append(1)
        if len(ran) == 1:
            raise ValueError("first")

    with data_parallel(Loss(before), shards=10, workers=1) as step, pytest.raises(DataError):
        step(X, TARGETS, axis=1)
    assert len(ran) < 5


def test_ctrl_c_leaves_no_process_behind(tmp_path):
    code = (
        "from parallel_losses import Loss, wait; from tinygrad_lstm import data_parallel\n"
        "import numpy as np\n"
        "step = data_parallel(Loss(wait, 60), 'processes', shards=2, workers=2)\n"
        "print('ready', flush=True)\n"
        "step(np.ones((2, 4, 2)), np.ones((2, 4, 3)), axis=1)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(
        "if __name__ == '__main__':\n" + "".join(f"    {c}\n" for c in code.split("\n"))
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    threading.Event().wait(3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert any(gone(process.pid) for _ in range(100))


def gone(group):
    """Whether no process of a group is left; a server that starts some needs a moment to notice
    that it is alone."""
    threading.Event().wait(0.1)
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


# Refused.


W_OUTSIDE = Tensor(2.0, True, "w")


def closed():
    with data_parallel(Loss()) as step:
        return step


@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (lambda: data_parallel(lambda x: x), DtypeError, "no parameters"),
        (lambda: data_parallel(Loss(), shards=0), ShapeError, "1 or more"),
        (lambda: data_parallel(Loss(), executor=3), DtypeError, "no executor"),
        (lambda: data_parallel(Loss(), ThreadPoolExecutor), DtypeError, "no executor"),
        (lambda: data_parallel(Loss(), reduction="max"), DataError, "'sum' or 'mean'"),
        (lambda: data_parallel(Loss(), workers=0), ShapeError, "workers: .*1 or more, got 0"),
        (lambda: data_parallel(lambda x: 1.0, params={"w": W_OUTSIDE})(X), DataError, "got float"),
        (lambda: closed()(X, TARGETS, axis=1), DataError, "have ended; call it inside"),
        (
            lambda: data_parallel(Loss(), params={"x": 1.0}),
            DtypeError,
            "x: a parameter is a Tensor",
        ),
        (lambda: data_parallel(Loss(), params={"x": Tensor(1.0)}), DtypeError, "a leaf that req"),
        (lambda: data_parallel(Loss())(X, TARGETS[:, :3], axis=1), ShapeError, "3 in argument 1"),
        (lambda: data_parallel(Loss())(X[:, :0], TARGETS[:, :0], axis=1), ShapeError, "at least 1"),
        (lambda: data_parallel(Loss())(X, TARGETS, axis=7), ShapeError, "no such axis"),
        (lambda: data_parallel(Loss())([]), DataError, "no batch"),
        (
            lambda: data_parallel(Loss(), weights=[1])(X, TARGETS, axis=1),
            ShapeError,
            "one for each shard",
        ),
        (
            lambda: data_parallel(Loss(), reduction="mean")(X, TARGETS, axis=1),
            DataError,
            "no mean over the rows.*give reduction='sum'",
        ),
        (
            lambda: data_parallel(lambda x: (x * W_OUTSIDE).sum() ** 2, params={"w": W_OUTSIDE})(
                np.arange(1.0, 5)
            ),
            DataError,
            "no sum over the rows.*give weights=",
        ),
        (
            lambda: data_parallel(
                lambda x, y: Loss()(x, y) * W_OUTSIDE, params={"b": Tensor(1.0, True)}, shards=2
            )(X, TARGETS, axis=1),
            GradientError,
            "requires gradients and is no parameter",
        ),
        (lambda: data_parallel(Loss())(Tensor(X, True), TARGETS, axis=1), DtypeError, "data"),
    ],
)
def test_refused(call, kind, match):
    with pytest.raises(kind, match=match):
        call()


def test_what_cannot_be_pickled_says_how_to_define_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    a = Tensor(1.0, True, "a")
    with (
        data_parallel(lambda x: (a * x).sum(), "processes", params={"a": a}, workers=1) as step,
        pytest.raises(DtypeError, match="cannot be sent.*define it with def"),
    ):
        step(np.ones(3))
    monkeypatch.undo()
    if DASK:  # cloudpickle sends lambdas, and what they must not refer to is still found
        step = data_parallel(lambda x: (W_OUTSIDE * a * x).sum(), "processes", params={"a": a})
        with step, pytest.raises(GradientError, match="w .*is no parameter"):
            step(np.ones(3))


# Dask.


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster(client):
    for executor in (client, client.get_executor()):
        step = data_parallel(Loss(), executor, shards=5)
        close(step(X, TARGETS, axis=1)[1])
        _, g = step(X, TARGETS, axis=1, branches=True)
        assert len(g.branches("b_o")) == 5
    words = "shard ., rows (0 to 4|5 to 9): ValueError: a worker's own words"
    with pytest.raises(DataError, match=words):  # of the shard that was faster
        data_parallel(Loss(fail), client, shards=2)(X, TARGETS, axis=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dasks_collections(client):
    array = pytest.importorskip("dask.array")
    bag = pytest.importorskip("dask.bag")
    dask = pytest.importorskip("dask")
    x, targets = (array.from_array(v, chunks=(4, 4, v.shape[2])) for v in (X, TARGETS))
    parts = [(X[:, i : i + 2], TARGETS[:, i : i + 2]) for i in range(0, 10, 2)]
    for executor in (client, "threads"):
        with data_parallel(Loss(), executor) as step:
            close(step(x, targets, axis=1)[1])
            close(step(bag.from_sequence(parts, npartitions=2), axis=1)[1])
            close(step([dask.delayed(part) for part in parts], axis=1)[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_worker_that_dies_or_joins_late(client, tmp_path):
    step = data_parallel(Loss(die_once, str(tmp_path / "died")), client, shards=6)
    close(step(X, TARGETS, axis=1)[1])
    assert (tmp_path / "died").exists()
    client.cluster.scale(3)
    client.wait_for_workers(3, timeout=100)
    slow = data_parallel(Loss(wait, 0.2), client, shards=6)
    close(slow(X, TARGETS, axis=1)[1])


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path, monkeypatch, capsys):
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    words = ["train", "--data", "sunspots", "--epochs", "1", "--scheduler", "tcp://127.0.0.1:9"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "tcp://127.0.0.1:9: no scheduler answers" in error


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_trains(client, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["train", "--data", "sunspots", "--epochs", "1", "--units", "2"]
    assert main([*words, "--out", "one"]) == 0
    alone = capsys.readouterr().out.replace("one/", "")
    assert main([*words, "--out", "two", "--scheduler", client.scheduler.address]) == 0
    assert capsys.readouterr().out.replace("two/", "") == alone
