// Chromium for the tests of the console: a window that fails the test as soon as anything in it is not as it should be.
//
// Every script here opens its pages through `Window`. Invariant: a dialog, a script error, a refused resource (Content
// Security Policy) or a request to another origin fails the test, wherever it happens.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const SIZE = { width: 1120, height: 720 };
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function launch() {
  const args = ["--force-color-profile=srgb", "--font-render-hinting=none", "--disable-lcd-text"];
  // Chromium's sandbox does not start as root.
  if (process.getuid() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath: process.env.ASYNCMCP_CHROMIUM ?? "/usr/bin/chromium", args });
}

export class Window {
  static async open(browser, world, options = {}) {
    const context = await browser.newContext({
      viewport: SIZE,
      locale: "en-GB",
      timezoneId: "UTC",
      reducedMotion: "reduce",
      colorScheme: "light",
      ...options,
    });
    const window = new Window(world, context, await context.newPage());
    window.watch();
    return window;
  }

  constructor(world, context, page) {
    Object.assign(this, { world, context, page, problems: [], expected: [] });
    page.setDefaultTimeout(20_000);
  }

  watch() {
    const note = (what) => {
      if (!this.expected.some((pattern) => pattern.test(what))) this.problems.push(`${this.page.url()}: ${what}`);
    };
    this.page.on("dialog", (dialog) => (note(`dialog: ${dialog.message()}`), dialog.dismiss()));
    this.page.on("pageerror", (error) => note(`script error: ${error.message}`));
    this.page.on("console", (message) => message.type() === "error" && note(`console: ${message.text()}`));
    this.page.on("request", (request) => {
      if (!request.url().startsWith(this.world.base)) note(`request to ${request.url()}`);
    });
  }

  // Failures of the browser that a test brings about itself.
  expect(...patterns) {
    this.expected.push(...patterns);
  }

  async go(path, status = 200) {
    const answer = await this.page.goto(this.world.base + path);
    assert.equal(answer.status(), status, path);
    return this.page;
  }

  // Signs in by the form, as somebody who has the token.
  async signIn(token = this.world.adminToken) {
    await this.go("/console/sign-in");
    await this.page.fill("#token", token);
    await this.page.click("button[type=submit]");
    await this.page.waitForURL("**/console");
  }

  // What axe finds on the page as it is.
  async violations() {
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(() =>
      // eslint-disable-next-line no-undef
      axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
    );
    return found.violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${this.page.url()}: ${id} (${help}): ${node.html.slice(0, 200)} ${node.failureSummary}`),
    );
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.problems, []);
  }
}

// The world that the test made, from standard input; the case runs, and the process ends with what it found.
export async function run(cases) {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const world = JSON.parse(text);
  const browser = await launch();
  try {
    for (const one of cases) {
      await one(browser, world);
      console.log(`ok ${one.name}`);
    }
  } finally {
    await browser.close();
  }
}

// Asks the jobs API beside the console.
export async function api(world, path) {
  const answer = await fetch(world.base + path, { headers: { authorization: `Bearer ${world.adminToken}` } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

// Waits until `check` gives something true.
export async function eventually(what, check, patience = 20_000) {
  const deadline = Date.now() + patience;
  let last;
  while (Date.now() < deadline) {
    last = await check();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`${what}: still ${JSON.stringify(last)}`);
}
