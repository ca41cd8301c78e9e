// What the TypeScript clients have in common: a line of JSON in, a line of JSON out; see lines.py.
import { createInterface } from "node:readline";

export async function answer(functions) {
  say({ ok: "connected" });
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...order } = JSON.parse(line);
    try {
      say({ ok: await functions[name](order) });
    } catch (raised) {
      say({ error: { code: raised.code ?? null, message: String(raised.message), data: raised.data ?? null } });
    }
  }
}

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

// What the client heard without asking, and a fetch that notes what came.
export function hearing() {
  const heard = { listChanged: 0, asked: [], sessions: new Set(), answers: {} };
  const noting = async (input, init) => {
    const response = await fetch(input, init);
    const session = response.headers.get("mcp-session-id");
    if (session) heard.sessions.add(session);
    const kind = (response.headers.get("content-type") ?? "").split(";")[0];
    const key = `${init?.method ?? "GET"} ${response.status} ${kind}`.trim();
    heard.answers[key] = (heard.answers[key] ?? 0) + 1;
    return response;
  };
  return { heard, noting, soFar: () => ({ ...heard, sessions: [...heard.sessions].sort() }) };
}

// What a client that can do everything answers to servers that ask.
export const answers = {
  "sampling/createMessage": { role: "assistant", content: { type: "text", text: "sampled here" }, model: "none" },
  "elicitation/create": { action: "accept", content: { name: "elicited here" } },
  "roots/list": { roots: [{ uri: "file:///rooted/here", name: "rooted here" }] },
};
export const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

// The functions by which both SDKs call tools in the same way.
export function calling(callTool) {
  return {
    async call({ tool, arguments: given }) {
      const progress = [];
      const onprogress = (step) => progress.push([step.progress, step.total]);
      return { result: await callTool({ name: tool, arguments: given }, { onprogress }), progress };
    },
    // Gives up at the first progress; the SDK then tells the server.
    async cancel({ tool, arguments: given }) {
      const controller = new AbortController();
      const options = { signal: controller.signal, onprogress: () => controller.abort("given up") };
      try {
        await callTool({ name: tool, arguments: given }, options);
        return { cancelled: false };
      } catch (raised) {
        if (!controller.signal.aborted) throw raised;
        return { cancelled: true };
      }
    },
  };
}
