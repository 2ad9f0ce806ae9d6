// What stands beside the picture: the step in words, rules and numbers, the chosen value, and the ledger of parameters.

let chosen = null;
const rows = values.map((value) => (value.op === "parameter" ? make("tr") : null));

const short = (name) => (name.length > 48 ? `${name.slice(0, 47)}…` : name);
const delta = (name) => (/^[\p{L}\p{N}_~^#.]+(<[^<>]*>)?$/u.test(name) ? `δ${name}` : `δ(${name})`);

function nameOf(i, gradient = false) {
  const name = short(values[i].name);
  const link = button(gradient ? delta(name) : name, gradient ? "name gradient" : "name", () => choose(i));
  link.title = `Show this value and its ways to ${data.root}`;
  return link;
}

// A rule is a list of texts and, between them, values or gradients.

const inNames = (rule) => rule.map((piece) => (typeof piece === "string" ? piece : nameOf(piece.of, piece.gradient)));
const called = (piece) => (piece.gradient ? delta(values[piece.of].name) : values[piece.of].name);
const inText = (rule) => rule.map((piece) => (typeof piece === "string" ? piece : called(piece))).join("");
const inNumbers = (rule) =>
  rule.map((piece) => {
    if (typeof piece === "string") return piece;
    return piece.gradient ? shown(values[piece.of].gradient, "gradient") : shown(values[piece.of].value);
  });

function via(i, branch) {
  if (branch.by === null) return `via ${inBlocks(branch.blocks)}`;
  const twice = values[i].branches.filter((other) => other.by === branch.by).length > 1;
  return `via ${short(values[branch.by].name)}${twice ? `, argument ${branch.argument}` : ""}`;
}

const inBlocks = ([from, to]) => (from === to ? `block ${from}` : `blocks ${from} to ${to}`);
const where = (i) => (values[i].block === null ? "" : `, block ${values[i].block}`);
const line = (kind, ...children) => make("p", kind, ...children);

// The step.

function showStep(step) {
  const box = by("step");
  const [phase, place, text, ...content] = told(step);
  const heading = line("phase", make("b", "", phase), place);
  heading.classList.toggle("backward", phase === "backward");
  box.replaceChildren(heading, ...content);
  by("said").textContent = `${phase}${place}: ${text}`;
}

/** The phase, the place, a sentence and the elements for a step. */
function told(step) {
  if (step.kind === "given") {
    return ["start", "", ...plainly(`The leaves are given: ${step.values.length} inputs, states and parameters. Forward computes the rest.`)];
  }
  if (step.kind === "forward") return toldForward(step.value);
  if (step.kind === "seed") return toldSeed(step.value);
  if (step.kind === "backward") return toldBackward(step.value, step.branch);
  return toldHidden(step);
}

const plainly = (text, ...content) => [text, line("rule", text), ...content];

function toldForward(i) {
  const { name, rule, value } = values[i];
  const numbers = make("div", "numbers", ...inNumbers(rule), " = ", shown(value));
  return ["forward", where(i), `${name} = ${inText(rule)} = ${summary(value)}`, line("rule", nameOf(i), " = ", ...inNames(rule)), numbers];
}

function toldSeed(i) {
  const { name, gradient } = values[i];
  const start = {
    one: "its derivative by itself.",
    ones: "a one for each entry, since what is differentiated is the sum of its entries.",
    given: "the gradient that was given for it.",
  };
  const text = `Backward starts at ${name}: ${start[data.start]}`;
  const content = [line("note", text), line("rule", nameOf(i, true), " ="), make("div", "numbers", shown(gradient, "gradient"))];
  return ["backward", where(i), `${text} ${delta(name)} = ${summary(gradient)}`, ...content];
}

function toldBackward(i, j) {
  const { name, branches } = values[i];
  const branch = branches[j];
  const sender = values[branch.by].name;
  const numbers = [...inNumbers(branch.rule), " = "];
  const content = [
    line("note", nameOf(branch.by), " sends back to ", nameOf(i), branches.length > 1 ? `, ${j + 1} of its ${branches.length} branches to arrive` : ", which is read once"),
    line("rule", nameOf(i, true), " = ", ...terms(i, j)),
    make("div", "numbers", ...numbers, shown(branch.gradient, branches.length > 1 ? "sent" : "gradient")),
  ];
  if (data.complex) content.push(line("note", "In formulas of complex numbers δ is the conjugate of the gradient that is shown."));
  if (branches.length > 1 || !same(values[i].gradient, branch.sum)) content.push(joined(i, j));
  const text = `${sender} sends ${summary(branch.gradient)} back to ${name}: ${inText(branch.rule)}. ${sumSaid(i, j)}`;
  return ["backward", where(branch.by), text, ...content];
}

/** The sum of a value's branches in the order of the tape, the last that arrives first; branch `j` is marked. */
function terms(i, j) {
  const { branches } = values[i];
  if (branches.length === 1) return inNames(branches[0].rule);
  const near = (k) => Math.abs(k - j) < 2 || branches.length < 5;
  const found = [];
  for (let k = branches.length - 1; k >= 0; k--) {
    if (found.length > 0 && (near(k) || near(k + 1))) found.push(" + ");
    if (near(k)) found.push(make("span", k === j ? "term now" : k < j ? "term" : "term waiting", ...inNames(branches[k].rule ?? [via(i, branches[k])])));
    else if (near(k + 1) || found.length === 0) found.push("…");
  }
  return found;
}

function sumSaid(i, j) {
  const { name, branches } = values[i];
  if (branches.length === 1) return `This is ${delta(name)}: it is read once.`;
  if (j === branches.length - 1) return `All ${branches.length} branches of the fork have arrived: ${delta(name)} = ${summary(branches[j].sum)}.`;
  return `Branch ${j + 1} of ${branches.length}: the sum so far is ${summary(branches[j].sum)}.`;
}

function toldHidden(step) {
  const back = step.kind === "return";
  const text = `The ${step.stages} stages of ${inBlocks(step.blocks)}, which are not drawn one by one, run ${back ? "backward" : "forward"}.`;
  const content = back
    ? step.branches.map(([i, j]) => joined(i, j))
    : step.values.map((i) => make("div", "numbers", nameOf(i), " = ", shown(values[i].value)));
  return [back ? "backward" : "forward", "", ...plainly(text, ...content)];
}

/** The addition at a fork: what arrived until its branch `j`, the sum so far, and how many are missing. */
function joined(i, j) {
  const { branches, gradient } = values[i];
  const complete = j === branches.length - 1;
  const list = make("ul", "sum");
  const first = j < 6 ? 0 : j - 4;
  if (first > 0) list.append(addend("", `the ${first} before`, shown(branches[first - 1].sum, "sent")));
  for (let k = first; k <= j; k++) list.append(addend(k > 0 ? "+ " : "", via(i, branches[k]), shown(branches[k].gradient, "sent"), k === j ? "now" : ""));
  const label = complete ? (gradient ? nameOf(i, true) : "sum") : `sum so far, ${j + 1} of ${branches.length}`;
  list.append(addend("= ", label, shown(branches[j].sum, complete ? "gradient" : "sent"), "total"));
  const missing = branches.slice(j + 1);
  if (missing.length > 0) {
    const named = missing.slice(0, 3).map((branch) => via(i, branch));
    list.append(addend("", `to come: ${named.join(", ")}${missing.length > 3 ? `, ${missing.length - 3} more` : ""}`, "", "waiting"));
  }
  const hooked = complete && gradient && !same(gradient, branches[j].sum);
  return make("div", "", list, ...(hooked ? [line("note", "A hook of the value changes the sum: ", nameOf(i, true), " = ", shown(gradient, "gradient"))] : []));
}

function addend(sign, label, content, kind = "") {
  return make("li", kind, make("span", "", sign, label), content);
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// The chosen value.

function choose(i) {
  const fromPanel = document.activeElement?.closest("aside, #search");
  chosen = i;
  showWays(i);
  showChosen();
  if (i !== null) {
    keepInSight(parts[i].slice(0, 1), true);
    by("chosen").scrollIntoView({ block: "nearest", behavior: "instant" });
  }
  if (fromPanel) (i === null ? picture : by("chosen")).focus({ preventScroll: true }); // what had the focus is gone
}

function showChosen() {
  const box = by("chosen");
  box.hidden = chosen === null;
  if (chosen === null) return;
  const { name, rule, op, value, gradient, branches, ways } = values[chosen];
  const heading = make("h2", "", name, make("small", "", `${op}${where(chosen)} · ${sizes(value)} ${value.dtype}`));
  const content = [heading];
  if (rule) content.push(line("", "= ", ...inNames(rule)));
  content.push(line("note", "value"), make("div", "numbers", shown(value)));
  if (gradient) content.push(line("note", `gradient: derivative of ${data.root} by it`), make("div", "numbers", shown(gradient, "gradient")));
  else content.push(line("note", op === "constant" ? "A constant: it needs no gradient." : "Several values in one node: each has its own gradient."));
  if (branches.length > 1) {
    content.push(line("note", `fork: sum of ${branches.length} branches, in the order in which they arrive`), branchList(chosen));
  }
  if (branches.length === 1) content.push(line("note", `read once: all of it comes ${via(chosen, branches[0])}`));
  if (ways) {
    const all = data.hidden ? ", those through blocks that are not drawn included" : "";
    content.push(line("note", `${ways} way${ways === "1" ? "" : "s"} from ${data.root} back to it${all}.`));
  }
  const row = make("div", "row");
  for (const [label, n] of stepsOf(chosen)) row.append(button(label, "", () => go(n)));
  row.append(button("Choose none", "", () => choose(null)));
  box.replaceChildren(...content, row);
}

function branchList(i) {
  const { branches } = values[i];
  const list = make("ul", "sum");
  for (const [k, branch] of branches.slice(0, 50).entries()) list.append(addend(k > 0 ? "+ " : "", via(i, branch), shown(branch.gradient, "sent")));
  if (branches.length > 50) list.append(addend("+ ", `${branches.length - 50} more`, ""));
  return list;
}

/** The steps that concern a value, as pairs of a label and a number. */
function stepsOf(i) {
  const found = [];
  const computed = steps.findIndex((step) => step.value === i && step.kind === "forward");
  if (computed >= 0) found.push(["Go to its stage", computed]);
  const arrivals = steps.flatMap((step, n) => (sentIn(step).some(([to]) => to === i) ? [n] : []));
  if (arrivals.length > 1) found.push(["Go to its first branch", arrivals[0]]);
  if (arrivals.length > 0) found.push([arrivals.length > 1 ? "Go to its sum" : "Go to its gradient", arrivals[arrivals.length - 1]]);
  return found;
}

// The ledger: the parameters, with the sum of what the stages have sent back so far.

function prepareLedger() {
  const table = make("table", "", make("caption", "", "Parameters, and the sum of what has come back to them"));
  for (const [i, row] of rows.entries()) {
    if (!row) continue;
    row.append(make("th", "", nameOf(i)), make("td", "", sizes(values[i].value)), make("td", "share"), make("td", "count"));
    table.append(row);
    showShare(i, -1);
  }
  by("ledger").append(table);
  by("ledger").hidden = !rows.some(Boolean);
}

function showShare(i, j) {
  const row = rows[i];
  if (!row) return;
  const { branches } = values[i];
  row.querySelector(".share").replaceChildren(j < 0 ? "" : smallSum(branches[j].sum, j === branches.length - 1));
  row.querySelector(".count").textContent = `${j + 1} of ${branches.length}`;
}

function smallSum(sum, complete) {
  const box = make("span", complete ? "array gradient" : "array sent", `${complete ? "δ" : "so far"} ${summary(sum)}`);
  box.dataset.exact = JSON.stringify(sum.entries ?? sum.sum);
  return box;
}

function lightRows(step) {
  for (const row of rows) row?.classList.remove("lit");
  for (const [i] of sentIn(step)) rows[i]?.classList.add("lit");
}

function prepareLegend() {
  for (const [sample, text] of data.legend) {
    const term = make("dt", "", sample.text);
    if (sample.fill) term.style.background = `var(--${sample.fill})`;
    else term.style.color = `var(--${sample.ink})`;
    by("legend").append(term, make("dd", "", text.text));
  }
}
