// Elements and numbers.

const find = (id) => document.getElementById(id);

/** Make an element; every text goes in as text, so that no class name is ever read as HTML. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") for (const [key, style] of Object.entries(value)) element.style.setProperty(key, style);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const fixed = (value, digits) =>
  value === null || value === undefined ? "–" : value.toFixed(Math.abs(value) < 100 ? digits : 0);
const percent = (share) => `${Math.round(100 * share)} %`;
const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** Offer a text under a file name. */
function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** A field as `write_csv` writes it: text that a spreadsheet would take for a formula begins with an apostrophe. */
function csvField(value) {
  const text = typeof value === "string" && /^'*[=+@]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
const csv = (rows) => rows.map((row) => row.map(csvField).join(",") + "\n").join("");
