// The stock TypeScript SDK of the 2.x line, in legacy or auto mode, or pinned to a version.
// usage: node sdk2.mjs '{"url": URL, "mode": "legacy" | "auto" | VERSION, "capable": BOOL}'
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { answer, answers, calling, capabilities, hearing } from "./lines.mjs";

const { url, mode, capable } = JSON.parse(process.argv[2]);
const { heard, noting, soFar } = hearing();
const client = new Client(
  { name: "sdk2", version: "1" },
  { capabilities: capable ? capabilities : {}, versionNegotiation: { mode: ["legacy", "auto"].includes(mode) ? mode : { pin: mode } } },
);
client.setNotificationHandler("notifications/tools/list_changed", () => void heard.listChanged++);
if (capable) {
  for (const [method, result] of Object.entries(answers)) {
    client.setRequestHandler(method, () => {
      heard.asked.push(method);
      return result;
    });
  }
}
const transport = new StreamableHTTPClientTransport(new URL(url), { fetch: noting });
await client.connect(transport);
await answer({
  about: () => ({ version: client.getNegotiatedProtocolVersion(), server: client.getServerVersion()?.name ?? null }),
  list: async () => (await client.listTools()).tools,
  prompts: async () => (await client.listPrompts()).prompts,
  resources: async () => (await client.listResources()).resources,
  templates: async () => (await client.listResourceTemplates()).resourceTemplates,
  ping: () => client.ping(),
  heard: soFar,
  ...calling((params, options) => client.callTool(params, options)),
});
await transport.terminateSession();
await client.close();
