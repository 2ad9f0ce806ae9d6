"""A folder of files that is never in memory as a whole, against the same series in memory."""

import gzip
import itertools

import numpy as np
import pytest

from tinygrad_lstm import DataError, data_parallel, nn
from tinygrad_lstm.cli.main import main
from tinygrad_lstm.training import Run, Scaling, Series, open_series, read_series
from tinygrad_lstm.training.model import Forecaster, MeanSquaredError, Options

pd = pytest.importorskip("pandas")
pytest.importorskip("dask.dataframe")
pytestmark = pytest.mark.filterwarnings("default")  # what is pandas' own business

VALUES = np.sin(np.arange(1000) * 0.3) + np.arange(1000) / 500
SMALL = {"window": 6, "units": 2, "batch": 100, "validation": 40, "test": 60, "epochs": 2}


def written(folder, values, kind="csv", cuts=(300, 310, 800)):
    """A series in files of very different lengths, whose names sort as numbers."""
    folder.mkdir(parents=True)
    edges = [0, *cuts, len(values)]
    for i, (start, stop) in enumerate(itertools.pairwise(edges), 8):
        frame = pd.DataFrame({"time": np.arange(start, stop), "load": values[start:stop]})
        path = folder / f"part{i}.{kind}"
        if kind == "parquet":
            frame.to_parquet(path, row_group_size=100)
        else:
            frame.to_csv(path, index=False)
    return folder


@pytest.fixture(scope="module", params=["csv", "parquet", "csv.gz"])
def folder(request, tmp_path_factory):
    return written(tmp_path_factory.mktemp("data") / request.param, VALUES, request.param)


def test_rows_and_scaling_are_those_of_the_whole(folder):
    series = open_series(folder, "load", piece=1000)
    assert len(series) == 1000 and series.filled == 0
    assert len(series.pieces) >= (4 if folder.name == "csv.gz" else 8)
    for start, end in ((0, 1000), (295, 815), (999, 1000), (5, 5), (900, 2000)):
        np.testing.assert_allclose(series.between(start, end), VALUES[start:end], rtol=1e-14)
    for end in (None, 940, 305, 10):
        expected = Scaling.fitted(VALUES[:end])
        found = series.scaling(end)
        np.testing.assert_allclose((found.centre, found.width), (expected.centre, expected.width))


def test_the_windows_are_those_of_the_whole(folder):
    series, whole = open_series(folder, "load", piece=1000), Series(VALUES, "load")
    scaling = series.scaling(950)
    for end in (None, 950):
        found, expected = (
            np.concatenate([np.hstack(b) for b in s.batches(3, 32, 20, 2, end, scaling)])
            for s in (series, whole)
        )
        assert not np.array_equal(found, found[np.lexsort(found.T[::-1])])  # they are mixed
        order = (a[np.lexsort(a.T[::-1])] for a in (found, expected))
        np.testing.assert_allclose(*order, rtol=1e-12)
    batches = [[b[0] for b in series.batches(seed, 32, 20)] for seed in (1, 1, 2)]
    assert all(map(np.array_equal, batches[0], batches[1]))
    assert not np.array_equal(batches[0][0], batches[2][0])


def test_a_run_on_a_folder_is_one_on_the_series(folder, tmp_path):
    large, whole = (
        Run(series, **SMALL) for series in (open_series(folder), Series(VALUES, "load"))
    )
    for run in (large, whole):
        run.fit()
    np.testing.assert_allclose(list(large.scores().values())[1:], list(whole.scores().values())[1:])
    assert large.history[-1][1] < 1.5 * whole.history[0][1]  # another order of windows
    large.save(tmp_path / "run")
    again = Run.load(tmp_path / "run")
    np.testing.assert_array_equal(again.forecast(3), large.forecast(3))
    assert (tmp_path / "run").stat().st_size < 30_000


def test_each_worker_reads_its_pieces(folder):
    series = open_series(folder, "load", piece=1000)
    scaling = series.scaling()
    lazy = series.lazy_windows(6, 1, scaling)
    loss = MeanSquaredError(Forecaster(Options(window=6, units=2)))
    with data_parallel(loss, "threads", reduction="mean", workers=2) as step:
        value, _ = step(lazy)
    (batch,) = Series(VALUES, "load").batches(0, 2000, 6, 1, None, scaling)
    np.testing.assert_allclose(value, loss(*batch).item(), rtol=1e-12)


@pytest.mark.parametrize("gaps", [[0, 1], [5, 299, 300, 301], [299, *range(300, 310)], [999]])
def test_gaps(tmp_path, gaps):
    values = VALUES.copy()
    values[gaps] = np.nan
    folder = written(tmp_path / "gaps", values)
    with pytest.raises(
        DataError, match=f"part.*csv, column load, row {gaps[0]} of all: {len(gaps)} v"
    ):
        len(open_series(folder))
    series = open_series(folder, missing="previous")
    expected = read_series(values, missing="previous").values
    assert series.filled == len(gaps)
    np.testing.assert_allclose(series.between(0, 1000), expected)
    np.testing.assert_allclose(series.scaling().centre, expected.mean())
    lazy = [b.compute(scheduler="synchronous") for b in series.lazy_windows(4)]
    np.testing.assert_allclose(np.concatenate([y for _, y in lazy])[:, 0], expected[4:])


def test_files_as_people_have_them(tmp_path):
    folder = tmp_path / "odd"
    (folder / "2024").mkdir(parents=True)
    (folder / "2024" / "b.csv").write_text("\ufefft;wert\r\n1;1,5\r\n2;NA\r\n", "utf-8")
    with gzip.open(folder / "2024" / "a.csv.gz", "wt") as file:
        file.write("t;wert\n0;0,5\n")
    (folder / ".hidden.csv").write_text("nothing")
    (folder / "notes.md").write_text("nothing")
    series = open_series(folder, "wert", missing="previous")
    assert series.between(0, 9).tolist() == [0.5, 1.5, 1.5]
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "x.csv").write_text("1,10\n2,20\n")
    assert open_series(tmp_path / "bare").between(0, 2).tolist() == [10, 20]
    assert open_series(tmp_path / "bare", "1").between(0, 2).tolist() == [1, 2]


def test_a_frame_of_dask_and_whole_numbers(tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(pd.DataFrame({"a": range(10), "b": list("abcdefghij")}), npartitions=3)
    series = open_series(frame, "a")
    assert series.between(2, 9).tolist() == [2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(DataError, match="partition 1: a series holds numbers"):
        len(open_series(frame))
    with pytest.raises(DataError, match="cannot be kept in a file"):
        series.state()


def test_what_cannot_be_read_is_one_error(tmp_path):
    def refused(match, write=None, column=None, **options):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name, text in (write or {}).items():
            (folder / name).write_text(text)
        with pytest.raises(DataError, match=match) as error:
            len(open_series(folder, column, **options))
        assert "\n" not in str(error.value)

    refused("there is nothing to read")
    refused("no such column: expected one of t, v, got 'w'", {"a.csv": "t,v\n1,2\n"}, "w")
    refused("two kinds", {"a.csv": "t,v\n1,2\n", "b.parquet": ""})
    refused("other columns.*got t, u", {"a.csv": "t,v\n1,2\n", "b.csv": "t,u\n1,2\n"})
    refused("a.csv: .*'abc'", {"a.csv": "t,v\n1,abc\n"})
    refused("infinite", {"a.csv": "t,v\n1,inf\n"})
    refused("empty", {"a.csv": ""})
    refused("all values are missing", {"a.csv": "t,v\n1,\n2,\n"}, missing="previous")
    refused("b.parquet", {"b.parquet": "no parquet"})
    refused("refuse or previous", {"a.csv": "t,v\n1,2\n"}, missing="linear")
    refused("'.' or ','", {"a.csv": "t,v\n1,2\n"}, decimal=";")


def test_a_folder_from_the_command_line(tmp_path, monkeypatch, capsys):
    folder = written(tmp_path / "data", VALUES)
    monkeypatch.chdir(tmp_path)
    words = [f"--{name}={value}" for name, value in SMALL.items()]
    assert main(["train", "--data", str(folder), "--column", "load", *words]) == 0
    out = capsys.readouterr().out
    assert "column load, 1000 values: 900 for training" in out and "linear autoregression" in out
    assert main(["forecast", "--checkpoint", "out/run.ckpt", "--steps", "2"]) == 0
    assert capsys.readouterr().out.startswith("time,load\n1,")
    state = nn.load("out/run.ckpt")
    state["series"]["rows"] += 1
    nn.save("out/run.ckpt", state)
    assert main(["forecast", "--checkpoint", "out/run.ckpt"]) == 2
    assert "the folder has changed" in capsys.readouterr().err
