// The summary of a search result that leads to a section begins with the section's heading.
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // not the page of results
  const summarise = Search.makeSearchSummary;
  Search.makeSearchSummary = (page, words, anchor) => {
    const summary = summarise(page, words, anchor);
    const place = new DOMParser().parseFromString(page, "text/html").getElementById((anchor ?? "").slice(1));
    const heading = place?.closest("section")?.querySelector(":scope > h2, :scope > h3");
    if (summary && heading) {
      const name = document.createElement("strong");
      name.textContent = `${heading.firstChild.textContent}: `;
      summary.prepend(name);
    }
    return summary;
  };
});
