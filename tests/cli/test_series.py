"""Reading a series from CSV: what is accepted, and what each refusal says."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lstm import DataError
from tinygrad_lstm.cli.series import read_series, scale


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "s.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "1.5\n-2\n3e1\n",
        "v\n1.5\n-2\n3e1",
        "v\r\n1.5\r\n-2\r\n3e1\r\n\r\n",
        b"\xef\xbb\xbfv\n1.5\n-2\n3e1\n",
        '"v"\n"1.5"\n"-2"\n"3e1"\n',
        "t;v\n1;1.5\n2;-2\n3;3e1\n",
        "t\tv\na\t1.5\nb\t-2\nc\t3e1\n",
        '"a;b",v\n1, 1.5\n2, -2\n3, 3e1\n',
        '"two\nlines",v\n1,1.5\n2,-2\n3,3e1\n',
        "1700-01-01,1.5\n1701-01-01,-2\n1702-01-01,3e1\n",
    ],
)
def test_forms_of_csv_that_hold_the_same_numbers(file, content):
    values, _ = read_series(file(content))
    assert values.tolist() == [1.5, -2.0, 30.0]
    assert values.dtype == np.float64


def test_a_column_by_name_or_by_number(file):
    assert read_series(file("a,b\n1,2\n3,4\n"), "a")[0].tolist() == [1, 3]
    assert read_series(file("land,2020\nx,2\ny,4\n"), "2020")[0].tolist() == [2, 4]
    values, label = read_series(file("1,2\n3,4\n"), "1")
    assert (values.tolist(), label) == ([1, 3], "1")


@given(
    st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
        min_size=1,
    )
)
def test_what_the_csv_module_writes_comes_back_bit_by_bit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "s.csv"
    with path.open("w", newline="") as f:
        csv.writer(f).writerows([["a", "b"], *rows])
    np.testing.assert_array_equal(read_series(path, "a")[0], [a for a, _ in rows])


@pytest.mark.parametrize(
    ("content", "column", "parts"),
    [
        ("", None, ["empty"]),
        ("a,b\n1,2\n3\n", None, ["line 3", "expected 2 cells, got 1"]),
        ("a\n1\n\n2\n", None, ["line 3", "expected 1 cells, got 0"]),
        ("a,b\n1,2\n", "c", ["no such column", "one of a, b", "'c'"]),
        ("a,a\n1,2\n", "a", ["several columns"]),
        ("a,b\n1,2\n3,x\n", None, ["line 3", "column b", "'x'"]),
        ("a,b\n1,2\n3,\n", None, ["line 3", "column b", "an empty cell"]),
        ("a,b\n1,nan\n", None, ["line 2", "column b", "'nan'"]),
        ("a,b\n1,-inf\n", None, ["line 2", "'-inf'"]),
        ("a;b\n1;2,5\n", None, ["line 2", "'2,5'", "with a point"]),
        ('a,b\n1,"2\n', None, ["not CSV", "line 2"]),
        (b"\xff\xfea\x00,\x00", None, ["UTF-8"]),
        (b"a\n1\x00\n", None, ["line"]),
    ],
)
def test_each_refusal_is_one_line_that_says_where(file, content, column, parts):
    path = file(content)
    with pytest.raises(DataError) as caught:
        read_series(path, column)
    message = str(caught.value)
    assert "\n" not in message
    for part in [str(path), *parts]:
        assert part in message


def test_a_file_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_series(path)


def test_the_shipped_series_is_the_published_one():
    values, label = read_series("sunspots")
    years, _ = read_series("sunspots", "year")
    assert label == "sunspots"
    assert years.tolist() == list(range(1700, 2009))
    assert (
        values.sum().round(6) == 15373.4
        and values.max() == 190.2
        and years[values.argmax()] == 1957
    )


def test_a_file_called_like_the_shipped_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sunspots").write_text("1\n2\n")
    assert len(read_series("./sunspots")[0]) == 2
    assert len(read_series("sunspots")[0]) == 309


@given(st.lists(st.floats(-1e300, 1e300), min_size=2).filter(lambda v: max(v) - min(v) > 1e-300))
def test_scaled_values_fill_the_interval_in_the_same_order(values):
    values = np.array(values)
    scaled = scale(values, "v")
    assert scaled.min() == -1 and scaled.max() == 1
    assert (np.diff(scaled[np.argsort(values, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("values", [[2.0, 2.0], [-1.7e308, 1.7e308]])
def test_what_cannot_be_scaled(values):
    with pytest.raises(DataError, match="cannot be scaled"):
        scale(np.array(values), "v")
