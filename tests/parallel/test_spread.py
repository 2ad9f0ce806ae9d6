"""Work of any kind, spread over whoever works: items, entries of gradcheck."""

import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from parallel_losses import model, raised, square_or_die, wrong

from tinygrad_lstm import (
    DataError,
    DtypeError,
    Tensor,
    data_parallel,
    gradcheck,
    gradgradcheck,
    spread,
)
from tinygrad_lstm.progress import bar


@pytest.mark.parametrize("executor", [None, "threads"])
def test_results_come_in_the_order_of_the_items(executor):
    late = threading.Event()

    def one(item):
        if executor and item == 0:
            late.wait(0.2)
        return item * item

    assert spread(one, range(5), executor, workers=2) == [0, 1, 4, 9, 16]
    assert spread(one, [], executor) == []


@pytest.mark.slow
def test_processes_and_one_that_is_killed(tmp_path):
    items = [(str(tmp_path / "died"), i) for i in range(4)]
    assert spread(square_or_die, items, "processes", workers=2) == [0, 1, 4, 9]
    assert (tmp_path / "died").exists()


def test_what_an_item_raises_comes_back(pool):
    for executor in (None, "threads", pool):
        with pytest.raises(ValueError, match="of its own"):
            spread(raised, [ValueError("of its own")], executor, workers=1)


class Odd(Exception):
    def __reduce__(self):
        raise TypeError("it stays where it is")


def test_an_error_that_cannot_travel_comes_back_in_words(pool):
    with pytest.raises(DataError, match="a worker: Odd: its words"):
        spread(odd, [1], pool)


def test_nor_does_what_it_was_the_cause_of():
    """Where Dask is, errors travel with their causes."""
    pytest.importorskip("tblib")
    with ProcessPoolExecutor(1, initializer=with_causes) as pool:
        for _ in range(2):  # the pool is as good as before
            with pytest.raises(DataError, match="a worker: Odd: its words"):
                spread(odd, [1], pool)


def test_nor_what_a_shard_raises():
    pytest.importorskip("tblib")
    pool, params = ProcessPoolExecutor(1, initializer=with_causes), {"W": Tensor([1.0], True)}
    with pool, data_parallel(odd, pool, params=params) as step:
        for _ in range(2):
            with pytest.raises(DataError, match=r"shard 1, rows 0 to 2.*Odd: its words"):
                step(np.ones(3))


def with_causes():
    from tblib import pickling_support

    pickling_support.install()


def odd(*item):
    raise Odd("its words")


@pytest.mark.slow
def test_a_script_without_a_guard_ends_and_says_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from tinygrad_lstm import spread\nspread(abs, [-1, 2], 'processes', workers=1)\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert run.returncode == 1
    assert "start them under if __name__ == '__main__'" in run.stderr.splitlines()[-1]


def test_no_executor_is_refused():
    with pytest.raises(DtypeError, match="'threads', 'processes', a Client of Dask"):
        spread(abs, [1], executor=3)


X = Tensor(np.random.default_rng(1).normal(size=(3, 2)), name="x<2>")


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize("every", [True, False])
def test_gradcheck_says_the_same_whoever_looks(pool, every):
    large = Tensor(np.linspace(-1, 1, 600), name="x<2>")
    for f, x in ((model, X), (wrong, X if every else large)):
        alone = str(gradcheck(f, x, every=every))
        for executor in ("threads", pool):
            assert str(gradcheck(f, x, every=every, executor=executor)) == alone
    assert "d f / d x<2>" in alone


def test_gradgradcheck_too(pool):
    assert gradgradcheck(model, X, executor=pool)


def test_a_bar_only_in_a_terminal(monkeypatch, capsys):
    assert bar("title", 3, "") is None
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tinygrad_lstm.parallel.spread.SOON", 0)
    spread(abs, [1, 2, 3], "threads", title="numbers")
    assert "numbers:" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert bar("title", 3, "") is None


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert spread(abs, range(-3, 3), client) == [3, 2, 1, 0, 1, 2]
        assert gradcheck(model, X, executor=client.get_executor())
        with pytest.raises(RuntimeError, match="own words"):
            spread(raised, [RuntimeError("own words")], client)
