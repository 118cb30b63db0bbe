// Shows the simulator's events, or a recorded trace. Text from the network or a file is only ever
// set as text.

import { read } from "/trace.js";

const $ = (id) => document.getElementById(id);
const verifications = new Map();
/** The id of the shown verification; the newest, unless another was chosen. */
let shown = null;
let follows = true;
/** A recorded trace or a downloaded verification, shown instead. */
let opened = null;
/** Whether the events are new, not those that a connection begins with. */
let isLive = false;
/** The simulator's clock minus the browser's, in milliseconds: the page can be on another machine. */
let offset = 0;
/** Seconds without a request after which an app has probably given up. */
const IDLE_S = 10;
/** Each state of a verification: its label, tone and explanation. */
const RESULTS = {
  verified: ["Verified", "good", () => "The SIM owns the number."],
  "not-verified": ["Not verified", "bad", () => "The SIM has another number. This is a result, not an error."],
  retrieved: ["Number retrieved", "good", (detail) => `The SIM's number ${detail} was returned.`],
  denied: ["Denied", "bad", (detail) => `The operator's side denied the request: ${detail}.`],
  rejected: ["Rejected", "bad", (detail) => `The backend rejected the request: ${detail}.`],
  aborted: ["Aborted", "bad", (detail) => `The app aborted the verification: ${detail}.`],
  failed: ["Failed", "bad", (detail) => detail],
  unfinished: ["No result", "bad", () => "The file has no result: it was written before the end of the verification, or the app ended it."],
  running: ["Running", "wait", () => ""],
  closed: ["Closed", "bad", () => "The connection was closed without a response. The app receives an error, unless it retries."],
  idle: ["No result", "bad", () => `No request for ${IDLE_S} seconds: the app has probably ended the verification with an error.`],
};

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** A duration in milliseconds. */
const ms = (value) => (value < 1000 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(2)} s`);
const isDone = (hop) => hop.duration_ms !== null;

function end(verification) {
  return Math.max(0, ...verification.hops.map((hop) => hop.at_ms + (hop.duration_ms ?? 0)));
}

function state({ result, hops, ...verification }) {
  if (result) return result;
  const isWaiting = hops.some((hop) => !isDone(hop));
  const since = Date.now() + offset - verification.began_ms - end({ hops });
  // After that, the app has disconnected.
  if (isWaiting && since < 3 * IDLE_S * 1000) return { kind: "running" };
  if (hops.at(-1)?.status === null) return { kind: "closed" };
  return { kind: since > IDLE_S * 1000 ? "idle" : "running" };
}

// ---- the diagram

/** The lanes, from left to right: the phone, the backend, and the other hosts in order of appearance. */
function lanesOf({ hops, backend }) {
  const hosts = new Map();
  for (const { host, role } of hops) hosts.set(host, role);
  const has = (role) => [...hosts.values()].includes(role);
  const isOutside = hops.some(({ from }) => from === "backend") || (!backend && !has("backend"));
  const lanes = [{ key: "phone", role: "phone", name: "Phone" }];
  if (isOutside) lanes.push({ key: "backend", role: "backend", name: "your backend" });
  const order = ["backend", "provider", "operator"];
  const sorted = [...hosts].sort(([, a], [, b]) => order.indexOf(a) - order.indexOf(b));
  return lanes.concat(sorted.map(([host, role]) => ({ key: host, role, name: host.replace(".simulator.test", "") })));
}

const ROLES = { phone: "App", backend: "Backend", provider: "Auth server", operator: "Operator" };

function showDiagram(verification) {
  const lanes = lanesOf(verification);
  const places = new Map(lanes.map(({ key }, index) => [key, index]));
  for (const id of ["lanes", "hops"]) $(id).style.setProperty("--lanes", lanes.length);
  $("lanes").replaceChildren(
    ...lanes.map(({ role, name }) => {
      const lane = element("div", "", `lane ${role}`);
      lane.append(element("b", ROLES[role]), element("span", role === "phone" ? "phone" : name));
      return lane;
    }),
  );
  // Existing items stay, so that a screen reader and the focus keep their position.
  const list = $("hops");
  while (list.children.length > verification.hops.length) list.lastChild.remove();
  verification.hops.forEach((hop, index) => {
    const text = JSON.stringify([hop, lanes]);
    const old = list.children[index];
    if (old?.dataset.text === text) return;
    const item = hopItem(hop, places);
    item.dataset.text = text;
    if (old) {
      item.classList.remove("new");
      old.replaceWith(item);
    } else list.append(item);
  });
}

function hopItem(hop, places) {
  const item = $("hop").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(name);
  const [from, to] = [places.get(hop.from) ?? 0, places.get(hop.host) ?? 0];
  item.style.setProperty("--from", Math.min(from, to));
  item.style.setProperty("--span", Math.abs(to - from));
  item.classList.add("new", hop.role);
  item.classList.toggle("leftwards", to < from);
  part(".time b").textContent = ms(hop.at_ms);
  part(".time span").textContent = isDone(hop) ? `took ${ms(hop.duration_ms)}` : "waiting";
  part(".route").textContent = `${hop.from === "phone" ? "Phone" : "Backend"} to ${hop.host}:`;
  part(".method").textContent = hop.method;
  part(".path").textContent = hop.path;
  const status = part(".status");
  status.textContent = hop.status ?? (isDone(hop) ? "closed" : "…");
  status.classList.add(!isDone(hop) ? "wait" : hop.status === null || hop.status >= 400 ? "bad" : "good");
  part(".redirect").textContent = hop.redirect
    ? `to ${hop.redirect.replace(/^(https?:)?\/\//, "").replace(".simulator.test", "")}`
    : isDone(hop) && hop.status === null ? "without a response" : "";
  part(".chips").append(...(hop.chips ?? chipsOf(hop)).map(([text, kind]) => element("li", text, kind)));
  return item;
}

function chipsOf(hop) {
  const sim = hop.sim ? `SIM ${hop.sim}, ` : "no SIM, ";
  const source = `${hop.from === "phone" ? sim : ""}${hop.network}`;
  const chips = [[hop.tls ?? "plain http", hop.tls ? "" : "warn"], [hop.family, ""], [source, ""]];
  for (const cookie of hop.cookies) chips.push([`sets cookie ${cookie}`, "cookie"]);
  return chips;
}

// ---- one verification, and the list

function show() {
  const verification = opened ?? verifications.get(shown);
  $("empty").hidden = Boolean(verification);
  $("none").hidden = verifications.size > 0;
  if (!verification) {
    $("title").textContent = "Waiting for a verification";
    for (const id of ["result", "download", "close", "ending", "words"]) $(id).hidden = true;
    for (const id of ["facts", "lanes", "hops"]) $(id).replaceChildren();
    return;
  }
  const { kind, detail } = state(verification);
  const [label, tone, explain] = RESULTS[kind];
  $("title").textContent = verification.title ?? `Verification ${verification.id}`;
  Object.assign($("result"), { hidden: false, textContent: label, className: `result ${tone}` });
  const file = `/verifications/${verification.id}.json`;
  Object.assign($("download"), { hidden: Boolean(opened), href: file, download: `verification-${verification.id}.json` });
  $("close").hidden = !opened;
  Object.assign($("words"), { hidden: !verification.words, textContent: verification.words ?? "" });
  const facts = verification.facts ?? [
    new Date(verification.began_ms).toLocaleTimeString(),
    verification.backend ?? "a backend outside the simulator",
    verification.number && `number ${verification.number}`,
    `${verification.hops.length} requests in ${ms(end(verification))}`,
    verification.fault && `fault: ${title(verification.fault)}`,
  ];
  $("facts").replaceChildren(...facts.filter(Boolean).map((fact) => element("span", fact)));
  const ending = explain(detail ?? "");
  Object.assign($("ending"), { hidden: !ending, textContent: ending, className: `ending ${tone}` });
  showDiagram(verification);
}

const title = (name) => name.replace("-", " ").replace(/^./, (first) => first.toUpperCase()).replace(/sim/i, "SIM");

function showList() {
  const items = [...verifications.values()].reverse().map((verification) => {
    const [label, tone] = RESULTS[state(verification).kind];
    const item = element("li", "");
    const choose = element("button", "");
    choose.type = "button";
    choose.dataset.id = verification.id;
    if (verification.id === shown && !opened) choose.setAttribute("aria-current", "true");
    choose.append(
      element("b", `${verification.id}`), element("span", label, `result ${tone}`),
      element("span", verification.backend?.split("/").pop() ?? "external", "name"),
      element("span", ms(end(verification)), "quiet"),
    );
    item.append(choose);
    return item;
  });
  const focused = document.activeElement?.dataset?.id;
  $("recent").replaceChildren(...items);
  if (focused) $("recent").querySelector(`[data-id="${focused}"]`)?.focus();
}

$("recent").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  opened = null;
  shown = Number(button.dataset.id);
  follows = shown === Math.max(...verifications.keys());
  show();
  showList();
});

function receive(verification) {
  const before = verifications.get(verification.id);
  verifications.set(verification.id, verification);
  while (verifications.size > 50) {
    const [oldest] = verifications.keys();
    verifications.delete(oldest);
    follows ||= oldest === shown;
  }
  if (follows && verification.id > (shown ?? 0)) shown = verification.id;
  if (verification.id === shown && !opened) show();
  showList();
  if (!isLive) return;
  if (verification.result && !before?.result) {
    const [label] = RESULTS[verification.result.kind];
    const { id, hops } = verification;
    $("live").textContent = `Verification ${id}: ${label}, ${hops.length} requests, ${ms(end(verification))}.`;
  } else if (!before) $("live").textContent = `Verification ${verification.id} began.`;
}

// ---- a recorded trace

async function open(file) {
  if (!file) return;
  const before = opened;
  try {
    opened = read(await file.text(), file.name);
    show();
    $("opened").textContent = `${opened.title}: ${RESULTS[opened.result.kind][0]}.`;
  } catch {
    opened = before;
    show();
    $("opened").textContent = `${file.name} is not a trace or a downloaded verification of version 1.`;
  }
  showList();
}

$("open").addEventListener("change", async ({ target }) => {
  await open(target.files[0]);
  target.value = ""; // So that the same file can be opened again.
});
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
addEventListener("drop", ({ dataTransfer }) => open(dataTransfer.files[0]));
$("close").addEventListener("click", () => {
  opened = null;
  $("opened").textContent = "";
  show();
  showList();
  $("verification").focus();
});

// ---- faults

/** The simulator's fault, as last received. */
let fault = null;
/** The changes are sent one after another; until the last one is, the user's choice is shown. */
let sending = Promise.resolve();
let unsent = 0;

function sendFault() {
  const choice = new FormData($("faults")).get("fault") || null;
  const body = JSON.stringify({ fault: choice, repeat: $("repeat").checked });
  unsent++;
  sending = sending.then(async () => {
    const before = fault;
    const error = await post(body);
    unsent--;
    Object.assign($("unset"), { hidden: !error, textContent: error });
    if (error || fault !== before) showFault();
  });
}

/** Why it failed; otherwise an empty text. */
async function post(body) {
  const headers = { "Content-Type": "application/json" };
  try {
    const { ok, status } = await fetch("/fault", { method: "POST", headers, body });
    return ok ? "" : `The fault was not changed: the simulator returned status ${status}.`;
  } catch {
    return "The fault was not changed: the simulator does not respond.";
  }
}

function showFault() {
  if (unsent) return;
  const value = fault?.fault ?? "";
  for (const choice of $("faults").querySelectorAll("[name=fault]")) choice.checked = choice.value === value;
  if (fault) $("repeat").checked = fault.repeat;
}

$("faults").addEventListener("change", sendFault);
$("faults").addEventListener("submit", (event) => event.preventDefault());

// ---- what does not change

function outcome({ verified, kind, cause, fallback }) {
  if (verified !== undefined) return verified ? "verified" : "not verified";
  return `error ${kind}${cause ? `, ${cause}` : ""}: ${fallback}`;
}

/** What the page was filled in from. */
let filled = "";

/** Fills in what the simulator does not change while it runs. */
async function about() {
  const texts = await Promise.all(
    ["/simulator.json", "/about"].map(async (path) => {
      const response = await fetch(path);
      if (!response.ok) throw new Error(`status ${response.status}`);
      return response.text();
    }),
  );
  if (texts.join() === filled) return;
  fill(...texts.map((text) => JSON.parse(text)));
  filled = texts.join();
}

function fill(ready, { faults, sims, root_sha256, commands }) {
  $("commands").textContent = commands;
  $("backend").textContent = ready.backend;
  $("digest").textContent = root_sha256;
  const [none, ...old] = $("faults").querySelectorAll("fieldset .choice");
  for (const choice of old) choice.remove();
  for (const { name, effect } of faults) {
    const choice = $("choice").content.cloneNode(true);
    choice.querySelector("input").value = name;
    choice.querySelector("b").textContent = title(name);
    choice.querySelector("small").textContent = `${effect}.`;
    none.parentElement.append(choice);
  }
  showFault();
  const numbers = [
    ...sims.map((sim) => [sim.split(" ")[0], `the SIM of ${sim.split(" ")[1].slice(1, -1)}: verified`]),
    ["any other", "another subscriber's: not verified"],
    ...ready.verify_errors.map(({ number, status, code }) => [number, `error ${status} ${code.replaceAll("_", " ").toLowerCase()}`]),
  ];
  $("numbers").replaceChildren(...numbers.flatMap(([number, effect]) => {
    const row = element("div", "");
    row.append(element("dt", number), element("dd", effect));
    return [row];
  }));
  $("count").textContent = ready.scenarios.length;
  $("scenarios").replaceChildren(...ready.scenarios.map(({ name, backend: url, outcomes }) => {
    const item = element("li", "");
    item.append(element("b", name), element("span", outcome(Object.values(outcomes)[0])), element("code", url));
    return item;
  }));
}

const source = new EventSource("/events");
const connection = (text, tone) => Object.assign($("connection"), { textContent: text, className: `connection ${tone}` });
// The simulator sends everything again, then the fault; it may be another process.
source.addEventListener("open", () => {
  connection("Live", "good");
  about().catch((error) => connection(`Live, without its settings (${error.message}): reload the page`, "bad"));
  verifications.clear();
  isLive = false;
  if (follows) shown = null;
  show();
  showList();
});
source.addEventListener("error", () => connection("Disconnected: is the simulator running?", "bad"));
source.addEventListener("clock", ({ data }) => (offset = Number(data) - Date.now()));
source.addEventListener("verification", ({ data }) => receive(JSON.parse(data)));
source.addEventListener("fault", ({ data }) => {
  fault = JSON.parse(data);
  showFault();
  if (!isLive && !verifications.has(shown)) {
    follows = true;
    shown = [...verifications.keys()].pop() ?? null;
    show();
    showList();
  }
  isLive = true;
});
// A verification that has become idle.
let kinds = "";
setInterval(() => {
  const now = [...verifications.values()].map((verification) => state(verification).kind).join();
  if (now !== kinds) {
    show();
    showList();
  }
  kinds = now;
}, 1000);
