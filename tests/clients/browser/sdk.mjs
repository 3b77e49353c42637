// A page that asks with the OpenAI SDK.
import { endsAs, equal } from './checks.mjs';
import { WRITTEN, checks, inPage } from './browser.mjs';

checks.add('OpenAI SDK in the page', 'the SDK gets whole answers and models', async () => {
  const [text, ids] = await inPage(async () => {
    const answer = await make().chat.completions.create({ model: 'writer', messages: user('hello') });
    return [answer.choices[0].message.content, (await make().models.list()).data.map((model) => model.id)];
  });
  equal([text, ids.includes('acme/tiny-writer')], [WRITTEN, true]);
});

checks.add('OpenAI SDK in the page', 'the SDK streams, thoughts and text', async () => {
  const said = await inPage(async () => {
    const texts = { content: '', reasoning_content: '' };
    const stream = await make().chat.completions.create({ model: 'thinker', messages: user('hello'), stream: true });
    for await (const chunk of stream)
      for (const member of Object.keys(texts)) texts[member] += chunk.choices[0].delta[member] ?? '';
    return texts;
  });
  equal(said, { content: 'The answer is 42.', reasoning_content: 'First I think. Then I answer.' });
});

checks.add('OpenAI SDK in the page', 'the SDK throws the class of each error', async () => {
  const errors = await inPage(async () => {
    const failed = [];
    for (const model of ['failing', 'unsafe', 'nobody', 'late', 'breaking']) {
      const { error } = await make()
        .chat.completions.create({ model, messages: user('hello') })
        .then(() => ({}), (error) => ({ error }));
      failed.push([error?.status, error?.code, error?.requestID?.slice(0, 4)]);
    }
    return failed;
  });
  equal(errors, [
    [422, 'prediction_failed', 'req_'],
    [400, 'content_policy_violation', 'req_'],
    [404, 'model_not_found', 'req_'],
    [504, 'timeout', 'req_'],
    [422, 'prediction_failed', 'req_'],
  ]);
});

checks.add('OpenAI SDK in the page', 'leaving a stream of the SDK cancels its prediction', async () => {
  await inPage(async () => {
    const messages = user('left by the SDK');
    for await (const chunk of await make().chat.completions.create({ model: 'endless', messages, stream: true }))
      if (chunk.choices[0].delta.content) break;
  });
  await endsAs('left by the SDK', 'canceled');
});
