// Tools that outlive whoever called them, on the stock TypeScript SDK of the 1.x line: `stream` answers on a stream
// that its event store can replay, `task` is a task. Both say in the log when they begin and end.
// usage: node resuming.mjs PORT
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { InMemoryEventStore } from "@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js";
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

const inputSchema = { name: z.string(), seconds: z.number() };
const result = (said) => ({ content: [{ type: "text", text: said }] });

async function work(kind, { name, seconds }) {
  console.log(`begun ${kind} ${name}`);
  await sleep(seconds * 1000);
  console.log(`ended ${kind} ${name}`);
  return result(`${kind} ${name}`);
}

function server() {
  const server = new McpServer(
    { name: "resuming", version: "1" },
    {
      capabilities: { tasks: { cancel: {}, requests: { tools: { call: {} } } } },
      taskStore: new InMemoryTaskStore(),
      taskMessageQueue: new InMemoryTaskMessageQueue(),
    },
  );
  server.registerTool("stream", { description: "Answers after a while.", inputSchema }, (args) => work("stream", args));
  server.experimental.tasks.registerToolTask(
    "task",
    { description: "A task.", inputSchema, execution: { taskSupport: "required" } },
    {
      async createTask(args, { taskStore }) {
        const task = await taskStore.createTask({ ttl: 600_000, pollInterval: 200 });
        work("task", args).then(async (done) => {
          const { status } = await taskStore.getTask(task.taskId);
          if (status === "cancelled") console.log(`cancelled task ${args.name}`);
          else await taskStore.storeTaskResult(task.taskId, "completed", done);
        });
        return { task };
      },
      getTask: (_, { taskId, taskStore }) => taskStore.getTask(taskId),
      getTaskResult: (_, { taskId, taskStore }) => taskStore.getTaskResult(taskId),
    },
  );
  return server;
}

const sessions = new Map();

async function connected() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new InMemoryEventStore(),
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
