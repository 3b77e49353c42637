// Errors: their status, type and code, and our sentence, have to be seen through the gateway.
import OpenAI from 'openai';

import { equal, predictions, truthy } from './checks.mjs';
import { ask, checks, make } from './gateway.mjs';

export async function caught(kind, action) {
  try {
    await action();
  } catch (error) {
    equal(error.constructor.name, kind.name, `the error's class (${error.message})`);
    return error;
  }
  throw new Error(`no ${kind.name} was thrown`);
}

async function refused(kind, expected, sentence, action) {
  const error = await caught(kind, action);
  equal([error.status, error.type, error.param, error.code], expected);
  truthy(error.message.includes(sentence), error.message);
  return error;
}

const INVALID = 'invalid_request_error';

checks.add('errors', 'a wrong value is a bad request that names the parameter', () =>
  refused(OpenAI.BadRequestError, [400, INVALID, 'messages', 'invalid_value'], 'messages', () =>
    ask(make(), 'writer', 'hello', { messages: [] }),
  ),
);

checks.add('errors', 'a safety filter is a bad request', () =>
  refused(OpenAI.BadRequestError, [400, INVALID, null, 'content_policy_violation'], 'safety filter', () =>
    ask(make(), 'unsafe'),
  ),
);

checks.add('errors', 'a wrong key is an authentication error', () =>
  refused(OpenAI.AuthenticationError, [401, INVALID, null, 'invalid_api_key'], 'key', () =>
    ask(make({}, { apiKey: 'wrong-key' }), 'writer'),
  ),
);

checks.add('errors', 'a model that the key may not use is permission denied', () =>
  refused(OpenAI.PermissionDeniedError, [403, INVALID, 'model', 'model_not_allowed'], '`echo`', () =>
    ask(make({}, { apiKey: 'writer-key' }), 'echo'),
  ),
);

checks.add('errors', 'an unknown model is not found', () =>
  refused(OpenAI.NotFoundError, [404, INVALID, 'model', 'model_not_found'], '`nobody/nothing`', () =>
    ask(make(), 'nobody/nothing'),
  ),
);

checks.add('errors', 'a failed prediction is unprocessable', async () => {
  const expected = [422, 'server_error', null, 'prediction_failed'];
  const sentence = 'The model tripped over its own feet.';
  const error = await refused(OpenAI.UnprocessableEntityError, expected, sentence, () => ask(make(), 'failing'));
  truthy(error.message.includes(error.headers.get('x-replicate-prediction-id')), "the prediction's id is not told");
});

checks.add('errors', 'the second request in a minute of a limited model is a rate limit error', async () => {
  equal((await ask(make(), 'limited')).model, 'limited');
  const expected = [429, 'rate_limit_error', null, 'rate_limit_exceeded'];
  const error = await refused(OpenAI.RateLimitError, expected, 'limited', () => ask(make(), 'limited'));
  const wait = Number(error.headers.get('retry-after'));
  truthy(wait > 0 && wait <= 60, `retry-after is ${wait}`);
});

checks.add('errors', 'a passing fault of Replicate is a 503', () =>
  refused(OpenAI.InternalServerError, [503, 'server_error', null, 'upstream_transient_failure'], 'Try again', () =>
    ask(make(), 'busy'),
  ),
);

checks.add('errors', 'a model that does not answer in time is a 504', () =>
  refused(OpenAI.InternalServerError, [504, 'server_error', null, 'timeout'], 'did not answer within 1 s', () =>
    ask(make(), 'late'),
  ),
);

const retrying = { 'x-portkey-config': JSON.stringify({ retry: { attempts: 2 } }) };

checks.add('retries', 'a passing fault is tried again', async () => {
  await caught(OpenAI.InternalServerError, () => ask(make(retrying), 'busy', 'three times busy'));
  equal((await predictions('three times busy')).length, 3, 'the number of predictions');
});

checks.add('retries', 'what failed for good is not tried again', async () => {
  await caught(OpenAI.UnprocessableEntityError, () => ask(make(retrying), 'failing', 'only once, failing'));
  await caught(OpenAI.BadRequestError, () => ask(make(retrying), 'unsafe', 'only once, unsafe'));
  for (const model of ['failing', 'unsafe'])
    equal((await predictions(`only once, ${model}`)).length, 1, `the number of predictions of ${model}`);
});
