// Starts the reference. Whoever logs in on this page, or hands a token to Authorize, is signed in for all of its requests.
// The tokens stay in memory.
let session = null; // {access, refresh, timer} of who is signed in
let renewing = null; // the refresh that is under way: a refresh token is good for one use

const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  responseInterceptor: (response) => {
    notice(response);
    return response;
  },
  plugins: [{
    statePlugins: {
      layout: { wrapActions: { scrollToElement: () => (element) => element.scrollIntoView() } }, // not below the page's header
      auth: {
        wrapActions: {
          authorize: (authorize) => (given) => {
            authorize(given);
            if (given.bearerAuth.value !== session?.access) signIn({ access: given.bearerAuth.value });
          },
          logout: (logout) => (names) => (session ? signOut() : logout(names)),
        },
      },
    },
    wrapComponents: { InfoContainer: foldable },
  }],
});

// foldable lets the introduction be folded away, as it is on a phone: there the requests would be screens below.
function foldable(Info, { React }) {
  const open = matchMedia("(min-width: 40rem)").matches;
  return (props) => React.createElement("details", { open },
    React.createElement("summary", null, "How requests and answers work"), React.createElement(Info, props));
}

// notice finds out what an answer says of the session.
function notice(response) {
  if (response.ok && response.body?.access) signIn(response.body);
  else if (response.ok && /\/api\/auth\/logout\/?$/.test(response.url)) forget("Signed out.");
  else if (response.status === 401 && session) renew();
}

async function signIn({ access, refresh, expires_in: seconds, user }) {
  clearTimeout(session?.timer);
  session = { access, refresh };
  if (seconds) session.timer = setTimeout(renew, Math.min(seconds * 900, 2 ** 31 - 1)); // after nine tenths of its time
  ui.preauthorizeApiKey("bearerAuth", access);
  if (user) return show(user.username);
  const answer = await call("GET", "/api/auth/me/");
  if (session?.access !== access) return; // something else has happened meanwhile
  if (answer.ok) show((await answer.json()).username);
  else if (answer.status === 401) forget("This token is not valid.");
}

// renew gets the next tokens, once however many ask for it.
function renew() {
  renewing ??= refresh().finally(() => { renewing = null; });
  return renewing;
}

async function refresh() {
  const before = session;
  const answer = before.refresh ? await call("POST", "/api/auth/refresh/", { refresh: before.refresh }) : { status: 401 };
  if (session !== before) return; // signed out, or in again, meanwhile
  if (answer.ok) await signIn(await answer.json());
  else if (answer.status === 401) forget("Session ended, sign in again.");
  else session.timer = setTimeout(renew, 5000); // the server is busy or away
}

// signOut ends the session on the server. The token that it needs for that may be over.
async function signOut() {
  let answer = await call("POST", "/api/auth/logout/");
  if (answer.status === 401) {
    await renew();
    if (!session) return;
    answer = await call("POST", "/api/auth/logout/");
  }
  if (answer.ok) forget("Signed out.");
  else document.getElementById("trouble").textContent = "The server does not answer; you are still signed in.";
}

// call is fetch with the session's token. A server that cannot be reached is one that answers 503.
async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${session.access}` };
  if (body) headers["Content-Type"] = "application/json";
  return fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => ({ ok: false, status: 503 }));
}

function forget(why) {
  clearTimeout(session?.timer);
  session = null;
  ui.authActions.logout(["bearerAuth"]);
  document.getElementById("why").textContent = why;
  show("");
}

function show(username) {
  document.getElementById("username").textContent = username;
  document.getElementById("trouble").textContent = "";
  document.getElementById("signed-in").hidden = !username;
  document.getElementById("signed-out").hidden = Boolean(username);
}

// goTo opens the request that a link names. Swagger UI itself does so only when the page is loaded.
function goTo(hash) {
  ui.layoutActions.parseDeepLinkHash(decodeURIComponent(hash));
  const block = document.getElementById(`operations${decodeURIComponent(hash).slice(1).replaceAll("/", "-").replaceAll(" ", "_")}`);
  block?.scrollIntoView();
  block?.querySelector("button").focus({ preventScroll: true });
}

addEventListener("hashchange", () => goTo(location.hash));
for (const link of document.querySelectorAll('#signed-out a[href^="#"]')) link.addEventListener("click", () => goTo(link.hash));
document.getElementById("sign-out").addEventListener("click", signOut);
