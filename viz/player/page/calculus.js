// Operations on arrays, as NumPy has them: what a page needs to compute a small graph again. An array is its shape and its entries.

const scalar = (x) => ({ shape: [], entries: [x] });
const count = (shape) => shape.reduce((product, length) => product * length, 1);
const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

const EACH = {
  negative: (x) => -x,
  positive: (x) => x,
  square: (x) => x * x,
  reciprocal: (x) => 1 / x,
  sigmoid,
  sign: Math.sign,
  abs: Math.abs,
  astype: Number,
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x, { negative_slope: slope = 0.01 }) => (x > 0 ? x : slope * x),
  elu: (x, { alpha = 1 }) => (x > 0 ? x : alpha * Math.expm1(x)),
  silu: (x) => x * sigmoid(x),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  arcsin: Math.asin,
  arccos: Math.acos,
  arctan: Math.atan,
  ...Object.fromEntries(["exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "sin", "cos", "tan", "sinh", "cosh", "tanh"].map((name) => [name, Math[name]])),
};

const PAIRS = {
  add: (x, y) => x + y,
  subtract: (x, y) => x - y,
  multiply: (x, y) => x * y,
  divide: (x, y) => x / y,
  power: (x, y) => x ** y,
  maximum: Math.max,
  minimum: Math.min,
  arctan2: Math.atan2,
  hypot: Math.hypot,
  equal: (x, y) => Number(x === y),
  not_equal: (x, y) => Number(x !== y),
  logical_and: (x, y) => Number(x && y),
  logical_or: (x, y) => Number(x || y),
  greater: (x, y) => Number(x > y),
  greater_equal: (x, y) => Number(x >= y),
  less: (x, y) => Number(x < y),
  less_equal: (x, y) => Number(x <= y),
};

/** The shape to which two shapes broadcast. */
function common(one, other) {
  const length = Math.max(one.length, other.length);
  const at = (shape, k) => shape[k - length + shape.length] ?? 1;
  return Array.from({ length }, (_, k) => (at(one, k) === 1 ? at(other, k) : at(one, k)));
}

/** The positions along each axis of entry number `n`. */
function positions(n, shape) {
  const found = new Array(shape.length);
  for (let k = shape.length - 1; k >= 0; k--) {
    found[k] = n % shape[k];
    n = Math.floor(n / shape[k]);
  }
  return found;
}

/** The number of the entry at these positions, from the last axis; an axis of length 1 has one for all. */
function numberAt(where, shape) {
  return shape.reduce((n, length, k) => n * length + (length === 1 ? 0 : where[k + where.length - shape.length]), 0);
}

const each = (compute, x, params) => ({ shape: x.shape, entries: x.entries.map((entry) => compute(entry, params)) });
const filled = (shape, entryAt) => ({ shape, entries: Array.from({ length: count(shape) }, (_, n) => entryAt(positions(n, shape), n)) });
const at2 = (array, where) => array.entries[numberAt(where, array.shape)];

function pairwise(compute, x, y) {
  return filled(common(x.shape, y.shape), (where) => compute(at2(x, where), at2(y, where)));
}

function matmul(x, y) {
  const left = x.shape.length === 1 ? { shape: [1, x.shape[0]], entries: x.entries } : x;
  const right = y.shape.length === 1 ? { shape: [y.shape[0], 1], entries: y.entries } : y;
  if (left.shape.length !== 2 || right.shape.length !== 2) throw new RangeError("no product of stacked matrices");
  const [rows, inner] = left.shape, columns = right.shape[1];
  const dot = (i, j) => Array.from({ length: inner }, (_, k) => left.entries[i * inner + k] * right.entries[k * columns + j]).reduce((a, b) => a + b, 0);
  const product = filled([rows, columns], ([i, j]) => dot(i, j));
  return { shape: [...(x.shape.length === 1 ? [] : [rows]), ...(y.shape.length === 1 ? [] : [columns])], entries: product.entries };
}

function transpose(x, { axes }) {
  const order = axes ?? x.shape.map((_, k) => x.shape.length - 1 - k);
  return filled(order.map((k) => x.shape[k]), (where) => {
    const from = new Array(where.length);
    order.forEach((k, n) => (from[k] = where[n]));
    return at2(x, from);
  });
}

const axesOf = (axis, shape) => (axis === null || axis === undefined ? shape.map((_, k) => k) : [axis].flat().map((k) => (k < 0 ? k + shape.length : k)));

/** The entries along axes put together, from `start` on; these axes have length 1 then. */
function along(x, axis, start, join) {
  const axes = axesOf(axis, x.shape);
  const found = filled(x.shape.map((length, k) => (axes.includes(k) ? 1 : length)), () => start);
  x.entries.forEach((entry, n) => {
    const k = numberAt(positions(n, x.shape), found.shape);
    found.entries[k] = join(found.entries[k], entry);
  });
  return found;
}

/** The sum along axes, and other reductions; the shape of the result is known. */
const sum = (x, { axis }, shape) => ({ shape, entries: along(x, axis, 0, PAIRS.add).entries });
const most = (x, { axis }, shape) => ({ shape, entries: along(x, axis, -Infinity, Math.max).entries });
const least = (x, { axis }, shape) => ({ shape, entries: along(x, axis, Infinity, Math.min).entries });

/** log Σ exp, without overflow; the axes keep length 1. */
function logSumExp(x, axis) {
  const top = along(x, axis, -Infinity, Math.max);
  const rest = each(Math.exp, pairwise(PAIRS.subtract, x, top));
  return pairwise(PAIRS.add, top, each(Math.log, along(rest, axis, 0, PAIRS.add)));
}

const logSoftmax = (x, { axis = -1 }) => pairwise(PAIRS.subtract, x, logSumExp(x, axis));

function softmax(x, { axis = -1 }) {
  const parts = each(Math.exp, pairwise(PAIRS.subtract, x, along(x, axis, -Infinity, Math.max)));
  return pairwise(PAIRS.divide, parts, along(parts, axis, 0, PAIRS.add));
}

function mean(x, params, shape) {
  const ratio = count(shape) / x.entries.length;
  return { shape, entries: sum(x, params, shape).entries.map((entry) => entry * ratio) };
}

/** Arrays one after the other along a new axis. */
function stack(arrays, { axis = 0 }, shape) {
  const [k] = axesOf(axis, shape);
  return filled(shape, (where) => at2(arrays[where[k]], where.filter((_, other) => other !== k)));
}

function flip(x, { axis }) {
  const axes = axesOf(axis, x.shape);
  return filled(x.shape, (where) => at2(x, where.map((position, k) => (axes.includes(k) ? x.shape[k] - 1 - position : position))));
}

function concatenate(arrays, { axis }, shape) {
  const [k] = axesOf(axis ?? 0, shape);
  const starts = arrays.map((_, n) => arrays.slice(0, n).reduce((length, array) => length + array.shape[k], 0));
  return filled(shape, (where) => {
    const n = starts.findLastIndex((start) => start <= where[k]);
    return at2(arrays[n], where.map((position, axis) => (axis === k ? position - starts[n] : position)));
  });
}

/** For each axis the positions that an index picks, and whether the axis stays. */
function picked(key, shape) {
  return shape.map((length, k) => {
    if (typeof key[k] === "number") return { at: [(key[k] + length) % length], stays: false };
    const [start, stop, step] = key[k] ?? [null, null, null];
    const stride = step ?? 1;
    const [first, last] = stride < 0 ? [length - 1, -1] : [0, length]; // the ends if none are given
    const [lowest, highest] = [Math.min(first, last), Math.max(first, last)];
    const bound = (x, other) => (x === null ? other : Math.min(Math.max(x < 0 ? x + length : x, lowest), highest));
    const found = [], end = bound(stop, last);
    for (let n = bound(start, first); stride < 0 ? n > end : n < end; n += stride) found.push(n);
    return { at: found, stays: true };
  });
}

function pick(x, key, visit) {
  const axes = picked(key, x.shape);
  const inner = axes.map((axis) => axis.at.length);
  for (let n = 0; n < count(inner); n++) visit(n, numberAt(positions(n, inner).map((p, k) => axes[k].at[p]), x.shape));
}

function index(x, { key }, shape) {
  const entries = [];
  pick(x, key, (n, from) => (entries[n] = x.entries[from]));
  return { shape, entries };
}

function scatter(x, { key }, shape) {
  const found = filled(shape, () => 0);
  pick(found, key, (n, to) => (found.entries[to] += x.entries[n]));
  return found;
}

const WHOLE = {
  add_n: (args) => args.reduce((x, y) => pairwise(PAIRS.add, x, y)),
  linear: ([x, W, b]) => pairwise(PAIRS.add, matmul(x, transpose(W, {})), b),
  matmul: ([x, y]) => matmul(x, y),
  transpose: ([x], params) => transpose(x, params),
  sum: ([x], params, shape) => sum(x, params, shape),
  mean: ([x], params, shape) => mean(x, params, shape),
  max: ([x], params, shape) => most(x, params, shape),
  min: ([x], params, shape) => least(x, params, shape),
  softmax: ([x], params) => softmax(x, params),
  log_softmax: ([x], params) => logSoftmax(x, params),
  logsumexp: ([x], { axis }, shape) => ({ shape, entries: logSumExp(x, axis).entries }),
  clip: ([x, low, high]) => pairwise(Math.min, pairwise(Math.max, x, low), high),
  stack,
  flip: ([x], params) => flip(x, params),
  reshape: ([x], params, shape) => ({ shape, entries: x.entries }),
  broadcast_to: ([x], params, shape) => filled(shape, (where) => at2(x, where)),
  concatenate,
  index: ([x], params, shape) => index(x, params, shape),
  scatter: ([x], params, shape) => scatter(x, params, shape),
  where: ([is, x, y], params, shape) => filled(shape, (where) => (at2(is, where) ? at2(x, where) : at2(y, where))),
  squared_error: ([x, y]) => scalar(pairwise((a, b) => 0.5 * (b - a) ** 2, x, y).entries.reduce((a, b) => a + b, 0)),
};

/** What a formula computes: an operation of arguments, or a value, a gradient or a number. An error where the page cannot. */
function evaluated(formula, valueOf, gradientOf) {
  const [name, second, third, ...rest] = formula;
  if (name === "value") return valueOf(second);
  if (name === "gradient") return gradientOf(second);
  if (name === "number") return { shape: second, entries: third.map(Number) };
  const args = rest.map((argument) => evaluated(argument, valueOf, gradientOf));
  if (EACH[name]) return each(EACH[name], args[0], third);
  if (PAIRS[name]) return pairwise(PAIRS[name], ...args);
  if (!WHOLE[name]) throw new RangeError(`no operation ${name}`);
  return WHOLE[name](args, third, second);
}
