// Images in messages: they reach the input that the model has for them, large ones as files that are uploaded before.
import { BadRequestError } from 'openai';

import { equal, predictions, truthy } from './checks.mjs';
import { caught } from './errors.mjs';
import { checks, make } from './sdk.mjs';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAQUBAScY42YAAAAASUVORK5CYII=';

const look = async (url, text, model = 'seer') => {
  const content = [{ type: 'text', text }, { type: 'image_url', image_url: { url } }];
  const answer = await make().chat.completions.create({ model, messages: [{ role: 'user', content }] });
  equal(answer.choices[0].message.content, 'I see a cat.');
  return (await predictions(text))[0].input.picture;
};

checks.add('images', "an image by its address reaches the model's own input", async () => {
  equal(await look('https://example.com/cat.png', 'What is at this address?'), 'https://example.com/cat.png');
});

checks.add('images', 'a small image is sent within the input', async () => {
  const small = `data:image/png;base64,${PIXEL}`;
  equal(await look(small, 'What is within?'), small);
});

checks.add('images', 'a large image is uploaded before', async () => {
  const large = Buffer.concat([Buffer.from(PIXEL, 'base64'), Buffer.alloc(1_000_000)]).toString('base64');
  truthy((await look(`data:image/png;base64,${large}`, 'What is large?')).startsWith('http'), 'it was not uploaded');
});

checks.add('images', 'an image for a model that reads none is refused in a sentence', async () => {
  const error = await caught(BadRequestError, () => look('https://example.com/cat.png', 'Who looks?', 'echo'));
  equal(error.code, 'unsupported_parameter');
  truthy(error.message.includes('image'), error.message);
});
