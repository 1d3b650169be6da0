// Walks the portal's story in Chromium as each role: publish, release, apply, decide, ask. Started by the end-to-end
// tests with the path of a JSON file: {address, language, screenshots, password, users, ledgerKey, open, protected}.
//
// The Chinese walk is at a desk, the English one on a phone. Every page that is looked at must be without console
// errors, failed requests, missing translations and horizontal overflow, also on a phone; a picture of it is kept.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const input = JSON.parse(readFileSync(process.argv[2], "utf8"));
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };
const SIZE = input.language.startsWith("zh") ? WIDE : NARROW;
/** Pages longer than this are pictured from their top only. */
const TALLEST = 4000;
const faults = [];
// Chromium notes the status of every answer that is no success; these are meant to be none.
const meant = [];
let shots = 0;

const browser = await chromium.launch({
  executablePath: process.env.SHAPAN_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});
process.on("SIGTERM", async () => {
  await browser.close();
  process.exit(1);
});

/** A reader with a window of their own; signed in if they have a name. */
async function reader(name) {
  const context = await browser.newContext({
    baseURL: input.address,
    locale: input.language,
    viewport: SIZE,
    acceptDownloads: true,
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() !== "error" || meant.some((status) => text.includes(`status of ${status}`))) return;
    faults.push(`${name}: console at ${page.url()}: ${text}`);
  });
  page.on("pageerror", (error) => faults.push(`${name}: script at ${page.url()}: ${error.message}`));
  page.on("requestfailed", (request) => {
    // A page that is left while a poll is under way cuts it off: that is no fault.
    const why = request.failure()?.errorText ?? "";
    if (!why.includes("ERR_ABORTED")) faults.push(`${name}: ${request.url()}: ${why}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 500) faults.push(`${name}: ${response.url()}: status ${response.status()}`);
  });
  if (name !== "nobody") {
    await page.goto("/sign-in");
    await page.fill("#username", input.users[name]);
    await page.fill("#password", input.password);
    await Promise.all([page.waitForURL((url) => !url.pathname.startsWith("/sign-in")), page.click("main form button")]);
  }
  return page;
}

/** Goes to an address that must be there. */
async function visit(page, path) {
  const response = await page.goto(path);
  if (response.status() !== 200) throw new Error(`${path}: status ${response.status()}\n${await response.text()}`);
}

/** Looks at the page as its reader and as one with a phone, and keeps a picture of it. */
async function look(page, name) {
  const seen = await page.evaluate(() => ({
    language: document.documentElement.lang,
    missing: document.documentElement.outerHTML.match(/⟦[^⟧]*⟧/g) ?? [],
    headings: document.querySelectorAll("h1").length,
    title: document.title.trim(),
    height: document.documentElement.scrollHeight,
  }));
  const fault = (what) => faults.push(`${name} (${page.url()}): ${what}`);
  if (!seen.language.startsWith(input.language.slice(0, 2))) fault(`the page is in ${seen.language}`);
  if (seen.missing.length > 0) fault(`not translated: ${[...new Set(seen.missing)].join(" ")}`);
  if (seen.headings !== 1) fault(`one h1, not ${seen.headings}`);
  if (seen.title === "") fault("no title");
  shots += 1;
  const path = join(input.screenshots, `${String(shots).padStart(2, "0")}-${name}.jpeg`);
  await page.screenshot({ path, type: "jpeg", quality: 75, fullPage: seen.height <= TALLEST });
  if (SIZE !== NARROW) await page.setViewportSize(NARROW);
  const over = await page.evaluate((most) => {
    const wide = document.documentElement.scrollWidth;
    if (wide <= most) return null;
    const all = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > most + 1);
    return `${wide} px: ${all.slice(0, 3).map((e) => `${e.tagName.toLowerCase()}.${e.className}`).join(", ")}`;
  }, NARROW.width);
  if (over) fault(`wider than a screen of ${NARROW.width} px: ${over}`);
  if (SIZE !== NARROW) await page.setViewportSize(SIZE);
}

/** Clicks, and waits for the page that it leads to. */
async function follow(page, selector) {
  const before = page.url();
  await Promise.all([
    page.waitForEvent("framenavigated", { predicate: (frame) => frame === page.mainFrame() }),
    page.locator(selector).first().click(),
  ]);
  await page.waitForLoadState("load");
  const summary = page.locator(".error-summary");
  if (await summary.count()) throw new Error(`${before}: ${await summary.innerText()}`);
  // A page of the portal that says it could not be done ends the walk: nothing after it would make sense.
  const failure = page.locator("main[data-problem], main .notice.danger[role=alert]");
  if (await failure.count()) throw new Error(`${before} → ${page.url()}: ${await failure.first().innerText()}`);
}

/** Reloads until the selector is there. */
async function wait(page, selector, why, seconds = 60) {
  for (const begun = Date.now(); Date.now() - begun < seconds * 1000; ) {
    if (await page.locator(selector).count()) return;
    await page.waitForTimeout(300);
    // The page reloads itself too: one of the two cuts the other off.
    await page.reload().catch(() => page.waitForLoadState());
  }
  throw new Error(`${why}: no ${selector} at ${page.url()}\n${await page.innerText("main")}`);
}

/** The officer describes a dataset, uploads its file and asks for its release. */
async function publish(page, { entry, file }) {
  const { slug, level, metadata, declared } = entry;
  await visit(page, "/publish/new");
  await page.fill("#slug", slug);
  for (const [field, text] of [["title", metadata.title], ["summary", metadata.summary]]) {
    await page.fill(`#${field}_zh`, text.zh);
    await page.fill(`#${field}_en`, text.en);
  }
  await page.fill("#keywords", metadata.keywords.slice(0, 5).join(", "));
  await page.selectOption("#theme", metadata.theme);
  await page.selectOption("#update_cycle", metadata.update_cycle);
  await page.selectOption("#license", metadata.license);
  await page.fill("#region", metadata.region);
  await page.selectOption("#level", level);
  for (const field of ["conditions", "recipe"]) {
    if (!metadata[field]) continue;
    await page.fill(`#${field}_zh`, metadata[field].zh);
    await page.fill(`#${field}_en`, metadata[field].en);
  }
  if (declared.unit) {
    await page.selectOption("#unit_type", declared.unit.type);
    await page.fill("#max_units", String(declared.unit.max_units));
    await page.fill("#max_rows", String(declared.unit.max_rows));
    await page.fill("#max_rows_per_unit", String(declared.unit.max_rows_per_unit));
  }
  await page.evaluate(() => document.querySelector("details.more").setAttribute("open", ""));
  await page.fill("#dictionary", JSON.stringify(declared.fields));
  await follow(page, "button[value=dictionary]");
  const first = await page.inputValue("[name='field.0.name']");
  if (first !== declared.fields[0].name) throw new Error(`the dictionary's first field is ${first}`);
  await look(page, `entry-filled-${slug}`);
  await follow(page, ".actions button[value=save]");
  if (!page.url().includes(`/publish/${slug}`)) throw new Error(`after saving the entry: ${page.url()}`);

  await visit(page, `/publish/${slug}/upload`);
  await look(page, `upload-${slug}`);
  await page.setInputFiles("#file", file);
  await follow(page, "main form button:not(.quiet)");
  // Nothing is read before the officer has seen how it will be.
  if (!page.url().includes("?upload=")) throw new Error(`after the upload: ${page.url()}`);
  await look(page, `upload-check-${slug}`);
  const shown = await page.locator("main table.values tbody tr").count();
  if ((level === "L1") !== shown > 0) throw new Error(`${level}: ${shown} rows of the file are shown`);
  await page.selectOption("#delimiter", "comma");
  await follow(page, "button[value=check]");
  if ((await page.inputValue("#delimiter")) !== "comma") throw new Error("what was chosen is forgotten");
  await follow(page, "button[value=confirm]");
  await wait(page, "main a.button", "the file is read");
  await look(page, `task-done-${slug}`);
  await visit(page, `/publish/${slug}/versions/1`);
  await look(page, `version-${slug}`);
  await visit(page, `/publish/${slug}/release`);
  await look(page, `release-${slug}`);
  await page.fill("#note", "首次开放，请审核。");
  await page.check("#confirm");
  await follow(page, "main form .actions button");
}

/** Opens the requests that wait, and acts on the first that can be acted on; whether there was one. */
async function decide(page, name, act) {
  await visit(page, "/review");
  if (!name.endsWith("2")) await look(page, `${name}-inbox`);
  const links = await page.locator("main table a[href^='/review/']").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  for (const link of links) {
    await visit(page, link);
    const form = page.locator("main form[action$='/opinion'], main form[action$='/decision']");
    if (!(await form.count())) continue;
    await look(page, `${name}-request`);
    await act(page);
    await follow(page, "main form .actions button");
    return true;
  }
  return false;
}

const approve = async (page) => {
  await page.check("#decision-approve");
  if (await page.locator("#epsilon").count()) {
    await page.fill("#epsilon", "2");
    await page.fill("#days", "90");
  }
  await page.fill("#reason", "符合开放要求，同意。 Meets the conditions; approved.");
};

async function walk() {
  const nobody = await reader("nobody");
  for (const path of ["/", "/datasets", "/sql", "/about", "/problems", "/ledger", "/sandbox", "/sign-in"]) {
    await visit(nobody, path);
    await look(nobody, `nobody${path.replace("/", "-")}`);
  }
  await nobody.goto("/publish");
  if (!nobody.url().includes("/sign-in?next=")) throw new Error(`a visitor is at ${nobody.url()}`);
  await visit(nobody, "/");
  await nobody.keyboard.press("Tab");
  const focused = await nobody.evaluate(() => document.activeElement?.className ?? "");
  if (!focused.includes("skip")) faults.push(`the first stop of the Tab key is .${focused}, not the link to the content`);

  const officer = await reader("officer");
  await visit(officer, "/publish/new");
  await look(officer, "entry-empty");
  await publish(officer, input.open);
  await publish(officer, input.protected);

  await visit(officer, "/publish");
  await look(officer, "publish-both");

  const assessor = await reader("assessor");
  const safe = async (page) => {
    await page.check("#opinion-safe");
    await page.fill("#text", "申报元数据与脱敏规则相符。 Metadata and recipe agree.");
  };
  if (!(await decide(assessor, "assessor", safe))) throw new Error("nothing waits for the assessor");
  const reviewer = await reader("reviewer");
  for (const turn of [1, 2]) {
    if (!(await decide(reviewer, `reviewer-${turn}`, approve))) throw new Error(`nothing waits for the reviewer: ${turn}`);
  }

  const word = input.language.startsWith("zh") ? "骑行" : "trips";
  await visit(nobody, "/");
  await nobody.fill("main input[type=search], #top-q", word);
  await nobody.keyboard.press("Enter");
  await nobody.waitForURL(/\/datasets\?/);
  if (!(await nobody.locator("main mark").count())) throw new Error("what was searched for is not marked");
  await look(nobody, "search");
  for (const { entry } of [input.open, input.protected]) {
    await visit(nobody, `/datasets/${entry.slug}`);
    await look(nobody, `dataset-${entry.slug}`);
  }
  await visit(nobody, `/datasets/${input.open.entry.slug}`);
  const [download] = await Promise.all([
    nobody.waitForEvent("download"),
    nobody.locator("a[href*='download.csv']").first().click(),
  ]);
  const saved = readFileSync(await download.path(), "utf8");
  if (!saved.includes(input.open.entry.declared.fields[0].name)) throw new Error("the download is not the file");
  await visit(nobody, "/sql");
  await nobody.fill("textarea[name=sql]", "SELECT COUNT(*) AS parking_places FROM bike_parking");
  await follow(nobody, "main form button");
  if (!(await nobody.innerText("main")).includes("parking_places")) throw new Error("the query has no answer");
  await look(nobody, "open-sql");
  const hidden = await nobody.request.get(`/datasets/${input.protected.entry.slug}/download.csv`);
  if (hidden.status() !== 404) throw new Error(`protected data came out: ${hidden.status()}`);

  const analyst = await reader("analyst");
  await visit(analyst, "/sandbox");
  await look(analyst, "analyst-sandbox");
  await visit(analyst, "/sandbox/apply");
  await analyst.check(`input[name=datasets][value=${input.protected.entry.slug}]`);
  await analyst.fill("#purpose", "研究早晚高峰各区骑行需求。 Demand for bikes by district.");
  await analyst.fill("#safeguards", "账号专人专用，结果仅在公司内网使用。 Inside the company only.");
  await look(analyst, "apply");
  await analyst.check("#promise");
  await follow(analyst, "main form .actions button");
  await look(analyst, "applied");
  const status = analyst.url();
  if (!(await decide(reviewer, "reviewer-access", approve))) throw new Error("the application does not wait for a decision");

  await visit(analyst, status);
  await look(analyst, "approved");
  await follow(analyst, "main a[href^='/sandbox/projects/']");
  await look(analyst, "project");
  await follow(analyst, "main a[href$='/jobs/new']");
  await analyst.fill("#sql", "SELECT MAX(distance_m) FROM bike_share_trips");
  await analyst.fill("#epsilon", "0.5");
  meant.push(422);
  await analyst.locator("button[value=estimate]").click();
  await analyst.locator("main .notice.danger, main [role=alert]").first().waitFor();
  await look(analyst, "job-refused");
  meant.pop();
  await analyst.fill(
    "#sql",
    "SELECT residence_district, COUNT(DISTINCT person_id) AS persons FROM bike_share_trips GROUP BY residence_district",
  );
  await analyst.fill("#epsilon", "0.5");
  await follow(analyst, "button[value=estimate]");
  await look(analyst, "job-estimate");
  await follow(analyst, "button[value=run]");
  await look(analyst, "job-waiting");
  await wait(analyst, "#result", "the answer is released");
  await wait(analyst, "#receipt ~ dl .badge.good", "the receipt is proven", 30);
  await look(analyst, "job-result");
  if ((await analyst.locator("section[aria-labelledby=result] tbody tr").count()) < 16) {
    throw new Error("not every district has its cell");
  }
  const job = new URL(analyst.url()).pathname;
  const csv = await analyst.request.get(`${job}/result.csv`);
  if (!(await csv.text()).startsWith("residence_district,persons,")) throw new Error(`result.csv: ${await csv.text()}`);
  const receipt = await analyst.request.get(`${job}/receipt.json`);
  if ((await receipt.json()).inclusion === null) throw new Error("the receipt has no proof");
  const other = await reader("other-analyst");
  const stolen = await other.request.get(job);
  if (stolen.status() !== 404) throw new Error(`another enterprise sees a job: ${stolen.status()}`);

  await visit(nobody, "/ledger");
  await look(nobody, "ledger-after");
  if (!(await nobody.innerText("main")).includes(input.ledgerKey)) faults.push("/ledger does not show the log's key");
  for (const name of ["officer", "auditor", "admin", "developer"]) {
    const page = name === "officer" ? officer : await reader(name);
    await visit(page, "/account");
    await look(page, `account-${name}`);
  }
  meant.push(404);
  const missing = await nobody.goto("/datasets/no-such-dataset");
  if (missing.status() !== 404) throw new Error(`a dataset that is not there: ${missing.status()}`);
  await look(nobody, "not-found");
  meant.pop();

  await visit(officer, "/account");
  await follow(officer, "form[action='/sign-out'] button");
  await officer.goto("/publish");
  if (!officer.url().includes("/sign-in")) throw new Error(`still signed in: ${officer.url()}`);
}

let failed = false;
try {
  await walk();
} catch (error) {
  failed = true;
  console.log(`the walk ended: ${error.stack ?? error}`);
  for (const [n, context] of browser.contexts().entries()) {
    for (const page of context.pages()) {
      await page.screenshot({ path: join(input.screenshots, `99-end-${n}.jpeg`), type: "jpeg" }).catch(() => {});
    }
  }
}
await browser.close();
for (const fault of faults) console.log(fault);
if (failed || faults.length > 0) process.exit(1);
console.log(`walked ${shots} pages`);
