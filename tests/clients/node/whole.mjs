// Whole answers.
import { equal, printsAsDocumented, truthy } from './checks.mjs';
import { WRITTEN, ask, checks, make, user } from './sdk.mjs';

const said = (answer) => answer.choices[0].message.content;

checks.add('chat.completions.create', 'a completion is answered', async () => {
  const answer = await ask(make(), 'writer');
  equal(answer.object, 'chat.completion');
  equal(answer.model, 'writer');
  equal(answer.choices[0].message.role, 'assistant');
  equal(said(answer), WRITTEN);
  equal(answer.choices[0].finish_reason, 'stop');
  truthy(answer.id.startsWith('chatcmpl-'), `the id is ${answer.id}`);
  truthy(Number.isInteger(answer.created), `created is ${answer.created}`);
});

checks.add('chat.completions.create', 'the example of the documentation works', () =>
  printsAsDocumented('docs/use-with.md', 'OpenAI SDK for Node', WRITTEN),
);

checks.add('chat.completions.create', 'the prompt reaches the model and comes back, in any script', async () => {
  for (const prompt of ['hello', 'Grüße, 世界 🌍🏽!', 'quotes " and \\ and a\nnew line'])
    equal(said(await ask(make(), 'echo', prompt)), `You said: ${prompt}`);
});

checks.add('chat.completions.create', 'content may be a list of parts', async () => {
  equal(said(await ask(make(), 'echo', [{ type: 'text', text: 'in parts' }])), 'You said: in parts');
});

checks.add('chat.completions.create', 'twenty questions at once get their own answers', async () => {
  const numbers = [...Array(20).keys()];
  const client = make();
  const answers = await Promise.all(numbers.map((i) => ask(client, 'echo', `number ${i}`)));
  equal(answers.map(said), numbers.map((i) => `You said: number ${i}`));
});

checks.add('usage', 'usage is what the model reports', async () => {
  const { usage } = await ask(make(), 'echo', 'two words');
  equal([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], [2, 4, 6]);
});

checks.add('reasoning', 'reasoning is set apart', async () => {
  const { message } = (await ask(make(), 'thinker')).choices[0];
  equal(message.content, 'The answer is 42.');
  equal(message.reasoning_content, 'First I think. Then I answer.');
  equal(message.reasoning, message.reasoning_content);
});

checks.add('withResponse', 'withResponse shows the headers and the request id', async () => {
  const headers = { 'X-Request-Id': 'my-own-id' };
  const { data, response, request_id } = await ask(make(), 'uncounted', 'hello', {}, { headers }).withResponse();
  equal(said(data), 'Nobody counted these.');
  equal(request_id, 'my-own-id');
  equal(response.headers.get('content-type'), 'application/json');
  equal(response.headers.get('x-replibridge-usage'), 'estimated');
  truthy(response.headers.get('x-replicate-prediction-id'), 'no prediction id');
});

checks.add('withResponse', 'asResponse gives the answer as it came', async () => {
  const response = await make().chat.completions.create({ model: 'writer', messages: user('hello') }).asResponse();
  equal((await response.json()).choices[0].message.content, WRITTEN);
});

checks.add('withResponse', 'an answer carries its request id', async () => {
  truthy((await ask(make(), 'writer'))._request_id.startsWith('req_'), 'no request id');
});
