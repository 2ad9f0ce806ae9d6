// The strip under the picture, with all of the graph in it; and how large the gradient is along what goes from block to block.

const strip = by("strip");
const norms = data.norms.filter(({ points }) => points.length > 1);
const completedAt = values.map(() => Infinity); // the step at which the gradient of each value is complete
for (const [n, step] of steps.entries()) for (const [i] of step.kind === "seed" ? [[step.value]] : sentIn(step)) completedAt[i] = n;
let isDue = false;

/** Draw the strip before the next frame, once. */
function showOverview() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    drawStrip();
    drawNorms();
  });
}

let inks = null; // the colours of the strip, in this theme

/** A colour of the theme, as a canvas needs it. */
function colour(name) {
  const probe = make("i");
  probe.style.color = `var(--${name})`;
  strip.replaceChildren(probe);
  return getComputedStyle(probe).color;
}

function changeTheme() {
  inks = null;
  showOverview();
}

function drawStrip() {
  const { clientWidth: width, clientHeight: height } = strip;
  if (!width) return;
  const ratio = devicePixelRatio;
  [strip.width, strip.height] = [width * ratio, height * ratio];
  inks ??= { pale: colour("line"), known: colour("value"), complete: colour("gradient"), lit: colour("fork"), view: colour("text") };
  const ink = inks;
  const pen = strip.getContext("2d");
  pen.scale(ratio * (width / natural.width), ratio * (height / natural.height));
  pen.translate(-natural.left, -natural.top);
  const least = { x: (1.2 * natural.width) / width, y: (1.5 * natural.height) / height };
  const box = (piece) => pen.fillRect(piece.left, piece.top, Math.max(piece.right - piece.left, least.x), Math.max(piece.bottom - piece.top, least.y));
  for (const piece of nodes) {
    pen.fillStyle = piece.has("complete") ? ink.complete : piece.has("known") ? ink.known : ink.pale;
    box(piece);
  }
  pen.fillStyle = ink.lit;
  for (const piece of litNodes()) box(piece);
  drawFrame(pen, inSight(), ink.view, ratio, width, height);
}

function drawFrame(pen, view, ink, ratio, width, height) {
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.strokeStyle = ink;
  pen.lineWidth = 2;
  const x = ((view.left - natural.left) / natural.width) * width, y = ((view.top - natural.top) / natural.height) * height;
  const left = Math.max(x, 1), top = Math.max(y, 1);
  const right = Math.min(x + (view.width / natural.width) * width, width - 1);
  const bottom = Math.min(y + (view.height / natural.height) * height, height - 1);
  pen.strokeRect(left, top, Math.max(right - left, 3), Math.max(bottom - top, 3));
}

/** Go where the strip is pointed at. */
function pointAt(event) {
  if (!(event.buttons & 1)) return;
  approach();
  const box = strip.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * natural.width, y = ((event.clientY - box.top) / box.height) * natural.height;
  picture.scrollTo({ left: x * scale - picture.clientWidth / 2, top: y * scale - picture.clientHeight / 2, behavior: "instant" });
  moved();
}

// The norms of the gradient: a logarithmic scale, of which each block's point waits for its step.

const LINES = ["", "7 4", "2 3", "10 3 2 3", "1 4", "12 6", "4 2", "9 2 1 2"];

function stepOf([block, , i]) {
  if (i !== null) return completedAt[i];
  return steps.findIndex((step) => step.kind === "return" && step.blocks[0] <= block && block <= step.blocks[1]);
}

/** Where blocks are from left to right, from 0 to 1: at their nodes; those that are not drawn stand evenly between. */
function placesOf(points) {
  const found = points.map(([, , i]) => (i === null ? null : (parts[i][0].left + parts[i][0].right) / 2));
  if (found.some((x, n) => x !== null && n > 0 && found[n - 1] !== null && x < found[n - 1])) return points.map((_, n) => n / (points.length - 1)); // rows
  const places = [natural.left, ...found, natural.left + natural.width];
  for (let n = 1; n < places.length; n++) {
    if (places[n] !== null) continue;
    const next = places.findIndex((x, k) => k > n && x !== null);
    places[n] = places[n - 1] + (places[next] - places[n - 1]) / (next - n + 1);
  }
  return places.slice(1, -1).map((x) => (x - natural.left) / natural.width);
}

const across = norms.map(({ points }) => placesOf(points));
const waits = norms.map(({ points }) => points.map(stepOf));

function drawNorms() {
  const box = by("norms");
  const isShown = norms.length > 0 && at >= backwardFrom;
  if (box.hidden === isShown) {
    box.hidden = !isShown;
    if (near) follow(false); // the picture has another height
  }
  if (!isShown) return;
  const { clientWidth: width, clientHeight: height } = box.querySelector("svg");
  const sizes = norms.flatMap(({ points }) => points.map(([, norm]) => norm)).filter((norm) => norm > 0);
  const [low, high] = [Math.log10(Math.min(...sizes)), Math.log10(Math.max(...sizes))];
  const y = (norm) => 6 + ((high - Math.log10(norm)) / Math.max(high - low, 1e-9)) * (height - 12);
  const lines = norms.map(({ points }, k) => {
    const known = points.flatMap(([, norm], n) => (norm > 0 && waits[k][n] <= at ? [`${(across[k][n] * width).toFixed(1)},${y(norm).toFixed(1)}`] : []));
    return element("g", {}, element("polyline", { points: known.join(" "), "stroke-dasharray": LINES[k] }), ...known.slice(0, 60).map(dot));
  });
  box.querySelector("svg").replaceChildren(...lines);
  by("norm-text").replaceChildren(...normText(10 ** low, 10 ** high));
}

function dot(point) {
  const [cx, cy] = point.split(",");
  return element("circle", { cx, cy, r: 2.5 });
}

/** What the lines are, with the last number of each. */
function normText(low, high) {
  const found = ["norm of the gradient by block: "];
  for (const [k, { name, points }] of norms.entries()) {
    const known = points.filter((_, n) => waits[k][n] <= at);
    const sample = element("svg", { width: 26, height: 8, "aria-hidden": "true" }, element("line", { x1: 0, x2: 26, y1: 4, y2: 4, "stroke-dasharray": LINES[k] }));
    found.push(sample, " ", named(delta(name)), known.length ? ` ${size(known[0][1])} at block ${known[0][0]}; ` : "; ");
  }
  return [...found, `scale ${size(low)} to ${size(high)}`];
}

const size = (norm) => (norm === null ? "not finite" : rounded(norm).replace("+", ""));
