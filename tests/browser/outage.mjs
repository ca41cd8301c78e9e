// What an open page says while the data plane does not answer, and when its session is over.
//
// Lines on standard output tell the test when to stop the process, to let it continue, and to start it anew.

import assert from "node:assert/strict";
import { Window, eventually, run } from "./browser.mjs";

async function thePageSaysSo(browser, world) {
  const window = await Window.open(browser, world);
  window.expect(/Failed to load resource/);
  await window.signIn();
  const said = () => window.page.textContent("#status");
  console.log("stop");
  await eventually("the banner", async () => /not reachable since \d\d:\d\d:\d\d UTC/.test(await said()), 60_000);
  console.log("continue");
  await eventually("no banner", async () => (await said()) === "", 60_000);
  console.log("restart");
  await eventually("the end of the session", async () => /session is over/.test(await said()), 60_000);
  await window.page.click("#status a");
  assert.match(window.page.url(), /\/console\/sign-in/);
  await window.close();
}

await run([thePageSaysSo]);
