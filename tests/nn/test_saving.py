"""A training state in a file: what comes back, and what is noticed."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tinygrad_lstm import DataError, DtypeError, Tensor, nn, optim
from tinygrad_lstm.nn.saving import DIGEST, MAGIC

STATE = {
    "none": None,
    "numbers": [1, -2.5, True, 10**30, float("inf")],
    "pair": ("a", ["array", [1]], {"list": []}),
    "text": 'Γ "quoted"\n\ud800',
    "empty": np.zeros((0, 3), "f4"),
    "nested": {"weights": np.arange(6.0).reshape(2, 3).T, "flags": np.array([True, False])},
    "scalar": np.array(3 + 1j),
    "random": np.random.default_rng(1).bit_generator.state,
}


def same(a, b):
    if isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
    elif isinstance(a, dict):
        assert list(a) == list(b) and isinstance(b, dict)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert type(a) is type(b) and len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    else:
        assert a == b and type(a) is type(b)


def test_what_was_saved_comes_back(tmp_path):
    nn.save(tmp_path / "run", STATE)
    same(STATE, nn.load(tmp_path / "run"))
    assert os.listdir(tmp_path) == ["run"]
    nn.save(tmp_path / "run", [Tensor(1.0), np.float32(2)])
    same([np.array(1.0), 2.0], nn.load(str(tmp_path / "run")))


def test_each_flipped_byte_and_each_truncation_is_noticed(tmp_path):
    path = tmp_path / "run"
    nn.save(path, {"w": np.arange(3.0), "n": 1})
    content = path.read_bytes()
    for i in range(len(content)):
        for damaged in (
            content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :],
            content[:i],
        ):
            path.write_bytes(damaged)
            with pytest.raises(DataError, match="run: ") as caught:
                nn.load(path)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"[]",
        b'["array", 1]',
        b'["array", ["<f8", [2], 0]]',
        b'["array", ["<f8", [-1], 0]]',
        b'["array", ["<f8", [99999999999999999999], 0]]',
        b'["array", ["O", [1], 0]]',
        b'["array", [1, 2, 3]]',
        b'["set", []]',
        b'["tuple", 1]',
        b"[" * 100000,
        b"\xff\xfe",
    ],
    ids=lambda header: header[:24].decode("latin"),
)
def test_a_crafted_file_is_refused(tmp_path, header):
    import hashlib

    body = MAGIC + len(header).to_bytes(8, "little") + header
    (tmp_path / "run").write_bytes(body + hashlib.sha256(body).digest())
    with pytest.raises(DataError, match="run: the file is not as"):
        nn.load(tmp_path / "run")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "run"
    for content in (b"", b"\x80\x04K\x01.", MAGIC, bytes(1000), MAGIC + bytes(DIGEST + 8)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="run: "):
            nn.load(path)
    with pytest.raises(DataError, match="cannot be read"):
        nn.load(tmp_path)
    with pytest.raises(DataError, match="cannot be written"):
        nn.save(tmp_path / "missing" / "run", 1)


def test_what_cannot_be_saved_is_named_and_the_old_file_stays(tmp_path):
    nn.save(tmp_path / "run", 1)
    deep = []
    for _ in range(200):
        deep = [deep]
    for state, match in (
        ({"a": [object()]}, r"state.a\[0\]: this cannot"),
        ({1: 2}, "a key is a text"),
        ({"a": np.array(["x"])}, "state.a: only numbers"),
        (deep, "nested too deeply"),
    ):
        with pytest.raises(DtypeError, match=match):
            nn.save(tmp_path / "run", state)
    assert nn.load(tmp_path / "run") == 1


WRITER = """
import sys
import numpy as np
from tinygrad_lstm import nn
for i in range(1000):
    nn.save(sys.argv[1], {"i": i, "w": np.full(20000, float(i))})
    if i == 0:
        print("go", flush=True)
"""


@pytest.mark.parametrize("wait", [0.0, 0.013, 0.05])
def test_a_killed_writer_leaves_a_whole_file(tmp_path, wait):
    path = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    state = nn.load(path)
    np.testing.assert_array_equal(state["w"], state["i"])
    assert set(os.listdir(tmp_path)) <= {"run", "run.partial"}
    nn.save(path, state)
    assert os.listdir(tmp_path) == ["run"]


def test_a_run_goes_on_bit_by_bit(tmp_path):
    x = np.random.default_rng(0).normal(size=(5, 3, 2))

    def train(model, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            model.error(x, np.zeros((5, 3, 4))).backward()
            optimizer.step()

    one = nn.LSTM(2, 4, num_layers=2, rng=0)
    adam = optim.Adam(one)
    train(one, adam, 3)
    nn.save(tmp_path / "run", {"model": one.state_dict(), "optimizer": adam.state_dict()})
    train(one, adam, 3)
    other = nn.LSTM(2, 4, num_layers=2, rng=5)
    state, adam = nn.load(tmp_path / "run"), optim.Adam(other)
    other.load_state_dict(state["model"])
    adam.load_state_dict(state["optimizer"])
    train(other, adam, 3)
    same(one.state_dict(), other.state_dict())


def test_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    state = nn.LSTM(2, 3, rng=0).state_dict()
    state["weight_ih_l0"] = state["weight_ih_l0"].T
    nn.save_safetensors(tmp_path / "w", state)
    for found in (safetensors.load_file(tmp_path / "w"), nn.load_safetensors(tmp_path / "w")):
        same(dict(sorted(state.items())), dict(sorted(found.items())))
    header = b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header + bytes(2))
    with pytest.raises(DataError, match="NumPy has no such numbers.*BF16"):
        nn.load_safetensors(tmp_path / "w")
    with pytest.raises(DtypeError, match="state_dict"):
        nn.save_safetensors(tmp_path / "w", nn.Linear(1, 1))
    (tmp_path / "w").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no file of safetensors"):
        nn.load_safetensors(tmp_path / "w")
