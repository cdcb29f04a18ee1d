/** Both state machines, every pair of state and input, the illegal ones too, with what is said in each case. */
import { describe, expect, it } from 'vitest';
import type { Link } from '../../../proxy/session/link.ts';
import type { Session } from '../../../proxy/session/session.ts';
import {
  LINK_INPUTS, LINK_STATES, LINK_TABLE, SESSION_INPUTS, SESSION_STATES, SESSION_TABLE, type LinkInput, type LinkState, type SessionInput,
  type SessionState,
} from '../../../proxy/session/states.ts';
import { Fixture, type Said } from '../../simulation/fixture.ts';

const LINES: Record<SessionInput, string> = {
  configure: '{"id":9,"method":"mining.configure","params":[["version-rolling","x"],{}]}',
  subscribe: '{"id":9,"method":"mining.subscribe","params":["again"]}',
  authorize: '{"id":9,"method":"mining.authorize","params":["acme.r2","x"]}',
  submit: '{"id":9,"method":"mining.submit","params":["acme.r1","ffff","00000000","68000000","00000000"]}',
  'bad-submit': '{"id":9,"method":"mining.submit","params":["acme.r1"]}',
  'extranonce-subscribe': '{"id":9,"method":"mining.extranonce.subscribe","params":[]}',
  'suggest-difficulty': '{"id":9,"method":"mining.suggest_difficulty","params":[16]}',
  'suggest-target': `{"id":9,"method":"mining.suggest_target","params":["${'00'.repeat(5)}${'ff'.repeat(27)}"]}`,
  'get-transactions': '{"id":9,"method":"mining.get_transactions","params":["ffff"]}',
  ping: '{"id":9,"method":"mining.ping","params":[]}',
  pong: '{"id":9,"method":"pong","params":[]}',
  response: '{"id":9,"result":"pong","error":null}',
  unsupported: '{"id":9,"method":"mining.multi_version","params":[4]}',
  malformed: '{"id":9,"method":"mining.authorize","params":[]}',
  garbage: 'GET / HTTP/1.1',
};

/** `true`, `pong`, `[]`, `mask`, `pairs` are results, numbers are error codes; `job` is a set_difficulty with a notify. */
const ANSWERS: Record<SessionState, Record<SessionInput, string>> = {
  fresh: {
    configure: 'mask', subscribe: 'pairs', authorize: 'true', submit: '25', 'bad-submit': '25', 'extranonce-subscribe': 'true',
    'suggest-difficulty': 'true', 'suggest-target': 'true', 'get-transactions': '[]', ping: 'pong', pong: '', response: '',
    unsupported: '20', malformed: '20', garbage: 'closed',
  },
  subscribed: {
    configure: 'mask', subscribe: 'pairs', authorize: 'true job', submit: '24', 'bad-submit': '24', 'extranonce-subscribe': 'true',
    'suggest-difficulty': 'true', 'suggest-target': 'true', 'get-transactions': '[]', ping: 'pong', pong: '', response: '',
    unsupported: '20', malformed: '20', garbage: 'closed',
  },
  authorised: {
    configure: 'mask', subscribe: 'pairs job', authorize: 'true', submit: '25', 'bad-submit': '25', 'extranonce-subscribe': 'true',
    'suggest-difficulty': 'true', 'suggest-target': 'true', 'get-transactions': '[]', ping: 'pong', pong: '', response: '',
    unsupported: '20', malformed: '20', garbage: 'closed',
  },
  mining: {
    configure: 'mask notify', subscribe: 'pairs notify', authorize: 'true', submit: '21', 'bad-submit': '20', 'extranonce-subscribe': 'true',
    'suggest-difficulty': 'true', 'suggest-target': 'true', 'get-transactions': '[]', ping: 'pong', pong: '', response: '',
    unsupported: '20', malformed: '20', garbage: 'closed',
  },
  closed: {
    configure: '', subscribe: '', authorize: '', submit: '', 'bad-submit': '', 'extranonce-subscribe': '', 'suggest-difficulty': '',
    'suggest-target': '', 'get-transactions': '', ping: '', pong: '', response: '', unsupported: '', malformed: '', garbage: '',
  },
};

function sessionIn(fixture: Fixture, state: SessionState): Session {
  const session = fixture.connect();
  if (state === 'subscribed' || state === 'mining' || state === 'closed') fixture.subscribe(session);
  if (state === 'authorised' || state === 'mining') fixture.authorize(session);
  if (state === 'closed') fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
  expect(session.state).toBe(state);
  fixture.heard(session);
  return session;
}

function wordOf({ method, result, error, id }: Said): string {
  if (method === 'mining.set_difficulty') return 'difficulty';
  if (method === 'mining.notify') return 'notify';
  expect(id).toBe(9);
  if (error !== null && error !== undefined) return String(error[0]);
  if (Array.isArray(result)) return result.length === 3 ? 'pairs' : '[]';
  return typeof result === 'object' ? 'mask' : JSON.stringify(result).replaceAll('"', '');
}

const sessionPairs = SESSION_STATES.flatMap((state) => SESSION_INPUTS.map((input) => ({ state, input, answer: ANSWERS[state][input] })));

describe('a session', () => {
  it('has a table of exactly the known states and inputs', () => {
    expect(Object.keys(SESSION_TABLE)).toEqual([...SESSION_STATES]);
    for (const row of Object.values(SESSION_TABLE)) expect(Object.keys(row).toSorted()).toEqual([...SESSION_INPUTS].toSorted());
  });

  it.each(sessionPairs)('$state hears $input: $answer', ({ state, input, answer }) => {
    const fixture = new Fixture();
    fixture.live('a');
    const session = sessionIn(fixture, state);
    fixture.monoMs += 2000;
    fixture.send(session, LINES[input]);
    const heard = fixture.heard(session).map(wordOf).join(' ').replace('difficulty notify', 'job');
    expect(fixture.closed.length > 0 ? 'closed' : heard).toBe(answer);
    fixture.commit();
    expect(fixture.heard(session)).toEqual([]);
  });
});

const POOL_LINES: Record<Exclude<LinkInput, 'opened' | 'closed' | 'notify'>, string> = {
  'set-difficulty': '{"id":null,"method":"mining.set_difficulty","params":[0.5]}',
  'set-extranonce': '{"id":null,"method":"mining.set_extranonce","params":["0102",8]}',
  'set-version-mask': '{"id":null,"method":"mining.set_version_mask","params":["00ffe000"]}',
  reconnect: '{"id":null,"method":"client.reconnect","params":["eu.a.example",3334,0]}',
  'show-message': '{"id":null,"method":"client.show_message","params":["hello"]}',
  'get-version': '{"id":7,"method":"client.get_version","params":[]}',
  ping: '{"id":7,"method":"mining.ping","params":[]}',
  response: '{"id":999,"result":true,"error":null}',
  unsupported: '{"id":7,"method":"mining.set_goal","params":[]}',
  malformed: '{"id":null,"method":"mining.set_difficulty","params":[-1]}',
};

const connected: Record<LinkInput, string> = {
  opened: '', closed: 'ended', notify: 'live', 'set-difficulty': '', 'set-extranonce': '', 'set-version-mask': '', reconnect: 'ended',
  'show-message': '', 'get-version': 'weighbridge/0.1', ping: 'pong', response: '', unsupported: '20', malformed: '',
};
const deaf = Object.fromEntries(LINK_INPUTS.map((input) => [input, ''])) as Record<LinkInput, string>;

/** What a pool hears, or the state the link changes to. */
const POOL_ANSWERS: Record<LinkState, Record<LinkInput, string>> = {
  waiting: deaf,
  dialling: { ...deaf, opened: 'negotiating', closed: 'ended' },
  negotiating: { ...connected, notify: '' },
  authorised: connected,
  live: { ...connected, notify: '' },
  ended: deaf,
};

function linkIn(fixture: Fixture, state: LinkState): Link {
  const link = fixture.link('a');
  if (state === 'negotiating') fixture.farm.linkOpened(link, fixture.now);
  else if (state === 'authorised') fixture.authorise('a');
  else if (state === 'live') fixture.live('a');
  else if (state === 'ended') fixture.kill('a');
  else link.state = state;
  fixture.sentTo(link);
  return link;
}

function linkHears(fixture: Fixture, link: Link, input: LinkInput): void {
  if (input === 'opened') fixture.farm.linkOpened(link, fixture.now);
  else if (input === 'closed') fixture.farm.linkClosed(link, 'reset', fixture.now);
  else if (input === 'notify') fixture.job(link);
  else fixture.fromPool(link, POOL_LINES[input]);
}

const linkPairs = LINK_STATES.flatMap((state) => LINK_INPUTS.map((input) => ({ state, input, answer: POOL_ANSWERS[state][input] })));

describe('a link', () => {
  it('has a table of exactly the known states and inputs', () => {
    expect(Object.keys(LINK_TABLE)).toEqual([...LINK_STATES]);
    for (const row of Object.values(LINK_TABLE)) expect(Object.keys(row).toSorted()).toEqual([...LINK_INPUTS].toSorted());
  });

  it.each(linkPairs)('$state hears $input: $answer', ({ state, input, answer }) => {
    const fixture = new Fixture();
    const link = linkIn(fixture, state);
    expect(link.state).toBe(state);
    linkHears(fixture, link, input);
    const said = fixture.sentTo(link).map(({ result, error }) => (error ? String(error[0]) : JSON.stringify(result ?? null).replaceAll('"', '')));
    const outcome = link.state === state ? said.join(' ') : link.state;
    expect(outcome).toBe(answer);
  });
});
