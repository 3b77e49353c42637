// Whole answers, and which models there are.
import { equal, predictions, truthy } from './checks.mjs';
import { WRITTEN, ask, checks, make } from './gateway.mjs';

const said = (answer) => answer.choices[0].message.content;

checks.add('whole answers', 'an answer comes through', async () => {
  const answer = await ask(make(), 'writer');
  equal([said(answer), answer.model, answer.choices[0].finish_reason], [WRITTEN, 'writer', 'stop']);
});

checks.add('whole answers', 'the prompt and the answer may be of any script', async () => {
  for (const prompt of ['hello', 'Grüße, 世界 🌍🏽!', 'quotes " and \\ and a\nnew line'])
    equal(said(await ask(make(), 'echo', prompt)), `You said: ${prompt}`);
});

checks.add('whole answers', "a model's name may hold a slash", async () => {
  equal(said(await ask(make(), 'acme/tiny-writer')), WRITTEN);
});

checks.add('usage', 'usage comes through', async () => {
  const { usage } = await ask(make(), 'echo', 'two words');
  equal([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], [2, 4, 6]);
});

checks.add('reasoning', 'reasoning comes through', async () => {
  const { message } = (await ask(make(), 'thinker')).choices[0];
  equal([message.content, message.reasoning_content], ['The answer is 42.', 'First I think. Then I answer.']);
});

checks.add('headers', "the daemon's headers come through", async () => {
  const { response } = await ask(make(), 'writer', 'whose headers').withResponse();
  equal(response.headers.get('x-replicate-prediction-id'), (await predictions('whose headers'))[0].id);
  equal(response.headers.get('x-replibridge-usage'), 'reported');
  truthy(response.headers.get('x-request-id').startsWith('req_'), 'no request id');
});

checks.add('models.list', "the daemon's models are listed", async () => {
  const ids = (await make().models.list()).data.map((model) => model.id);
  for (const id of ['writer', 'echo', 'boots', 'acme/tiny-writer']) truthy(ids.includes(id), `${id} is not in ${ids}`);
});
