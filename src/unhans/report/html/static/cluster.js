// What is shown of one cluster: its measures, mean heatmaps, samples and list.

const MEASURES = [
  ["score", "Score", "mean of the next four, less for few samples", 1],
  ["separation", "Separation", "few edges of the graph lead out of it", 1],
  ["compactness", "Compactness", "its heatmaps are alike", 1],
  ["relevance_consistency", "Relevance consistency", "relevance lies in the same places", 1],
  ["image_consistency", "Image consistency", "the images are the same there", 1],
  ["normalised_cut", "Normalised cut", "0 to 2, small where the graph falls apart", 2],
];
const METHODS = {
  cut: "One side of the smallest normalised cut of the graph along an eigenvector.",
  kmeans: "One of the clusters of the spectral embedding by k-means.",
  agglomerative: "One of the clusters of the spectral embedding by Ward's linkage.",
  dbscan: "One of the clusters of the spectral embedding by DBSCAN.",
  hdbscan: "One of the clusters of the spectral embedding by HDBSCAN.",
};

function showMeasures(container, cluster) {
  container.replaceChildren(
    ...MEASURES.flatMap(([key, title, hint, top]) => [
      make("dt", {}, title, make("span", { class: "quiet small" }, hint)),
      cluster[key] === null
        ? make("dd", {}, make("span", { class: "quiet small" }, "not measured"))
        : make("dd", {}, fixed(cluster[key], 2), make("span", { class: "bar", style: { "--part": Math.min(cluster[key] / top, 1) } })),
    ]),
  );
}

function showMeans(container, sprite, number, whole) {
  const figure = (group, text) => make("figure", {}, sprite.mean(group, text), make("figcaption", {}, text));
  const two = () => [figure(2 * number + 1, "this cluster"), figure(2 * number + 2, "rest of the class")];
  container.replaceChildren(...(whole ? [figure(0, "whole class")] : two()));
}

/** Show samples that have thumbnails, image and heatmap each, the first few before a button. */
function showGallery(section, title, note, samples, view, first) {
  const pairs = samples.filter(view.sprite.has);
  const gallery = make("div", { class: "gallery" });
  const count = pairs.length < samples.length ? `${pairs.length} of ${samples.length.toLocaleString("en")} shown` : "";
  const add = (chosen) => gallery.append(...chosen.map((i) => pairOf(i, view)));
  add(pairs.slice(0, first));
  section.replaceChildren(make("h3", {}, title), make("p", { class: "quiet small" }, [note, count].filter(Boolean).join(" · ")), gallery);
  if (pairs.length <= first) return;
  const more = make("button", { type: "button", class: "more" }, `Show ${pairs.length - first} more`);
  more.addEventListener("click", () => {
    add(pairs.slice(first));
    gallery.children[first].focus();
    more.remove();
  });
  section.append(more);
}

function pairOf(i, view) {
  const { path, index, predicted_class, rank_of_true_label, right } = view.describe(i);
  const words = [make("b", {}, predicted_class), ` · ${rank_of_true_label}`];
  const caption = make("span", { class: right ? "caption" : "caption wrong" }, ...words);
  const file = make("span", { class: "path" }, path.split(/[\\/]/).pop() || `index ${index}`);
  const button = make("button", { type: "button", class: "pair", title: path }, view.sprite.image(i), view.sprite.heatmap(i), caption, file);
  for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, () => view.select(i));
  return button;
}

/** Show every sample of a cluster as text, made when it is opened, with its CSV. */
function showList(details, title, samples, view, cluster) {
  const [summary, holder] = details.children;
  const rows = () => samples.map((i) => ({ ...view.describe(i), cluster: cluster?.name ?? "", score: cluster?.score ?? "" }));
  const file = `${String(view.part.label).padStart(4, "0")} ${cluster?.name ?? "all"}.csv`.replaceAll(" ", "-");
  summary.textContent = title;
  details.open = false;
  holder.replaceChildren();
  details.ontoggle = () => details.open && !holder.children.length && holder.append(button(), tableOf(rows()));

  function button() {
    const element = make("button", { type: "button", class: "more" }, `Save ${file}`);
    const line = (row) => report.suspect_columns.map((column) => row[column] ?? "");
    element.addEventListener("click", () => save(file, csv([report.suspect_columns, ...rows().map(line)])));
    return element;
  }
}

function tableOf(rows) {
  const titles = ["Path", "Index", "Predicted", "Rank of the true label"];
  const line = (row) => make("tr", {}, ...[row.path, row.index, row.predicted_class, row.rank_of_true_label].map((text) => make("td", {}, String(text))));
  return make("table", { class: "samples" },
    make("thead", {}, make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)))),
    make("tbody", {}, ...rows.map(line)));
}
