// What of the picture is known at a step, and what is lit.

const parts = values.map((value) => value.nodes.map((id) => pieces.get(id))); // a parameter can have a node in each block
const edges = data.edges.map(([id, source, target, fork]) => ({ piece: pieces.get(id), source, target, fork }));
const into = groupedBy("target");
const outOf = groupedBy("source");
const branchOf = new Map(values.flatMap(({ branches }) => branches.flatMap((branch) => branch.edges.map((id) => [id, branch]))));
let arrivals = values.map(() => -1); // the last branch of each value that has arrived
let lit = [];

/** The edges by one of their ends. */
function groupedBy(end) {
  const found = new Map();
  for (const edge of edges) {
    if (!found.has(edge[end])) found.set(edge[end], []);
    found.get(edge[end]).push(edge);
  }
  return found;
}

function preparePicture() {
  svg.setAttribute("viewBox", `${natural.left} ${natural.top} ${natural.width} ${natural.height}`);
  svg.append(...Object.values(layers));
  layers.node.setAttribute("role", "group");
  layers.node.setAttribute("aria-label", `Graph of ${data.root}: ${values.length} values. Up and down go from one to the next.`);
  for (const [i, nodes] of parts.entries()) {
    for (const piece of nodes) {
      piece.value = i;
      piece.mark("played", true);
      piece.mark("fork", values[i].branches.length > 1);
    }
  }
  for (const edge of edges) {
    edge.piece.edge = edge;
    edge.piece.mark("played", true);
    edge.piece.mark("fork", edge.fork);
  }
}

/** What a piece needs that has come into the document. */
function prepare(piece) {
  for (const text of piece.element.querySelectorAll("text")) {
    const ink = Object.keys(data.ink).find((name) => data.ink[name] === text.getAttribute("fill"));
    if (!ink || !piece.has("played")) continue;
    text.classList.add(`${ink}-text`);
    text.dataset.final = text.textContent;
  }
  if (piece.value !== null) {
    prepareNode(piece);
    write(piece);
  }
  if (isMoved) rewrite(piece);
}

const textIn = (piece, ink) => piece.element?.querySelector(`.${ink}-text`);

/** The gradient of a node: none, the sum so far, or all of it. */
function write(piece) {
  const text = textIn(piece, "gradient");
  if (!text) return;
  const { branches } = values[piece.value];
  const j = arrivals[piece.value];
  text.textContent = j < 0 || j >= branches.length - 1 ? text.dataset.final : `∂ ${summary(branches[j].sum)}`;
}

// Nodes by keyboard: one of them is reached with Tab, up and down go on in the order of the tape.

const nodes = parts.flat();
let stop = nodes[0];

function prepareNode(piece) {
  const { name, op, branches, value } = values[piece.value];
  const fork = branches.length > 1 ? `, fork of ${branches.length} branches` : "";
  const node = piece.element;
  node.setAttribute("role", "button");
  node.setAttribute("aria-label", `${name}, ${op}${where(piece.value)}, shape ${sizes(value)}${fork}`);
  node.setAttribute("tabindex", piece === stop ? 0 : -1);
  node.addEventListener("click", () => choose(piece.value));
  node.addEventListener("mousedown", (event) => event.preventDefault()); // a click leaves the focus, and the keys, where they are
  node.addEventListener("focus", () => stopAt(piece));
}

function stopAt(piece) {
  stop?.element?.setAttribute("tabindex", -1);
  stop = piece;
  stop.element?.setAttribute("tabindex", 0);
}

/** Give the focus to the next node in a direction; it is brought into sight first. */
function walk(direction) {
  const next = nodes[nodes.indexOf(stop) + direction];
  if (!next) return;
  stopAt(next);
  keepInSight([next], next, false);
  next.element.focus({ preventScroll: true });
}

// What a step does to the picture, and undoes.

function apply(step, on) {
  for (const i of step.values ?? (step.kind === "forward" ? [step.value] : [])) mark(i, "known", on);
  if (step.kind === "seed") arrived(step.value, on ? 0 : -1);
  for (const [i, j] of sentIn(step)) {
    for (const id of values[i].branches[j].edges) pieces.get(id).mark("sent", on);
    arrived(i, on ? j : j - 1);
  }
}

/** The branches of a step, as pairs of a value and the place among its branches. */
function sentIn(step) {
  return step.kind === "backward" ? [[step.value, step.branch]] : (step.branches ?? []);
}

function mark(i, kind, on) {
  for (const piece of parts[i]) piece.mark(kind, on);
}

/** Show the gradient of value `i` after its branch `j`, the sum so far; none after branch -1. */
function arrived(i, j) {
  arrivals[i] = j;
  mark(i, "begun", j >= 0);
  mark(i, "complete", isComplete(i));
  if (parts[i][0]) write(parts[i][0]);
  showShare(i, j);
}

const isComplete = (i) => arrivals[i] >= 0 && arrivals[i] >= values[i].branches.length - 1;

/** Light what runs in a step: the stage, the edges, and the value that a contribution reaches. */
function light(step) {
  for (const [piece, kind] of lit) piece.mark(kind, false);
  lit = [];
  const add = (found, kind) => {
    for (const piece of found) piece.mark(kind, true);
    lit.push(...found.map((piece) => [piece, kind]));
  };
  svg.classList.toggle("backward", at >= backwardFrom);
  if (step.kind === "forward" || step.kind === "seed") add(parts[step.value], "lit");
  if (step.kind === "forward") add(values[step.value].nodes.flatMap((node) => (into.get(node) ?? []).map((edge) => edge.piece)), "lit");
  if (step.kind === "pass") for (const i of step.values) add(parts[i], "lit");
  for (const [i, j] of sentIn(step)) {
    const branch = values[i].branches[j];
    if (branch.by !== null) add(parts[branch.by], "lit");
    if (parts[i].length === 1) add(parts[i], "reached");
    add(branch.edges.map((id) => pieces.get(id)), "lit");
  }
}

/** All ways from the root back to a value: what is computed from it, directly or not. */
function showWays(i) {
  for (const piece of all) for (const kind of ["way", "chosen"]) if (piece.has(kind)) piece.mark(kind, false);
  svg.classList.toggle("choosing", i !== null);
  if (i === null) return;
  const { nodes: own, branches } = values[i];
  const reached = [...own, ...branches.flatMap((branch) => (branch.by === null ? [] : values[branch.by].nodes))];
  const seen = new Set(reached);
  for (const node of reached) {
    pieces.get(node).mark("way", true);
    for (const edge of outOf.get(node) ?? []) {
      edge.piece.mark("way", true);
      if (!seen.has(edge.target)) reached.push(edge.target);
      seen.add(edge.target);
    }
  }
  for (const piece of parts[i]) piece.mark("chosen", true);
}
