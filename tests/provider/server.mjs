// The provider that the tests and the demo sign in at: oidc-provider as it is, with what it lacks added at its own
// extension points. Ours, and said so where it stands: the grants of RFC 7523 and RFC 8693, the call that ends one
// session by its number, the events of RFC 8936, the login form, and a resource server at /api.
//
// Use: node server.mjs NODE_MODULES CONFIG
//   NODE_MODULES  where packaging/setup.sh has installed oidc-provider (target/provider/node_modules)
//   CONFIG        a JSON file: { "jwks": the station's key, as `cleanshiftctl sign-in key --json` prints it,
//                 "client": its client id, "ttl": seconds of an access token, "dpop": bool, "nonce": bool,
//                 "revocation": bool, "introspection": bool, "port": 0 for one that the kernel picks }
// Prints `PORT n` once it listens. Log, outage and events: see control() below.

import { createServer } from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = resolve(process.argv[2]);
const config = {
  client: 'cleanshift',
  ttl: 300,
  dpop: true,
  nonce: false,
  revocation: true,
  introspection: true,
  port: 0,
  ...JSON.parse(readFileSync(process.argv[3], 'utf8')),
};
const inside = (path) => import(pathToFileURL(join(modules, 'oidc-provider', path)));
const { default: Provider, errors } = await inside('lib/index.js');
const { default: validateDpop } = await inside('lib/helpers/validate_dpop.js');
const jose = createRequire(join(modules, 'oidc-provider', 'lib', 'index.js'))('jose');

const log = [];
const events = new Map();
const grantOfSid = new Map();
const polled = { acked: [], refused: {} };
let outage = null;
let offline = false;

let answer = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));
await new Promise((listening) => server.listen(config.port, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey, publicKey } = await jose.generateKeyPair('ES256', { extractable: true });
const kid = 'provider-1';
const signingKey = { ...(await jose.exportJWK(privateKey)), kid, use: 'sig', alg: 'ES256' };
const stranger = await jose.generateKeyPair('ES256');
const stationKeys = jose.createLocalJWKSet(config.jwks);

const provider = new Provider(issuer, {
  clients: [{
    client_id: config.client,
    application_type: 'native',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    jwks: config.jwks,
    grant_types: [
      'authorization_code', 'refresh_token', 'client_credentials',
      'urn:ietf:params:oauth:grant-type:jwt-bearer', 'urn:ietf:params:oauth:grant-type:token-exchange',
    ],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1:8707/signed-in'],
    post_logout_redirect_uris: ['http://127.0.0.1:8707/signed-out'],
  }],
  jwks: { keys: [signingKey] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  scopes: ['openid', 'offline_access', 'chart', 'ssf.read'],
  pkce: { required: () => true, methods: ['S256'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: config.ttl, ClientCredentials: 60, RefreshToken: 3600, Session: 3600, Grant: 3600, IdToken: 3600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: config.introspection, allowedPolicy: () => true },
    revocation: { enabled: config.revocation },
    rpInitiatedLogout: {
      enabled: true,
      // A station takes leave where nobody is there to press a button.
      logoutSource: (ctx, form) => {
        ctx.body = `<!DOCTYPE html><title>Leaving</title>${form}
          <input type="hidden" form="op.logoutForm" name="logout" value="yes">
          <script>document.getElementById('op.logoutForm').submit()</script>`;
      },
    },
    dPoP: { enabled: config.dpop, nonceSecret: randomBytes(32), requireNonce: () => config.nonce },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'chart', audience: `${issuer}/api`, accessTokenFormat: 'opaque', accessTokenTTL: config.ttl,
      }),
    },
  },
});
provider.on('access_token.saved', (token) => {
  if (token.sid) grantOfSid.set(token.sid, token.grantId);
});

// Ours: what a station asserts of its operator becomes tokens (RFC 7523 §2.1, RFC 8693).
async function asserted(ctx, assertion) {
  const { client, params } = ctx.oidc;
  let claims;
  try {
    ({ payload: claims } = await jose.jwtVerify(assertion, stationKeys, {
      issuer: client.clientId, audience: issuer, algorithms: ['ES256'], maxTokenAge: '2 minutes', requiredClaims: ['jti', 'exp', 'sub'],
    }));
  } catch (error) {
    throw new errors.InvalidGrant(`assertion: ${error.code}`);
  }
  if (claims.exp - claims.iat > 60) throw new errors.InvalidGrant('the assertion lives too long');
  if (!await provider.ReplayDetection.unique(client.clientId, `assertion ${claims.jti}`, claims.exp)) {
    throw new errors.InvalidGrant('the assertion was used before');
  }
  const proof = await validateDpop(ctx);
  const scope = params.scope || 'chart';
  const resource = params.resource;
  const grant = new provider.Grant({ accountId: claims.sub, clientId: client.clientId });
  grant.addOIDCScope(scope);
  if (resource) grant.addResourceScope(resource, scope);
  const grantId = await grant.save();
  const sid = randomBytes(8).toString('hex');
  const common = { accountId: claims.sub, client, grantId, gty: 'asserted', scope, sid };
  const access = new provider.AccessToken(common);
  if (resource) access.resourceServer = new provider.ResourceServer(resource, { scope: 'chart', audience: `${issuer}/api`, accessTokenFormat: 'opaque', accessTokenTTL: config.ttl });
  if (proof) access.setThumbprint('jkt', proof.thumbprint);
  const refresh = new provider.RefreshToken({ ...common, resource, rotations: 0 });
  if (proof) refresh.jkt = proof.thumbprint;
  ctx.oidc.entity('AccessToken', access);
  ctx.body = {
    access_token: await access.save(),
    refresh_token: await refresh.save(),
    expires_in: access.expiration,
    token_type: access.tokenType,
    scope: offline ? `${scope} offline_access` : scope,
    // No standard names the session here; an ID token does where one is asked for.
    id_token: await new jose.SignJWT({ sid }).setProtectedHeader({ alg: 'ES256', kid }).setIssuer(issuer)
      .setAudience(client.clientId).setSubject(claims.sub).setIssuedAt().setExpirationTime('1h').sign(privateKey),
  };
}
provider.registerGrantType('urn:ietf:params:oauth:grant-type:jwt-bearer', async (ctx, next) => {
  await asserted(ctx, ctx.oidc.params.assertion);
  await next();
}, ['assertion', 'scope', 'resource']);
provider.registerGrantType('urn:ietf:params:oauth:grant-type:token-exchange', async (ctx, next) => {
  const { subject_token: token, subject_token_type: kind } = ctx.oidc.params;
  if (kind !== 'urn:ietf:params:oauth:token-type:jwt') throw new errors.InvalidRequest('subject_token_type');
  await asserted(ctx, token);
  ctx.body.issued_token_type = 'urn:ietf:params:oauth:token-type:access_token';
  await next();
}, ['subject_token', 'subject_token_type', 'requested_token_type', 'scope', 'resource', 'audience']);

const json = (response, status, value) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
};
async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return text;
}

// Ours: a login form that takes any name. Signing in is consent.
async function interaction(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const submitted = request.method === 'POST' ? new URLSearchParams(await body(request)) : null;
  const accountId = submitted?.get('login') || (prompt.name === 'consent' && session?.accountId);
  if (submitted?.get('abort')) {
    await provider.interactionFinished(request, response, { error: 'access_denied' }, { mergeWithLastSubmission: false });
    return;
  }
  if (!accountId) {
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
      <style>body{font:20px/1.5 sans-serif;background:#eef3f7;color:#12263a}
      form{max-width:420px;margin:48px auto;padding:32px;background:#fff;border-radius:12px}
      label,input,button{display:block;width:100%;box-sizing:border-box;font:inherit}
      input{margin:4px 0 20px;padding:10px;border:1px solid #5b7083;border-radius:8px}
      button{padding:12px;border:0;border-radius:8px;background:#0b4f6c;color:#fff}</style>
      <form method="post"><h1>Example Hospital</h1><label for="login">Name</label><input id="login" name="login" autofocus>
      <label for="password">Password (any)</label><input id="password" name="password" type="password">
      <button id="go">Sign in</button></form></html>`);
    return;
  }
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  if (params.resource) grant.addResourceScope(params.resource, params.scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { login: { accountId }, consent }, { mergeWithLastSubmission: true });
}

// Ours: a resource server. 200 where the token is good, and held by whoever it was given to.
async function api(request, response) {
  const [scheme, text] = (request.headers.authorization || '').split(' ');
  const token = text && await provider.AccessToken.find(text);
  if (!token) return json(response, 401, { error: 'invalid_token' });
  if (token.jkt) {
    try {
      if (scheme !== 'DPoP') throw new Error('bound to a key');
      const { payload, protectedHeader } = await jose.jwtVerify(request.headers.dpop || '', jose.EmbeddedJWK, { typ: 'dpop+jwt' });
      const ath = createHash('sha256').update(text).digest('base64url');
      const good = payload.htm === request.method && payload.htu === `${issuer}/api` && payload.ath === ath
        && await jose.calculateJwkThumbprint(protectedHeader.jwk) === token.jkt;
      if (!good) throw new Error('another proof');
    } catch (error) {
      return json(response, 401, { error: 'invalid_dpop_proof' });
    }
  } else if (scheme !== 'Bearer') return json(response, 401, { error: 'invalid_token' });
  return json(response, 200, { subject: token.accountId });
}

async function ours(request) {
  const token = (request.headers.authorization || '').split(' ')[1];
  return token && provider.ClientCredentials.find(token);
}

// Ours: ends one session by its number, as providers' administrative interfaces do.
async function endBySid(request, response, sid) {
  if (!await ours(request)) return json(response, 401, { error: 'invalid_token' });
  const grantId = grantOfSid.get(sid);
  if (!grantId) return json(response, 404, {});
  await Promise.all([provider.AccessToken, provider.RefreshToken].map((kind) => kind.revokeByGrantId(grantId)));
  await provider.Grant.adapter.destroy(grantId);
  grantOfSid.delete(sid);
  return response.writeHead(204).end();
}

// Ours: the receiver's side of a stream of events (RFC 8936), answered at once.
async function poll(request, response) {
  if (!await ours(request)) return json(response, 401, { error: 'invalid_token' });
  const asked = JSON.parse(await body(request));
  for (const jti of asked.ack || []) { events.delete(jti); polled.acked.push(jti); }
  for (const jti of Object.keys(asked.setErrs || {})) events.delete(jti);
  Object.assign(polled.refused, asked.setErrs);
  return json(response, 200, { sets: Object.fromEntries(events) });
}

// What a test says to this provider:
//   { "outage": null | { "status": 503, "retry": "7" } }   answers everything so, but /api, /log and this
//   { "offline": true }                                    grants offline_access unasked
//   { "event": { "under": jti, "claims": …, "typ": …, "key": "own" | "stranger" | "none", "text": … } }
async function control(request, response) {
  const asked = JSON.parse(await body(request));
  if ('outage' in asked) outage = asked.outage;
  if ('offline' in asked) offline = asked.offline;
  if (asked.event) {
    const { under, claims, typ = 'secevent+jwt', key = 'own', text } = asked.event;
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    let set = text;
    if (!text && key === 'none') set = `${part({ alg: 'none', typ })}.${part(claims)}.`;
    else if (!text) {
      set = await new jose.SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid, typ })
        .sign(key === 'own' ? privateKey : stranger.privateKey);
    }
    events.set(under, set);
  }
  return json(response, 200, { events: [...events.keys()], polled });
}

answer = async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  if (pathname === '/log') return json(response, 200, log);
  if (pathname === '/control') return control(request, response);
  if (pathname === '/api') return api(request, response);
  const seen = { method: request.method, path: pathname };
  log.push(seen);
  response.on('finish', () => { seen.status = response.statusCode; });
  if (outage) {
    response.writeHead(outage.status, outage.retry ? { 'retry-after': outage.retry } : {}).end();
    return undefined;
  }
  try {
    if (pathname.startsWith('/interaction/')) return await interaction(request, response);
    if (pathname.startsWith('/sessions/') && request.method === 'DELETE') {
      return await endBySid(request, response, decodeURIComponent(pathname.slice('/sessions/'.length)));
    }
    if (pathname === '/events') return await poll(request, response);
  } catch (error) {
    return json(response, 400, { error: 'invalid_request' });
  }
  return provider.callback()(request, response);
};
// What the log tells of a form: never a token, only what it was about.
provider.use(async (ctx, next) => {
  await next();
  const params = ctx.oidc?.params;
  const seen = log.findLast((line) => line.path === ctx.path && !('about' in line));
  if (seen && params) seen.about = params.grant_type || params.token_type_hint || '';
});

process.stdout.write(`PORT ${server.address().port}\n`);
process.stdin.resume();
// It ends with whoever started it.
process.stdin.on('end', () => process.exit(0));
