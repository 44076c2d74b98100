// Requests that a page of another site can make the browser send to the demo.
const query = new URLSearchParams(location.search);
const target = `http://localhost${location.port && ':' + location.port}`;
const tag = '?' + new URLSearchParams({ visitor: query.get('visitor'), step: query.get('step') });

// submit posts a form into the frame and waits for the response. The frame does not show
// it, because the demo refuses to be framed.
function submit(path) {
  const form = document.querySelector('form');
  form.action = target + path + tag;
  return new Promise((resolve) => {
    document.querySelector('iframe').addEventListener('load', resolve, { once: true });
    setTimeout(resolve, 2000);
    form.submit();
  });
}

if (query.get('mode') === 'session') {
  await submit('/session/transfer');
  await submit('/session/logout');
} else if (query.get('mode') === 'token') {
  await submit('/token/refresh');
  // A form cannot send the header that a refresh requires. A script can try to.
  const init = { method: 'POST', credentials: 'include', headers: { 'Refresh-Attempt': 'x'.repeat(32) } };
  await fetch(target + '/token/refresh' + tag, init).catch(() => {});
}
parent.postMessage('done', target);
