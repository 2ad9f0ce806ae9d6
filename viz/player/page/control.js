// The step that is shown, and everything that changes it: buttons, the slider, keys, time, and the search.

const last = steps.length - 1;
const backwardFrom = steps.findIndex((step) => step.kind === "seed");
let at = -1;
let timer = null;

function moveTo(wanted) {
  const n = Math.min(Math.max(wanted, 0), last);
  if (n !== at) asked = false;
  while (at < n) apply(steps[++at], true);
  while (at > n) apply(steps[at--], false);
  const step = steps[at];
  light(step);
  lightRows(step);
  showStep(step);
  if (guessing) showChosen();
  by("at").value = at;
  by("at").setAttribute("aria-valuetext", `step ${at} of ${last}, ${at < backwardFrom ? "forward" : "backward"}`);
  by("count").textContent = `step ${at} of ${last}`;
  by("chapter").value = chapters.findLastIndex(([, from]) => from <= at);
  if (at > 0) approach();
  follow(timer === null || Number(by("speed").value) <= 2);
}

// Chapters: forward of each block, the loss, backward, its first fork, and back through each block.

const blockOf = (step) => (step.kind === "forward" ? values[step.value].block : step.kind === "backward" ? values[values[step.value].branches[step.branch].by].block : undefined);
const completesFork = (step) => sentIn(step).some(([i, j]) => values[i].branches.length > 1 && j === values[i].branches.length - 1);
const chapters = [["Start", 0], ...partsOfForward(), ["Backward starts", backwardFrom], ...partsOfBackward()].sort((one, other) => one[1] - other[1]);

/** The steps at which another block begins, with its number; undefined for blocks that are passed. */
function turns(from, to) {
  const found = [];
  for (let n = from; n < to; n++) {
    const block = blockOf(steps[n]);
    if (found.length === 0 || found.at(-1)[0] !== block) found.push([block, n]);
  }
  return found;
}

function partsOfForward() {
  return turns(1, backwardFrom).map(([block, n]) => {
    if (steps[n].kind === "pass") return [`Forward of ${inBlocks(steps[n].blocks)}`, n];
    return [block === null ? `${values[steps[n].value].name}` : `Forward of block ${block}`, n];
  });
}

function partsOfBackward() {
  const found = turns(backwardFrom + 1, steps.length).flatMap(([block, n]) => {
    if (steps[n].kind === "return") return [[`Back through ${inBlocks(steps[n].blocks)}`, n]];
    return block === null ? [] : [[`Back through block ${block}`, n]];
  });
  const fork = steps.findIndex((step, n) => n > backwardFrom && completesFork(step));
  return fork < 0 ? found : [...found, [`First fork: ${values[sentIn(steps[fork])[0][0]].name}`, fork]];
}

function prepareChapters() {
  for (const [k, [title]] of chapters.entries()) {
    const option = make("option", "", title);
    option.value = k;
    by("chapter").append(option);
  }
  by("chapter").addEventListener("change", () => go(chapters[by("chapter").value][1]));
}

/** The next step at which another block begins, or, back, the start of this one or of the one before. */
function toBlock(direction) {
  const starts = [0, ...turns(1, steps.length).map(([, n]) => n)];
  go((direction > 0 ? starts.find((n) => n > at) : starts.findLast((n) => n < at)) ?? (direction > 0 ? last : 0));
}

/** The nearest step in a direction at which all branches of a fork have arrived. */
function toFork(direction) {
  let n = at + direction;
  while (n > 0 && n < last && !completesFork(steps[n])) n += direction;
  go(n);
}

function play(on) {
  if (on && at === last) moveTo(0);
  clearInterval(timer);
  timer = on ? setInterval(tick, 1000 / Number(by("speed").value)) : null;
  by("play").textContent = on ? "Pause" : "Play";
  by("said").setAttribute("aria-live", on ? "off" : "polite"); // a reader cannot listen as fast as it plays
}

function tick() {
  moveTo(at + 1);
  if (at === last) play(false);
}

const isPlaying = () => timer !== null;
const go = (n) => {
  play(false);
  moveTo(n);
};

// The search: in the spelling of the tape, where gamma_f<2> is Γ_f<2> and c̃<2> is c~<2>.

const canonical = (name) => name.normalize("NFD").replaceAll("\u0303", "~").normalize("NFC").replaceAll("gamma", "Γ");
const spelled = values.map((value) => canonical(value.name));

function matches(query) {
  const wanted = canonical(query.trim());
  if (!wanted) return [];
  const lower = wanted.toLowerCase();
  const kinds = [
    (name) => name === wanted,
    (name) => name.toLowerCase() === lower,
    (name) => name.toLowerCase().startsWith(lower),
    (name) => name.toLowerCase().includes(lower),
  ];
  const ranked = spelled.map((name, i) => [kinds.findIndex((is) => is(name)), i]).filter(([rank]) => rank >= 0);
  return ranked.sort((one, other) => one[0] - other[0] || one[1] - other[1]).map(([, i]) => i);
}

function showMatches() {
  const query = by("query").value;
  const found = matches(query);
  const items = found.slice(0, 8).map((i) => make("li", "", button(make("span", "", named(values[i].name.slice(0, 80)), where(i)), "", () => take(i))));
  if (query.trim() && found.length === 0) items.push(make("li", "", "No value that is drawn is called ", named(query.trim().slice(0, 80)), "."));
  if (found.length > 8) items.push(make("li", "", `and ${found.length - 8} more`));
  by("found").replaceChildren(...items);
}

function take(i) {
  by("query").value = "";
  by("found").replaceChildren();
  choose(i);
}

// Keys. What is written into a field stays there, and a focused button has its own Space and Enter.

const KEYS = {
  ArrowRight: () => go(at + 1),
  ArrowLeft: () => go(at - 1),
  Home: () => go(0),
  End: () => go(last),
  " ": () => play(!isPlaying()),
  b: () => go(backwardFrom),
  n: () => toFork(1),
  p: () => toFork(-1),
  PageDown: () => toBlock(1),
  PageUp: () => toBlock(-1),
  ArrowDown: () => walk(1),
  ArrowUp: () => walk(-1),
  g: () => guess(!guessing),
  s: ask,
  "/": () => by("query").focus(),
  Enter: () => choose(mainValue(steps[at])),
  Escape: () => choose(null),
  "+": () => zoomBy(1.25),
  "=": () => zoomBy(1.25),
  "-": () => zoomBy(1 / 1.25),
  0: fit,
};

const mainValue = (step) => step.value ?? step.values?.[0] ?? step.branches?.[0]?.[0] ?? null;

function onKey(event) {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.id === "query" || target.tagName === "SELECT") return;
  if (/^Arrow(Up|Down)$/.test(event.key) && !target.closest("#picture")) return;
  if (target.closest("button, summary, input[type=checkbox]") && (event.key === " " || event.key === "Enter")) return;
  if (target.closest(".node") && (event.key === " " || event.key === "Enter")) {
    event.preventDefault();
    return choose(stop.value);
  }
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function fromAddress() {
  const n = Number.parseInt(location.hash.slice(1), 10);
  go(Number.isNaN(n) ? Math.max(at, 0) : n);
}

// On paper: the whole graph with all numbers, and the parameters.

let printedFrom = null;

function toPrint() {
  play(false);
  printedFrom = at;
  moveTo(last);
  enter(all.filter((piece) => !piece.element));
}

function fromPrint() {
  moveTo(printedFrom);
  moved();
}

function start() {
  preparePicture();
  prepareLedger();
  prepareLegend();
  prepareList();
  prepareChapters();
  prepareSliders();
  const hidden = data.hidden ? `${data.hidden} of ${data.blocks} blocks are folded or left out. ` : "";
  by("about").textContent = `${hidden}${steps.length} steps: Space plays, arrows step, a click explains.`;
  by("at").max = last;
  const [forward, backward] = by("marks").children;
  forward.style.flex = backwardFrom;
  backward.style.flex = steps.length - backwardFrom;
  by("at").addEventListener("input", () => go(Number(by("at").value)));
  by("first").addEventListener("click", () => go(0));
  by("back").addEventListener("click", () => go(at - 1));
  by("next").addEventListener("click", () => go(at + 1));
  by("last").addEventListener("click", () => go(last));
  by("play").addEventListener("click", () => play(!isPlaying()));
  by("speed").addEventListener("change", () => play(isPlaying()));
  by("in").addEventListener("click", () => zoomBy(1.25));
  by("out").addEventListener("click", () => zoomBy(1 / 1.25));
  by("fit").addEventListener("click", fit);
  by("follow").addEventListener("change", () => follow(true));
  by("fork").addEventListener("click", () => toFork(1));
  by("block").addEventListener("click", () => toBlock(1));
  by("backward").addEventListener("click", () => go(backwardFrom));
  by("guess").addEventListener("change", () => guess(by("guess").checked));
  picture.addEventListener("scroll", moved, { passive: true });
  strip.addEventListener("pointerdown", pointAt);
  strip.addEventListener("pointermove", pointAt);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changeTheme);
  addEventListener("beforeprint", toPrint);
  addEventListener("afterprint", fromPrint);
  by("query").addEventListener("input", showMatches);
  by("query").addEventListener("keydown", (event) => event.key === "Escape" && take(chosen));
  by("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const [first] = matches(by("query").value);
    if (first !== undefined) take(first);
  });
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", fromAddress);
  addEventListener("resize", () => (zoomed ? follow(false) : settle()));
  settle();
  fromAddress();
  if (data.chosen !== null) choose(data.chosen);
}

start();
