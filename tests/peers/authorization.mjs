// A stock authorization server: oidc-provider, with discovery, PKCE, dynamic registration, client credentials and JWT
// access tokens for the resource that a client names (RFC 8707). Whoever is sent to it is logged in as alice and agrees.
// usage: node authorization.mjs PORT
import { generateKeyPairSync, randomBytes } from "node:crypto";
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const key = (alg, kind, options) => {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: "jwk" }), alg, kid: alg, use: "sig" };
};
// Clients that register expect id tokens signed with RS256; access tokens are signed with ES256.
const keys = [key("RS256", "rsa", { modulusLength: 2048 }), key("ES256", "ec", { namedCurve: "P-256" })];
const scopes = ["mcp", "tools"];

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "machine",
      client_secret: "secret-of-the-machine",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  cookies: { keys: [randomBytes(32).toString("hex")] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        accessTokenFormat: "jwt",
        audience: resource,
        jwt: { sign: { alg: "ES256" } },
        scope: scopes.join(" "),
      }),
      useGrantedResource: () => true,
    },
  },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  jwks: { keys },
  scopes,
});

// Clients register with the scopes that they need first; they may ask for more later, as at most authorization servers.
provider.on("registration_create.success", async (_ctx, client) => {
  const { scope: _needed_first, ...metadata } = client.metadata();
  await provider.Client.adapter.upsert(client.clientId, metadata);
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  const { grantId, params, prompt, session } = await provider.interactionDetails(ctx.req, ctx.res);
  const result = prompt.name === "login" ? { login: { accountId: "alice" } } : await agree();
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });

  async function agree() {
    const owner = { accountId: session.accountId, clientId: params.client_id };
    const grant = (grantId && (await provider.Grant.find(grantId))) || new provider.Grant(owner);
    grant.addOIDCScope(prompt.details.missingOIDCScope?.join(" ") ?? "");
    for (const [resource, missing] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, missing.join(" "));
    }
    return { consent: { grantId: await grant.save() } };
  }
});

provider.on("server_error", (_ctx, error) => console.error(error));
for (const event of ["authorization.error", "grant.error", "registration_create.error"]) {
  provider.on(event, (_ctx, error) => console.error(event, error.message, error.error_description));
}
provider.listen(port, "127.0.0.1");
