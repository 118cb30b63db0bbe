// A file to be shown as a verification: a recorded trace (docs/trace.schema.json), or a download of
// the simulator's page.

const VERSION = 1;
const DOWNLOAD = "number-verify-simulator/verification";

/** Finds the trace in a file as the command line's `explain` does. Throws if there is none. */
export function read(text, name) {
  const lines = text.split(/\r?\n/);
  const last = lines.findLastIndex((line) => line.startsWith("{"));
  const whole = parsed(text);
  const json = whole ?? parsed(lines[last]);
  const trace = json?.trace ?? json;
  if (trace?.version !== VERSION) throw new Error("not a trace");
  if (trace.format === DOWNLOAD) return downloaded(trace, name);
  // What a sample app shared has the explanation before the JSON. The lines of other flows before
  // the last one can have their numbers in full.
  const words = whole ? "" : lines.slice(0, last).filter((line) => !line.startsWith("{")).join("\n").trim();
  return {
    title: `Trace ${name}`,
    backend: "recorded",
    hops: hopsOf(trace),
    result: resultOf(trace),
    facts: factsOf(trace),
    words: words || (trace.error && `For the explanation: cargo run --example verify -- explain ${name}`) || "",
  };
}

function downloaded(verification, name) {
  const result = verification.result ?? { kind: "unfinished" };
  return { ...verification, title: `Verification ${verification.id}, ${name}`, result };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A trace has durations only: the requests are shown one after another. */
function hopsOf(trace) {
  const hops = trace.hops ?? [];
  const first = hops[0]?.host;
  let at_ms = Math.max(trace.start_ms ?? 0, trace.acquire_ms ?? 0);
  return hops.map((hop) => {
    const duration_ms = [hop.dns_ms, hop.connect_ms, hop.tls_ms, hop.first_byte_ms].reduce((sum, ms) => sum + (ms ?? 0), 0);
    const role = hop.host === first ? "provider" : "operator";
    const shown = { from: "phone", host: hop.host, role, method: "GET", path: "", status: hop.status, at_ms, duration_ms };
    at_ms += duration_ms;
    return { ...shown, chips: chipsOf(hop, trace.error?.hop === hop.index) };
  });
}

function chipsOf(hop, isFailed) {
  const tls = hop.tls_version && `TLS ${hop.tls_version}`;
  const connection = hop.reused ? "reused" : hop.opened_ahead ? "opened ahead" : hop.tls_resumed ? "resumed" : null;
  const chips = [[hop.scheme === "http" ? "plain http" : (tls ?? "https"), hop.scheme === "http" ? "warn" : ""]];
  if (isFailed) chips.unshift(["failed here", "warn"]);
  for (const text of [hop.family?.replace("ipv", "IPv"), connection, hop.page_title && `page: ${hop.page_title}`]) {
    if (text) chips.push([text, ""]);
  }
  for (const [header, id] of Object.entries(hop.trace_ids ?? {})) chips.push([`${header} ${id}`, ""]);
  return chips;
}

const OUTCOMES = { verified: "verified", not_verified: "not-verified", retrieved: "retrieved" };

function resultOf({ outcome, error }) {
  if (!error) return { kind: OUTCOMES[outcome] ?? "unfinished", detail: "(not in a trace)" };
  const names = [error.kind, error.cause, error.fallback].filter(Boolean).join(", ");
  return { kind: "failed", detail: `${error.message} (${names})` };
}

function factsOf(trace) {
  const steps = ["start", "acquire", "authorize", "complete", "total"];
  const times = steps.map((step) => [step, trace[`${step}_ms`]]).filter(([, ms]) => ms !== null && ms !== undefined);
  const correlator = trace.correlator && `correlator ${trace.correlator}`;
  return [...times.map(([step, ms]) => `${step} ${ms} ms`), trace.network ?? "no network", correlator];
}
