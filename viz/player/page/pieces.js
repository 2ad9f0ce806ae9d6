// The pieces of the picture: nodes, edges and frames. Of a large picture only those in sight are in the document.

const FEW = 1500; // so many pieces always are
const MARGIN = 400; // points around what is in sight
const LAYERS = ["cluster", "edge", "node"];
const picture = by("picture");
const svg = picture.querySelector("svg");
const layers = Object.fromEntries(LAYERS.map((kind) => [kind, element("g", { class: kind === "node" ? "nodes" : "", ...(kind === "node" ? {} : { "aria-hidden": "true" }) })]));

function element(tag, attributes, ...children) {
  const found = document.createElementNS(document.querySelector("svg").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

class Piece {
  constructor([id, look, x, y, texts, said]) {
    const [kind, left, top, right, bottom, parts] = data.looks[look];
    Object.assign(this, { id, kind, x, y, parts, texts, said, element: null, value: null, edge: null });
    Object.assign(this, { left: left + x, top: top + y, right: right + x, bottom: bottom + y });
    this.marks = new Set();
  }

  /** What is drawn. Its texts were escaped when they were written. */
  get markup() {
    const inner = this.parts.map((part, k) => part + (this.texts[k] ?? "")).join("");
    return `<g transform="translate(${this.x} ${this.y})"><title></title>${inner}</g>`;
  }

  get title() {
    return this.said.map((part) => (typeof part === "string" ? part : listing(decoded(part)))).join("");
  }

  /** Mark it, or no longer; what is not in the document keeps its marks. */
  mark(name, on) {
    if (on) this.marks.add(name);
    else this.marks.delete(name);
    this.element?.classList.toggle(name, on);
  }

  has(name) {
    return this.marks.has(name);
  }

  enter(found) {
    this.element = found;
    found.id = this.id;
    found.firstChild.textContent = this.title;
    found.setAttribute("class", [this.kind, ...this.marks].join(" "));
    layers[this.kind].append(found);
    prepare(this);
  }

  leave() {
    this.element.remove();
    this.element = null;
  }
}

const pieces = new Map(data.pieces.map((raw) => [raw[0], new Piece(raw)]));
const all = [...pieces.values()];
const natural = bounds(all, 16);

function bounds(some, margin) {
  const end = (name, of) => some.reduce((found, piece) => of(found, piece[name]), some[0]?.[name] ?? 0);
  const left = end("left", Math.min) - margin, top = end("top", Math.min) - margin;
  return { left, top, width: end("right", Math.max) + margin - left, height: end("bottom", Math.max) + margin - top };
}

/** Put pieces into the document. */
function enter(some) {
  if (some.length === 0) return;
  const scratch = element("svg", {});
  scratch.innerHTML = some.map((piece) => piece.markup).join("");
  for (const [k, found] of [...scratch.children].entries()) some[k].enter(found);
}

/** Let those pieces be in the document that lie in a part of the picture. */
function showPart({ left, top, width, height }) {
  if (all.length <= FEW) return enter(all.filter((piece) => !piece.element));
  const fresh = [];
  for (const piece of all) {
    const inSight =
      piece.right > left - MARGIN && piece.left < left + width + MARGIN && piece.bottom > top - MARGIN && piece.top < top + height + MARGIN;
    if (inSight && !piece.element) fresh.push(piece);
    else if (!inSight && piece.element && piece.element !== document.activeElement) piece.leave();
  }
  enter(fresh);
}
