// What people search, and the section where it is: "PAGE#ANCHOR".
const PLACES = {
  "event loop, cpu share": "measure#the-cpu-share-of-the-event-loop",
  "peak memory of child, child peak memory": "children#the-peak-of-a-child",
  "fish, bash, zsh, completions": "command#completions",
  "kill": "limits#ending-the-program",
  "docker, podman, kubernetes, lambda, wsl, slurm, systemd": "getting-started#where-it-works",
  "uss, cpu_percent": "from-psutil#limits",
  "hyperfine, mprof, psrecord, duct": "from-psutil#tools-for-commands",
  "packagers, offline build, ports": "getting-started#for-packagers",
  "context switches, page faults, nivcsw": "accuracy#counts",
  "forkserver, pool of processes": "measure#pools-of-processes",
  "grafana, datadog, statsd, spark, ray, pandas": "monitoring#other-tools",
  "notebook, jupyter": "recipes#the-peak-of-a-notebook-cell",
  "asyncio task": "recipes#the-cpu-time-of-one-asyncio-task",
  "span, tracing": "recipes#the-usage-of-an-opentelemetry-span",
  "mock, fake": "recipes#fake-a-usage-in-a-test",
  "memory leak, leak": "pytest#list-the-tests-that-use-the-most",
  "cgroup, limit memory, memory limit, rlimit_as": "recipes#limit-the-memory-of-a-child",
  "flask, fastapi, django, web request": "services#memory-and-cpu-time-of-each-web-request",
  "uvicorn": "services#export-uvicorn-and-its-workers-to-prometheus",
  "memory leak over days": "services#find-a-leak-over-days",
  "container": "services#compare-with-the-limit-of-a-container",
  "dask": "services#usage-of-each-task-and-worker-of-a-dask-cluster",
  "celery": "services#usage-of-each-celery-task",
  "process tree, memory of a process tree": "trees#a-process-and-its-descendants-now",
};

document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // not the page of results
  const { docnames, indexentries } = Search._index;
  for (const [words, place] of Object.entries(PLACES)) {
    const [page, anchor] = place.split("#");
    for (const word of words.split(", ")) indexentries[word] = [[docnames.indexOf(page), anchor, true]];
  }
  // A place and the text of its page have the same title: the place, which leads to a section, stays.
  const perform = Search._performSearch;
  Search._performSearch = (...query) => {
    const found = perform(...query);
    const sections = found.filter(([, , anchor]) => anchor).map(([page]) => page);
    return found.filter(([page, , anchor]) => anchor || !sections.includes(page));
  };
  // The summary of a result that leads to a section begins with the section's heading.
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
