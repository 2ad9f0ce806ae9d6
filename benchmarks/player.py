"""How long the page takes to open in a browser, and a step of it: ``python benchmarks/player.py
[--steps 20] [--units 4]``."""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tinygrad_lstm import LSTM
from tinygrad_lstm.viz import draw

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import Browser, program

SCRIPT = """(async () => {
  const frame = () => new Promise(requestAnimationFrame), work = [], frames = [];
  for (let n = 1; n <= last; n += Math.ceil(last / 100)) {
    go(n - 1); await frame(); await frame();
    const start = performance.now();
    go(n); svg.getBoundingClientRect();
    work.push(performance.now() - start);
    await frame();
    const before = performance.now();
    await frame();
    frames.push(performance.now() - before);
  }
  return [work, frames];
})()"""
OPENED = "svg.getBoundingClientRect() && performance.getEntriesByName('opened')[0].startTime"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--units", type=int, default=4)
    given = parser.parse_args()
    if not program():
        sys.exit("there is no Chromium on this machine")
    rng = np.random.default_rng(0)
    x, targets = (
        rng.normal(size=(given.steps, 1, 3)),
        rng.normal(size=(given.steps, 1, given.units)),
    )
    loss = LSTM(3, given.units, rng=0).error(x, targets)
    with tempfile.TemporaryDirectory() as folder:
        page, start = Path(folder) / "player.html", time.perf_counter()
        draw(loss, page, blocks=None)
        print(
            f"T = {given.steps}: written in {time.perf_counter() - start:.2f} s, "
            f"{page.stat().st_size / 1e6:.1f} MB"
        )
        browser = Browser()
        try:
            browser.open(page)
            opened = browser.run(OPENED)
            work, frames = browser.run(SCRIPT)
        finally:
            browser.close()
    print(f"opened in {opened / 1000:.2f} s")
    print(
        f"one of {len(work):,} steps: median {statistics.median(work):.1f} ms, 95 % below "
        f"{np.percentile(work, 95):.1f} ms"
    )
    print(f"from one frame to the next: median {statistics.median(frames):.1f} ms")


if __name__ == "__main__":
    main()
