// Starts the reference. Whoever logs in on this page is signed in for all of its requests; the token stays in memory.
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
    if (response.ok && response.body && response.body.access) {
      signIn(response.body.access, response.body.user);
    }
    return response;
  },
});

function signIn(token, user) {
  ui.preauthorizeApiKey("bearerAuth", token);
  if (user) show(user.username);
}

function show(username) {
  document.getElementById("username").textContent = username;
  document.getElementById("signed-in").hidden = !username;
  document.getElementById("signed-out").hidden = Boolean(username);
}

document.getElementById("sign-out").addEventListener("click", () => {
  ui.authActions.logout(["bearerAuth"]);
  show("");
});
