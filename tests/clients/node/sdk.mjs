// What all checks of the SDK share: its clients, and how a question is asked.
import OpenAI from 'openai';
import { VERSION } from 'openai/version';

import { Checks, KEY, URL_WITHOUT_V1 } from './checks.mjs';

export const checks = new Checks('OpenAI SDK for Node', VERSION);

export const WRITTEN = 'Slow models are worth waiting for.';

// A client that neither retries nor waits for ever.
export const make = (options = {}) =>
  new OpenAI({ baseURL: `${URL_WITHOUT_V1}/v1`, apiKey: KEY, maxRetries: 0, timeout: 60_000, ...options });

export const user = (content) => [{ role: 'user', content }];

export const ask = (client, model, prompt = 'hello', more = {}, options = {}) =>
  client.chat.completions.create({ model, messages: user(prompt), ...more }, options);

export const askStream = (client, model, prompt = 'hello', more = {}, options = {}) =>
  ask(client, model, prompt, { stream: true, ...more }, options);

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

export const textOf = (chunks, member = 'content') =>
  chunks.map((chunk) => chunk.choices[0]?.delta[member] ?? '').join('');
