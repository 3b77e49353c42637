// What all checks share: LangChain's models.
import { readFileSync } from 'node:fs';

import { ChatOpenAI } from '@langchain/openai';

import { Checks, KEY, URL_WITHOUT_V1 } from './checks.mjs';

const { version } = JSON.parse(readFileSync(new URL('./node_modules/@langchain/openai/package.json', import.meta.url)));

export const checks = new Checks('LangChain for JavaScript (@langchain/openai)', version);

export const WRITTEN = 'Slow models are worth waiting for.';

export const make = (model, { baseURL = `${URL_WITHOUT_V1}/v1`, ...options } = {}) =>
  new ChatOpenAI({ model, apiKey: KEY, maxRetries: 0, configuration: { baseURL }, ...options });

// All pieces of a stream, and the message that LangChain puts together from them.
export async function collect(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return { chunks, whole: chunks.reduce((before, chunk) => before.concat(chunk)) };
}
