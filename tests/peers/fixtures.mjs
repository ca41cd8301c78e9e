// What the conformance suite asks of the server under test, on the stock TypeScript SDK of the 1.x line.
// The gateway stands in front of it. usage: node fixtures.mjs PORT
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import {
  CallToolRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";
const text = (said) => ({ type: "text", text: said });
const resource = (uri, mimeType, said) => ({ type: "resource", resource: { uri, mimeType, text: said } });
const image = { type: "image", data: PNG, mimeType: "image/png" };
const only = (...content) => async () => ({ content });

async function elicit(extra, message, properties, required) {
  const params = { message, requestedSchema: { type: "object", properties, ...(required && { required }) } };
  const { action, content } = await extra.sendRequest({ method: "elicitation/create", params }, ElicitResultSchema);
  return { content: [text(`action=${action}, content=${JSON.stringify(content)}`)] };
}

const titled = (word) => [1, 2, 3].map((n) => ({ const: `value${n}`, title: `${word} ${n}` }));
const options = ["option1", "option2", "option3"];

const tools = {
  test_simple_text: only(text("This is a simple text response for testing.")),
  test_image_content: only(image),
  test_audio_content: only({ type: "audio", data: WAV, mimeType: "audio/wav" }),
  test_embedded_resource: only(resource("test://embedded-resource", "text/plain", "An embedded resource.")),
  test_multiple_content_types: only(
    text("Multiple content types test:"),
    image,
    resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
  ),
  test_error_handling: async () => ({
    isError: true,
    content: [text("This tool intentionally returns an error for testing")],
  }),
  async test_tool_with_progress(_, extra) {
    const progressToken = extra._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        const params = { progressToken, progress, total: 100 };
        await extra.sendNotification({ method: "notifications/progress", params });
      }
      await sleep(20);
    }
    return { content: [text("done")] };
  },
  async test_sampling({ prompt }, extra) {
    const params = { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 };
    const request = { method: "sampling/createMessage", params };
    const sampled = await extra.sendRequest(request, CreateMessageResultSchema);
    return { content: [text(`LLM response: ${sampled.content.text}`)] };
  },
  test_elicitation: ({ message }, extra) =>
    elicit(extra, message, { username: { type: "string" }, email: { type: "string" } }, ["username", "email"]),
  test_elicitation_sep1034_defaults: (_, extra) =>
    elicit(extra, "Defaults", {
      name: { type: "string", default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true },
    }),
  test_elicitation_sep1330_enums: (_, extra) =>
    elicit(extra, "Enums", {
      untitledSingle: { type: "string", enum: options },
      titledSingle: { type: "string", oneOf: titled("Option") },
      legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["One", "Two", "Three"] },
      untitledMulti: { type: "array", items: { type: "string", enum: options } },
      titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
    }),
  json_schema_2020_12_tool: only(text("valid")),
};

const required = (name) => ({ type: "object", properties: { [name]: { type: "string" } }, required: [name] });
const schemas = {
  test_sampling: required("prompt"),
  test_elicitation: required("message"),
  json_schema_2020_12_tool: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: {
        $anchor: "addressDef",
        type: "object",
        properties: { street: { type: "string" }, city: { type: "string" } },
      },
    },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" },
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false,
  },
};

function connected(sessions) {
  const server = new Server({ name: "fixtures", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.keys(tools).map((name) => ({
      name,
      description: `Fixture ${name} of the conformance suite.`,
      inputSchema: schemas[name] ?? { type: "object" },
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => tools[params.name](params.arguments, extra));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  return server.connect(transport).then(() => transport);
}

const sessions = new Map();
createServer(async (request, response) => {
  const id = request.headers["mcp-session-id"];
  if (id && !sessions.has(id)) return response.writeHead(404).end();
  const transport = sessions.get(id) ?? (await connected(sessions));
  await transport.handleRequest(request, response);
}).listen(Number(process.argv[2]), "127.0.0.1");
