import { createClient } from '/authlatch.js';

const $ = (id) => document.getElementById(id);

// Every request is sent here, including those of the client itself.
async function watched(...args) {
  const request = new Request(...args);
  const item = $('exchanges').insertBefore(document.createElement('li'), $('exchanges').firstChild);
  const bearer = request.headers.has('Authorization') ? ' with a token' : '';
  item.textContent = `${request.method} ${new URL(request.url).pathname}${bearer} …`;
  let outcome = 'no answer';
  try {
    const response = await fetch(request);
    outcome = response.status;
    return response;
  } finally {
    item.textContent = item.textContent.replace('…', `→ ${outcome}`);
  }
}

const client = createClient({
  fetch: watched,
  // The browser drops the cookie at the moment when the login expires.
  onSessionLost: (reason) => show(false, `Your session has ended: ${reason === 'missing' ? 'expired' : reason}.`),
});

// show moves the focus to the shown element, for users of the keyboard.
function show(inside, status) {
  const shown = $(inside ? 'inside' : 'login');
  $('status').textContent = status;
  if (!shown.hidden) return;
  $(inside ? 'login' : 'inside').hidden = true;
  shown.hidden = false;
  shown.querySelector('input, button').focus();
}

async function call() {
  const response = await client.fetch('/me');
  if (response.ok) show(true, (await response.text()).trim());
  return response.status;
}

// Only network errors throw here, and these do not log the user out.
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
    $('password').select();
    return;
  }
  $('login').reset();
  await call();
  if ((await fetch('/kept')).status === 404) $('notice').hidden = false;
}));
$('call').addEventListener('click', attempt(call));
$('four').addEventListener('click', attempt(async () => {
  const answers = await Promise.all([call(), call(), call(), call()]);
  if (!$('inside').hidden) $('status').textContent = `Four calls, answered ${answers.join(', ')}.`;
}));
$('logout').addEventListener('click', attempt(async () => {
  await client.logout();
  show(false, 'You are logged out.');
}));

attempt(async () => {
  if (await client.ready()) await call();
  else show(false, 'Please log in.');
})();
