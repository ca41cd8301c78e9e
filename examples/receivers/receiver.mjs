// A webhook receiver that needs nothing but Node 18: it verifies each delivery, stores it once, and then answers.
//
//     WEBHOOK_KEYS="whsec_..." node receiver.mjs PORT INBOX
//
// A file INBOX/<webhook-id>.json is a delivery that was stored. Let another program process these files.

import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { link, mkdir, open, unlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

// How far the time of an attempt may be from this machine's clock, in seconds.
const TOLERANCE = 5 * 60;
// webhook.maxResultSize of the route (16Mi by default), and the JSON-RPC response around it.
const LARGEST = 17 * 1024 * 1024;

// Returns the id of the delivery. Throws unless one of the keys signed its id, its time and its body (a Buffer).
function verify(keys, headers, body, now) {
  const id = headers['webhook-id'] ?? '';
  const timestamp = headers['webhook-timestamp'] ?? '';
  if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE) {
    throw new Error('webhook-timestamp is missing, too old or in the future');
  }
  const signatures = (headers['webhook-signature'] ?? '').split(' ').map((text) => Buffer.from(text));
  for (const key of keys) {
    const hmac = createHmac('sha256', Buffer.from(key.replace('whsec_', ''), 'base64'));
    hmac.update(`${id}.${timestamp}.`).update(body);
    const expected = Buffer.from(`v1,${hmac.digest('base64')}`);
    if (signatures.some((given) => given.length === expected.length && timingSafeEqual(given, expected))) {
      return id;
    }
  }
  throw new Error('no signature in webhook-signature matches');
}

// Stores a delivery durably. Returns whether it is new: the name of the file is taken if it was stored before.
async function store(inbox, id, body) {
  if (!/^[A-Za-z0-9_-]{1,100}$/.test(id)) throw new Error('webhook-id is not a file name');
  const draft = join(inbox, `.${randomUUID()}`);
  try {
    await written(draft, body);
    await link(draft, join(inbox, `${id}.json`));
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => {});
  }
  const directory = await open(inbox);
  await directory.sync().finally(() => directory.close());
  return true;
}

async function written(path, body) {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(body);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function read(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function receive(request) {
  if (request.method !== 'POST') return [405, 'send a POST'];
  const body = await read(request);
  if (body === null) return [413, 'the body is too large'];
  let id;
  try {
    id = verify(KEYS, request.headers, body, Date.now() / 1000);
  } catch (error) {
    return [401, error.message];
  }
  const isNew = await store(INBOX, id, body);
  console.log(JSON.stringify({ webhookId: id, tool: request.headers['ce-subject'], duplicate: !isNew }));
  return [200, 'stored'];
}

const KEYS = process.env.WEBHOOK_KEYS.split(/\s+/).filter(Boolean);
const [PORT, INBOX] = [Number(process.argv[2]), process.argv[3]];
await mkdir(INBOX, { recursive: true });
createServer(async (request, response) => {
  // Not stored, so not accepted: the sender tries again.
  const [status, text] = await receive(request).catch((error) => [503, `cannot store it: ${error.message}`]);
  if (status >= 400) {
    console.log(JSON.stringify({ refused: status, why: text }));
    response.setHeader('connection', 'close');
  }
  response.writeHead(status).end(text);
}).listen(PORT, '127.0.0.1');
