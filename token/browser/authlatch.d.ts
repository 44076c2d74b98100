/**
 * Why a log-in is over. The words are those of the server's refusal of a
 * refresh; "replaced" and "logged out" are also said by other tabs.
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
 * How a client works. All fields are optional, and count if they are the
 * object's own.
 */
export interface Options {
  /** Where RefreshHandler is. The default is "/refresh". */
  readonly refresh?: string | URL;

  /** Where LogoutHandler is. The default is "/logout". */
  readonly logout?: string | URL;

  /**
   * The origins that get the access token, such as "https://api.example.com".
   * The default is the page's own origin; a list that is given stands instead
   * of it. Requests to others go without. Browsers take the token away from a
   * redirect to another origin.
   */
  readonly origins?: readonly string[];

  /**
   * Called once for each log-in that ends without this page having asked for
   * it; then the page may show its log-in form. The default does nothing. It is
   * not called if nobody was logged in when the page was loaded: that is for
   * ready to say. The reason is "replaced" also where the cookie turns out to be
   * of another log-in than the page, which sends nothing as that one.
   */
  readonly onSessionLost?: (reason: Reason) => void;

  /**
   * What carries the requests. The default is the fetch of the page at the time
   * of createClient, so the page may replace it by that of the client later.
   */
  readonly fetch?: typeof globalThis.fetch;
}

/** A browser's log-in. Make one for a page. Its functions need no this. */
export interface Client {
  /**
   * Like the fetch of the browser, with the access token if the request goes to
   * one of the origins. A token that is due is refreshed first. A request that
   * is answered with a 401 that concerns the token is sent again once, with a
   * newer one; a ReadableStream is not. If nobody is logged in, the request
   * goes out without a token; if the log-in ends while it waits, it is not
   * sent, and the answer is a 401.
   *
   * A 401 that demands a newer log-in is returned as it is: ask for the password,
   * log in, and send the request again.
   *
   * A POST too is sent again only after a 401 from before its handler. One that
   * must not happen twice has an Idempotency-Key of its own, which is kept.
   *
   * A request with an Authorization field of its own is left alone.
   *
   * It rejects with a TypeError, as after a network error, if there is no valid
   * token and none can be had now: nobody is logged out by that.
   */
  readonly fetch: typeof globalThis.fetch;

  /**
   * Resolves to whether somebody is logged in. After true the access token is
   * good. Like fetch, it rejects if that cannot be found out now.
   */
  readonly ready: () => Promise<boolean>;

  /**
   * Sends the request that logs in, which Issuer.Login answers, and begins to
   * use its tokens, here and in other tabs. It resolves to the response,
   * whatever that says: a wrong password is not ok, and a log-in that waits for
   * a second factor has no tokens yet. The cookie is stored for another origin
   * too, if that allows it.
   *
   * It rejects with a TypeError if an answer of success ends early or is not the
   * JSON that it says it is: the cookie may be that of the new log-in by then, so
   * the former one is over in all tabs, with "replaced" as the reason.
   */
  readonly login: (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;

  /**
   * Logs out, here and in other tabs. The tokens are forgotten in any case. If
   * it rejects, the server has not heard of it, and the cookie is still good:
   * call it again.
   */
  readonly logout: () => Promise<void>;

  /** Stops listening to other tabs, and forgets the tokens. */
  readonly close: () => void;
}

/**
 * Returns a client. It sends nothing before it is used. It throws a TypeError if
 * one of the origins is none.
 */
export function createClient(options?: Options): Client;
