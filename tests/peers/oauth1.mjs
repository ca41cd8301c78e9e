// The stock TypeScript SDK of the 1.x line, which gets its tokens itself.
// usage: node oauth1.mjs '{"url": URL, "issuer": URL, "flow": "code" | "credentials"}'
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { ClientCredentialsProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { answer, calling, hearing } from "./lines.mjs";

const { url, issuer, flow } = JSON.parse(process.argv[2]);
const callback = "http://127.0.0.1:9/callback";
const { noting, soFar } = hearing();

// Someone at a browser, who is sent to the authorization server and comes back with a code.
class Person {
  redirectUrl = callback;
  clientMetadata = {
    application_type: "native",
    client_name: "oauth1",
    grant_types: ["authorization_code"],
    redirect_uris: [callback],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  clientInformation = () => this.client;
  saveClientInformation = (client) => void (this.client = client);
  tokens = () => this.saved;
  saveTokens = (tokens) => void (this.saved = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);
  async redirectToAuthorization(page) {
    this.code = new URL(await browse(page)).searchParams.get("code");
  }
}

// Follows redirects and keeps cookies, until one leads to the callback.
async function browse(page) {
  const cookies = new Map();
  let next = page.href;
  for (let step = 0; step < 20 && !next.startsWith(callback); step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(next, { headers: { cookie }, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split("=");
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (!location) throw new Error(`${next}: ${response.status} ${await response.text()}`);
    next = new URL(location, next).href;
  }
  return next;
}

// By this flow the SDK asks for the scopes that it is given, whatever a challenge names.
const machine = { clientId: "machine", clientSecret: "secret-of-the-machine", expectedIssuer: issuer, scope: "mcp" };
const authProvider = flow === "code" ? new Person() : new ClientCredentialsProvider(machine);
const connecting = () => new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: noting });
const introduction = { name: "oauth1", version: "1" };
let client = new Client(introduction);
let transport = connecting();
try {
  await client.connect(transport);
} catch (raised) {
  if (!(raised instanceof UnauthorizedError) || !authProvider.code) throw raised;
  await transport.finishAuth(authProvider.code);
  client = new Client(introduction);
  transport = connecting();
  await client.connect(transport);
}
const functions = calling((params, options) => client.callTool(params, undefined, options));
await answer({
  list: async () => (await client.listTools()).tools,
  heard: soFar,
  scope: async () => (await authProvider.tokens()).scope,
  ...functions,
  // Where a tool needs more scopes, the person is asked again, and the call is made again.
  call: async (order) => {
    try {
      return await functions.call(order);
    } catch (raised) {
      if (!(raised instanceof UnauthorizedError)) throw raised;
      await transport.finishAuth(authProvider.code);
      return functions.call(order);
    }
  },
});
await transport.terminateSession();
await client.close();
