// Which of the two views is open, from the address: #class-3 is class 3, everything else the overview.

const report = JSON.parse(find("report").textContent);
const SENTENCES = 3; // before the others are folded
let scrolled = 0;

const ranking = rankingTable(find("ranking"), report, (shown, all) => {
  find("count").textContent = shown === all ? plural(all, "class", "classes") : `${shown} of ${all} classes`;
  find("nothing").hidden = shown > 0;
});

function showFindings() {
  const count = report.ranking.filter((entry) => entry.suspicious).length;
  const headline = `${count || "None"} of ${report.ranking.length.toLocaleString("en")} classes ${count < 2 ? "stands" : "stand"} out`;
  const proven = report.ranking.filter((entry) => isProven(entry.label)).length;
  const untested = untestedSentences(report).map((sentence) => make("p", {}, sentence));
  const lines = [...testedSentences(report.ranking), ...untested];
  const shown = Math.max(SENTENCES, proven); // what is proven is never folded
  find("findings").replaceChildren(make("h2", {}, headline + (proven ? `, ${proven} proven` : "")), ...lines.slice(0, shown));
  if (lines.length <= shown) return;
  const more = make("details", {}, make("summary", {}, `${lines.length - shown} more`), ...lines.slice(shown));
  find("findings").append(more);
}

function showDownloads() {
  const buttons = report.downloads.map((name, i) => {
    const button = make("button", { type: "button", class: "more" }, `Save ${name}`);
    button.addEventListener("click", () => save(name, JSON.parse(find(`download-${i}`).textContent)));
    return button;
  });
  find("downloads").replaceChildren(...buttons);
}

function showOverview() {
  const label = find("details").dataset.label;
  const cameBack = find("overview").hidden;
  closeClass();
  find("details").hidden = true;
  find("overview").hidden = false;
  if (!cameBack) return;
  scrollTo(0, scrolled);
  find("ranking").querySelector(`a[href="#class-${label}"]`)?.focus({ preventScroll: true });
}

async function showClass(label) {
  if (!find("overview").hidden) scrolled = scrollY;
  const entry = report.ranking.find((one) => one.label === label);
  if (!entry) return showOverview();
  showHeading(entry);
  const part = await unpack(label).catch((error) => ({ problem: `This class cannot be shown: ${error.message}` }));
  if (location.hash !== `#class-${label}`) return;
  const reading = document.readyState === "loading";
  const problem = part ? (part.problem ?? "") : reading ? "This class is still being read …" : "This class has no page in this file.";
  find("problem").textContent = problem;
  find("verdict").hidden = find("body").hidden = Boolean(problem);
  if (!problem) openClass(part, entry);
}

function showHeading(entry) {
  find("overview").hidden = true;
  find("details").hidden = false;
  find("details").dataset.label = entry.label;
  find("name").textContent = entry.name;
  const [words, alarm] = badgeOf(entry);
  find("badge").textContent = words;
  find("badge").className = ["badge", alarm && (isProven(entry.label) ? "proven" : "suspicious")].filter(Boolean).join(" ");
  showProof(entry.label);
  const order = ranking.order();
  const here = order.findIndex((one) => one.label === entry.label);
  find("place").textContent = here < 0 ? "" : `${here + 1} of ${order.length}`;
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    const other = here < 0 ? undefined : order[here + step];
    if (other) find(id).href = `#class-${other.label}`;
    else find(id).removeAttribute("href");
  }
  scrollTo(0, 0);
  find("name").focus({ preventScroll: true });
}

function route() {
  const label = /^#class-(\d+)$/.exec(location.hash)?.[1];
  if (label === undefined) showOverview();
  else showClass(Number(label));
}

const filter = () => ranking.filter(find("search").value, find("only").checked);
find("search").addEventListener("input", filter);
find("only").addEventListener("change", filter);
find("back").addEventListener("click", (event) => {
  event.preventDefault();
  location.hash = "";
});
addEventListener("hashchange", route);
addEventListener("DOMContentLoaded", () => view || route());
new ResizeObserver(() => view && drawSpectrum(find("spectrum"), view.part.spectrum)).observe(find("spectrum"));
history.scrollRestoration = "manual";
showFindings();
showDownloads();
filter();
route();
