// Every class of error, each from a real one.
import { createServer } from 'node:net';

import OpenAI from 'openai';

import { KEY, equal, predictions, truthy } from './checks.mjs';
import { ask, checks, make } from './sdk.mjs';

export async function caught(kind, action) {
  try {
    await action();
  } catch (error) {
    equal(error.constructor.name, kind.name, `the error's class (${error.message})`);
    return error;
  }
  throw new Error(`no ${kind.name} was thrown`);
}

// An answer of that class and with that [status, type, param, code], which says that sentence.
async function refused(kind, expected, sentence, action) {
  const error = await caught(kind, action);
  equal([error.status, error.type, error.param, error.code], expected);
  truthy(error.error.message.includes(sentence), error.error.message);
  equal(error.message, `${error.status} ${error.error.message}`);
  truthy(error.requestID.startsWith('req_'), `the request id is ${error.requestID}`);
  return error;
}

const INVALID = 'invalid_request_error';

checks.add('error classes', 'no message is a bad request', () =>
  refused(OpenAI.BadRequestError, [400, INVALID, 'messages', 'invalid_value'], 'messages', () =>
    make().chat.completions.create({ model: 'writer', messages: [] }),
  ),
);

checks.add('error classes', 'a wrong value is a bad request that names the parameter', () =>
  refused(OpenAI.BadRequestError, [400, INVALID, 'temperature', 'invalid_value'], 'temperature', () =>
    ask(make(), 'writer', 'hello', { temperature: 9 }),
  ),
);

checks.add('error classes', 'half an emoji, which JavaScript makes, is a bad request', () =>
  refused(OpenAI.BadRequestError, [400, INVALID, null, null], 'surrogate', () =>
    ask(make(), 'writer', '🌍'.slice(0, 1)),
  ),
);

checks.add('error classes', 'a safety filter is a bad request', () =>
  refused(OpenAI.BadRequestError, [400, INVALID, null, 'content_policy_violation'], 'safety filter', () =>
    ask(make(), 'unsafe'),
  ),
);

checks.add('error classes', 'a wrong key is an authentication error', () =>
  refused(OpenAI.AuthenticationError, [401, INVALID, null, 'invalid_api_key'], 'key', () =>
    ask(make({ apiKey: 'wrong-key' }), 'writer'),
  ),
);

checks.add('error classes', 'a model that the key may not use is permission denied', async () => {
  const client = make({ apiKey: 'writer-key' });
  equal((await ask(client, 'writer')).model, 'writer');
  await refused(OpenAI.PermissionDeniedError, [403, INVALID, 'model', 'model_not_allowed'], 'key', () =>
    ask(client, 'echo'),
  );
});

checks.add('error classes', 'an unknown model is not found', () =>
  refused(OpenAI.NotFoundError, [404, INVALID, 'model', 'model_not_found'], '`nobody/nothing`', () =>
    ask(make(), 'nobody/nothing'),
  ),
);

checks.add('error classes', 'an unknown path is not found', () =>
  refused(OpenAI.NotFoundError, [404, INVALID, null, null], '/v1/nowhere', () => make().post('/nowhere', { body: {} })),
);

checks.add('error classes', 'a wrong method is an API error', async () => {
  const error = await caught(OpenAI.APIError, () => make().get('/chat/completions'));
  equal([error.status, error.code], [405, 'method_not_supported']);
});

checks.add('error classes', 'a failed prediction is unprocessable', async () => {
  const expected = [422, 'server_error', null, 'prediction_failed'];
  const error = await refused(OpenAI.UnprocessableEntityError, expected, 'The model tripped over its own feet.', () =>
    ask(make(), 'failing'),
  );
  truthy(error.message.includes(error.headers.get('x-replicate-prediction-id')), "the prediction's id is not told");
});

checks.add('error classes', 'the second request in a minute of a limited model is a rate limit error', async () => {
  equal((await ask(make(), 'limited')).model, 'limited');
  const expected = [429, 'rate_limit_error', null, 'rate_limit_exceeded'];
  const error = await refused(OpenAI.RateLimitError, expected, 'limited', () => ask(make(), 'limited'));
  const wait = Number(error.headers.get('retry-after'));
  truthy(wait > 0 && wait <= 60, `retry-after is ${wait}`);
});

checks.add('error classes', 'a passing fault of Replicate is an internal server error', () =>
  refused(OpenAI.InternalServerError, [503, 'server_error', null, 'upstream_transient_failure'], 'Try again', () =>
    ask(make(), 'busy'),
  ),
);

checks.add('error classes', 'a model that does not answer in time is an internal server error', () =>
  refused(OpenAI.InternalServerError, [504, 'server_error', null, 'timeout'], 'did not answer within 1 s', () =>
    ask(make(), 'late'),
  ),
);

checks.add('error classes', 'a client that does not wait gets a timeout error', async () => {
  await caught(OpenAI.APIConnectionTimeoutError, () => ask(make({ timeout: 500 }), 'slow', 'who will not wait'));
  equal((await predictions('who will not wait')).length, 1, 'the number of predictions');
});

checks.add('error classes', 'a daemon that is not there is a connection error', async () => {
  const server = createServer();
  const port = await new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
  await new Promise((done) => server.close(done));
  await caught(OpenAI.APIConnectionError, () => ask(make({ baseURL: `http://127.0.0.1:${port}/v1` }), 'writer'));
});

checks.add('error classes', 'errors tell no secrets', async () => {
  const wrong = await caught(OpenAI.AuthenticationError, () => ask(make({ apiKey: `${KEY}-but-wrong` }), 'writer'));
  truthy(!wrong.message.includes(KEY), 'the message holds the key');
  const failed = await caught(OpenAI.UnprocessableEntityError, () => ask(make(), 'failing', 'my secret plans'));
  truthy(!failed.message.includes('secret plans'), 'the message holds the prompt');
});

checks.add('retries', 'a passing fault is tried again, as a new prediction', async () => {
  const error = await caught(OpenAI.InternalServerError, () => ask(make({ maxRetries: 2 }), 'busy', 'three times busy'));
  equal(error.status, 503);
  equal((await predictions('three times busy')).length, 3, 'the number of predictions');
});

checks.add('retries', 'what failed for good is not tried again', async () => {
  const classes = {
    failing: OpenAI.UnprocessableEntityError,
    late: OpenAI.InternalServerError,
    unsafe: OpenAI.BadRequestError,
  };
  for (const [model, kind] of Object.entries(classes)) {
    const prompt = `only once, ${model}`;
    await caught(kind, () => ask(make({ maxRetries: 2 }), model, prompt));
    equal((await predictions(prompt)).length, 1, `the number of predictions of ${model}`);
  }
});
