// What the conformance suite asks of a server with tasks, on the stock TypeScript SDK of the 1.x line, which knows no
// tasks of the modern era: they are the gateway's. `failing_job` can be called as a task (2025-11-25) only.
// usage: node tasks.mjs PORT
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ElicitResultSchema, ErrorCode, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js";

const said = (text, isError = false) => ({ content: [{ type: "text", text }], isError });

async function elicit(extra, message) {
  const requestedSchema = { type: "object", properties: { confirm: { type: "boolean" } } };
  const params = { message, requestedSchema };
  const { action } = await extra.sendRequest({ method: "elicitation/create", params }, ElicitResultSchema);
  return said(action);
}

const tools = {
  greet: async ({ name }) => said(`Hello, ${name}!`),
  async slow_compute({ seconds, label }, extra) {
    await sleep(seconds * 1000, undefined, { signal: extra.signal });
    console.log(`ended ${label}`);
    return said(`computed ${label}`);
  },
  async failing_job() {
    await sleep(1000);
    return said("It failed, as it always does.", true);
  },
  async protocol_error_job() {
    throw new McpError(ErrorCode.InternalError, "It broke, as it always does.");
  },
  confirm_delete: ({ filename }, extra) => elicit(extra, `Delete ${filename}?`),
  multi_input: (_, extra) => Promise.all([elicit(extra, "One?"), elicit(extra, "Two?")]).then(([one]) => one),
  test_tool_with_task: async () => said("done"),
};

async function asTask(work, { taskStore }) {
  const task = await taskStore.createTask({ ttl: 600_000, pollInterval: 100 });
  work.then((result) => taskStore.storeTaskResult(task.taskId, "completed", result));
  return { task };
}

function server() {
  const server = new Server(
    { name: "tasks", version: "1" },
    {
      capabilities: { tools: {}, tasks: { cancel: {}, requests: { tools: { call: {} } } } },
      taskStore: new InMemoryTaskStore(),
      taskMessageQueue: new InMemoryTaskMessageQueue(),
    },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.keys(tools).map((name) => ({
      name,
      description: `Fixture ${name} of the conformance suite.`,
      inputSchema: { type: "object" },
      ...(name === "failing_job" && { execution: { taskSupport: "required" } }),
      ...(name === "test_tool_with_task" && { execution: { taskSupport: "optional" } }),
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    if (params.task) return asTask(tools[params.name](params.arguments, extra), extra);
    if (params.name === "failing_job") throw new McpError(ErrorCode.MethodNotFound, "failing_job must be a task");
    return tools[params.name](params.arguments, extra);
  });
  return server;
}

const sessions = new Map();

async function connected() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  await server().connect(transport);
  return transport;
}

createServer(async (request, response) => {
  const id = request.headers["mcp-session-id"];
  if (id && !sessions.has(id)) return response.writeHead(404).end();
  const transport = sessions.get(id) ?? (await connected());
  await transport.handleRequest(request, response);
}).listen(Number(process.argv[2]), "127.0.0.1");
