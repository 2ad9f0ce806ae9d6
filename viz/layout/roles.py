"""Which stage of the LSTM each node is: found by name, and believed only if operations and edges
are the LSTM's too."""

from __future__ import annotations

from typing import Any

from tinygrad_lstm.viz.graph.data import Edge, Graph, Node

__all__ = ["TOTAL", "Role", "roles"]

Role = tuple[str, int | None]

# the operation of each stage, and what it reads, in the order of its arguments; the parameters are
# in the ledger
STAGES: dict[str, Any] = {
    "z": ("concatenate", "a", "x"),
    **{f"sum_{gate}": ("linear", "z") for gate in "fuco"},
    **{f"Γ_{gate}": ("sigmoid", f"sum_{gate}") for gate in "fuo"},
    "c~": ("tanh", "sum_c"),
    "keep": ("multiply", "c", "Γ_f"),
    "write": ("multiply", "Γ_u", "c~"),
    "c": ("add", "keep", "write"),
    "tanh_c": ("tanh", "c"),
    "a": ("multiply", "tanh_c", "Γ_o"),
    "Error": ("squared_error", "a", "â"),
}
STARTS = ("broadcast_to", "copy")  # what makes an initial state of a given one
SLICES = ("index",)  # what makes x and â of a sequence that requires gradients
NAMES = {*STAGES, "x", "â"}
BEFORE = {("z", "a"), ("keep", "c")}  # read from the block before
TOTAL: Role = ("Error", None)


def roles(graph: Graph) -> dict[str, Role] | None:
    """The role and the block of every node: a stage's by its name, a leaf's by who reads it. None
    unless all is as in the LSTM."""
    found: dict[str, Role] = {}
    for node in graph.nodes:
        if node.key == graph.root and node.word == "Error":
            found[node.key] = TOTAL
        elif node.formula and node.word in NAMES and node.block:
            found[node.key] = (node.word, node.block)
    wired = {node.key for node in graph.nodes if node.op == "parameter"}
    readers = {edge.source: edge for edge in reversed(graph.edges)}
    for node in reversed(graph.nodes):
        if node.key not in found and node.key not in wired and node.key in readers:
            edge = readers[node.key]
            read = _read(found[edge.target]) if edge.target in found else ()
            if edge.through and edge.target in found and node.op != "constant":
                found[node.key] = (
                    found[edge.target][0],
                    0,
                )  # an initial state, before blocks that are not drawn
            elif edge.argument < len(read):
                found[node.key] = read[edge.argument]
    found |= {
        edge.source: _parameter(edge, found)
        for edge in graph.edges
        if edge.source in wired and edge.target in found
    }
    complete = len(found) == len(graph.nodes) and len(set(found.values())) == len(found)
    counted = graph.blocks == tuple(range(1, len(graph.blocks) + 1))
    return found if complete and counted and _wired(graph, found) else None


def _read(role: Role) -> tuple[Role, ...]:
    """What a stage of the template reads, by argument."""
    name, block = role
    if block == 0:
        return ((name, -1),)  # a vector from which the initial state was made
    if block is None or block < 0 or name not in STAGES:
        return ()
    return tuple((x, block - 1 if (name, x) in BEFORE else block) for x in STAGES[name][1:])


def _parameter(edge: Edge, found: dict[str, Role]) -> Role:
    """The role of a parameter's node in a block: that of the weight or of the bias of the sum that
    reads it."""
    name, block = found[edge.target]
    return f"{'Wb'[edge.argument - 1]}{name.removeprefix('sum')}", block


def _wired(graph: Graph, found: dict[str, Role]) -> bool:
    """Whether every stage that is drawn is the operation of its role and reads what the template
    has it read, and nothing else."""
    sources: dict[str, dict[int, Role]] = {node.key: {} for node in graph.nodes}
    for edge in graph.edges:
        if graph.node(edge.source).op != "parameter":
            sources[edge.target][edge.argument] = found[edge.source]
    return all(
        _fits(node, found[node.key], sources[node.key])
        for node in graph.nodes
        if node.block not in graph.folded
    )


def _fits(node: Node, role: Role, sources: dict[int, Role]) -> bool:
    if role == TOTAL:
        return node.op == "add_n" and all(name == "Error" for name, _ in sources.values())
    if not node.formula:
        return not sources
    operations = STARTS if role[1] == 0 else STAGES.get(role[0], SLICES)[:1]
    return node.op in operations and sources == dict(enumerate(_read(role)))
