import type { AxiosAdapter, AxiosStatic } from 'axios';
import type { Client } from './authlatch.js';

/**
 * Returns an adapter for axios.create that sends requests by client.fetch. Throws a
 * TypeError if axios is older than 1.12. With onUploadProgress, axios sends a stream, for
 * which browsers require HTTP/2; over HTTP/1.1 the error says so.
 */
export function createAdapter(axios: Pick<AxiosStatic, 'getAdapter'>, client: Pick<Client, 'fetch'>): AxiosAdapter;
