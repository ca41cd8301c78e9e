// A receiver that believes what the stock `standardwebhooks` of npm verifies. Prints a line of JSON per POST.
// usage: node receiver.mjs PORT SECRET
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const [port, secret] = process.argv.slice(2);
const webhook = new Webhook(secret);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString("utf8");
  let flaw = null;
  try {
    webhook.verify(body, request.headers);
  } catch (error) {
    flaw = String(error.message);
  }
  process.stdout.write(JSON.stringify({ flaw, headers: request.headers, raw: body, body: JSON.parse(body) }) + "\n");
  response.writeHead(flaw ? 401 : 200, { "content-type": "application/json" }).end("{}");
}).listen(Number(port), "127.0.0.1");
