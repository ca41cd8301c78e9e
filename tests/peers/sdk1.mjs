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
  ping: () => client.ping(),
  heard: soFar,
  // Through the SDK's own handling of tasks: it begins one, polls it, and gets the result.
  async task({ tool, arguments: given, cancel }) {
    const heard = [];
    const tasks = client.experimental.tasks;
    for await (const message of tasks.callToolStream({ name: tool, arguments: given }, undefined, { task: { ttl: 60_000 } })) {
      heard.push(message.task?.status ?? message.type);
      if (message.type === "result") return { heard, result: message.result };
      if (message.type === "error") return { heard, error: String(message.error.message) };
      if (cancel && message.type === "taskCreated") await tasks.cancelTask(message.task.taskId);
    }
    return { heard };
  },
  ...calling((params, options) => client.callTool(params, undefined, options)),
});
await transport.terminateSession();
await client.close();
