// The gateway as a client: puts a data plane in front of a server of the conformance suite, and calls a tool there.
// The suite names the scenario and appends the URL. usage: node through.mjs DATAPLANE URL
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [dataplane, url] = process.argv.slice(2);
const calls = {
  initialize: null,
  tools_call: { name: "add_numbers", arguments: { a: 5, b: 3 } },
  "sse-retry": { name: "test_reconnection", arguments: {} },
};

const dir = mkdtempSync(join(tmpdir(), "through-"));
const route = join(dir, "route.yaml");
const spec = { servers: [{ name: "judged", url }] };
writeFileSync(
  route,
  JSON.stringify({ apiVersion: "asyncmcp.dev/v1alpha1", kind: "McpWebhookRoute", metadata: { name: "through" }, spec }),
);
const gateway = spawn(dataplane, ["--route", route, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], {
  stdio: ["ignore", "inherit", "pipe"],
});
try {
  const client = new Client({ name: "through", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://${await address()}/mcp`)));
  await client.listTools();
  const call = calls[process.env.MCP_CONFORMANCE_SCENARIO];
  if (call) console.log(JSON.stringify(await client.callTool(call)));
  await client.close();
} finally {
  gateway.kill();
  await new Promise((ended) => gateway.once("exit", ended));
  rmSync(dir, { recursive: true });
}

// Where the data plane says that it serves. The rest of its log is read, too, lest it wait for a reader.
function address() {
  return new Promise((found) => {
    createInterface({ input: gateway.stderr }).on("line", (line) => {
      const said = JSON.parse(line);
      if (said.message === "serving") found(said.mcp);
    });
  });
}
