// Texts in the chosen language, and small helpers for elements.
import texts from '/text.js';

export const page = document.documentElement;
export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => within.querySelectorAll(selector);

export function t(key, values = {}) {
  return texts[page.lang][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// translate sets the texts that depend only on the language.
export function translate(language) {
  page.lang = language;
  document.title = t('title');
  for (const element of $$('[data-text]')) element.textContent = t(element.dataset.text);
  for (const element of $$('[data-label]')) element.setAttribute('aria-label', t(element.dataset.label));
  for (const button of $$('[data-language]')) button.setAttribute('aria-pressed', button.dataset.language === language);
}

// put changes a text only if it differs, so that nothing is announced or selected anew.
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function bar(element, part) {
  element.style.setProperty('--part', Math.min(1, Math.max(0, part)));
}

export const clock = (time) => new Date(time).toLocaleTimeString(page.lang, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export const span = (seconds) => new Intl.NumberFormat(page.lang, {
  style: 'unit', unitDisplay: 'long', unit: seconds % 60 ? 'second' : 'minute', maximumFractionDigits: 1,
}).format(seconds % 60 ? seconds : seconds / 60);

export const minutes = (ms) => {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};
