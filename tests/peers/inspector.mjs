// The command line of the stock MCP Inspector, which connects anew for each order.
// usage: node inspector.mjs '{"url": URL, "mode": "legacy" | "auto" | "modern", "inspector": SCRIPT}'
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { answer } from "./lines.mjs";

const { url, mode, inspector } = JSON.parse(process.argv[2]);

async function inspect(...order) {
  const target = ["--cli", url, "--transport", "http", "--protocol-era", mode];
  const { stdout } = await promisify(execFile)(process.execPath, [inspector, ...target, ...order]);
  return JSON.parse(stdout);
}

await answer({
  list: async () => (await inspect("--method", "tools/list")).tools,
  async call({ tool, arguments: given }) {
    const pairs = Object.entries(given).flatMap(([name, value]) => ["--tool-arg", `${name}=${value}`]);
    return { result: await inspect("--method", "tools/call", "--tool-name", tool, ...pairs), progress: [] };
  },
});
