// One class: unpacked when it is opened, drawn again when another cluster is chosen.

async function unpack(label) {
  const holder = find(`part-${label}`);
  if (!holder) return null;
  const bytes = Uint8Array.from(atob(holder.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

const map = scatterMap(find("map"), (i) => view?.inspect(i));
let view = null;

function closeClass() {
  view?.sprite.free();
  view = null;
}

const PROJECTIONS = { umap: "UMAP", tsne: "t-SNE" };

function openClass(part, entry) {
  closeClass();
  view = viewOf(part);
  const { count, sprite } = view; // the map may be drawn when this class is closed
  for (const id of ["sample", "means", "members", "others"]) sprite.dress(find(id));
  find("verdict").textContent = entry.sentence;
  showNumbers(entry);
  showLegend(part);
  map.show(part, (i) => part.sprite.samples.length < count && sprite.has(i));
  find("map-title").textContent = part.map.projection
    ? `Map of the spectral embedding (${PROJECTIONS[part.map.projection]})`
    : "Two axes of the spectral embedding";
  find("map").setAttribute("aria-label", `Map of ${plural(count, "sample")}; arrow keys move between them`);
  chooseCluster(part);
  drawSpectrum(find("spectrum"), part.spectrum);
}

function viewOf(part) {
  const { samples } = part;
  const count = samples.index.length;
  const describe = (i) => ({
    path: samples.path[i],
    index: samples.index[i],
    class: part.name,
    predicted_class: part.names[samples.prediction[i]],
    rank_of_true_label: samples.rank[i],
    right: samples.prediction[i] === part.label,
    split: samples.split && (samples.split[i] ? "validation" : "train"),
    target: samples.target && part.names[samples.target[i]],
  });
  const made = { part, count, describe, select: map.select, sprite: spriteOf(part) };
  made.inspect = (i) => showSample(find("sample"), made, i);
  return made;
}

function chooseCluster(part) {
  const select = find("cluster");
  const option = (one, i) => {
    const words = `${one.name} · ${plural(one.members.length, "sample")} · score ${fixed(one.score, 2)}`;
    return make("option", { value: i }, words);
  };
  select.replaceChildren(...part.clusters.map(option));
  const more = part.clusters_found - part.clusters.length;
  find("left-out").textContent = more > 0 ? `${more} less striking clusters are left out.` : "";
  select.parentElement.hidden = find("measured").hidden = !part.clusters.length;
  select.onchange = () => showCluster(Number(select.value));
  showCluster(0);
}

function showCluster(number) {
  const { part, sprite, count } = view;
  const cluster = part.clusters[number];
  const members = cluster?.members ?? [];
  const inside = new Set(members);
  const rest = Array.from({ length: count }, (_, i) => i).filter((i) => !inside.has(i));
  const whole = !cluster;
  map.mark(members);
  showKey(members.length, rest.length);
  showMeans(find("means"), sprite, number, whole);
  if (!whole) showMeasures(find("measures"), cluster);
  find("method").textContent = METHODS[cluster?.method] ?? "";
  const rankNote = "predicted class · rank of the true label, 1 is first";
  const note = `${rankNote} · from typical to marginal`;
  find("members").hidden = whole;
  const heading = whole ? "" : `Cluster “${cluster.name}”: ${plural(members.length, "sample")}`;
  if (!whole) showGallery(find("members"), heading, note, members, view, 18);
  showValidation(whole ? [] : members, note);
  const title = whole ? `All ${plural(count, "sample")}` : `The other ${plural(rest.length, "sample")} of the class`;
  showGallery(find("others"), title, rankNote, rest, view, whole ? 30 : 12);
  showList(find("list"), `${whole ? title : heading} as a list`, whole ? rest : members, view, cluster);
  const first = [...members, ...rest].find(sprite.has);
  map.select(null);
  map.select(first);
}

/** Show the validation members of a cluster by themselves, where the class is of both splits. */
function showValidation(members, note) {
  const { split } = view.part.samples;
  const section = find("validation");
  section.hidden = !split || !members.length;
  if (section.hidden) return;
  const own = members.filter((i) => split[i]);
  const of = `${own.length} of ${plural(members.length, "member")}`;
  showGallery(section, `Validation samples in this cluster: ${of}`, own.length ? note : "", own, view, 12);
}

function showSample(container, { sprite, describe }, i) {
  const sample = describe(i);
  const rows = [
    ["Predicted", sample.predicted_class],
    ["Rank of the true label", sample.rank_of_true_label],
    ...(sample.target ? [["Explained", sample.target]] : []),
    ...(sample.split ? [["Split", sample.split]] : []),
    ["Index", sample.index],
    ...(sample.path ? [["Path", sample.path]] : []),
  ];
  const pictures = sprite.has(i)
    ? make("div", { class: "pictures" }, sprite.image(i), sprite.heatmap(i))
    : make("div", { class: "pictures none" }, sprite.mean(0, ""), make("p", { class: "quiet" }, "This sample has no thumbnail in this file."));
  container.replaceChildren(pictures, make("dl", {}, ...rows.flatMap(([title, text]) => [make("dt", {}, title), make("dd", {}, String(text))])));
}

function showNumbers(entry) {
  const control = (value, digits) => (value === null ? "" : `raw images ${fixed(value, digits)}`);
  const rows = [
    ["Score", fixed(entry.score, 2), "large: a group stands apart"],
    ["λ₂", fixed(entry.lambda_2, 3), [entry.exact_neighbours ? "" : "approximate neighbours", control(entry.control_lambda_2, 3)]],
    ["τ", fixed(entry.tau, 2), [entry.tau_clusters ? `k up to ${entry.tau_clusters}` : "", control(entry.control_tau, 2)]],
    ["Eigengap", String(entry.eigengap), "clusters suggested"],
    ["Cluster", percent(entry.cluster_size / entry.n), `${entry.cluster_size} of ${entry.n}`],
  ];
  find("numbers").replaceChildren(
    ...rows.map(([title, value, note]) =>
      make("div", {}, make("dt", {}, title), make("dd", {}, value), make("dd", { class: "quiet small" }, [note].flat().filter(Boolean).join("; ")))),
  );
}

function showKey(inside, outside) {
  const { samples, sprite } = view.part;
  const entries = inside ? [["dot member", `cluster, ${inside}`], ["dot other", `rest, ${outside}`]] : [["dot other", plural(outside, "sample")]];
  if (samples.split) entries.push(["dot other", "train"], ["corner", "validation"]);
  if (sprite.samples.length < view.count) entries.push(["dot pictured", "outlined: has a thumbnail"]);
  find("map-key").replaceChildren(...entries.flatMap(([name, words]) => [make("span", { class: name }), `${words} `]));
}

function showLegend({ colours, description, sprite, samples }) {
  find("colours").style.background = `linear-gradient(to right, ${colours.join(",")})`;
  const explained = samples.target ? "Explained is the class named with each sample." : "";
  const scaling = "Each heatmap is divided by its own largest absolute relevance.";
  const reduced = `Thumbnails are at most ${Math.max(...sprite.tile)} pixels wide.`;
  find("meaning").textContent = [description && `Heatmaps: ${description}.`, explained, scaling, reduced].filter(Boolean).join(" ");
}
