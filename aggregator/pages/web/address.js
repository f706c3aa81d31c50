// The page's address includes what is shown (docs/reference/page.md), so that a view can be shared as a link.

export const ranges = [["1h", "-1h"], ["6h", "-6h"], ["24h", "-24h"], ["7d", "-7d"], ["30d", "-30d"], ["all", "all"]];
const names = ["from", "to", "site", "host"];

export function readAddress() {
  // Until 2026 the range came after a "#".
  const old = new URLSearchParams(location.hash.slice(1));
  const params = new URLSearchParams(location.search);
  if (old.size > 0) {
    const range = ranges.find(([name]) => name === old.get("range"));
    if (range) params.set("from", range[1]);
    for (const name of ["site", "host"]) if (old.get(name)) params.set(name, old.get(name));
  }
  const chosen = Object.fromEntries(names.map((name) => [name, params.get(name) ?? ""]));
  if (old.size > 0) history.replaceState(null, "", addressOf(chosen));
  return chosen;
}

export function addressOf(chosen) {
  const params = new URLSearchParams(names.filter((name) => chosen[name]).map((name) => [name, chosen[name]]));
  return `${location.pathname}${params.size ? `?${params}` : ""}`;
}

// A time in Unix seconds, in the form that the API and an address accept.
export const iso = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
