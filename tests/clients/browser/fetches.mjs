// A page that asks with fetch.
import { endsAs, equal, predictions, truthy } from './checks.mjs';
import { WRITTEN, checks, inPage, open } from './browser.mjs';

checks.add('fetch', 'a page gets a whole answer, and may read its headers', async () => {
  const { status, answer, id } = await inPage(async () => {
    const response = await ask('writer', 'hello');
    return { status: response.status, id: response.headers.get('x-request-id'), answer: await response.json() };
  });
  equal([status, answer.choices[0].message.content], [200, WRITTEN]);
  truthy(id?.startsWith('req_'), `the request id is ${id}`);
});

checks.add('fetch', 'a page gets the list of models', async () => {
  const models = await inPage(async () => (await get('/v1/models')).json());
  truthy(models.data.some((model) => model.id === 'writer'), 'writer is not in the list');
});

checks.add('streams', 'a stream comes whole through a reader, and ends in order', async () => {
  const [text, last] = await inPage(async () => {
    const all = await collect(await ask('writer', 'hello', { more: { stream: true } }));
    return [textOf(all), all.at(-1)];
  });
  equal([text, last], [WRITTEN, '[DONE]']);
});

checks.add('streams', 'a failure in mid-stream is the last frame', async () => {
  const { text, last } = await inPage(async () => {
    const all = await collect(await ask('breaking', 'hello', { more: { stream: true } }));
    return { text: textOf(all), last: JSON.parse(all.at(-1)) };
  });
  equal([text, last.error.code], ['This will not ', 'prediction_failed']);
});

checks.add('errors', 'a page may read errors, too', async () => {
  const answers = await inPage(async () => {
    const read = async (response) => [response.status, (await response.json()).error.code];
    return {
      failing: await read(await ask('failing', 'hello')),
      streamed: await read(await ask('failing', 'hello', { more: { stream: true } })),
      unknown: await read(await ask('nobody', 'hello')),
      key: await read(await ask('writer', 'hello', { headers: { Authorization: 'Bearer wrong-key' } })),
      path: await read(await get('/v1/nowhere')),
    };
  });
  equal(answers, {
    failing: [422, 'prediction_failed'],
    streamed: [422, 'prediction_failed'],
    unknown: [404, 'model_not_found'],
    key: [401, 'invalid_api_key'],
    path: [404, null],
  });
});

checks.add('errors', 'a page may read when to come back', async () => {
  const [status, wait] = await inPage(async () => {
    await ask('limited', 'hello');
    const response = await ask('limited', 'hello');
    return [response.status, Number(response.headers.get('retry-after'))];
  });
  equal(status, 429);
  truthy(wait > 0 && wait <= 60, `retry-after is ${wait}`);
});

checks.add('CORS', 'a page of another origin gets nothing, and no prediction is made', async () => {
  const outcome = await inPage(
    () => ask('writer', 'from elsewhere').then((response) => response.status, (error) => error.name),
    undefined,
    { origin: 'http://other.example' },
  );
  equal(outcome, 'TypeError');
  equal((await predictions('from elsewhere')).length, 0, 'the number of predictions');
});

checks.add('leaving early', 'an abort cancels the prediction of a stream', async () => {
  const [text, outcome] = await inPage(async () => {
    const controller = new AbortController();
    const response = await ask('patient', 'aborted stream', { more: { stream: true }, signal: controller.signal });
    const seen = [];
    try {
      for await (const frame of frames(response)) if (seen.push(frame) === 5) controller.abort();
    } catch (error) {
      return [textOf(seen), error.name];
    }
    return [textOf(seen), 'it ended'];
  });
  truthy(text.startsWith('on and on and '), `the text is ${text}`);
  equal(outcome, 'AbortError');
  await endsAs('aborted stream', 'canceled');
});

checks.add('leaving early', 'an abort cancels the prediction of a whole answer', async () => {
  const outcome = await inPage(() =>
    ask('patient', 'aborted whole', { signal: AbortSignal.timeout(1000) }).then(
      (response) => response.status,
      (error) => error.name,
    ),
  );
  equal(outcome, 'TimeoutError');
  await endsAs('aborted whole', 'canceled');
});

checks.add('leaving early', 'a page that is closed cancels its prediction', async () => {
  const page = await open();
  await page.evaluate(async () => {
    await frames(await ask('patient', 'closed page', { more: { stream: true } })).next();
  });
  await page.close();
  await endsAs('closed page', 'canceled');
});
