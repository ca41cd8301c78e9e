// Every page, in light and in dark: it says what it is, axe finds nothing, and pictures of some are taken for the
// documentation.

import assert from "node:assert/strict";
import { join } from "node:path";
import { Window, eventually, run } from "./browser.mjs";

const pages = ({ jobs }) => [
  ["/console", "overview"],
  ["/console/jobs"],
  ["/console/jobs?state=dead&tool=report", "dead-letters"],
  [`/console/jobs/${jobs.dead}`, "job"],
  [`/console/jobs/${jobs.delivered}`],
  [`/console/jobs/${jobs.running}`],
  [`/console/jobs/${jobs.dead}/result`],
  [`/console/jobs/${jobs.running}/request`],
  [`/console/why?about=${jobs.due}`, "why"],
  [`/console/jobs/${jobs.dead}/act/replay`],
  [`/console/jobs/${jobs.delivered}/act/replay`],
  ["/console/bulk/replay?state=dead", "replay"],
  ["/console/jobs?state=nonsense"],
];

async function check(window) {
  const { page } = window;
  assert.equal(await page.locator("h1").count(), 1, `${page.url()}: one heading`);
  assert.equal(await page.locator("main").count(), 1, `${page.url()}: one main`);
  assert.match(await page.title(), / · asyncmcp$/);
  window.problems.push(...(await window.violations()));
}

async function picture({ page, world }, name, scheme) {
  if (name) await page.screenshot({ path: join(world.pictures, `console-${name}-${scheme}.png`) });
}

async function visit(window, scheme) {
  const { page, world } = window;
  await window.go("/console/sign-in");
  await check(window);
  await window.signIn();
  for (const [path, name] of pages(world)) {
    await window.go(path);
    await check(window);
    await picture(window, name, scheme);
  }
  // What the navigation leads to is a page as well.
  await window.go("/console");
  const links = await page.locator("header nav a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  assert.ok(links.length >= 2, links.join());
  for (const path of links.filter((path) => !pages(world).some(([known]) => known === path))) {
    await window.go(path);
    await check(window);
    await picture(window, path.endsWith("why") ? null : path.split("/").pop(), scheme);
  }
  // A page that does not exist, and one whose job does not.
  window.expect(/status of 404/);
  await window.go("/console/jobs/0000000000000000000000000a", 404);
  await check(window);
}

async function everyPageInLight(browser, world) {
  const window = await Window.open(browser, world);
  await visit(window, "light");
  await window.close();
}

async function everyPageInDark(browser, world) {
  const window = await Window.open(browser, world, { colorScheme: "dark" });
  const back = () => window.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await window.go("/console/sign-in");
  const [red, green, blue] = (await back()).match(/\d+/g).map(Number);
  assert.ok(red + green + blue < 200, `a dark page is dark: ${await back()}`);
  await visit(window, "dark");
  await window.close();
}

// 320 pixels are what a page has at 400 % zoom (WCAG 1.4.10): only tables may scroll sideways.
async function narrow(browser, world) {
  const window = await Window.open(browser, world, { viewport: { width: 320, height: 640 } });
  await window.signIn();
  for (const [path] of pages(world)) {
    const page = await window.go(path);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${path} is ${over} pixels wider than the window`);
  }
  await window.close();
}

async function withoutScript(browser, world) {
  const window = await Window.open(browser, world, { javaScriptEnabled: false });
  await window.signIn();
  const page = await window.go("/console/jobs?state=dead");
  await page.click("tbody tr:first-child td:last-child a, tbody tr:first-child a[href^='/console/jobs/0']");
  assert.match(await page.textContent("h1"), /dead/);
  await page.click("text=Show the response");
  assert.match(await page.textContent("main"), /jsonrpc/);
  await window.close();
}

// A shared link shows the same jobs, to somebody else as well.
async function aLinkHoldsTheFilter(browser, world) {
  const one = await Window.open(browser, world);
  await one.signIn();
  await one.go("/console/jobs");
  await one.page.click("summary");
  await one.page.fill("#tool", "report");
  await one.page.selectOption("#deadReason", "http_4xx");
  await one.page.click("form button.primary");
  await one.page.waitForURL(/tool=report/);
  const shown = () => ({ rows: "tbody tr" });
  const rows = await eventually("rows", () => one.page.locator(shown().rows).count());
  const link = one.page.url();
  const other = await Window.open(browser, world);
  await other.signIn(world.viewToken);
  await other.page.goto(link);
  assert.equal(await other.page.locator(shown().rows).count(), rows);
  assert.equal(await other.page.inputValue("#tool"), "report");
  await one.close();
  await other.close();
}

await run([everyPageInLight, everyPageInDark, narrow, withoutScript, aLinkHoldsTheFilter]);
