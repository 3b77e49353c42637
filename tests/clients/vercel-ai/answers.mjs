// Whole answers, streams, reasoning, usage and aborts.
import { generateText, smoothStream, streamText } from 'ai';

import { URL_WITHOUT_V1, endsAs, equal, predictions, truthy } from './checks.mjs';
import { WRITTEN, checks } from './providers.mjs';

export const ask = (model, prompt = 'hello', options = {}) =>
  generateText({ model, prompt, maxRetries: 0, ...options });

// Without onError, the AI SDK writes errors of streams to the console.
export const askStream = (model, prompt = 'hello', options = {}) =>
  streamText({ model, prompt, maxRetries: 0, onError: () => {}, ...options });

const usageOf = ({ inputTokens, outputTokens, totalTokens }) => [inputTokens, outputTokens, totalTokens];

export function addAnswers({ title, make, showsReasoning }) {
  const add = (exercised, sentence, body) => checks.add(exercised, `${title}: ${sentence}`, body);

  add('generateText', 'a question is answered', async () => {
    const answer = await ask(make('writer'));
    equal([answer.text, answer.finishReason, answer.response.modelId], [WRITTEN, 'stop', 'writer']);
    truthy(answer.response.headers['x-replicate-prediction-id'], 'no prediction id');
  });

  add('generateText', 'a conversation of several messages reaches the model', async () => {
    const messages = ['one', 'two', '三 🌍'].map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content }));
    const options = { prompt: undefined, system: 'Be brief.', messages, temperature: 0.5, seed: 7, topK: 4 };
    const { text } = await ask(make('echo'), undefined, options);
    for (const words of ['one', 'two', '三 🌍']) truthy(text.includes(words), `${words} is not in ${text}`);
  });

  // Were it not told in providers.mjs that addresses are taken, openai-compatible would fetch the image itself.
  add('images', "an image by its address reaches the model's own input", async () => {
    const text = `What is at this address, ${title}?`;
    const content = [{ type: 'text', text }, { type: 'image', image: new URL('https://example.com/cat.png') }];
    const answer = await ask(make('seer'), undefined, { prompt: undefined, messages: [{ role: 'user', content }] });
    equal(answer.text, 'I see a cat.');
    equal((await predictions(text)).map((one) => one.input.picture), ['https://example.com/cat.png']);
  });

  add('generateText', 'every way to write the base URL works', async () => {
    for (const path of ['', '/', '/v1', '/v1/']) {
      const model = make('acme/tiny-writer', { baseURL: URL_WITHOUT_V1 + path });
      equal((await ask(model)).text, WRITTEN, `the answer at ${path}`);
    }
  });

  // That they come while the model still writes is seen where a stream without end is left half-way.
  add('streamText', 'a stream brings the whole text, piece by piece', async () => {
    let pieces = 0;
    const result = askStream(make('writer'));
    for await (const text of result.textStream) if (text) pieces++;
    equal(pieces, 6, 'the number of pieces');
    equal([await result.text, await result.finishReason], [WRITTEN, 'stop']);
  });

  add('streamText', 'a smoothed stream loses nothing', async () => {
    const smooth = { experimental_transform: smoothStream({ delayInMs: 1 }) };
    const result = askStream(make('echo'), 'Grüße, 世界 🌍🏽!', smooth);
    equal(await result.text, 'You said: Grüße, 世界 🌍🏽!');
  });

  add('streamText', 'a web page gets its stream of events', async () => {
    const body = await askStream(make('writer')).toUIMessageStreamResponse().text();
    const events = body.split('\n\n').filter((one) => one.startsWith('data: {')).map((one) => JSON.parse(one.slice(6)));
    const deltas = events.filter((one) => one.type === 'text-delta').map((one) => one.delta);
    equal(deltas.join(''), WRITTEN);
    equal(events.at(-1).type, 'finish');
  });

  add('usage', 'usage is told, whole and streamed', async () => {
    equal(usageOf((await ask(make('echo'), 'two words')).usage), [2, 4, 6]);
    equal(usageOf(await askStream(make('echo'), 'two words').usage), [2, 4, 6]);
  });

  add('reasoning', 'reasoning is kept apart from the text, whole and streamed', async () => {
    const thoughts = showsReasoning ? 'First I think. Then I answer.' : undefined;
    const whole = await ask(make('thinker'));
    const streamed = askStream(make('thinker'));
    equal([whole.text, whole.reasoningText], ['The answer is 42.', thoughts]);
    equal([await streamed.text, await streamed.reasoningText], ['The answer is 42.', thoughts]);
  });

  add('aborts', 'a stream that is left half-way cancels its prediction', async () => {
    const prompt = `${title}, left half-way`;
    const controller = new AbortController();
    const options = { abortSignal: controller.signal };
    for await (const text of askStream(make('endless'), prompt, options).textStream) if (text) controller.abort();
    await endsAs(prompt, 'canceled');
  });

  add('aborts', 'an abort signal cancels a whole answer', async () => {
    const prompt = `${title}, aborted whole`;
    const asked = ask(make('endless'), prompt, { abortSignal: AbortSignal.timeout(1000) });
    equal(await asked.catch((error) => error.name), 'TimeoutError');
    await endsAs(prompt, 'canceled');
  });

  add('aborts', 'a client that cannot come back has its prediction cancelled at once', async () => {
    const prompt = `${title}, not coming back`;
    const asked = ask(make('patient'), prompt, { abortSignal: AbortSignal.timeout(1000) });
    equal(await asked.catch((error) => error.name), 'TimeoutError');
    await endsAs(prompt, 'canceled');
  });
}
