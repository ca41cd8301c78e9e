// The stock TypeScript SDK of the 1.x line.
// usage: node sdk1.mjs '{"url": URL, "capable": BOOL}'
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { answer, answers, calling, capabilities, hearing } from "./lines.mjs";

const { url, capable } = JSON.parse(process.argv[2]);
const { heard, noting, soFar } = hearing();
const client = new Client({ name: "sdk1", version: "1" }, { capabilities: capable ? capabilities : {} });
client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.listChanged++);
if (capable) {
  for (const schema of [CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema]) {
    client.setRequestHandler(schema, (request) => {
      heard.asked.push(request.method);
      return answers[request.method];
    });
  }
}
const transport = new StreamableHTTPClientTransport(new URL(url), { fetch: noting });
await client.connect(transport);
await answer({
  about: () => ({ version: transport.protocolVersion, server: client.getServerVersion().name }),
  list: async () => (await client.listTools()).tools,
  prompts: async () => (await client.listPrompts()).prompts,
  resources: async () => (await client.listResources()).resources,
  templates: async () => (await client.listResourceTemplates()).resourceTemplates,
  ping: () => client.ping(),
  heard: soFar,
  ...calling((params, options) => client.callTool(params, undefined, options)),
});
await transport.terminateSession();
await client.close();
