"""What one task of asyncio sets does not hold in another."""

import asyncio

import numpy as np
import pytest

from tinygrad_lstm import LSTM, Tensor, block, grad, no_grad, scope


async def meet(*coroutines):
    return await asyncio.gather(*coroutines)


async def values(context, times=3):
    x, found = Tensor(2.0, requires_grad=True, name="x"), []
    with context:
        for _ in range(times):
            await asyncio.sleep(0)
            found.append((x * x).named("y"))
    found.append((x * x).named("y"))
    return [(y.name, y.requires_grad) for y in found]


def test_each_task_has_its_own_settings():
    off, first, second, layer = asyncio.run(
        meet(values(no_grad(), 2), values(block(1)), values(block(2), 4), values(scope("s")))
    )
    assert off == [("y", False)] * 2 + [("y", True)]
    assert first == [("y<1>", True)] * 3 + [("y", True)]
    assert second == [("y<2>", True)] * 4 + [("y", True)]
    assert layer == [("s.y", True)] * 3 + [("y", True)]


def test_a_task_starts_with_the_settings_of_who_started_it():
    async def main():
        with block(3), no_grad():
            task = asyncio.create_task(values(scope("s"), 1))
        return await task

    assert asyncio.run(main()) == [("s.y<3>", False), ("y<3>", False)]


def test_a_decorated_coroutine_function():
    x = Tensor(2.0, requires_grad=True)

    @no_grad()
    async def quiet():
        await asyncio.sleep(0)
        return (x * x).requires_grad

    async def loud():
        await asyncio.sleep(0)
        return (x * x).requires_grad

    assert asyncio.run(meet(quiet(), loud(), quiet())) == [False, True, False]


def test_transforms_in_tasks():
    async def slope(n):
        def f(x):
            return x**n

        await asyncio.sleep(0)
        return grad(f)(1.0)

    assert asyncio.run(meet(*map(slope, range(1, 5)))) == pytest.approx([1, 2, 3, 4])


def test_contexts_left_in_another_order_than_entered():
    async def main():
        x, outer, inner = Tensor(2.0, requires_grad=True), block(1), no_grad()
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        y = (x * x).named("y")
        inner.__exit__(None, None, None)
        return y.name, y.requires_grad, (x * x).requires_grad

    assert asyncio.run(main()) == ("y", False, True)


def test_work_in_a_thread_has_the_settings_of_the_task_that_asked_for_it():
    x = Tensor(2.0, requires_grad=True)

    async def main():
        with no_grad():
            inside = await asyncio.to_thread(lambda: (x * x).requires_grad)
        return inside, await asyncio.to_thread(lambda: (x * x).requires_grad)

    assert asyncio.run(main()) == (False, True)


def test_blocks_of_tasks_that_train_at_once():
    async def step(seed):
        lstm, x = LSTM(2, 3, rng=seed), np.full((4, 1, 2), 0.1 * seed)
        a, c = Tensor(np.zeros((1, 3)), requires_grad=True), Tensor(np.zeros((1, 3)))
        for t in range(1, 5):
            with scope(f"net{seed}"), block(t):
                a, c = lstm.cell(Tensor(x[t - 1]), a, c)
                await asyncio.sleep(0)
        return [stage.name for stage in a.tape if stage.name.partition(".")[2].startswith("c<")]

    found = asyncio.run(meet(step(1), step(2)))
    assert found == [[f"net{k}.c<{t}>" for t in range(1, 5)] for k in (1, 2)]
