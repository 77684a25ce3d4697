// What was proven: sections that lie in the page as templates until their class is opened.

const proofs = new Map(
  Array.from(document.querySelectorAll("template.proof"), (template) => [Number(template.dataset.label), template]),
);
const caseOf = (label) => proofs.get(label)?.content.querySelector(".case");
const isProven = (label) => caseOf(label)?.dataset.verdict === "proven";

/** What is known of a class in one or two words, and whether that is a reason for alarm. */
function badgeOf(entry) {
  const found = caseOf(entry.label);
  if (!found) return entry.suspicious ? ["stands out", true] : ["does not stand out", false];
  return [found.dataset.badge, isProven(entry.label)];
}

function showProof(label) {
  const template = proofs.get(label);
  find("proof").replaceChildren(...(template ? [document.importNode(template.content, true)] : []));
}

/** The verdict on a class as a badge; none where its artifact was not tested. */
function verdictBadge(label) {
  const found = caseOf(label);
  return found ? [make("span", { class: isProven(label) ? "badge proven" : "badge" }, found.dataset.badge)] : [];
}

/** The tested classes as sentences that lead to them, proven ones first. */
function testedSentences(entries) {
  const tested = entries.filter((entry) => caseOf(entry.label));
  return [...tested.filter((entry) => isProven(entry.label)), ...tested.filter((entry) => !isProven(entry.label))].map((entry) =>
    make("p", { class: isProven(entry.label) ? "proven" : null }, ...verdictBadge(entry.label), " ",
      make("a", { href: `#class-${entry.label}` }, entry.name), ". ", caseOf(entry.label).dataset.headline));
}

/** The sentences about suspicious classes that were not tested, or that there is no suspicious class. */
function untestedSentences({ ranking, sentences }) {
  const suspicious = ranking.filter((entry) => entry.suspicious);
  return suspicious.length ? suspicious.filter((entry) => !caseOf(entry.label)).map((entry) => entry.sentence) : sentences;
}
