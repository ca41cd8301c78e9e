// Names, errors and payloads that would be markup or script in a careless page: here they are text.

import assert from "node:assert/strict";
import { Window, run } from "./browser.mjs";

async function stays(window, path, text) {
  const page = await window.go(path);
  await page.waitForLoadState("networkidle");
  const found = await page.evaluate(() => ({
    ran: window.hostile === true,
    made: [...document.querySelectorAll("main img, main iframe, main object, main base, main script, main style, main svg:not(.chart)")]
      .map((element) => element.outerHTML),
    handlers: [...document.querySelectorAll("*")].flatMap((element) =>
      element.getAttributeNames().filter((name) => name.startsWith("on"))),
    text: document.querySelector("main").innerText,
  }));
  assert.deepEqual([found.ran, found.made, found.handlers], [false, [], []], path);
  assert.ok(found.text.includes(text), `${path} shows ${text}: ${found.text.slice(0, 2000)}`);
  assert.doesNotMatch(found.text, /[\u202a-\u202e\u2066-\u2069]/u, `${path}: no mark turns text around`);
}

async function nothingRuns(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  await stays(window, `/console/jobs/${world.jobs.hostile}/result`, "<script>");
  // What servers say of themselves: a tool whose name no client accepts, and an error.
  await stays(window, "/console", "<img");
  await stays(window, "/console", world.error);
  // The filter comes back in the page's fields.
  const text = '"><img src=x onerror="window.hostile=true">';
  const page = await window.go(`/console/jobs?tool=${encodeURIComponent(text)}`);
  assert.equal(await page.inputValue("#tool"), text);
  assert.equal(await page.evaluate(() => window.hostile), undefined);
  await stays(window, `/console/why?about=${encodeURIComponent(text)}`, "not a job id");
  assert.equal(await page.inputValue("#about"), text);
  // One megabyte is cut, and says so.
  await window.go(`/console/jobs/${world.jobs.big}/result`);
  assert.match(await page.textContent("main"), /cut here/);
  assert.ok((await page.content()).length < 500_000);
  await window.close();
}

await run([nothingRuns]);
