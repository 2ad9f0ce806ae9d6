// The picture: its parts by the ids of the data, what of them is known at a step, what is lit, and where the view is.

const picture = by("picture");
const svg = picture.querySelector("svg");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const natural = { width: 1, height: 1 };
const parts = values.map((value) => value.nodes.map(by)); // a parameter can have a node in each block
const edges = data.edges.map(([id, source, target, fork]) => ({ part: by(id), source, target, fork }));
const into = groupedBy("target");
const outOf = groupedBy("source");
let scale = 1;
let zoomed = false; // by the reader
let lit = [];

/** Take away what the page shows itself, and mark the texts that have to wait for their step. */
function preparePicture() {
  const graph = svg.querySelector(".graph");
  for (const id of ["title", "legend", "ledger"]) graph.querySelector(`[id="${id}"]`)?.remove();
  for (const part of graph.querySelectorAll(":scope > :is(text, polygon, title)")) part.remove();
  for (const part of graph.querySelectorAll(".cluster")) if (part.querySelector("title")?.textContent === "cluster_all") part.remove();
  for (const link of graph.querySelectorAll("a")) toTitle(link);
  graph.removeAttribute("transform");
  const box = graph.getBBox();
  [natural.width, natural.height] = [box.width + 24, box.height + 24];
  svg.setAttribute("viewBox", `${box.x - 12} ${box.y - 12} ${natural.width} ${natural.height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Graph of ${data.root}, ${edges.length} edges. Find a value by name to read about it.`);
  for (const [i, nodes] of parts.entries()) {
    for (const part of nodes) {
      part.addEventListener("click", () => choose(i));
      prepare(part, values[i].branches.length > 1);
    }
  }
  for (const { part, fork } of edges) prepare(part, fork);
}

/** The edges by one of their ends. */
function groupedBy(end) {
  const found = new Map();
  for (const edge of edges) {
    if (!found.has(edge[end])) found.set(edge[end], []);
    found.get(edge[end]).push(edge);
  }
  return found;
}

/** Graphviz writes a tooltip as the title of a link. A title of the group is one that every browser shows. */
function toTitle(link) {
  const title = link.closest(".node, .edge, .cluster")?.querySelector("title");
  if (title) title.textContent = link.getAttribute("xlink:title") ?? "";
  link.replaceWith(...link.childNodes);
}

/** What is played waits for its step, and so do the numbers on it. */
function prepare(part, fork) {
  part.classList.add("played");
  part.classList.toggle("fork", fork);
  for (const text of part.querySelectorAll("text")) {
    const ink = Object.keys(data.ink).find((name) => data.ink[name] === text.getAttribute("fill"));
    if (!ink) continue;
    text.classList.add(`${ink}-text`);
    text.dataset.final = text.textContent;
  }
}

// What a step does to the picture, and undoes.

function apply(step, on) {
  for (const i of step.values ?? (step.kind === "forward" ? [step.value] : [])) mark(i, "known", on);
  if (step.kind === "seed") arrived(step.value, on ? 0 : -1);
  for (const [i, j] of sentIn(step)) {
    for (const id of values[i].branches[j].edges) by(id)?.classList.toggle("sent", on);
    arrived(i, on ? j : j - 1);
  }
}

/** The branches of a step, as pairs of a value and the place among its branches. */
function sentIn(step) {
  return step.kind === "backward" ? [[step.value, step.branch]] : (step.branches ?? []);
}

function mark(i, kind, on) {
  for (const part of parts[i]) part.classList.toggle(kind, on);
}

/** Show the gradient of value `i` after its branch `j`, the sum so far; none after branch -1. */
function arrived(i, j) {
  const { branches } = values[i];
  const complete = j >= branches.length - 1 && j >= 0;
  mark(i, "begun", j >= 0);
  mark(i, "complete", complete);
  const text = parts[i][0]?.querySelector(".gradient-text");
  if (text) text.textContent = complete || j < 0 ? text.dataset.final : `∂ ${summary(branches[j].sum)}`;
  showShare(i, j);
}

/** Light what runs in a step: the stage, the edges, and the value that a contribution reaches. */
function light(step) {
  for (const [part, kind] of lit) part.classList.remove(kind);
  lit = [];
  const add = (found, kind) => {
    for (const part of found) part.classList.add(kind);
    lit.push(...found.map((part) => [part, kind]));
  };
  svg.classList.toggle("backward", at >= backwardFrom);
  if (step.kind === "forward" || step.kind === "seed") add(parts[step.value], "lit");
  if (step.kind === "forward") add(values[step.value].nodes.flatMap((node) => (into.get(node) ?? []).map((edge) => edge.part)), "lit");
  if (step.kind === "pass") for (const i of step.values) add(parts[i], "lit");
  for (const [i, j] of sentIn(step)) {
    const branch = values[i].branches[j];
    if (branch.by !== null) add(parts[branch.by], "lit");
    if (parts[i].length === 1) add(parts[i], "reached");
    add(branch.edges.map(by), "lit");
  }
}

/** All ways from the root back to a value: what is computed from it, directly or not. */
function showWays(i) {
  for (const part of svg.querySelectorAll(".way, .chosen")) part.classList.remove("way", "chosen");
  svg.classList.toggle("choosing", i !== null);
  if (i === null) return;
  const { nodes, branches } = values[i];
  const reached = [...nodes, ...branches.flatMap((branch) => (branch.by === null ? [] : values[branch.by].nodes))];
  const seen = new Set(reached);
  for (const node of reached) {
    by(node).classList.add("way");
    for (const edge of outOf.get(node) ?? []) {
      edge.part.classList.add("way");
      if (!seen.has(edge.target)) reached.push(edge.target);
      seen.add(edge.target);
    }
  }
  for (const part of parts[i]) part.classList.add("chosen");
}

// The view.

function zoomTo(wanted) {
  const centre = { x: (picture.scrollLeft + picture.clientWidth / 2) / scale, y: (picture.scrollTop + picture.clientHeight / 2) / scale };
  scale = Math.min(Math.max(wanted, 0.05), 4);
  svg.style.width = `${natural.width * scale}px`;
  svg.style.height = `${natural.height * scale}px`;
  picture.scrollTo(centre.x * scale - picture.clientWidth / 2, centre.y * scale - picture.clientHeight / 2);
}

/** The whole graph where it can be read like that, otherwise its height. */
function fit() {
  const width = picture.clientWidth / natural.width;
  const height = picture.clientHeight / natural.height;
  zoomTo(Math.min(width, height) > 0.8 ? Math.min(width, height, 1.8) : Math.min(Math.max(height, 0.9), 1.8));
  zoomed = false;
  follow(false);
}

function zoomBy(factor) {
  zoomed = true;
  zoomTo(scale * factor);
}

/** Scroll so that what is lit is in sight, where the reader wants that. */
function follow(smooth) {
  if (!by("follow").checked || lit.length === 0) return;
  keepInSight(lit.filter(([part]) => part.classList.contains("node")).map(([part]) => part), smooth);
}

function keepInSight(nodes, smooth) {
  if (nodes.length === 0) return;
  const view = picture.getBoundingClientRect();
  const boxes = nodes.map((node) => node.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left)), right = Math.max(...boxes.map((box) => box.right));
  const top = Math.min(...boxes.map((box) => box.top)), bottom = Math.max(...boxes.map((box) => box.bottom));
  const margin = 24;
  const dx = left < view.left + margin || right > view.right - margin ? (left + right) / 2 - (view.left + view.right) / 2 : 0;
  const dy = top < view.top + margin || bottom > view.bottom - margin ? (top + bottom) / 2 - (view.top + view.bottom) / 2 : 0;
  if (dx || dy) picture.scrollBy({ left: dx, top: dy, behavior: smooth && !calm.matches ? "smooth" : "instant" });
}
