// Asks the API. If something else answers in weir's place (a proxy's 502, a login page), the error says so.

function wordsFor(answer) {
  const status = `${answer.status} ${answer.statusText}`.trim();
  if (answer.status === 401 || answer.status === 403) return `The proxy in front of weir refused the request (${status}). Reload this page to sign in again.`;
  if ([502, 503, 504].includes(answer.status)) return `The proxy in front of weir cannot reach it (${status}). weir may be stopped or still starting.`;
  if (answer.ok) return "A web page came instead of data, probably a proxy's login page. Reload this page to sign in.";
  return `Something in front of weir answered ${status} instead of data.`;
}

// Paths are relative to the page, which may be served below any path of a proxy.
export async function ask(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  let answer;
  try {
    answer = await fetch(`api/v1/${path}${query.size ? `?${query}` : ""}`, { signal: AbortSignal.timeout(30000) });
  } catch {
    throw new Error("weir does not answer. It may be stopped, this machine may not reach it, or a proxy may want you to sign in: reload this page.");
  }
  if (!(answer.headers.get("content-type") ?? "").startsWith("application/json")) throw new Error(wordsFor(answer));
  let body;
  try {
    body = await answer.json();
  } catch {
    throw new Error("The answer of weir was cut off on its way here.");
  }
  if (!answer.ok) throw new Error(`${body.error.what}. ${body.error.hint}`);
  return body;
}
