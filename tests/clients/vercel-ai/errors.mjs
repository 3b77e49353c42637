// Errors: what a person sees is the daemon's sentence.
import { once } from 'node:events';
import { createServer } from 'node:net';

import { APICallError, RetryError } from 'ai';

import { ask, askStream } from './answers.mjs';
import { equal, predictions, truthy } from './checks.mjs';
import { checks } from './providers.mjs';

async function caught(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

async function refused([status, type, param, code], words, model, options) {
  const error = await caught(ask(model, 'hello', options));
  truthy(APICallError.isInstance(error), `it is no APICallError: ${error}`);
  equal(error.statusCode, status);
  equal(error.data.error, { message: error.message, type, param, code });
  truthy(error.message.includes(words), error.message);
  return error;
}

async function portOfNobody() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const INVALID = 'invalid_request_error';

function addRefusals(add, { make }) {
  add('errors', 'each error says what the daemon says', async () => {
    const verbosity = { textVerbosity: 'low' };
    const providerOptions = { openai: verbosity, replibridge: verbosity };
    const strict = [400, INVALID, 'verbosity', 'unsupported_parameter'];
    await refused(strict, 'has no input for `verbosity`', make('strict'), { providerOptions });
    await refused([400, INVALID, 'temperature', 'invalid_value'], '`temperature`', make('writer'), { temperature: 9 });
    await refused([400, INVALID, null, 'content_policy_violation'], "The model's safety filter", make('unsafe'));
    const wrong = make('writer', { apiKey: 'wrong-key' });
    await refused([401, INVALID, null, 'invalid_api_key'], 'Incorrect API key provided.', wrong);
    const other = make('echo', { apiKey: 'writer-key' });
    await refused([403, INVALID, 'model', 'model_not_allowed'], 'may not use the model `echo`', other);
    await refused([404, INVALID, 'model', 'model_not_found'], '`nobody/nothing`', make('nobody/nothing'));
    await refused([422, 'server_error', null, 'prediction_failed'], 'tripped over its own feet.', make('failing'));
    await refused([503, 'server_error', null, 'upstream_transient_failure'], 'Try again.', make('busy'));
    await refused([504, 'server_error', null, 'timeout'], 'did not answer within 1 s', make('late'));
  });

  add('errors', 'the request after the last that is allowed is told to wait', async () => {
    await ask(make('limited')).catch(() => {}); // the other provider may have had it already
    const rate = [429, 'rate_limit_error', null, 'rate_limit_exceeded'];
    const error = await refused(rate, 'limit of 1 request per minute', make('limited'));
    truthy(Number(error.responseHeaders['retry-after']) > 0, 'no retry-after');
  });
}

export function addErrors({ title, make }) {
  const add = (exercised, sentence, body) => checks.add(exercised, `${title}: ${sentence}`, body);
  addRefusals(add, { make });

  add('errors', 'a failure in mid-stream comes after the text before it', async () => {
    const parts = [];
    for await (const part of askStream(make('breaking')).fullStream) parts.push(part);
    const text = parts.filter((part) => part.type === 'text-delta').map((part) => part.text).join('');
    const errors = parts.filter((part) => part.type === 'error').map((part) => part.error);
    equal([text, errors.length], ['This will not ', 1]);
    equal(errors[0].code, 'prediction_failed');
    truthy(errors[0].message.includes('The model fell asleep in mid-sentence.'), errors[0].message);
  });

  add('errors', 'a failure before any text of a stream has its status', async () => {
    let seen;
    await askStream(make('failing'), 'hello', { onError: ({ error }) => (seen = error) }).consumeStream();
    equal([seen.statusCode, seen.data.error.code], [422, 'prediction_failed']);
  });

  add('errors', 'a daemon that is not there is an error that names the address', async () => {
    const baseURL = `http://127.0.0.1:${await portOfNobody()}/v1`;
    const error = await caught(ask(make('writer', { baseURL })));
    truthy(error.message.includes('Cannot connect to API'), error.message);
  });

  add('retries', 'a passing fault is tried again as a new prediction', async () => {
    const prompt = `${title}, twice busy`;
    const error = await caught(ask(make('busy'), prompt, { maxRetries: 1 }));
    truthy(RetryError.isInstance(error) && error.message.includes('Try again.'), error.message);
    equal((await predictions(prompt)).length, 2);
  });

  add('retries', 'what failed for good is not tried again', async () => {
    for (const model of ['failing', 'unsafe']) {
      const prompt = `${title}, only once ${model}`;
      await caught(ask(make(model), prompt, { maxRetries: 2 }));
      equal((await predictions(prompt)).length, 1);
    }
  });
}
