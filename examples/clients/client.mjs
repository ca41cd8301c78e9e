// A client of a route, on the TypeScript SDK 2: npm install @modelcontextprotocol/client
// usage: [MCP_TOKEN=TOKEN] node client.mjs URL TOOL 'ARGUMENTS'
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, tool, given] = process.argv.slice(2);
const token = process.env.MCP_TOKEN; // for a route with `auth`
const headers = token ? { Authorization: `Bearer ${token}` } : {};

const client = new Client({ name: "example", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));

const result = await client.callTool({ name: tool, arguments: JSON.parse(given) });
const job = result._meta?.["dev.asyncmcp/job"];
if (job) {
  console.log(`accepted: the result comes by webhook, as ${job.webhookId}`);
} else {
  console.log(result.content.map((part) => part.text).join("\n"));
}
await client.close();
