// What stands beside the picture: the step in words, rules and numbers, and the chosen value.

let chosen = null;
let guessing = false; // whether results wait until they are asked for
let asked = false; // whether they were, in this step

const short = (name) => (name.length > 48 ? `${name.slice(0, 47)}…` : name);
const delta = (name) => (/^[\p{L}\p{N}_~^#.]+(<[^<>]*>)?$/u.test(name) ? `δ${name}` : `δ(${name})`);

function nameOf(i, gradient = false) {
  const name = short(values[i].name);
  const link = button(named(gradient ? delta(name) : name), gradient ? "name gradient" : "name", () => choose(i));
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
  if (branch.by === null) return make("span", "", `via ${inBlocks(branch.blocks)}`);
  const twice = values[i].branches.filter((other) => other.by === branch.by).length > 1;
  return make("span", "", "via ", named(short(values[branch.by].name)), twice ? `, argument ${branch.argument}` : "");
}

const inBlocks = ([from, to]) => (from === to ? `block ${from}` : `blocks ${from} to ${to}`);
const where = (i) => (values[i].block === null ? "" : `, block ${values[i].block}`);
const line = (kind, ...children) => make("p", kind, ...children);

// The step. Who guesses first sees what is computed after asking for it.

const isHidden = () => guessing && !asked && steps[at].kind !== "given";
const result = (content) => (isHidden() ? make("span", "unknown", "?") : content);

function showStep(step) {
  const box = by("step");
  const [phase, place, text, ...content] = told(step);
  const title = line("phase", make("b", "", phase), place);
  title.classList.toggle("backward", phase === "backward");
  document.body.classList.toggle("guess", isHidden());
  if (isHidden()) title.append(button("Show the result", "ask", ask));
  box.replaceChildren(title, ...content);
  reachable(box);
  box.scrollTop = 0;
  by("said").textContent = `${phase}${place}: ${isHidden() ? "guess the result, then show it" : text}`;
}

/** Let the keyboard scroll tables that are too large to be seen at once. */
function reachable(box) {
  for (const table of box.querySelectorAll(".grid")) {
    if (table.scrollWidth > table.clientWidth || table.scrollHeight > table.clientHeight) table.tabIndex = 0;
  }
}

/** Show what was guessed. */
function ask() {
  asked = true;
  showStep(steps[at]);
  showChosen();
}

function guess(on) {
  [guessing, asked] = [on, false];
  by("guess").checked = on;
  showStep(steps[at]);
  showChosen();
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
  const numbers = make("div", "numbers", ...inNumbers(rule), " = ", result(shown(value)));
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
  const content = [line("note", "Backward starts at ", named(name), `: ${start[data.start]}`), line("rule", nameOf(i, true), " ="), make("div", "numbers", result(shown(gradient, "gradient")))];
  return ["backward", where(i), `${text} ${delta(name)} = ${summary(gradient)}`, ...content];
}

function toldBackward(i, j) {
  const { name, branches } = values[i];
  const branch = branches[j];
  const sender = values[branch.by].name;
  const numbers = [...inNumbers(branch.rule), " = "];
  const content = [
    line("note", nameOf(branch.by), " sends back to ", nameOf(i), branches.length > 1 ? `, the ${ordinal(j + 1)} of its ${branches.length} branches to arrive` : ", which is read once"),
    line("rule", nameOf(i, true), " = ", ...terms(i, j)),
    make("div", "numbers", ...numbers, result(shown(branch.gradient, branches.length > 1 ? "sent" : "gradient"))),
  ];
  if (data.complex) content.push(line("note", "In formulas of complex numbers δ is the conjugate of the gradient that is shown."));
  if (branches.length > 1 || !same(values[i].gradient, branch.sum)) content.push(joined(i, j));
  const text = `${sender} sends ${summary(branch.gradient)} back to ${name}: ${inText(branch.rule)}. ${sumSaid(i, j)}`;
  return ["backward", where(branch.by), text, ...content];
}

/** 1st, 2nd, 3rd, 4th, 11th. */
const ordinal = (n) => `${n}${(n % 100 > 10 && n % 100 < 14 ? "" : ["", "st", "nd", "rd"][n % 10]) || "th"}`;

/** The sum of a value's branches in the order of the tape, the last that arrives first; branch `j` is marked. */
function terms(i, j) {
  const { branches } = values[i];
  if (branches.length === 1) return inNames(branches[0].rule);
  const near = (k) => Math.abs(k - j) < 2 || branches.length < 5;
  const found = [];
  for (let k = branches.length - 1; k >= 0; k--) {
    if (found.length > 0 && (near(k) || near(k + 1))) found.push(" + ");
    if (near(k)) found.push(make("span", k === j ? "term now" : k < j ? "term" : "term waiting", ...(branches[k].rule ? inNames(branches[k].rule) : [via(i, branches[k])])));
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
    : step.values.map((i) => make("div", "numbers", nameOf(i), " = ", result(shown(values[i].value))));
  return [back ? "backward" : "forward", "", ...plainly(text, ...content)];
}

/** The addition at a fork: what arrived until its branch `j`, the sum so far, and how many are missing. */
function joined(i, j) {
  const { branches, gradient } = values[i];
  const complete = j === branches.length - 1;
  const list = make("ul", "sum");
  const first = j < 6 ? 0 : j - 4;
  if (first > 0) list.append(addend("", `the ${first} before`, shown(branches[first - 1].sum, "sent")));
  for (let k = first; k <= j; k++) list.append(addend(k > 0 ? "+ " : "", via(i, branches[k]), k === j ? result(shown(branches[k].gradient, "sent")) : shown(branches[k].gradient, "sent"), k === j ? "now" : ""));
  const label = complete ? (gradient ? nameOf(i, true) : "sum") : `sum so far, ${j + 1} of ${branches.length}`;
  list.append(addend("= ", label, result(shown(branches[j].sum, complete ? "gradient" : "sent")), "total"));
  const missing = branches.slice(j + 1);
  if (missing.length > 0) {
    const first = missing.slice(0, 3).flatMap((branch, k) => [k > 0 ? ", " : "", via(i, branch)]);
    list.append(addend("", make("span", "", "to come: ", ...first, missing.length > 3 ? `, ${missing.length - 3} more` : ""), "", "waiting"));
  }
  const hooked = complete && gradient && !same(gradient, branches[j].sum);
  return make("div", "", list, ...(hooked ? [line("note", "A hook of the value changes the sum: ", nameOf(i, true), " = ", result(shown(gradient, "gradient")))] : []));
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
    if (parts[i].length > 0) keepInSight(parts[i].slice(0, 1), parts[i][0], true);
    by("chosen").scrollIntoView({ block: "nearest", behavior: "instant" });
  }
  if (fromPanel) (i === null ? picture : by("chosen")).focus({ preventScroll: true }); // what had the focus is gone
}

function showChosen() {
  const box = by("chosen");
  box.hidden = chosen === null;
  if (chosen === null) return;
  const { name, rule, op, value, ways } = values[chosen];
  const content = [make("h2", "", named(name), make("small", "", `${op}${where(chosen)} · ${sizes(value)} ${value.dtype}`))];
  if (rule) content.push(line("", "= ", ...inNames(rule)));
  content.push(line("note", "value"), make("div", "numbers", waiting(shown(value))), ...gradientOf(chosen));
  if (ways) {
    const everything = data.hidden ? ", those through blocks that are not drawn included" : "";
    content.push(line("note", `${ways} way${ways === "1" ? "" : "s"} from `, named(data.root), ` back to it${everything}.`));
  }
  const row = make("div", "row");
  for (const [label, n] of stepsOf(chosen)) row.append(button(label, "", () => go(n)));
  row.append(button("Choose none", "", () => choose(null)));
  box.replaceChildren(...content, row);
  reachable(box);
}

/** What is known of the chosen value only after the step that is guessed. */
const waiting = (content) => (mainValue(steps[at]) === chosen ? result(content) : content);

function gradientOf(i) {
  const { op, gradient, branches } = values[i];
  const content = gradient
    ? [line("note", "gradient: derivative of ", named(data.root), " by it"), make("div", "numbers", waiting(shown(gradient, "gradient")))]
    : [line("note", op === "constant" ? "A constant: it needs no gradient." : "Several values in one node: each has its own gradient.")];
  if (branches.length > 1) {
    content.push(line("note", `fork: sum of ${branches.length} branches, in the order in which they arrive`), waiting(branchList(i)));
  }
  if (branches.length === 1) content.push(line("note", "read once: all of it comes ", via(i, branches[0])));
  return content;
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
