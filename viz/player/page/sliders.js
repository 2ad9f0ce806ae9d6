// What if: leaves and weights that are moved, and forward and backward computed again by the rules of the graph.

const MOVABLE = 40; // entries that have a slider
const leavesOf = values.flatMap(({ op, value }, i) => (["leaf", "constant", "parameter"].includes(op) && value.entries ? [i] : []));
const recorded = new Map(leavesOf.map((i) => [i, values[i].value]));
let given = new Map(); // the leaves that were moved
let isMoved = false;

/** Forward and backward: of each value its array, its gradient, and what its branches send. */
function recomputed() {
  const found = values.map((value, i) => ({ value: given.get(i) ?? recorded.get(i) ?? value.value, gradient: null, branches: [] }));
  const valueOf = (i) => found[i].value;
  const gradientOf = (i) => found[i].gradient;
  for (const step of steps) {
    if (step.kind === "forward") found[step.value].value = like(step.value, evaluated(values[step.value].formula, valueOf, gradientOf));
    else if (step.kind === "seed") found[step.value].gradient = values[step.value].gradient;
    else if (step.kind === "backward") send(found[step.value], step.value, evaluated(values[step.value].branches[step.branch].formula, valueOf, gradientOf));
  }
  return found;
}

const like = (i, { entries }) => ({ shape: values[i].value.shape, dtype: "float64", entries });

/** A branch arrives: the sum so far, and at last the sum in the order of the tape, as the engine adds. */
function send(to, i, sent) {
  const gradient = like(i, broadcast(sent, values[i].value.shape));
  const before = to.branches.at(-1);
  const branch = { gradient, sum: before ? like(i, pairwise(PAIRS.add, before.sum, gradient)) : gradient };
  to.branches.push(branch);
  if (to.branches.length < values[i].branches.length) return;
  branch.sum = like(i, to.branches.map((each) => each.gradient).reduceRight((x, y) => pairwise(PAIRS.add, x, y)));
  to.gradient = branch.sum;
}

const broadcast = (array, shape) => filled(shape, (where) => at2(array, where));

/** Whether the page can compute the graph again: it knows all formulas, and finds the numbers that were recorded. */
function isReproduced() {
  const near = (x, y) => Object.is(x, y) || Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(y));
  const agree = (one, other) => other === undefined || (one !== null && one.entries.length === other.entries?.length && one.entries.every((x, n) => near(x, other.entries[n])));
  try {
    return recomputed().every((found, i) => agree(found.value, values[i].value) && (values[i].branches.length === 0 || agree(found.gradient, values[i].gradient)));
  } catch {
    return false; // an operation that the page does not know
  }
}

/** Why nothing can be moved: a formula or a number of a leaf is missing, or the numbers do not come out; nothing if it can. */
function obstacle() {
  const size = leavesOf.reduce((sum, i) => sum + values[i].value.entries.length, 0);
  if (size > MOVABLE) return `There are ${size} entries to move; up to ${MOVABLE} have a slider each.`;
  if (data.norms.some(({ points }) => points.some(([, , i]) => i === null))) return "Some blocks are not drawn: nothing is computed again without them.";
  const known = values.every(({ rule, formula, branches }) => (!rule || formula) && branches.every((branch) => branch.formula));
  if (size && known && isReproduced()) return "";
  return "The page cannot compute this graph again, number for number: its rules here are those of arithmetic, products, tanh, maximum, softmax and the like in float64, without float32, masks, sorting or hooks.";
}

function prepareSliders() {
  const box = by("whatif"), why = obstacle();
  box.hidden = false;
  if (why) return box.append(line("note", why));
  const table = make("table", "", make("tbody", "", ...leavesOf.flatMap((i) => values[i].value.entries.map((x, n) => slider(i, n, x)))));
  const reset = button("As recorded", "", () => {
    for (const input of box.querySelectorAll("input")) input.value = input.dataset.recorded;
    given = new Map();
    recompute();
  });
  box.append(line("note", "Move a leaf or a weight: forward and backward are computed again, here."), table, make("div", "row", reset));
}

function slider(i, n, x) {
  const input = make("input", "");
  const { name, value } = values[i];
  const label = value.entries.length > 1 ? `${name}[${positions(n, value.shape).join(", ")}]` : name;
  const reach = Math.max(2, 2 * Math.abs(x));
  Object.assign(input, { type: "range", min: -reach, max: reach, step: "any", value: x });
  input.dataset.recorded = x;
  input.dataset.leaf = `${i} ${n}`;
  input.setAttribute("aria-label", label);
  const said = make("td", "array", rounded(x));
  input.addEventListener("input", () => {
    said.textContent = rounded(Number(input.value));
    change(i, n, Number(input.value));
  });
  const title = make("th", "", named(label));
  title.scope = "row";
  return row(title, make("td", "", input), said);
}

/** Let an entry of a leaf be another number. */
function change(i, n, x) {
  const now = given.get(i) ?? { ...recorded.get(i), entries: [...recorded.get(i).entries] };
  now.entries[n] = x;
  given.set(i, now);
  recompute();
}

function recompute() {
  isMoved = true;
  for (const [i, found] of recomputed().entries()) {
    values[i].value = found.value;
    if (found.gradient && values[i].gradient) values[i].gradient = found.gradient;
    for (const [j, branch] of found.branches.entries()) Object.assign(values[i].branches[j], branch);
  }
  for (const lane of data.norms) for (const point of lane.points) point[1] = Math.hypot(...values[point[2]].gradient.entries);
  for (const piece of all) if (piece.element) rewrite(piece);
  for (const i of values.keys()) showShare(i, arrivals[i]);
  showStep(steps[at]);
  showChosen();
  showOverview();
}

/** The numbers of a piece of the picture, after a leaf was moved. */
function rewrite(piece) {
  const put = (ink, text) => {
    const found = textIn(piece, ink);
    if (found) found.dataset.final = found.textContent = text;
  };
  const title = piece.element.querySelector("title");
  if (piece.value !== null) {
    const { name, value, gradient } = values[piece.value];
    put("value", summary(value));
    if (gradient) put("gradient", `∂ ${summary(gradient)}`);
    title.textContent = [name, `value ${value.entries.map(exact).join(", ")}`, ...(gradient ? [`gradient ${gradient.entries.map(exact).join(", ")}`] : [])].join("\n");
    write(piece);
  } else if (branchOf.has(piece.id)) {
    const { gradient } = branchOf.get(piece.id);
    put("fork", summary(gradient));
    title.textContent = `sends back ${gradient.entries.map(exact).join(", ")}`;
  }
}
