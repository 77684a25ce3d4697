// The eigenvalues of the graph with the largest gap between two of them.

const HEIGHT = 220;
const MARGIN = { left: 40, right: 12, top: 12, bottom: 26 };

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function drawSpectrum(container, { heatmaps, images, eigengap }) {
  const width = Math.max(container.clientWidth, 240);
  const count = Math.max(heatmaps.length, images?.length ?? 0);
  const top = Math.max(...heatmaps, ...(images ?? []), 0.01);
  const x = (number) => MARGIN.left + ((number - 0.5) / count) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - (value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const text = (at, to, words, anchor) => svg("text", { x: at, y: to, "text-anchor": anchor }, words);
  const dots = (values, name, radius) =>
    values.map((value, i) => svg("circle", { cx: x(i + 1), cy: y(value), r: radius, class: name }));
  const gap = x(eigengap + 0.5);
  const side = eigengap > count / 2 ? "end" : "start";
  const levels = [0, top / 2, top].map((value) => [
    svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value), class: "level" }),
    text(MARGIN.left - 6, y(value) + 4, value.toFixed(2), "end"),
  ]);
  const ticks = [1, ...Array.from({ length: Math.floor(count / 5) }, (_, i) => 5 * (i + 1))];
  const label = `${plural(heatmaps.length, "eigenvalue")}, λ₂ = ${fixed(heatmaps[1], 3)}, largest gap after number ${eigengap}`;
  const drawing = svg(
    "svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label },
    ...levels.flat(),
    ...ticks.map((number) => text(x(number), HEIGHT - 8, String(number), "middle")),
    svg("line", { x1: gap, x2: gap, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, class: "gap" }),
    text(gap + (side === "end" ? -6 : 6), HEIGHT - MARGIN.bottom - 8, `largest gap after ${eigengap}`, side),
    ...dots(images ?? [], "raw", 3),
    ...dots(heatmaps, "value", 3.5),
    svg("circle", { cx: x(2), cy: y(heatmaps[1]), r: 6, class: "second" }),
  );
  const entry = (name, words) => [make("span", { class: `dot ${name}` }), `${words} `];
  const key = [...entry("second", `λ₂ = ${fixed(heatmaps[1], 3)}`), ...entry("value", "heatmaps")];
  container.replaceChildren(drawing, make("p", { class: "key" }, ...key, ...(images ? entry("raw", "raw images") : [])));
}
