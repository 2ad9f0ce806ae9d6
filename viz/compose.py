"""From a loss and what is asked of its picture to scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.viz.fit import Size, fitted
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.crowds import thinned
from tinygrad_lstm.viz.graph.data import Graph, Run
from tinygrad_lstm.viz.graph.levels import runs
from tinygrad_lstm.viz.graph.marks import Verdicts, verdicts
from tinygrad_lstm.viz.graph.members import blocks_of
from tinygrad_lstm.viz.graph.rolled import kept
from tinygrad_lstm.viz.image.direct import Group, groups
from tinygrad_lstm.viz.image.dot import source
from tinygrad_lstm.viz.image.render import render
from tinygrad_lstm.viz.image.scene import Scene, beside, composed
from tinygrad_lstm.viz.look.numbers import at_entry
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.options import Options, several
from tinygrad_lstm.viz.player.sheet import read

__all__ = ["Composer"]


class Composer:
    """What one call of `draw` shows.

    Attributes
    ----------
    asked : Options
        What was asked for.
    options : Options
        The same with what fits the width.
    graph : Graph
        All of it, with every branch of wide forks.
    """

    tape: Tape
    verdicts: Verdicts
    asked: Options
    blocks: tuple[int, ...]
    options: Options
    graph: Graph

    def __init__(self, loss: Tensor, options: Options) -> None:
        self.tape, self.asked = loss.tape, options
        self._plain: dict[str, str] = {}
        self._scenes: dict[tuple[int, str, int | None], Scene] = {}
        self._known: dict[tuple[str, int | None, bool], Graph] = {}
        self.blocks = blocks_of(self.tape)
        self.verdicts = verdicts(options.comparison, self.tape)
        self.options = fitted(options, self._measured) if options.width else options
        self.graph = self._graph(self.options)

    @cached_property
    def whole(self) -> Scene:
        """The scene with every branch."""
        return self._scene(self.graph, self.options)

    @cached_property
    def image(self) -> Scene:
        """The scene of images, in which wide forks are folded."""
        fewer = thinned(self.graph)
        return self.whole if fewer is self.graph else self._scene(fewer, self.options)

    def played(self, gradients: Gradients) -> Graph:
        """The graph that the page plays: every stage of the blocks that were asked for."""
        asked = replace(self.asked, gradients=gradients, path=(), level=self.stages, entry=None)
        return self._built(replace(asked, details=False))

    @property
    def stages(self) -> str:
        return "stages" if self.asked.level in ("gates", "rolled") else self.asked.level

    def on_page(self, graph: Graph, exact: Callable[[Any], str]) -> Iterable[Group]:
        """What the page shows of a graph, in the colours that are set there; where all positions
        are known by our own hand, which draws every block alike."""
        scene = self._scene(graph, replace(self.asked, theme="light"))
        if scene.layout is not None:
            return groups(scene, exact)
        return read(render(source(scene), "svg", self.asked.timeout).decode())

    def _graph(self, options: Options) -> Graph:
        """The graph with some options that fit a width; built once, since most differ in rows."""
        key = options.level, options.blocks, options.details
        if key not in self._known:
            self._known[key] = self._built(options)
        return self._known[key]

    def _built(self, options: Options) -> Graph:
        graph = build(
            self.tape,
            options.gradients,
            self._hidden(options),
            path=several(options.path),
            verdicts=self.verdicts,
            wired=options.wired,
            level=options.level,
        )
        graph = replace(graph, details=options.details)
        return graph if options.index is None else at_entry(graph, options.index)

    def _hidden(self, options: Options) -> tuple[Run, ...]:
        """The blocks that are not drawn stage by stage; one that stands for all is made of those at
        the ends, if no comparison tells the others apart."""
        if options.level == "rolled":
            keep = None if options.comparison else kept(self.tape, self.blocks)
            return runs(self.blocks, keep=keep)
        return runs(self.blocks, options.level, several(options.expand), options.blocks)

    def _measured(self, options: Options) -> Size:
        """How large the picture is with some options."""
        scene = self._scene(thinned(self._graph(options)), options)
        if scene.layout is not None:
            left, bottom, right, top = scene.bounds()
            return Size(right - left, top - bottom, scene.smallest)
        _, _, width, height, *_ = self._arranged(source(scene)).split(maxsplit=4)
        return Size(float(width) * 72, float(height) * 72, scene.smallest)

    def _scene(self, graph: Graph, options: Options) -> Scene:
        key = id(graph), options.theme, options.wrap
        if key not in self._scenes:  # which keep their graphs, and so the ids
            theme = THEMES[options.theme]
            found = composed(graph, theme, options.title, self._arranged, options.wrap)
            self._scenes[key] = found
        scene = self._scenes[key]
        if scene.layout is None:
            return replace(scene, down=options.down)
        return beside(scene) if options.beside else scene

    def _arranged(self, dot: str) -> str:
        """What Graphviz says of where things are; once for each text."""
        if dot not in self._plain:
            self._plain[dot] = render(dot, "plain", self.asked.timeout).decode()
        return self._plain[dot]
