// From the sign-in to a replayed delivery with the keyboard alone; what happens is seen without a reload.

import assert from "node:assert/strict";
import { Window, eventually, run } from "./browser.mjs";

// Presses Tab until what has the focus matches; each stop on the way shows that it has it.
async function tabTo(page, text, selector = "a, button") {
  for (let stop = 0; stop < 80; stop += 1) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate((selector) => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return {
        matches: element.matches(selector),
        text: (element.textContent || element.value || "").trim(),
        html: element.outerHTML.slice(0, 120),
        isPage: element === document.body,
        isSeen: outlineStyle !== "none" && parseFloat(outlineWidth) > 0,
      };
    }, selector);
    if (!focused.isPage) assert.ok(focused.isSeen, `no visible focus on ${focused.html}`);
    if (focused.matches && text.test(focused.text)) return;
  }
  assert.fail(`Tab never reached ${text}`);
}

async function signInAndReplay(browser, world) {
  const window = await Window.open(browser, world);
  const { page } = window;
  const press = async (key, url) => Promise.all([page.waitForURL(url), page.keyboard.press(key)]);
  await page.goto(`${world.base}/console`);
  await page.keyboard.type(world.adminToken);
  await press("Enter", "**/console");
  assert.ok(!page.url().includes(world.adminToken));
  // The skip link is the first stop, and leads to the content.
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id || location.hash.slice(1)), "main");
  await tabTo(page, /dead/);
  await press("Enter", "**/console/jobs?state=dead");
  await tabTo(page, new RegExp(world.jobs.replayable.slice(0, 6)), `a[href*="${world.jobs.replayable}"]`);
  await press("Enter", `**/console/jobs/${world.jobs.replayable}*`);
  await tabTo(page, /^Replay$/);
  await press("Enter", "**/act/replay");
  await tabTo(page, /^Replay$/, "button");
  await press("Enter", `**/console/jobs/${world.jobs.replayable}*`);
  assert.match(await page.textContent("[role=status][data-made], .done"), /due again/);
  // The page refreshes itself, and keeps what has the focus.
  const loaded = await page.evaluate(() => performance.timeOrigin);
  await tabTo(page, /^Jobs$/);
  await eventually("delivered", async () => /delivered/.test(await page.textContent("h1")));
  assert.equal(await page.evaluate(() => performance.timeOrigin), loaded, "without a reload");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Jobs");
  await window.close();
}

await run([signInAndReplay]);
