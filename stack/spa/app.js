// The smallest page that is a page: who is here, what they ordered, what else they may like.
const ask = (path, options = {}) => fetch(path, { headers: { "X-CSRF": "1" }, ...options });
const at = (id) => document.getElementById(id);
const items = (list, text) =>
  list.map((each) => Object.assign(document.createElement("li"), { textContent: text(each) }));

function link(text, href) {
  return Object.assign(document.createElement("a"), { textContent: text, href });
}

async function signOut() {
  const { logout_url: onward } = await (await ask("/auth/logout", { method: "POST" })).json();
  location.assign(onward ?? "/");
}

function greet(session) {
  if (!session.authenticated) {
    at("who").replaceChildren(link("Sign in", "/auth/login?return_to=/"));
    return;
  }
  const out = Object.assign(document.createElement("button"), { textContent: "Sign out" });
  out.addEventListener("click", signOut);
  at("who").replaceChildren(`${session.claims.name} `, out);
}

async function show() {
  const session = await (await ask("/auth/session")).json();
  greet(session);
  if (!session.authenticated) return;
  const reply = await ask("/web/home");
  at("calls").textContent = `BFF-Calls: ${reply.headers.get("BFF-Calls") ?? ""}`;
  const home = await reply.json();
  if (!reply.ok) {
    at("calls").textContent = `${home.status} ${home.title}`;
    return;
  }
  at("orders").replaceChildren(
    ...items(home.orders, (each) => `${each.id}: ${each.lines.map((line) => line.title).join(", ")}`),
  );
  at("more").replaceChildren(...items(home.more, (each) => each.title));
}

show();
