"""Time one training step of an LSTM (forward, backward, all gradients; float32), compiled, beside
what else computes it.

    pip install -e ".[fast,plot]" torch jax autograd mygrad   # whichever you want to compare with
    python benchmarks/compiled_step.py              # one thread, then all; --quick for less
    python benchmarks/compiled_step.py --growth     # and how it grows with T, N and H
    python benchmarks/compiled_step.py --write      # that too, and the tables and plots of the docs

Every contestant runs in a process of its own. The processes take turns, a burst of steps each, so
that all of them meet the same noise; ratios are taken within each round, to the fastest peer of
that round and to the matrix products alone, which no program can do without (NumPy's BLAS, at the
shapes of a merged program). Before it is timed, each contestant's gradient is held against eager's.
Memory is the peak during the first call, planning included, above what is in use before it, and
what the process has of it when the call is over.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time

from compiled_docs import NAMES, megabytes, write
from machine import machine
from peers import (
    GATES,
    THREADS,
    Worker,
    autograd_step,
    data,
    eager_step,
    mygrad_step,
    torch_plain_step,
    with_torch,
)

SIZES = {  # (T, N, D, H): steps a burst
    (3, 1, 3, 4): 100,
    (50, 16, 16, 32): 20,
    (100, 64, 64, 128): 3,
    (100, 64, 256, 512): 1,
}
GROWTH = {  # what a step takes as one length grows
    "T": [(T, 16, 16, 32) for T in (5, 50, 250, 1000)],
    "N": [(50, N, 16, 32) for N in (1, 16, 64, 256)],
    "H": [(50, 16, H // 2, H) for H in (8, 32, 128, 512)],
}
GROWING = ("native", "numpy", "eager", "torch_lstm", "jax")  # who is measured there
NEEDS = {
    "native": "llvmlite",
    "torch_lstm": "torch",
    "torch_plain": "torch",
    "jax": "jax",
    "autograd": "autograd",
    "mygrad": "mygrad",
}
PEERS = ("torch_lstm", "jax", "torch_plain", "autograd", "mygrad")
LIBRARIES = ("numpy", "torch", "jax", "autograd", "mygrad", "llvmlite")
SLOW = {"autograd", "mygrad"}  # not at the two large sizes: they would take most of the time
SMALLEST = (3, 1, 3, 4)


def compiled(size, backend):
    from tinygrad_lstm import LSTM, compile

    p, x, targets = data(size)
    fast = compile(LSTM.from_arrays(p).error, backend=backend)
    return lambda: fast(x, targets)[1]["W_f"]


def native_step(size):
    return compiled(size, "native")


def numpy_step(size):
    return compiled(size, "numpy")


def torch_lstm_step(size):
    torch = with_torch()
    _, _, D, H = size
    p, x, targets = data(size)
    model = torch.nn.LSTM(D, H)
    with torch.no_grad():  # its gates are i f g o, ours u f c o
        for k, g in enumerate("ufco"):
            W, rows = torch.from_numpy(p[f"W_{g}"]), slice(k * H, (k + 1) * H)
            model.weight_hh_l0[rows], model.weight_ih_l0[rows] = W[:, :H], W[:, H:]
            model.bias_ih_l0[rows], model.bias_hh_l0[rows] = torch.from_numpy(p[f"b_{g}"]), 0
    x, targets = torch.from_numpy(x), torch.from_numpy(targets)

    def step():
        model.zero_grad(set_to_none=True)
        (((targets - model(x)[0]) ** 2).sum() * 0.5).backward()
        both = model.weight_hh_l0.grad, model.weight_ih_l0.grad
        return torch.cat([g[H : 2 * H] for g in both], 1).numpy()

    return step


def jax_step(size):
    one = os.environ["OMP_NUM_THREADS"] == "1"
    if one:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    import jax
    import jax.numpy as jnp
    import numpy as np

    _, N, _, H = size
    p, x, targets = data(size)
    W = np.concatenate([p[f"W_{g}"] for g in GATES])
    b = np.concatenate([p[f"b_{g}"] for g in GATES])
    P = [jnp.array(v) for v in (W[:, H:].T, W[:, :H].T, b)]
    x, targets = jnp.array(x), jnp.array(targets)

    def loss(P):
        Wx, Wh, b = P

        def cell(state, x):
            a, c = state
            f, u, g, o = jnp.split(x + a @ Wh, 4, 1)
            c = c * jax.nn.sigmoid(f) + jax.nn.sigmoid(u) * jnp.tanh(g)
            a = jnp.tanh(c) * jax.nn.sigmoid(o)
            return (a, c), a

        zeros = jnp.zeros((N, H), jnp.float32)
        return 0.5 * ((targets - jax.lax.scan(cell, (zeros, zeros), x @ Wx + b)[1]) ** 2).sum()

    both = jax.jit(jax.value_and_grad(loss))

    def step():
        gx, gh, _ = jax.block_until_ready(both(P)[1])
        return np.concatenate([np.asarray(gh)[:, :H].T, np.asarray(gx)[:, :H].T], 1)

    return step


def products_step(size):
    import numpy as np

    T, N, D, H = size
    rng = np.random.default_rng(0)

    def matrix(*shape):
        return rng.standard_normal(shape).astype("f4")

    x, states, sums = matrix(T * N, D), matrix(T * N, H), matrix(T * N, 4 * H)
    Wx, Wh, a, g = matrix(D, 4 * H), matrix(H, 4 * H), matrix(N, H), matrix(N, 4 * H)
    forward, back = np.empty((N, 4 * H), "f4"), np.empty((N, H), "f4")
    projected, by_x, by_a = np.empty_like(sums), np.empty_like(Wx), np.empty_like(Wh)
    transposed = np.ascontiguousarray(Wh.T)

    def step():
        np.matmul(x, Wx, out=projected)
        for _ in range(T):
            np.matmul(a, Wh, out=forward)
            np.matmul(g, transposed, out=back)
        np.matmul(x.T, sums, out=by_x)
        np.matmul(states.T, sums, out=by_a)

    return step


STEPS = {
    "native": native_step,
    "numpy": numpy_step,
    "eager": eager_step,
    "torch_lstm": torch_lstm_step,
    "jax": jax_step,
    "torch_plain": torch_plain_step,
    "autograd": autograd_step,
    "mygrad": mygrad_step,
    "products": products_step,
}


def burst(size):
    """How many steps are timed at a time."""
    T, N, _, H = size
    return SIZES.get(size) or max(1, 1000 // T // max(1, N * H // 512))


def memory(afresh=False):
    """The most memory that the process has used, ever or since it was asked for afresh, and what it
    uses now, in MB. Before it is asked for afresh all that is free is given back to the system:
    nobody gains by what was left over before."""
    import resource

    from tinygrad_lstm.allocator import give_back

    try:
        if afresh:
            give_back()
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
        with open("/proc/self/status") as file:
            found = dict(line.split(":") for line in file)
        return [int(found[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS")]
    except (OSError, KeyError):
        return [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024] * 2


def child(name):
    """Serve bursts: a line in is a size, a line out what was measured."""
    import warnings

    warnings.simplefilter("ignore")
    steps = {}
    for line in sys.stdin:
        size = tuple(json.loads(line))
        if size not in steps:
            steps.clear()
            start = time.process_time()
            STEPS[name](SMALLEST)()  # what is imported counts as time only
            base, _ = memory(afresh=True)
            steps[size] = STEPS[name](size)
            gradient = steps[size]()
            first = time.process_time() - start
            check = None if gradient is None else float(abs(gradient).sum())
            print(json.dumps([check, first, *(m - base for m in memory())]), flush=True)
            continue
        # on one thread the time of this process alone: what else the machine does counts less
        clock = time.process_time if os.environ[THREADS[0]] == "1" else time.perf_counter
        times = []
        for _ in range(burst(size)):
            start = clock()
            steps[size]()
            times.append(clock() - start)
        print(json.dumps(min(times)), flush=True)


def measure(threads, rounds, names, sizes):
    """A row for each size and contestant: milliseconds and ratios."""
    rows = []
    for size in sizes:
        here = [n for n in names if n not in SLOW or size[1] * size[3] < 1000]
        workers = {n: Worker(__file__, n, threads, pinned=threads == 1) for n in here}
        first = {n: w.ask(size) for n, w in workers.items()}
        right = first["eager"][0]
        wrong = [n for n in here if (c := first[n][0]) and abs(c - right) > 1e-3 * abs(right)]
        if wrong:
            sys.exit(f"at {size} the gradients of {', '.join(wrong)} differ from eager's")
        times = [{n: w.ask(size) for n, w in workers.items()} for _ in range(rounds + 1)][1:]
        for w in workers.values():
            w.end()
        peers = [n for n in here if n in PEERS]
        for n in here:
            row = {"size": size, "threads": threads, "name": n, "first": first[n][1]}
            row["memory"], row["held"] = first[n][2:]
            row["ms"] = statistics.median(t[n] for t in times) * 1e3
            row["spread"] = max(t[n] for t in times) / min(t[n] for t in times)
            for to, those in (("peer", peers), ("products", [p for p in here if p == "products"])):
                if those:
                    row[to] = statistics.median(t[n] / min(t[p] for p in those) for t in times)
            rows.append(row)
            show(row)
    return rows


def show(row):
    print(
        f"{row['size']!s:20} {row['threads']} thr  {NAMES[row['name']]:20} {row['ms']:9.3f} ms "
        f"(x{row['spread']:.2f})  to the fastest peer {row.get('peer', float('nan')):6.2f}  "
        f"to the products {row.get('products', float('nan')):6.2f}  "
        f"first call {row['first']:5.2f} s of CPU, {megabytes(row)}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="three rounds, one thread")
    parser.add_argument("--sizes", default="0,1,2,3", help="which of the sizes")
    parser.add_argument("--only", default=",".join(NAMES), help="which contestants, with eager")
    parser.add_argument("--growth", action="store_true", help="the growth with T, N and H as well")
    parser.add_argument("--write", action="store_true", help="the tables and plots of the docs")
    parser.add_argument("--child", choices=NAMES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child)
    wanted = {"eager", *args.only.split(",")}
    names = [n for n in NAMES if n in wanted and importlib.util.find_spec(NEEDS.get(n, "numpy"))]
    sizes = [list(SIZES)[int(i)] for i in args.sizes.split(",")]
    rows, growth, load = [], [], os.getloadavg()[0]
    where = f"{machine(*LIBRARIES)}; before it the machine's load was {load:.1f}"
    for threads in sorted({1} if args.quick else {1, os.cpu_count() or 1}):
        rows += measure(threads, 3 if args.quick else args.rounds, names, sizes)
        if args.growth or args.write:
            those = [n for n in names if n in GROWING]
            growing = list(dict.fromkeys(size for some in GROWTH.values() for size in some))
            growth += measure(threads, min(3, args.rounds), those, growing)
        if args.write:
            write(rows, growth, GROWTH, where)
    print(where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
