// The simulator's page in headless Chromium, with verifications by the command line. From the
// environment: SIMULATOR, the simulator's line of JSON; VERIFY, the command line; MODULES, the folder
// of the npm packages; CHROMIUM and its CHROMIUM_FLAGS; SCREENSHOTS, a folder to write to, if set.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test as run } from "node:test";

const { SIMULATOR, VERIFY, MODULES, CHROMIUM, CHROMIUM_FLAGS, SCREENSHOTS } = process.env;
const require = createRequire(join(MODULES, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core"), "utf8");
const ready = JSON.parse(SIMULATOR);
const folder = mkdtempSync(join(tmpdir(), "number-verify-page-"));
const root = join(folder, "root.pem");
const [OWN, OTHER] = ["+14155550100", "+14155550199"];
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
// Node.js has no flag for it before 20.11.
const LIMIT = { timeout: 120_000 };
const test = (name, body) => run(name, LIMIT, body);

let context;
let page;
const foreign = [];
const errors = [];

/** A verification by the command line. Returns what it prints. */
function verify(backend, number = OWN) {
  const flags = ready.hosts.flatMap((host) => ["--resolve", host]);
  const url = `${ready.backend.replace(/\/a$/, "")}/${backend}`;
  const program = spawn(VERIFY, ["--any-network", "--backend", url, "--phone", number, "--root-ca", root, ...flags]);
  return new Promise((resolve) => {
    let output = "";
    program.stdout.on("data", (data) => (output += data));
    program.on("close", () => resolve(output.trim()));
  });
}

const shows = (id, text) => page.waitForFunction(([id, text]) => document.getElementById(id).textContent.includes(text), [id, text]);
const hops = () => page.locator("#hops > li");

/** Does this, and waits for the simulator's response to the change of the fault. */
async function setFault(change) {
  await Promise.all([page.waitForResponse((response) => response.url().endsWith("/fault")), change()]);
}

const chosen = () => page.evaluate(() => new FormData(document.getElementById("faults")).get("fault"));

/** Waits until the verification with this number in the list has this result. */
async function ended(id, label) {
  await shows("title", `Verification ${id}`);
  await shows("result", label);
}

/** While a request appears, its colors have less contrast. */
const animationsEnded = () => page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));

/** What violates axe's rules. */
async function violations() {
  await animationsEnded();
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join("; ")}`);
}

async function screenshot(name) {
  if (!SCREENSHOTS) return;
  await page.mouse.move(0, 0);
  await animationsEnded();
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

/** From the keyboard: moves the focus forward to this element. */
async function tabTo(selector) {
  for (let presses = 0; presses < 80; presses++) {
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the keyboard does not reach ${selector}`);
}

before(async () => {
  writeFileSync(root, ready.root_ca_pem);
  const options = { executablePath: CHROMIUM, headless: true, args: CHROMIUM_FLAGS.split(" "), viewport: DESKTOP };
  context = await chromium.launchPersistentContext(join(folder, "profile"), options);
  page = context.pages()[0] ?? (await context.newPage());
  page.on("request", (request) => request.url().startsWith(ready.page) || foreign.push(request.url()));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(ready.page);
  await shows("connection", "Live");
}, LIMIT);

after(async () => {
  await context?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

test("without verifications, it shows how to run one", async () => {
  await shows("commands", "cargo run --example verify");
  assert.equal(await page.locator("#empty").isVisible(), true);
  assert.deepEqual(await violations(), []);
});

test("axe detects a planted violation", async () => {
  await page.evaluate(() => document.querySelector(".qr").removeAttribute("alt"));
  const found = await violations();
  assert.ok(found.length === 1 && found[0].startsWith("image-alt"), found.join());
  await page.reload();
  await shows("connection", "Live");
});

test("a verification grows hop by hop, with its result", async () => {
  assert.equal(await verify("b"), "verified");
  await ended(1, "Verified");
  assert.equal(await hops().count(), 8);
  const lanes = await page.locator("#lanes > div b").allTextContents();
  assert.deepEqual(lanes, ["App", "Backend", "Auth server", "Operator", "Operator"]);
  const text = await page.locator("#hops").textContent();
  for (const part of ["POST", "/oauth2/auth", "302", "TLS 1.3", "IPv4", "plain http", "sets cookie opsess", "SIM …00, loopback"]) {
    assert.ok(text.includes(part), `${part} is not in ${text}`);
  }
  await shows("live", "Verification 1: Verified, 8 requests");
  assert.equal(text.includes(OWN), false);
});

test("numbers and backends have the outcome that the page lists", async () => {
  assert.equal(await verify("c", OTHER), "not verified");
  await ended(2, "Not verified");
  const listed = await page.locator("#numbers dt").allTextContents();
  assert.ok(listed.includes(OWN) && listed.includes("+999503001"), listed.join());
  assert.match(await verify("a", "+999503001"), /^error: /);
  await ended(3, "Rejected");
});

test("the keyboard switches on a fault, and it is cleared after one verification", async () => {
  await page.locator("body").focus();
  await tabTo("#faults input[type=radio]");
  await setFault(() => page.keyboard.press("ArrowDown"));
  await setFault(() => page.keyboard.press("ArrowDown"));
  assert.equal(await chosen(), "reset");
  // The page has it from the simulator when it opens.
  await page.reload();
  await page.waitForFunction(() => document.querySelector("[name=fault][value=reset]")?.checked);
  assert.match(await verify("a"), /^error: /);
  await shows("facts", "fault: Reset");
  await shows("hops", "closed without a response");
  await shows("result", "Closed");
  await page.waitForFunction(() => document.querySelector("[name=fault][value='']").checked);
  assert.equal(await verify("a"), "verified");
  await ended(5, "Verified");
});

test("a slow hop is shown while it waits", async () => {
  await setFault(() => page.getByRole("radio", { name: /Slow hop/ }).check());
  const running = verify("a");
  await shows("hops", "waiting");
  await shows("result", "Running");
  assert.equal(await running, "verified");
  await ended(6, "Verified");
});

test("changes of the fault are sent in order, and a failure is shown", async () => {
  const sent = [];
  await page.route("**/fault", async (route) => {
    sent.push(route.request().postDataJSON().fault);
    if (sent.length === 1) await new Promise((resolve) => setTimeout(resolve, 500));
    await (sent.length < 3 ? route.continue() : route.fulfill({ status: 403 }));
  });
  await page.getByRole("radio", { name: /Reset/ }).check();
  await page.getByRole("radio", { name: /Denied/ }).check();
  await page.waitForResponse((response) => response.url().endsWith("/fault"));
  assert.equal(await chosen(), "denied");
  await page.waitForResponse((response) => response.url().endsWith("/fault"));
  assert.deepEqual(sent, ["reset", "denied"]);
  await page.getByRole("radio", { name: "None" }).click();
  await shows("unset", "not changed: the simulator returned status 403");
  assert.equal(await chosen(), "denied");
  assert.deepEqual(errors.splice(0).filter((error) => !error.includes("403")), []);
  await page.unroute("**/fault");
  await setFault(() => page.getByRole("radio", { name: "None" }).check());
  await page.locator("#unset").waitFor({ state: "hidden" });
});

test("an older verification can be chosen and downloaded", async () => {
  await page.locator("body").focus();
  await tabTo("#recent button[data-id='1']");
  await page.keyboard.press("Enter");
  await ended(1, "Verified");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#download").click()]);
  assert.equal(download.suggestedFilename(), "verification-1.json");
  const verification = JSON.parse(readFileSync(await download.path(), "utf8"));
  assert.equal(verification.result.kind, "verified");
  assert.equal(verification.hops.length, 8);
  // A newer one does not replace it.
  await verify("a");
  await page.locator("#recent button[data-id='7']").waitFor();
  await shows("title", "Verification 1");
});

test("settings that cannot be loaded are an error on the page", async () => {
  await page.route("**/about", (route) => route.fulfill({ status: 500 }));
  await page.reload();
  await shows("connection", "without its settings (status 500)");
  assert.deepEqual(errors.splice(0).filter((error) => !error.includes("500")), []);
  await page.unroute("**/about");
  await page.reload();
  await page.locator("#faults input[value=reset]").waitFor();
  await shows("connection", "Live");
  await page.locator("#recent button[data-id='1']").click();
  await shows("title", "Verification 1");
});

test("a recorded trace is shown instead, until it is closed", async () => {
  const trace = readFileSync(new URL("../traces/denied_by_operator.login_required.json", import.meta.url), "utf8");
  const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
  await page.locator("#open").setInputFiles(file("denied.json", trace));
  await shows("title", "Trace denied.json");
  await shows("result", "Failed");
  await shows("ending", "login_required");
  await shows("words", "explain denied.json");
  assert.equal(await hops().count(), 6);
  assert.match(await hops().nth(5).textContent(), /failed here.*x-request-id glide-6/s);
  assert.deepEqual(await violations(), []);
  // What a sample app shares: the explanation, then the JSON in one line.
  await page.evaluate((text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], "shared.txt"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, `Failed after 1480 ms.\nCause: none.\n${JSON.stringify(JSON.parse(trace))}\n`);
  await shows("title", "Trace shared.txt");
  await shows("words", "Failed after 1480 ms.");
  // The flows of `--retrieve --json --repeat 2`, after other output.
  const flows = `Two flows.\n{"phoneNumber":"${OWN}"}\n{"phoneNumber":"${OWN}","trace":${JSON.stringify(JSON.parse(trace))}}\n`;
  await page.locator("#open").setInputFiles(file("flows.txt", flows));
  await shows("title", "Trace flows.txt");
  assert.equal(await page.locator("#words").textContent(), "Two flows.");
  assert.equal((await page.content()).includes(`"phoneNumber":"${OWN}"`), false);
  // All members but the version have a default.
  await page.locator("#open").setInputFiles(file("empty.json", '{"version":1}'));
  await shows("title", "Trace empty.json");
  await shows("result", "No result");
  assert.equal((await page.locator("#facts").textContent()).includes("undefined"), false);
  // The page's own download.
  const download = await (await page.request.get(new URL("verifications/1.json", ready.page).href)).text();
  assert.equal(JSON.parse(download).format, "number-verify-simulator/verification");
  await page.locator("#open").setInputFiles(file("verification-1.json", download));
  await shows("title", "Verification 1, verification-1.json");
  await shows("result", "Verified");
  await shows("facts", "8 requests");
  await shows("hops", "sets cookie opsess");
  await page.locator("#open").setInputFiles(file("shared.txt", JSON.stringify(JSON.parse(trace))));
  await shows("title", "Trace shared.txt");
  for (const text of ["<html>", "{}", '{"version":1,"format":"number-verify-simulator/verification"}', '{"version":1,"hops":[{"dns_ms":"x"}]}', '{"version":2,"hops":[]}', ""]) {
    await page.locator("#open").setInputFiles(file("bad.json", text));
    await shows("opened", "bad.json is not a trace or");
    await page.evaluate(() => (document.getElementById("opened").textContent = ""));
    await shows("title", "Trace shared.txt");
  }
  // A new verification does not replace it.
  await verify("a");
  await page.locator("#recent button[data-id='8']").waitFor();
  await shows("title", "Trace shared.txt");
  await tabTo("#close");
  await page.keyboard.press("Enter");
  await shows("title", "Verification 1");
});

for (const colorScheme of ["light", "dark"]) {
  test(`accessible, and fits on all screens: ${colorScheme}`, async () => {
    await page.emulateMedia({ colorScheme });
    for (const viewport of [DESKTOP, PHONE, { width: 320, height: 640 }]) {
      await page.setViewportSize(viewport);
      await page.evaluate(() => scrollTo(0, 0));
      const name = `${viewport === DESKTOP ? "desktop" : "phone"}-${colorScheme}`;
      if (viewport.width > 320) await screenshot(name);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${overflow} px wider than ${viewport.width}`);
      assert.deepEqual(await violations(), [], `${colorScheme}, ${viewport.width} px`);
    }
    await page.setViewportSize(DESKTOP);
  });
}

test("reduced motion is respected", async () => {
  const animations = () => page.evaluate(() => {
    const item = document.querySelector("#hops > li");
    item.classList.add("new");
    return getComputedStyle(item).animationName;
  });
  assert.equal(await animations(), "appear");
  await page.emulateMedia({ reducedMotion: "reduce" });
  assert.equal(await animations(), "none");
});

test("the settings for a phone are on the page", async () => {
  await shows("backend", ready.backend);
  const code = await page.locator(".qr").evaluate((image) => image.complete && image.naturalWidth > 0);
  assert.equal(code, true);
  const certificate = await page.request.get(new URL("root.pem", ready.page).href);
  assert.equal(await certificate.text(), ready.root_ca_pem);
});

test("the clock is the simulator's", async () => {
  await page.clock.setFixedTime(Date.now() + 3_600_000);
  await page.reload();
  await page.locator("#recent button").first().waitFor();
  await page.getByRole("radio", { name: /Slow hop/ }).waitFor();
  await setFault(() => page.getByRole("radio", { name: /Slow hop/ }).check());
  const running = verify("a");
  await shows("hops", "waiting");
  await shows("result", "Running");
  assert.equal(await running, "verified");
  await shows("result", "Verified");
});

test("the newest verification is followed when the chosen one is removed", async () => {
  const newest = Number(await page.locator("#recent button").first().getAttribute("data-id"));
  await page.locator("#recent button").nth(1).click();
  await shows("title", `Verification ${newest - 1}`);
  const start = `http://localhost:${ready.http_port}/number-verify/a/start`;
  for (let count = 0; count < 50; count++) await page.request.post(start, { data: { phoneNumber: OWN } });
  await shows("title", `Verification ${newest + 50}`);
  assert.equal(await page.locator("#recent button").count(), 50);
});

test("no request to another server, and no error", () => {
  assert.deepEqual(foreign, []);
  assert.deepEqual(errors, []);
});
