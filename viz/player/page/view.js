// Where the view is: on the whole graph, or so near that it can be read, with names of what is beyond its edges.

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const LEGIBLE = 0.75; // below, a picture is looked at but not read
let scale = 1;
let near = false; // whether the view is near enough to read, or on the whole
let zoomed = false; // by the reader

/** What is in sight, in points of the picture. */
function inSight() {
  const offset = { x: Math.max(0, (picture.clientWidth - natural.width * scale) / 2), y: Math.max(0, (picture.clientHeight - natural.height * scale) / 2) };
  return {
    left: natural.left + (picture.scrollLeft - offset.x) / scale,
    top: natural.top + (picture.scrollTop - offset.y) / scale,
    width: picture.clientWidth / scale,
    height: picture.clientHeight / scale,
  };
}

function zoomTo(wanted) {
  const centre = { x: (picture.scrollLeft + picture.clientWidth / 2) / scale, y: (picture.scrollTop + picture.clientHeight / 2) / scale };
  scale = Math.min(Math.max(wanted, 0.03), 4);
  svg.style.width = `${natural.width * scale}px`;
  svg.style.height = `${natural.height * scale}px`;
  picture.scrollTo(centre.x * scale - picture.clientWidth / 2, centre.y * scale - picture.clientHeight / 2);
  moved();
}

const wholeScale = () => Math.min(picture.clientWidth / natural.width, picture.clientHeight / natural.height, 1.8);
const nearScale = () => Math.max(wholeScale(), Math.min(Math.max(picture.clientHeight / natural.height, 0.9), 1.8));

function settle() {
  zoomed = false;
  zoomTo(near ? nearScale() : wholeScale());
  if (near) follow(false);
}

/** Back to what it was before the reader zoomed; from there to the whole graph, or near. */
function fit() {
  if (!zoomed) near = !near;
  settle();
}

function zoomBy(factor) {
  zoomed = true;
  zoomTo(scale * factor);
}

/** Go near, to read a step of a graph that cannot be read as a whole. */
function approach() {
  if (near || zoomed || !by("follow").checked || wholeScale() >= LEGIBLE) return;
  near = true;
  zoomTo(nearScale());
}

// What is lit comes into sight: all of it where that fits, otherwise what the step is about.

function follow(smooth) {
  if (by("follow").checked && lit.length > 0) keepInSight(litNodes(), mainNode(), smooth);
  moved();
}

const litNodes = () => lit.map(([piece]) => piece).filter((piece) => piece.kind === "node");
const mainNode = () => (lit.find(([piece, kind]) => kind === "reached") ?? lit[0])[0];

function keepInSight(some, main, smooth) {
  if (some.length === 0) return;
  const view = inSight();
  const margin = 24 / scale;
  const box = bounds(some, margin);
  const wanted = box.width > view.width || box.height > view.height ? bounds([main], margin) : box;
  const dx = off(wanted.left, wanted.width, view.left, view.width);
  const dy = off(wanted.top, wanted.height, view.top, view.height);
  if (dx || dy) picture.scrollBy({ left: dx * scale, top: dy * scale, behavior: smooth && !calm.matches ? "smooth" : "instant" });
  moved();
}

/** How far to go so that a stretch is in the middle of the view; 0 where it is in sight. */
function off(start, length, from, size) {
  const isIn = start >= from && start + length <= from + size;
  return isIn ? 0 : start + length / 2 - (from + size / 2);
}

/** The view is another: what is in it comes into the document, what is beyond is named. */
function moved() {
  showPart(inSight());
  showBeyond();
  showOverview();
}

function showBeyond() {
  const view = inSight();
  const sides = { left: [], right: [], up: [], down: [] };
  for (const piece of concerned()) {
    const x = (piece.left + piece.right) / 2, y = (piece.top + piece.bottom) / 2;
    const side = x < view.left ? "left" : x > view.left + view.width ? "right" : y < view.top ? "up" : y > view.top + view.height ? "down" : null;
    if (side) sides[side].push(piece);
  }
  for (const [side, some] of Object.entries(sides)) by(side).replaceChildren(...some.slice(0, 3).map((piece) => towards(piece, side)));
}

/** The nodes that a step is about: what is lit, and what a stage reads. */
function concerned() {
  const read = at < backwardFrom ? lit.flatMap(([piece]) => (piece.edge ? [pieces.get(piece.edge.source)] : [])) : [];
  return new Set([...litNodes(), ...read]);
}

const ARROWS = { left: "← ", right: "→ ", up: "↑ ", down: "↓ " };

function towards(piece, side) {
  const name = piece.value === null ? "" : values[piece.value].name;
  const found = button(ARROWS[side], "beyond", () => keepInSight([piece], piece, true));
  found.append(named(short(name)));
  return found;
}
