// What was proven: sections that lie in the page as templates until their class is opened.

const proofs = new Map(
  Array.from(document.querySelectorAll("template.proof"), (template) => [Number(template.dataset.label), template]),
);
const caseOf = (label) => proofs.get(label)?.content.querySelector(".case");
const isProven = (label) => caseOf(label)?.dataset.verdict === "proven";

/** What is known of a class in one or two words, and whether that is a reason for alarm. */
function badgeOf(entry) {
  const found = caseOf(entry.label);
  if (!found) return entry.suspicious ? ["suspicious", true] : ["inconspicuous", false];
  return [found.dataset.badge, isProven(entry.label)];
}

function showProof(label) {
  const template = proofs.get(label);
  find("proof").replaceChildren(...(template ? [document.importNode(template.content, true)] : []));
}

/** The proven classes as sentences that lead to them. */
function provenSentences(entries) {
  return entries.filter((entry) => isProven(entry.label)).map((entry) =>
    make("p", { class: "proven" }, make("span", { class: "badge proven" }, "proven"), " ",
      make("a", { href: `#class-${entry.label}` }, entry.name), ". ", caseOf(entry.label).dataset.headline));
}

/** The sentences about suspicious classes that are not proven; all of them where there is not one for each. */
function unprovenSentences({ ranking, sentences }) {
  const suspicious = ranking.filter((entry) => entry.suspicious);
  return suspicious.length === sentences.length ? sentences.filter((_, i) => !isProven(suspicious[i].label)) : sentences;
}
