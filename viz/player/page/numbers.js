"use strict";
// How numbers and arrays are shown. Text gets into the page as text nodes only.

const { values, steps } = data;
const by = (id) => document.getElementById(id);

// Arrays are decoded when they are shown: their entries are doubles that follow one another.

const numbers = new DataView(bytesOf(data.numbers).buffer);
const offsets = [];
data.arrays.reduce((offset, form) => (offsets.push(offset), typeof form === "number" ? offset + data.forms[form][2] : offset), 0);

/** The array of that number; one that was computed here is there already. */
function decoded(k) {
  if (typeof k !== "number") return k;
  const form = data.arrays[k];
  if (typeof form !== "number") return form;
  const [shape, dtype, size] = data.forms[form];
  return { shape, dtype, entries: Array.from({ length: size }, (_, i) => entry(numbers.getFloat64(8 * (offsets[k] + i), true), dtype)) };
}

function entry(x, dtype) {
  if (dtype === "bool") return x === 1;
  return Number.isFinite(x) ? x : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
}

/** Let these properties of an object be arrays instead of their numbers. */
function decoding(object, ...names) {
  for (const name of names) {
    let k = object[name];
    if (k !== undefined) Object.defineProperty(object, name, { get: () => decoded(k), set: (array) => (k = array), enumerable: true });
  }
}

for (const value of values) {
  decoding(value, "value", "gradient");
  for (const branch of value.branches) decoding(branch, "gradient", "sum");
}

function make(tag, kind, ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}

function button(text, kind, action) {
  const element = make("button", kind, text);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
}

// Numbers, rounded as on the nodes of the picture.

function rounded(x, whole = false) {
  if (Array.isArray(x)) return `${rounded(x[0])} ${rounded(x[1])}i`;
  if (typeof x === "boolean") return x ? "True" : "False";
  if (typeof x === "string") return x.replace("-", "−");
  if (x === 0) return "0";
  const size = Math.abs(x);
  const digits = whole ? String(size) : size >= 1e-3 && size < 1e4 ? size.toFixed(4) : size.toExponential(2);
  return (x < 0 ? "−" : "+") + digits.replace(/e([+-])(\d)$/, "e$10$2").replace("e-", "e−");
}

/** An array without rounding, in brackets. */
function listing({ shape, entries }) {
  const nested = (axis, from, size) => {
    if (axis === shape.length) return exact(entries[from]);
    const step = size / shape[axis];
    return `[${Array.from({ length: shape[axis] }, (_, k) => nested(axis + 1, from + k * step, step)).join(", ")}]`;
  };
  return nested(0, 0, entries.length);
}

const exact = (x) => (Array.isArray(x) ? `${x[0]} ${x[1]}i` : Object.is(x, -0) ? "-0" : String(x));
const isWhole = (array) => /int/.test(array.dtype);
const sizes = (array) => `(${array.shape.join(", ")}${array.shape.length === 1 ? "," : ""})`;

function total(array) {
  if (!array.entries) return array.sum;
  if (!array.entries.every((x) => typeof x === "number")) return null;
  return array.entries.reduce((sum, x) => sum + x, 0);
}

/** What a node of the picture says of an array: its entries, or of more than two their sum. */
function summary(array) {
  const entries = array.entries;
  if (entries && entries.length === 1) return rounded(entries[0], isWhole(array));
  if (entries && (entries.length === 0 || entries.length === 2)) return `[${entries.map((x) => rounded(x, isWhole(array))).join(", ")}]`;
  const sum = total(array);
  return sum === null ? "…" : `Σ ${rounded(sum, isWhole(array))}`;
}

/** All entries of an array, in rows and columns; of a large one its shape and the sum of its entries. */
function shown(array, kind = "") {
  const isTable = array.entries && array.shape.length > 0;
  const box = isTable ? table(array) : make("span", "");
  box.className = `array ${isTable ? "grid " : ""}${kind}`;
  box.dataset.exact = JSON.stringify(array.entries ?? array.sum);
  if (!array.entries) {
    box.append(`${sizes(array)}  Σ ${rounded(array.sum, isWhole(array))}`);
    box.title = `shape ${sizes(array)}, sum of the entries ${exact(array.sum)}`;
  } else if (!isTable) {
    box.append(rounded(array.entries[0], isWhole(array)));
    box.title = exact(array.entries[0]);
  }
  return box;
}

/** A table of an array: the last axis runs along the columns, the others along the rows, which are numbered if there are several. */
function table({ shape, dtype, entries }) {
  const columns = shape[shape.length - 1] || 1;
  const numbered = entries.length > columns;
  const box = make("table", "");
  box.setAttribute("aria-label", `shape ${sizes({ shape })}`);
  if (numbered) box.append(row(make("td", ""), ...Array.from({ length: columns }, (_, j) => heading("col", j))));
  for (let i = 0; i < entries.length; i += columns) {
    const cells = entries.slice(i, i + columns).map((x) => cell(x, dtype));
    box.append(row(...(numbered ? [heading("row", place(i / columns, shape))] : []), ...cells));
  }
  return box;
}

const row = (...cells) => make("tr", "", ...cells);

function cell(x, dtype) {
  const found = make("td", "", rounded(x, isWhole({ dtype })));
  found.title = exact(x);
  return found;
}

function heading(scope, text) {
  const found = make("th", "", String(text));
  found.scope = scope;
  return found;
}

/** The positions along all axes but the last, of a row by its number. */
function place(n, shape) {
  const found = [];
  for (const length of shape.slice(0, -1).reverse()) {
    found.unshift(n % length);
    n = Math.floor(n / length);
  }
  return found.join(", ");
}

/** A name, whose direction of writing does not spread to what stands around it. */
const named = (text) => make("bdi", "", text);
