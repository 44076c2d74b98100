/**
 * Why a login has ended. The values are those of the server's response to a refused
 * refresh. "replaced" and "logged out" may also come from other tabs.
 */
export type Reason =
  | 'missing'
  | 'invalid'
  | 'expired'
  | 'reused'
  | 'revoked'
  | 'evicted'
  | 'replaced'
  | 'logged out'
  | 'unknown';

/**
 * Options of createClient. All properties are optional. Inherited properties are
 * ignored.
 */
export interface Options {
  /** The URL of RefreshHandler. The default is "/refresh". */
  readonly refresh?: string | URL;

  /** The URL of LogoutHandler. The default is "/logout". */
  readonly logout?: string | URL;

  /**
   * The origins that receive the access token, such as "https://api.example.com".
   * The default is the page's own origin; a list replaces it. Requests to other
   * origins are sent without a token. Browsers remove the token from a redirect to
   * another origin.
   *
   * An API of another origin than the page must send the headers
   * Access-Control-Expose-Headers: WWW-Authenticate, Retry-After. If a 401 shows no
   * challenge, the client says so once on the console.
   */
  readonly origins?: readonly string[];

  /**
   * Called once for each login that ends without a logout by this page, for example to
   * show the login form. The default does nothing. It is not called if no user was
   * logged in when the page was loaded: use ready for that. The reason is "replaced" also
   * if the cookie belongs to another login than the page; the page sends no request as
   * the other login.
   */
  readonly onSessionLost?: (reason: Reason) => void;

  /**
   * The function that sends the requests. The default is the fetch of the page at the
   * time of createClient, so the page may later replace its fetch by that of the client.
   */
  readonly fetch?: typeof globalThis.fetch;
}

/** A browser's login. Create one client for each page. Its functions do not use this. */
export interface Client {
  /**
   * Works like the fetch of the browser, and adds the access token to requests to one
   * of the origins. It refreshes a token that is due first. If no user is logged in, the
   * request is sent without a token. If the login ends while the request waits, the
   * request is not sent, and the response is a 401.
   *
   * A request whose response is a 401 for the token, or a 401 without a challenge, is
   * sent again once, with a newer token.
   *
   * A request with a ReadableStream as body cannot be sent again, because the stream has
   * been read. Its 401 is returned after the refresh: send the request again with a new
   * stream. Browsers send streams only over HTTP/2 or newer.
   *
   * The response to a POST that logs in, to which Issuer.Login responds, is recognized:
   * the client refreshes, and uses the login if the cookie belongs to it. A request to
   * another origin needs credentials: 'include' for that. See login, which needs neither.
   *
   * A 401 that requires a newer login is returned unchanged: ask for the password, log
   * in, and send the request again.
   *
   * A POST is also sent again, but only after a 401 that precedes its handler. Give a
   * POST that must not run twice an Idempotency-Key of its own; it is kept.
   *
   * A request that has an Authorization header is sent unchanged.
   *
   * Rejects with a TypeError, as after a network error, if there is no valid token and
   * the refresh fails. The user stays logged in.
   */
  readonly fetch: typeof globalThis.fetch;

  /**
   * Resolves to true if a user is logged in; the access token is then valid. Resolves to
   * false if not: show the login form. Rejects, like fetch, if a refresh is needed and
   * there is no response, as without a network, or one that waiting does not change.
   *
   * If the server responds to the refresh with a 429 or a 5xx, ready repeats it, for
   * about 10 seconds or as Retry-After says. Then it resolves to false, because a server
   * that has lost its keys can never refresh, but can log in. The login is kept, and a
   * later call may find it again.
   */
  readonly ready: () => Promise<boolean>;

  /**
   * Sends the login request, to which Issuer.Login responds, and uses its tokens, here
   * and in other tabs. Resolves to the response in any case: after a wrong password it is
   * not ok, and a login that waits for a second factor has no tokens yet. The cookie of
   * another origin is stored too, if that origin allows it.
   *
   * Rejects with a TypeError if a successful response ends early, or is not JSON although
   * its Content-Type says so. The cookie may then be that of the new login, so the
   * previous login ends in all tabs, with the reason "replaced".
   */
  readonly login: (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;

  /**
   * Logs out, here and in other tabs. The tokens are removed from memory in any case. If
   * it rejects, the server has not confirmed the logout, and the cookie may still be
   * valid: call it again.
   */
  readonly logout: () => Promise<void>;

  /**
   * Stops listening to other tabs, and removes the tokens from memory. Call it before you
   * create another client in the same page, as when a module is replaced (hot reload).
   */
  readonly close: () => void;
}

/**
 * Returns a client. It sends no request before it is used. Throws a TypeError that names
 * the option if one of the origins is not an origin, or a URL is not a URL.
 *
 * Only pages of one origin may share a refresh cookie. Pages of two origins keep their
 * idempotency keys apart, so a refresh whose response one of them has lost looks like
 * reuse when the other one refreshes. Give the pages of each origin an Issuer of their
 * own, with another cookie name, over the same Store and Keys.
 *
 * On a server, where a page is only rendered, it returns a client whose functions, other
 * than close, reject with a TypeError.
 */
export function createClient(options?: Options): Client;
