// Sends the password that somebody chose, with the token from the address. The token leaves the address at once, so that it
// stays in no history; it is in memory only.
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

const form = document.getElementById("form");
const message = document.getElementById("message");
const [password, again] = [document.getElementById("password"), document.getElementById("again")];

const say = (text) => { message.textContent = text; };

form.hidden = token === "";
if (token === "") say("This address has no token. Open the whole link that you were given.");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (password.value !== again.value) {
    say("The two passwords differ.");
    again.focus();
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  say("");
  try {
    const answer = await fetch("/api/auth/accept/", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password: password.value }),
    });
    if (answer.ok) {
      form.remove();
      say("Your password is set. You can log in with it now.");
      return;
    }
    const problem = await answer.json();
    say(problem.errors?.password?.join(" ") ?? problem.detail);
    password.focus();
  } catch {
    say("The server cannot be reached. Try again.");
  } finally {
    button.disabled = false;
  }
});
