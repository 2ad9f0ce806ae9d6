// Lists: the parameters, all values, and the legend.

const rows = values.map((value) => (value.op === "parameter" ? make("tr") : null));

// The ledger: the parameters, with the sum of what the stages have sent back so far.

function prepareLedger() {
  const table = make("table", "", make("caption", "", "Parameters, and the sum of what has come back to them"));
  for (const [i, row] of rows.entries()) {
    if (!row) continue;
    const title = make("th", "", nameOf(i));
    title.scope = "row";
    row.append(title, make("td", "", sizes(values[i].value)), make("td", "share"), make("td", "count"));
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

// All values, a table for each block, which is made when it is opened.

function prepareList() {
  const groups = new Map();
  for (const [i, { block, op }] of values.entries()) {
    const title = op === "parameter" ? "Parameters" : block === null ? "Outside of the blocks" : `Block ${block}`;
    if (!groups.has(title)) groups.set(title, []);
    groups.get(title).push(i);
  }
  by("list").querySelector("summary").textContent = `All ${values.length} values`;
  for (const [title, members] of groups) by("list").append(listOf(title, members));
}

function listOf(title, members) {
  const box = make("details", "", make("summary", "", `${title} (${members.length})`));
  box.addEventListener("toggle", () => {
    if (!box.open || box.querySelector("table")) return;
    const head = row(...["name", "value", "gradient"].map((text) => heading("col", text)));
    box.append(make("table", "", make("thead", "", head), make("tbody", "", ...members.map(listed))));
  });
  return box;
}

function listed(i) {
  const title = make("th", "", nameOf(i));
  title.scope = "row";
  const { value, gradient } = values[i];
  return row(title, make("td", "array", summary(value)), make("td", "array gradient", gradient ? summary(gradient) : ""));
}
