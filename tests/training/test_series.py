"""Reading a series from CSV: what is accepted, and what each refusal says."""

import csv
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lstm import DataError
from tinygrad_lstm.training import read_series
from tinygrad_lstm.training.series import scale
from tinygrad_lstm.training.times import following


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
        "t;v\n1;1,5\n2;-2\n3;3e1\n",
        't,v\n1,"1,5"\n2,"-2"\n3,"30,0"\n',
        "t;v;\n1;1.5;\n2;-2;\n3;30;\n",
        "01.02.2020;1,5\n02.02.2020;-2,0\n03.02.2020;30\n",
        gzip.compress(b"v\n1.5\n-2\n3e1\n", mtime=0),
        b"\xef\xbb\xbfv\r\n1.5\r\n-2\r\n3e1",
    ],
)
def test_forms_of_csv_that_hold_the_same_numbers(file, content):
    values = read_series(file(content)).values
    assert values.tolist() == [1.5, -2.0, 30.0]
    assert values.dtype == np.float64


def test_a_column_by_name_or_by_number(file):
    assert read_series(file("a,b\n1,2\n3,4\n"), "a").values.tolist() == [1, 3]
    assert read_series(file("land,2020\nx,2\ny,4\n"), "2020").values.tolist() == [2, 4]
    series = read_series(file("1,2\n3,4\n"), "1")
    assert (series.values.tolist(), series.name) == ([1, 3], "1")


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
    np.testing.assert_array_equal(read_series(path, "a").values, [a for a, _ in rows])


@pytest.mark.parametrize(
    ("content", "column", "parts"),
    [
        ("", None, ["empty"]),
        ("a,b\n1,2\n3\n", None, ["line 3", "expected 2 cells, got 1"]),
        ("a\n1\n\n2\n", None, ["line 3", "1 of 3 values are missing"]),
        ("a,b\n", None, ["no row"]),
        ('a,b\n1,"1,234"\n', None, ["line 2", "part thousands", "'1,234'", "--decimal"]),
        ("a\tb\n1\t1,234\n", None, ["part thousands"]),
        ("a,b\n1,2\n", "c", ["no such column", "one of a, b", "'c'"]),
        ("a,a\n1,2\n", "a", ["several columns"]),
        ("a,b\n1,2\n3,x\n", None, ["line 3", "column b", "'x'"]),
        ("a,b\n1,2\n3,\n", None, ["line 3", "column b", "missing", "--missing"]),
        ("a,b\n1,nan\n", None, ["line 2", "column b", "all values are missing"]),
        ("a,b\n1,-inf\n", None, ["line 2", "'-inf'"]),
        ("a;b\n1;2.5\n2;3,5\n", None, ["line 3", "'3,5'", "with a point"]),
        (gzip.compress(b"v\n1\n", mtime=0)[:-4], None, ["not whole"]),
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
    values, years = (read_series("sunspots", name).values for name in (None, "year"))
    assert read_series("sunspots").name == "sunspots"
    assert years.tolist() == list(range(1700, 2009))
    assert (
        values.sum().round(6) == 15373.4
        and values.max() == 190.2
        and years[values.argmax()] == 1957
    )


def test_a_file_called_like_the_shipped_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sunspots").write_text("1\n2\n")
    assert len(read_series("./sunspots")) == 2
    assert len(read_series("sunspots")) == 309


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


def test_grouped_digits_and_a_sign_that_is_asked_for(file):
    grouped = file("t;a\n1;1.234,5\n2;2.000.000\n3;-3,25\n")
    assert read_series(grouped).values.tolist() == [1234.5, 2e6, -3.25]
    ambiguous = file("t;a\n1;1,234\n2;5\n")
    assert read_series(ambiguous).values.tolist() == [1.234, 5]
    assert read_series(ambiguous, decimal=".").values.tolist() == [1234, 5]
    english = file('t,a\n1,"1,234,567"\n2,"2,000"\n')
    assert read_series(english).values.tolist() == [1234567, 2000]
    english = file('t,a\n1,"1,234.5"\n2,7\n\n3,"8"\n')  # a blank line is no row
    assert read_series(english).values.tolist() == [1234.5, 7, 8]
    with pytest.raises(DataError, match="'12,34'"):
        read_series(file('t,a\n1,"12,34"\n'), decimal=".")
    with pytest.raises(DataError, match="decimal"):
        read_series(ambiguous, decimal=";")


def test_missing_values_are_filled_by_a_stated_rule(file):
    path = file("t,a\n1,\n2,1\n3,NA\n4,-\n5,4\n6,null\n")
    assert read_series(path, missing="linear").values.tolist() == [1, 1, 2, 3, 4, 4]
    series = read_series(path, missing="previous")
    assert series.values.tolist() == [1, 1, 1, 1, 4, 4] and series.filled == 4
    assert series.times == list("123456")
    with pytest.raises(DataError, match=r"line 2: 4 of 6 values are missing"):
        read_series(path)
    with pytest.raises(DataError, match="no such rule"):
        read_series(path, missing="zero")


def test_arrays_and_frames():
    assert read_series([1, 2, 3]).values.tolist() == [1, 2, 3]
    assert read_series(np.array([1.0, np.nan, 3]), missing="linear").values[1] == 2
    gap = np.ma.masked_array([1.0, 2.0, 5.0], [0, 1, 0])
    assert read_series(gap, missing="linear").values.tolist() == [1, 3, 5]
    for bad in ([], [[1]], ["x"], [np.inf], np.array(["2020-01-01"], "M8[D]"), gap):
        with pytest.raises(DataError):
            read_series(bad)


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [3.0, None]}, index=["x", "y"])
    series = read_series(frame, "a")
    assert (series.values.tolist(), series.name, series.times) == ([1, 2], "a", ["x", "y"])
    assert read_series(frame["b"], missing="previous").values.tolist() == [3, 3]
    days = pandas.DataFrame({"day": pandas.date_range("2024-01-01", periods=2), 7: [1, 2]})
    series = read_series(days, 7)
    assert series.times[1].startswith("2024-01-02") and series.name == "7"
    with pytest.raises(DataError, match="column day: a series holds numbers: got dates"):
        read_series(days, "day")
    with pytest.raises(DataError, match="one of a, b"):
        read_series(frame, "c")


@pytest.mark.slow
def test_a_million_rows(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("t,v\n" + "".join(f"{i},{i / 7}\n" for i in range(10**6)))
    assert len(read_series(path)) == 10**6


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["1999", "2000"], ["2001", "2002"]),
        (["2024-02-27", "2024-02-28"], ["2024-02-29", "2024-03-01"]),
        (["2023-12-25", "2024-01-01"], ["2024-01-08", "2024-01-15"]),
        (["2024-10-01", "2024-11-01", "2024-12-01"], ["2025-01-01", "2025-02-01"]),
        (["2024-11", "2024-12"], ["2025-01", "2025-02"]),
        (["2023-01-01", "2024-01-01", "2025-01-01"], ["2026-01-01", "2027-01-01"]),
        (["2024-01-01 22:30", "2024-01-01 23:15"], ["2024-01-02 00:00", "2024-01-02 00:45"]),
        (["2024-01-01T22", "2024-01-01T23"], ["2024-01-02T00", "2024-01-02T01"]),
        (["2024-01-05", "2024-01-08", "2024-01-09"], ["1", "2"]),  # working days
        (["5", "7"], ["9", "11"]),
        (["5", "7", "8"], ["1", "2"]),
        (["1 Jan", "2 Jan"], ["1", "2"]),
        (["2024-01-01"], ["1", "2"]),
        (["x", ""], ["1", "2"]),
        (["2024-01-01", "NaT"], ["1", "2"]),
        (["2024-01-01", "2024-01-01"], ["1", "2"]),
        (None, ["1", "2"]),
    ],
)  # fmt: skip
def test_times_go_on(times, expected):
    assert following(times, 2) == expected
