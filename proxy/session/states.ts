/** Both state machines as tables: state × input → action. A test enumerates every pair, the illegal ones too. */

export const SESSION_STATES = ['fresh', 'subscribed', 'authorised', 'mining', 'closed'] as const;
/** fresh: nothing yet. subscribed/authorised: one of the two. mining: both. closed: its socket is gone. */
export type SessionState = (typeof SESSION_STATES)[number];

export const SESSION_INPUTS = [
  'configure',
  'subscribe',
  'authorize',
  'submit',
  'bad-submit',
  'extranonce-subscribe',
  'suggest-difficulty',
  'suggest-target',
  'get-transactions',
  'ping',
  'pong',
  'response',
  'unsupported',
  'malformed',
  'garbage',
] as const;
export type SessionInput = (typeof SESSION_INPUTS)[number];

export type SessionAction =
  | 'grant'
  | 'subscribe'
  | 'repeat-subscribe'
  | 'authorize'
  | 'judge'
  | 'malformed-share'
  | 'not-subscribed'
  | 'not-authorised'
  | 'extranonce'
  | 'suggest'
  | 'transactions'
  | 'pong'
  | 'ignore'
  | 'refuse-method'
  | 'refuse-malformed'
  | 'close';

const anyTime = {
  configure: 'grant',
  authorize: 'authorize',
  'extranonce-subscribe': 'extranonce',
  'suggest-difficulty': 'suggest',
  'suggest-target': 'suggest',
  'get-transactions': 'transactions',
  ping: 'pong',
  pong: 'ignore',
  response: 'ignore',
  unsupported: 'refuse-method',
  malformed: 'refuse-malformed',
  garbage: 'close',
} as const;

export const SESSION_TABLE = {
  fresh: { ...anyTime, subscribe: 'subscribe', submit: 'not-subscribed', 'bad-submit': 'not-subscribed' },
  subscribed: { ...anyTime, subscribe: 'repeat-subscribe', submit: 'not-authorised', 'bad-submit': 'not-authorised' },
  authorised: { ...anyTime, subscribe: 'subscribe', submit: 'not-subscribed', 'bad-submit': 'not-subscribed' },
  mining: { ...anyTime, subscribe: 'repeat-subscribe', submit: 'judge', 'bad-submit': 'malformed-share' },
  closed: {
    configure: 'ignore',
    subscribe: 'ignore',
    authorize: 'ignore',
    submit: 'ignore',
    'bad-submit': 'ignore',
    'extranonce-subscribe': 'ignore',
    'suggest-difficulty': 'ignore',
    'suggest-target': 'ignore',
    'get-transactions': 'ignore',
    ping: 'ignore',
    pong: 'ignore',
    response: 'ignore',
    unsupported: 'ignore',
    malformed: 'ignore',
    garbage: 'ignore',
  },
} as const satisfies Record<SessionState, Record<SessionInput, SessionAction>>;

export const LINK_STATES = ['waiting', 'dialling', 'negotiating', 'authorised', 'live', 'ended'] as const;
/**
 * waiting: until the back-off ends. dialling: connecting. negotiating: configure and subscribe sent.
 * authorised: the pool took our name, no job yet. live: has a job. ended: for good; the pool's next link is a new one.
 */
export type LinkState = (typeof LINK_STATES)[number];

export const LINK_INPUTS = [
  'opened',
  'closed',
  'notify',
  'set-difficulty',
  'set-extranonce',
  'set-version-mask',
  'reconnect',
  'show-message',
  'get-version',
  'ping',
  'response',
  'unsupported',
  'malformed',
] as const;
export type LinkInput = (typeof LINK_INPUTS)[number];

export type LinkAction =
  | 'negotiate'
  | 'end'
  | 'job'
  | 'early-job'
  | 'difficulty'
  | 'extranonce'
  | 'mask'
  | 'reconnect'
  | 'message'
  | 'version'
  | 'pong'
  | 'answer'
  | 'refuse-method'
  | 'count'
  | 'ignore';

const connected = {
  opened: 'ignore',
  closed: 'end',
  'set-difficulty': 'difficulty',
  'set-extranonce': 'extranonce',
  'set-version-mask': 'mask',
  reconnect: 'reconnect',
  'show-message': 'message',
  'get-version': 'version',
  ping: 'pong',
  response: 'answer',
  unsupported: 'refuse-method',
  malformed: 'count',
} as const;

const deaf = {
  closed: 'ignore',
  notify: 'ignore',
  'set-difficulty': 'ignore',
  'set-extranonce': 'ignore',
  'set-version-mask': 'ignore',
  reconnect: 'ignore',
  'show-message': 'ignore',
  'get-version': 'ignore',
  ping: 'ignore',
  response: 'ignore',
  unsupported: 'ignore',
  malformed: 'ignore',
} as const;

export const LINK_TABLE = {
  waiting: { ...deaf, opened: 'ignore' },
  dialling: { ...deaf, opened: 'negotiate', closed: 'end' },
  negotiating: { ...connected, notify: 'early-job' },
  authorised: { ...connected, notify: 'job' },
  live: { ...connected, notify: 'job' },
  ended: { ...deaf, opened: 'ignore' },
} as const satisfies Record<LinkState, Record<LinkInput, LinkAction>>;
