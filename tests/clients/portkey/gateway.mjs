// Portkey's gateway, started in front of the daemon, and its client.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import OpenAI from 'openai';

import { Checks, KEY, URL_WITHOUT_V1 } from './checks.mjs';

const { SCRATCH } = process.env;
const HOME = `${SCRATCH}/node_modules/@portkey-ai/gateway`;
const START_MS = 60_000;

export const checks = new Checks('Portkey gateway', JSON.parse(readFileSync(`${HOME}/package.json`)).version);

export const WRITTEN = 'Slow models are worth waiting for.';

let gateway;
let url;

export async function startGateway() {
  const log = openSync(`${SCRATCH}/gateway.log`, 'w');
  gateway = fork(`${HOME}/build/start-server.js`, ['--headless'], {
    execArgv: ['--import', `${SCRATCH}/listen.mjs`],
    stdio: ['ignore', log, log, 'ipc'],
  });
  const port = await Promise.race([
    once(gateway, 'message').then(([first]) => first.port),
    once(gateway, 'exit').then(() => undefined),
    pause(START_MS, undefined, { ref: false }),
  ]);
  if (!port) throw new Error(`the gateway does not start:\n${readFileSync(`${SCRATCH}/gateway.log`)}`);
  url = `http://127.0.0.1:${port}`;
}

// Whom the gateway wanted to speak with.
export async function strangers() {
  gateway.send('strangers');
  return (await once(gateway, 'message'))[0].strangers;
}

export async function stopGateway() {
  if (gateway.exitCode !== null) throw new Error('the gateway ended by itself');
  gateway.kill();
  await once(gateway, 'exit');
}

// To the gateway, the daemon is OpenAI at another address.
export const make = (headers = {}, options = {}) =>
  new OpenAI({
    baseURL: `${url}/v1`,
    apiKey: KEY,
    maxRetries: 0,
    timeout: 60_000,
    defaultHeaders: {
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${URL_WITHOUT_V1}/v1`,
      ...headers,
    },
    ...options,
  });

export const ask = (client, model, prompt = 'hello', more = {}) =>
  client.chat.completions.create({ model, messages: [{ role: 'user', content: prompt }], ...more });

export const askStream = (client, model, prompt, more = {}) => ask(client, model, prompt, { stream: true, ...more });

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

export const textOf = (chunks, key = 'content') =>
  chunks.map((chunk) => chunk.choices[0]?.delta[key] ?? '').join('');
