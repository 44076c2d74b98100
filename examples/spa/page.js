import { createClient } from '/authlatch.js';

const $ = (id) => document.getElementById(id);

// Every request goes through here, those of the client itself included.
async function watched(...args) {
  const request = new Request(...args);
  const item = $('exchanges').insertBefore(document.createElement('li'), $('exchanges').firstChild);
  const bearer = request.headers.has('Authorization') ? ' with a token' : '';
  item.textContent = `${request.method} ${new URL(request.url).pathname}${bearer} …`;
  const response = await fetch(request);
  item.textContent = item.textContent.replace('…', `→ ${response.status}`);
  return response;
}

const client = createClient({
  fetch: watched,
  onSessionLost: (reason) => show(false, `Your log-in is over: ${reason}.`),
});

function show(inside, status) {
  $('login').hidden = inside;
  $('inside').hidden = !inside;
  $('status').textContent = status;
}

async function call() {
  const response = await client.fetch('/me');
  if (response.ok) show(true, (await response.text()).trim());
  return response.status;
}

// Nothing here throws but for the network, and then nobody is logged out.
const attempt = (action) => async (event) => {
  event?.preventDefault();
  try {
    await action(event);
  } catch {
    $('status').textContent = 'The server cannot be reached. Try again.';
  }
};

$('login').addEventListener('submit', attempt(async () => {
  const response = await client.login('/login', { method: 'POST', body: new URLSearchParams(new FormData($('login'))) });
  if (!response.ok) {
    show(false, 'The user name or the password is wrong.');
    return;
  }
  $('login').reset();
  await call();
}));
$('call').addEventListener('click', attempt(call));
$('four').addEventListener('click', attempt(async () => {
  const answers = await Promise.all([call(), call(), call(), call()]);
  $('status').textContent = `Four calls, answered ${answers.join(', ')}.`;
}));
$('logout').addEventListener('click', attempt(async () => {
  await client.logout();
  show(false, 'You are logged out.');
}));

attempt(async () => {
  if (await client.ready()) await call();
  else show(false, 'Please log in.');
})();
