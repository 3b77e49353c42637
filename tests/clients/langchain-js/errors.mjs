// Errors: what a person sees is the daemon's sentence.
import { once } from 'node:events';
import { createServer } from 'node:net';

import { equal, predictions, truthy } from './checks.mjs';
import { checks, collect, make } from './chat.mjs';

async function caught(action) {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

async function refused(status, code, words, model, options, more) {
  const error = await caught(() => make(model, options).invoke('hello', more));
  equal([error.status, error.code], [status, code]);
  truthy(error.message.includes(words), error.message);
  return error;
}

checks.add('errors', 'each error says what the daemon says', async () => {
  await refused(400, 'invalid_value', '`temperature` has to be', 'writer', { temperature: 9 });
  await refused(400, 'content_policy_violation', "The model's safety filter stopped", 'unsafe');
  await refused(400, 'unsupported_parameter', 'has no input for `verbosity`', 'strict', { verbosity: 'low' });
  await refused(401, 'invalid_api_key', 'Incorrect API key provided.', 'writer', { apiKey: 'wrong-key' });
  await refused(403, 'model_not_allowed', 'may not use the model `echo`.', 'echo', { apiKey: 'writer-key' });
  await refused(404, 'model_not_found', 'The model `nobody/nothing` does not exist here.', 'nobody/nothing');
  await refused(422, 'prediction_failed', 'The model tripped over its own feet.', 'failing');
  await refused(503, 'upstream_transient_failure', 'Try again.', 'busy');
  await refused(504, 'timeout', 'did not answer within 1 s', 'late');
});

checks.add('errors', 'LangChain tells what kind of error it is', async () => {
  const kindOf = async (model, options) => (await caught(() => make(model, options).invoke('hello'))).lc_error_code;
  equal(await kindOf('writer', { apiKey: 'wrong-key' }), 'MODEL_AUTHENTICATION');
  equal(await kindOf('nobody/nothing'), 'MODEL_NOT_FOUND');
  equal((await make('limited').invoke('hello')).response_metadata.model_name, 'limited');
  equal(await kindOf('limited'), 'MODEL_RATE_LIMIT');
});

checks.add('errors', 'a failure in mid-stream is thrown after the text before it', async () => {
  let text = '';
  const error = await caught(async () => {
    for await (const chunk of await make('breaking').stream('hello')) text += chunk.content;
  });
  equal(text, 'This will not ');
  truthy(error.message.includes('The model fell asleep in mid-sentence.'), error.message);
});

checks.add('errors', 'a failure before any text of a stream is thrown', async () => {
  const error = await caught(() => collect(make('failing').stream('hello')));
  equal([error.status, error.code], [422, 'prediction_failed']);
});

checks.add('errors', 'who does not wait gets a timeout', async () => {
  const error = await caught(() => make('slow', { timeout: 500 }).invoke('who will not wait'));
  equal(error.name, 'TimeoutError');
  equal((await predictions('who will not wait')).length, 1);
});

checks.add('errors', 'a daemon that is not there is a connection error', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  const error = await caught(() => make('writer', { baseURL: `http://127.0.0.1:${port}/v1` }).invoke('hello'));
  equal(error.message, 'Connection error.');
});

checks.add('retries', 'a passing fault is tried again as a new prediction', async () => {
  const error = await caught(() => make('busy', { maxRetries: 1 }).invoke('twice busy'));
  equal(error.status, 503);
  equal((await predictions('twice busy')).length, 2);
});

checks.add('retries', 'what was refused is not tried again', async () => {
  await caught(() => make('unsafe', { maxRetries: 2 }).invoke('only once'));
  equal((await predictions('only once')).length, 1);
});
