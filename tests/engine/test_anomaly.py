"""The first stage that makes a value which is not finite is named, with the user's own line."""

import threading
import warnings

import numpy as np
import pytest

from tinygrad_lstm import (
    LSTM,
    AnomalyError,
    Tensor,
    block,
    detect_anomaly,
    gradients,
    log,
    no_grad,
    sqrt,
    stage,
    where,
)


def here(text):
    """The file and line of this file that holds `text`."""
    with open(__file__, encoding="utf-8") as lines:
        (number,) = [i for i, line in enumerate(lines, 1) if text in line and "here(" not in line]
    return f"{__file__}:{number} in "


def message(run):
    with pytest.raises(AnomalyError) as caught:
        run()
    return str(caught.value)


def test_forward():
    x = Tensor([1.0, 0.0, 2.0], requires_grad=True, name="x")

    def run():
        with detect_anomaly(), block(2):
            y = x * 1.0
            z = log(y)  # forward goes wrong
            return z + 1.0

    found = message(run)
    assert found.startswith("stage log in block 2: forward makes an infinity, at [1]: got x = 0.0")
    assert here("# forward goes wrong") + "run: z = log(y)" in found
    assert issubclass(AnomalyError, FloatingPointError)


def test_the_first_stage_is_named_though_the_nan_comes_later():
    x = Tensor([1000.0], requires_grad=True, name="x")

    def run():
        with detect_anomaly():
            big = np.exp(x)
            return big - big

    assert "stage exp: forward makes an infinity, at [0]: got x = 1000.0" in message(run)


def test_a_nan_from_an_infinity_that_was_meant():
    x = Tensor([1.0, 2.0], requires_grad=True)
    mask = np.array([-np.inf, 0.0])
    with detect_anomaly():
        masked = x + mask  # an infinity read is no anomaly
        with pytest.raises(AnomalyError, match="stage multiply: forward makes a NaN"):
            masked * 0.0


def test_backward_names_the_stage_the_rule_and_the_line_of_forward():
    x = Tensor([4.0, 0.0], requires_grad=True, name="x")

    def run():
        with detect_anomaly():
            with block(3):
                y = sqrt(x).named("y")  # its derivative goes wrong
            y.sum().backward()

    found = message(run)
    assert found.startswith(
        "stage y<3> = sqrt in block 3: backward, rule sqrt_x, makes an infinity, at [1]: got "
        "gradient = 1.0, x = 0.0"
    )
    assert here("# its derivative goes wrong") + "run: y = sqrt(x)" in found
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_too(create_graph):
    x = Tensor([4.0, 0.0], requires_grad=True, name="x")
    with detect_anomaly(), pytest.raises(AnomalyError, match="rule sqrt_x, makes an infinity"):
        gradients(sqrt(x).sum(), create_graph=create_graph)


def test_recorded_outside():
    x = Tensor(0.0, requires_grad=True)
    y = sqrt(x)
    with detect_anomaly(), pytest.raises(AnomalyError, match="recorded outside detect_anomaly"):
        y.backward()


def test_own_stages_and_no_grad():
    @stage
    def broken(x):
        return x / 0.0

    with (
        detect_anomaly(),
        no_grad(),
        pytest.raises(AnomalyError, match="stage broken: forward makes an infinity"),
    ):
        broken(Tensor(np.ones(2)))


def test_what_is_finite_passes_and_nothing_else_changes():
    x = Tensor([0.5, 2.0], requires_grad=True)
    lstm = LSTM(2, 3, rng=0)
    data = np.ones((3, 1, 2)), np.zeros((3, 1, 3))
    plain = gradients(lstm.error(*data))
    with detect_anomaly():
        watched = gradients(lstm.error(*data))
        where(x > 1, log(x), x).sum().backward()
    for name in lstm.parameters():
        np.testing.assert_array_equal(watched[name], plain[name])


def test_it_ends_with_the_block_and_nests():
    x = Tensor([0.0], requires_grad=True)
    watch = detect_anomaly()
    with pytest.raises(ZeroDivisionError), watch, watch:
        1 / 0  # noqa: B018
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isinf(log(x).numpy()).all()
    with detect_anomaly():
        with detect_anomaly():
            pass
        with pytest.raises(AnomalyError):
            log(x)


def test_other_threads_are_left_alone():
    found = []

    def work():
        with np.errstate(divide="ignore"):
            found.append(log(Tensor(0.0, requires_grad=True)).item())

    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [-np.inf]


def test_an_overflow_in_the_sum_at_a_fork():
    a = Tensor(1.0, requires_grad=True, name="a")
    with detect_anomaly():
        b = (a * 1.0).named("b")
        y = b * 1.7 + b * 1.7
        with pytest.raises(
            AnomalyError,
            match="b = multiply: backward, the sum at a fork, makes an infinity|makes inf",
        ):
            y.backward(1e308)
    assert a.grad is None
