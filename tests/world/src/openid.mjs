// A certified OpenID provider (npm's oidc-provider) with its own sign-in and consent pages. The settings come as JSON on
// the command line: port, client, people, seconds by which its clock is wrong, and what every ID token holds.
const settings = JSON.parse(process.argv[2]);

if (settings.clockOff !== 0) {
  // Before the provider is loaded: all its times are wrong then, as on a host whose clock is.
  const RealDate = Date;
  const off = settings.clockOff * 1000;
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      super(...(parts.length === 0 ? [RealDate.now() + off] : parts));
    }
    static now() {
      return RealDate.now() + off;
    }
  };
}

const { Provider } = await import("oidc-provider");
const issuer = `http://127.0.0.1:${settings.port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: settings.clientId,
      client_secret: settings.clientSecret,
      grant_types: ["authorization_code"],
      response_types: ["code"],
      // Any address is allowed, see below; one has to be named.
      redirect_uris: ["https://anywhere.example/"],
    },
  ],
  // As GitLab does: the groups are told by userinfo, whatever scopes beside openid are asked for.
  claims: { openid: ["sub", "groups"], profile: ["name", "preferred_username"], email: ["email"] },
  conformIdTokenClaims: !settings.claimsInIdToken,
  cookies: { keys: [settings.clientSecret] },
  pkce: { required: () => true },
  findAccount: (_, id) => {
    const known = settings.people[id];
    if (!known) return undefined;
    return {
      accountId: id,
      claims: () => ({ sub: `number-of-${id}`, preferred_username: id, name: known.name, groups: known.groups }),
    };
  },
});
// Tests listen on ports that nobody knows before.
provider.Client.prototype.redirectUriAllowed = () => true;
provider.listen(settings.port, "127.0.0.1");
