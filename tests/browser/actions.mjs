// Each action, with the mouse, while deliveries run; the jobs API says whether it happened.

import assert from "node:assert/strict";
import { Window, api, eventually, run } from "./browser.mjs";

const state = async (world, id) => (await api(world, `/jobs/${id}`)).state;

async function act({ page, world }, id, label) {
  await page.goto(`${world.base}/console/jobs/${id}`);
  await page.click(`.actions >> text="${label}"`);
  await page.waitForURL("**/act/*");
  await page.click(`main button:has-text("${label}")`);
}

async function stopAndReplay(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  await act(window, world.jobs.due, "Stop");
  await window.page.waitForURL(/done=stop|jobs\/[0-9a-z]{26}$/);
  assert.equal(await state(world, world.jobs.due), "stopped");
  await act(window, world.jobs.due, "Replay");
  await eventually("replayed", async () => (await api(world, `/jobs/${world.jobs.due}`)).replays === 1);
  await window.close();
}

async function cancel(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  await act(window, world.jobs.running, "Cancel");
  await eventually("cancelled", async () => (await api(world, `/jobs/${world.jobs.running}`)).outcome === "cancelled");
  await window.close();
}

async function remove(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  await act(window, world.jobs.delivered, "Delete");
  await window.page.waitForURL(/console\/jobs(\?|$)/);
  const gone = await fetch(`${world.base}/jobs/${world.jobs.delivered}`, {
    headers: { authorization: `Bearer ${world.adminToken}` },
  });
  assert.equal(gone.status, 404);
  await window.close();
}

// The page counts what it would do before it asks.
async function replayInBulk(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  const { page } = window;
  await window.go("/console/jobs?state=dead&tool=report");
  await page.click("text=/Replay all/");
  await page.waitForURL("**/console/bulk/replay**");
  const asked = Number((await page.textContent("h1")).match(/\d+/)[0]);
  assert.equal(asked, world.dead, "the count in the question");
  await page.click(`main button:has-text("Replay")`);
  assert.match(await page.textContent("h1"), new RegExp(`^${world.dead} jobs due again`));
  await window.close();
}

// One question about a receiver, and one about a call.
async function why(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  const { page } = window;
  const ask = async (about) => {
    await window.go("/console/receivers");
    await page.fill("#about", about);
    await page.click("text=Ask");
    await page.waitForURL("**/console/why?about=**");
    return page.textContent("main");
  };
  assert.match(await ask(`${world.receiver}/results`), /delivered at 2|attempt is in progress|attempt is due/);
  assert.match(await ask("http://elsewhere.example/"), /allowedHosts/);
  assert.match(await ask(world.jobs.due), /it waits for the time of its next attempt/);
  assert.match(await ask("nonsense"), /not a job id/);
  await window.close();
}

// A test delivery arrives, or the page says why it does not.
async function tryIt(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  const { page } = window;
  for (const [to, said] of [
    [`${world.receiver}/results`, /the receiver answered 200/],
    [`${world.receiver}/503`, /the receiver answered 503/],
    ["http://elsewhere.example/", /not sent: .*allowedHosts/],
  ]) {
    await window.go("/console/receivers");
    await page.fill("#receiver", to);
    await page.click("main button:has-text('Send')");
    await page.waitForURL("**/console/try");
    assert.match(await page.textContent("main"), said);
    assert.deepEqual(await window.violations(), []);
  }
  await window.close();
}

// The view token reads, but sees neither payloads nor actions.
async function viewOnly(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn(world.viewToken);
  const page = await window.go(`/console/jobs/${world.jobs.kept}`);
  assert.equal(await page.locator(".actions a").count(), 0);
  await window.go("/console/receivers");
  assert.equal(await page.locator("#receiver").count(), 0, "no test delivery");
  window.expect(/status of 403/);
  for (const path of ["result", "request", "act/replay"]) {
    await window.go(`/console/jobs/${world.jobs.kept}/${path}`, 403);
    assert.doesNotMatch(await page.textContent("main"), /jsonrpc/);
  }
  await window.close();
}

async function signOut(browser, world) {
  const window = await Window.open(browser, world);
  await window.signIn();
  await window.page.click("text=Sign out");
  await window.page.waitForURL("**/console/sign-in*");
  await window.page.goto(`${world.base}/console`);
  assert.match(window.page.url(), /sign-in/);
  assert.deepEqual(await window.context.cookies(), []);
  await window.close();
}

await run([why, tryIt, stopAndReplay, cancel, remove, replayInBulk, viewOnly, signOut]);
