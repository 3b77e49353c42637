// The two providers, and how they are made.
import { readFileSync } from 'node:fs';

import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';

import { Checks, KEY, URL_WITHOUT_V1 } from './checks.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const versionOf = (name) =>
  JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url))).version;

const versions = ['@ai-sdk/openai', '@ai-sdk/openai-compatible'].map((name) => `${name} ${versionOf(name)}`);

export const checks = new Checks('Vercel AI SDK', `${versionOf('ai')} (${versions.join(', ')})`);

export const WRITTEN = 'Slow models are worth waiting for.';

// `make` takes a model's name and settings of the provider; `title` is what stands before a check's sentence.
export const providers = [
  {
    title: 'openai',
    showsReasoning: false, // it knows reasoning from /v1/responses alone
    make: (model, settings = {}) =>
      createOpenAI({ baseURL: `${URL_WITHOUT_V1}/v1`, apiKey: KEY, ...settings }).chat(model),
  },
  {
    title: 'openai-compatible',
    showsReasoning: true,
    make: (model, settings = {}) =>
      createOpenAICompatible({
        name: 'replibridge',
        baseURL: `${URL_WITHOUT_V1}/v1`,
        apiKey: KEY,
        includeUsage: true,
        supportedUrls: () => ({ 'image/*': [/^https?:/] }),
        ...settings,
      })(model),
  },
];
