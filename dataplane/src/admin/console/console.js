// What the pages of the console do beside being read: sign in with a code, stay current, copy ids, show local times.
// Every page works without it. It never writes HTML that it made itself.
"use strict";
(() => {
  const EVERY = 2000;
  const status = document.getElementById("status");
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };

  // A one-time code arrives in the fragment, which no server sees. It leaves the history before it is used.
  const signIn = async (form) => {
    const code = new URLSearchParams(location.hash.slice(1)).get("code");
    const to = form.elements.to.value;
    if (!code) {
      // A link from another site arrives without the cookie, though there may be a session.
      const session = await fetch("/console/session", { redirect: "manual" }).catch(() => null);
      if (session && session.status === 204) location.replace(to);
      return;
    }
    history.replaceState(null, "", location.pathname + location.search);
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams({ code, to }) }).catch(() => null);
    if (answer && answer.ok && answer.redirected) return location.replace(answer.url);
    const page = answer && new DOMParser().parseFromString(await answer.text(), "text/html");
    const why = page && page.getElementById("note");
    const note = document.getElementById("note");
    note.textContent = why ? why.textContent : "This process cannot be reached.";
    note.hidden = false;
  };

  // Changes `old` into `fresh`, and touches nothing that is the same already.
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
  const morph = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.hasAttribute("data-keep")) return;
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const name of old.getAttributeNames()) {
      if (!["open", "title"].includes(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    children(old, fresh);
  };
  const children = (old, fresh) => {
    const theirs = [...fresh.childNodes];
    let at = old.firstChild;
    for (const node of theirs) {
      while (at && at.nodeType === Node.ELEMENT_NODE && at.dataset.made) at = at.nextSibling;
      const known = node.id && [...old.children].find((child) => child.id === node.id);
      if (known && known !== at) { old.insertBefore(known, at); at = known; }
      if (at && same(at, node)) { morph(at, node); at = at.nextSibling; }
      else old.insertBefore(document.importNode(node, true), at);
    }
    while (at) {
      const next = at.nextSibling;
      if (!(at.nodeType === Node.ELEMENT_NODE && at.dataset.made)) at.remove();
      at = next;
    }
  };

  // Adds what only a script can: local times, and buttons that copy.
  const decorate = (root) => {
    for (const time of root.querySelectorAll("time")) {
      const at = new Date(time.dateTime);
      const title = isNaN(at) ? "" : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
      if (time.title !== title) time.title = title;
    }
    for (const code of root.querySelectorAll("[data-copy]")) {
      if (code.nextElementSibling && code.nextElementSibling.dataset.made) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.dataset.made = "1";
      button.textContent = "Copy";
      button.setAttribute("aria-label", "Copy " + code.textContent);
      button.addEventListener("click", () => copy(code));
      code.after(button);
    }
  };
  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied.");
      setTimeout(() => say(""), 2000);
    } catch {
      // Not over plain HTTP from another machine: select it, so that the keyboard copies it.
      getSelection().selectAllChildren(code);
      say("Selected. Copy it with the keyboard.");
    }
  };

  // Keeps a live page current. It pauses while nobody looks, or something on the page is selected.
  let lost = null;
  let over = false;
  const refresh = async (main) => {
    if (document.hidden || over || !getSelection().isCollapsed) return;
    let answer;
    try {
      answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    } catch {
      lost = lost || new Date();
      return say("This data plane is not reachable since " + lost.toISOString().slice(11, 19) + " UTC. What is shown may be old.");
    }
    if (answer.redirected) {
      over = true;
      const link = document.createElement("a");
      link.href = answer.url;
      link.textContent = "Sign in again";
      status.replaceChildren("Your session is over. ", link, ", or run asyncmcp console.");
      return;
    }
    const text = await answer.text();
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("main");
    if (!fresh) return;
    if (lost) { lost = null; say(""); }
    if (answer.status === 200 || answer.status === 404) { children(main, fresh); decorate(main); }
  };

  const form = document.getElementById("sign-in");
  if (form) signIn(form);
  const main = document.getElementById("main");
  decorate(main);
  // What was done just now is said once, not by a link that somebody else opens.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }
  if (main.hasAttribute("data-live")) {
    const turn = () => refresh(main).finally(() => setTimeout(turn, EVERY));
    setTimeout(turn, EVERY);
    document.addEventListener("visibilitychange", () => refresh(main));
  }
})();
