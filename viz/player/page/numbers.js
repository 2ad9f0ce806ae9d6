"use strict";
// The data, and how numbers and arrays are shown. Text gets into the page as text nodes only.

const data = JSON.parse(document.getElementById("data").textContent);
const { values, steps } = data;
const by = (id) => document.getElementById(id);

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

/** All entries of an array, in rows; of a large one its shape and the sum of its entries. */
function shown(array, kind = "") {
  const box = make("span", `array ${kind}`);
  box.dataset.exact = JSON.stringify(array.entries ?? array.sum);
  if (!array.entries) {
    box.append(`${sizes(array)}  Σ ${rounded(array.sum, isWhole(array))}`);
    box.title = `shape ${sizes(array)}, sum of the entries ${exact(array.sum)}`;
  } else if (array.shape.length === 0) {
    box.append(rounded(array.entries[0], isWhole(array)));
    box.title = exact(array.entries[0]);
  } else {
    const columns = array.shape[array.shape.length - 1] || 1;
    const grid = make("span", columns > 5 ? "grid wide" : "grid");
    grid.style.gridTemplateColumns = `repeat(${columns}, auto)`;
    for (const x of array.entries) {
      const cell = make("span", "", rounded(x, isWhole(array)));
      cell.title = exact(x);
      grid.append(cell);
    }
    box.append(grid);
  }
  return box;
}
