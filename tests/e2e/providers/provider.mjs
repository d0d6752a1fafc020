// oidc-provider, of npm: `node provider.mjs PORT CLIENT`, where CLIENT is its one client as JSON.
// Rotates every refresh token, and writes what its token endpoint answers, a line of JSON each.
import Provider from 'oidc-provider';

const [port, client] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
// An ID token with these has about 6,000 characters.
const roles = Array.from({ length: 100 }, (_, at) => `department-${at}-administrator-of-everything`);

const provider = new Provider(issuer, {
  clients: [JSON.parse(client)],
  cookies: { keys: ['only for tests'] },
  claims: { openid: ['sub'], email: ['email', 'roles'] },
  conformIdTokenClaims: false, // so that the ID token has them
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, ...(id === 'admin' && { roles }) }),
  }),
  features: { backchannelLogout: { enabled: true }, revocation: { enabled: true } },
  rotateRefreshToken: true,
  ttl: { AccessToken: 2, Grant: 600, IdToken: 600, RefreshToken: 600, Session: 600, Interaction: 600 },
  // Its own dispatcher refuses loopback, where the app is that it tells of a logout.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
});

provider.on('grant.success', (ctx) => console.log(JSON.stringify(ctx.body)));
provider.on('grant.error', (_, error) => console.error(`grant: ${error.message}`));
provider.on('backchannel.success', () => console.error('back-channel: told'));
provider.on('backchannel.error', (_, error) => console.error(`back-channel: ${error.message}`));
provider.listen(Number(port), '127.0.0.1');
