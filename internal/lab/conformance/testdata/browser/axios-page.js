// What page.js is, with axios.

import axios from '/vendor/axios.js';
import { createAdapter } from '/axios.js';
import './page.js';

const api = axios.create({ adapter: createAdapter(axios, client) });
const get = (path) => api.get(path).then((response) => response.status, (error) => error.response?.status ?? error.code);
const post = (path, data) => api.post(path, data).then((response) => response.data, (error) => error.code);
Object.assign(globalThis, { get, post });
