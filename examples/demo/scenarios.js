// The scenarios, and the controls that run them.
import { t, $, $$, put, element } from '/dom.js';

// scenarios are lists of steps. Each begins with a new login, so it can be run at any time.
export const scenarios = [
  ['login', 'call', 'away', 'back'],
  ['login', 'probe', 'steal', 'loot', 'race'],
  ['taken', 'everywhere', 'call'],
  ['gone', 'loot', 'late'],
];
const questions = ['question1', 'question2', 'question3', 'question4'];
const pause = 1600; // between the steps of a run, in ms

let run; // runs one step on both sides
let chosen = 0;
let done = 0; // steps of the scenario that have ended
let underway = false; // the step after those is running
let running; // the run that takes one step after the other, if any

// open connects the controls. runStep runs a step and resolves to false if it did not.
export function open(runStep, reset) {
  run = runStep;
  for (const button of $$('[data-scenario]')) button.addEventListener('click', () => choose(Number(button.dataset.scenario)));
  $('[data-control=next]').addEventListener('click', next);
  $('[data-control=run]').addEventListener('click', () => (running ? stop() : play(done === scenarios[chosen].length ? 0 : done)));
  $('[data-control=replay]').addEventListener('click', () => play(0));
  $('[data-control=reset]').addEventListener('click', async () => {
    stop();
    if (await reset()) choose(0);
  });
  show();
}

function choose(scenario) {
  if ($('#stage').ariaBusy === 'true') return;
  running = undefined;
  chosen = scenario;
  done = 0;
  show();
}

// next runs the next step. After the last one it goes on to the next scenario.
function next() {
  stop();
  return done < scenarios[chosen].length ? step() : choose((chosen + 1) % scenarios.length);
}

async function step() {
  if ($('#stage').ariaBusy === 'true') return false;
  underway = true;
  show();
  const ended = await run(scenarios[chosen][done]);
  underway = false;
  if (ended) done++;
  show();
  return ended;
}

async function play(from) {
  if ($('#stage').ariaBusy === 'true') return;
  const mine = running = {};
  done = from;
  while (running === mine && done < scenarios[chosen].length) {
    if (!(await step())) break;
    if (running === mine && done < scenarios[chosen].length) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  if (running === mine) stop();
}

function stop() {
  running = undefined;
  show();
}

// show shows the chosen scenario and how far it is.
export function show() {
  const names = scenarios[chosen];
  for (const button of $$('[data-scenario]')) {
    if (Number(button.dataset.scenario) === chosen) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
  put($('#question'), t(questions[chosen]));
  $('#steps').replaceChildren(...names.map((name, i) => {
    const mark = i < done ? 'done' : i === done && underway ? 'running' : '';
    const item = element('li', mark, element('span', '', t(name), ' '));
    if (mark) item.firstChild.append(element('span', 'unseen', t({ done: 'stepDone', running: 'stepRunning' }[mark])));
    if (i === (underway ? done : done - 1)) item.setAttribute('aria-current', 'step');
    return item;
  }));
  put($('[data-control=next]'), t(done === names.length ? (chosen === 3 ? 'first' : 'following') : done || underway ? 'next' : 'start'));
  put($('[data-control=run]'), t(running ? 'pause' : 'run'));
}
