// The summary of a search result that leads to a section begins with the section's heading.
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // not the page of results
  // An entry of the index and the text of its page have the same title: the entry, which leads to a section, stays.
  const perform = Search._performSearch;
  Search._performSearch = (...query) => {
    const found = perform(...query);
    const sections = found.filter(([, , anchor]) => anchor).map(([, title]) => title);
    return found.filter(([, title, anchor]) => anchor || !sections.includes(title));
  };
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
