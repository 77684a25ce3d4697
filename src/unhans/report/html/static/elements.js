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

const csvField = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
const csv = (rows) => rows.map((row) => row.map(csvField).join(",") + "\n").join("");
