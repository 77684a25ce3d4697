// The table of all classes: sorted by any column, searched, opened.

const names = new Intl.Collator("en", { numeric: true });
const byName = (a, b) => names.compare(a, b);
const COLUMNS = [
  { key: "place", title: "#", first: 1 },
  { key: "name", title: "Class", first: 1, compare: byName },
  { key: "score", title: "Score", first: -1, digits: 2, hint: "large is striking" },
  { key: "lambda_2", title: "λ₂", first: 1, digits: 3, hint: "small is striking" },
  { key: "control_lambda_2", title: "λ₂ raw", first: 1, digits: 3, scale: "lambda_2", raw: true },
  { key: "tau", title: "τ", first: -1, digits: 2, hint: "large is striking" },
  { key: "control_tau", title: "τ raw", first: -1, digits: 2, scale: "tau", raw: true },
  { key: "eigengap", title: "Gap", first: -1, hint: "eigenvalues before the largest gap" },
  { key: "share", title: "Cluster", first: -1, hint: "share of the most striking cluster" },
];

function rankingTable(table, report, changed) {
  const entries = report.ranking.map((entry, i) => ({ ...entry, place: i + 1, share: entry.cluster_size / entry.n }));
  const control = entries.some((entry) => entry.control_lambda_2 !== null);
  const columns = COLUMNS.filter((column) => control || !column.raw);
  const peaks = Object.fromEntries(columns.map(({ key }) => [key, Math.max(...entries.map((entry) => entry[key]), 1e-9)]));
  const top = ({ key, scale }) => Math.max(peaks[key], peaks[scale] ?? 0);
  table.classList.toggle("controlled", control);
  find("raw-key").hidden = !control;

  const rows = entries.map((entry) => ({ entry, element: rowOf(entry, columns, top) }));
  const body = make("tbody", { role: "rowgroup" }, ...rows.map((row) => row.element));
  const heads = columns.map((column) => headOf(column, () => sortBy(column)));
  table.replaceChildren(make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads)), body);
  let sorted = { key: "place", direction: 1 };
  mark();

  function sortBy(column) {
    sorted = { key: column.key, direction: sorted.key === column.key ? -sorted.direction : column.first };
    const compare = column.compare ?? ((a, b) => a - b);
    rows.sort(({ entry: a }, { entry: b }) => {
      const [left, right] = [a[column.key], b[column.key]];
      if (left === null || right === null) return (left === null) - (right === null) || a.place - b.place;
      return sorted.direction * compare(left, right) || a.place - b.place;
    });
    body.append(...rows.map((row) => row.element));
    mark();
  }

  function mark() {
    heads.forEach((head, i) => {
      const here = columns[i].key === sorted.key;
      head.setAttribute("aria-sort", here ? (sorted.direction > 0 ? "ascending" : "descending") : "none");
    });
  }

  function filter(text, suspiciousOnly) {
    const wanted = text.trim().toLowerCase();
    for (const { entry, element } of rows)
      element.hidden = !entry.name.toLowerCase().includes(wanted) || (suspiciousOnly && !entry.suspicious);
    changed(rows.filter((row) => !row.element.hidden).length, rows.length);
  }

  return { filter, order: () => rows.filter((row) => !row.element.hidden).map((row) => row.entry) };
}

function headOf(column, sort) {
  const button = make("button", { type: "button", title: column.hint }, column.title);
  button.addEventListener("click", sort);
  return make("th", { role: "columnheader", scope: "col", class: column.key }, button);
}

function rowOf(entry, columns, top) {
  const cells = columns.map((column) => cellOf(entry, column, top(column)));
  return make("tr", { role: "row", class: entry.suspicious ? "suspicious" : null }, ...cells);
}

function cellOf(entry, column, top) {
  const value = entry[column.key];
  const cell = (...children) => make("td", { role: "cell", class: column.key, "data-title": column.title }, ...children);
  if (column.key === "name") {
    return cell(make("a", { href: `#class-${entry.label}` }, entry.name), ...verdictBadge(entry.label));
  }
  if (column.key === "place" || column.key === "eigengap") return cell(String(value));
  const width = { "--part": Math.min(Math.max(value ?? 0, 0) / top, 1) };
  const bar = () => make("span", { class: column.raw ? "bar raw" : "bar", style: width, "aria-hidden": "true" });
  if (column.key === "share") {
    width["--part"] = value;
    return cell(`${entry.cluster_size} / ${entry.n}`, bar());
  }
  return cell(fixed(value, column.digits), bar());
}
