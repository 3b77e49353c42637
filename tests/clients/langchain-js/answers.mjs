// Whole answers, streams, reasoning, usage, and what else LangChain makes of them.
import { AIMessage, HumanMessage, SystemMessage } from '@langchain/core/messages';
import { StringOutputParser } from '@langchain/core/output_parsers';
import { ChatPromptTemplate } from '@langchain/core/prompts';

import { URL_WITHOUT_V1, endsAs, equal, predictions, truthy } from './checks.mjs';
import { WRITTEN, checks, collect, make } from './chat.mjs';

checks.add('invoke', 'a question is answered', async () => {
  const answer = await make('writer').invoke('hello');
  equal(answer.content, WRITTEN);
  equal(answer.response_metadata.finish_reason, 'stop');
  equal(answer.response_metadata.model_name, 'writer');
});

checks.add('invoke', 'a conversation of several messages reaches the model', async () => {
  const before = [new SystemMessage('Be brief.'), new HumanMessage('one'), new AIMessage('two')];
  const messages = [...before, new HumanMessage('三 🌍')];
  const { content } = await make('echo').invoke(messages);
  for (const words of ['one', 'two', '三 🌍']) truthy(content.includes(words), `${words} is not in ${content}`);
});

checks.add('invoke', 'every way to write the base URL works', async () => {
  for (const path of ['', '/', '/v1', '/v1/']) {
    const model = make('acme/tiny-writer', { baseURL: URL_WITHOUT_V1 + path });
    equal((await model.invoke('hello')).content, WRITTEN, `the answer at ${path}`);
  }
});

checks.add('images', "an image by its address reaches the model's own input", async () => {
  const text = { type: 'text', text: 'What is at this address?' };
  const image = { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } };
  equal((await make('seer').invoke([new HumanMessage({ content: [text, image] })])).content, 'I see a cat.');
  const found = await predictions(text.text);
  equal(found.map((one) => one.input.picture), [image.image_url.url]);
});

checks.add('chains', 'a chain of template, model and parser answers with text', async () => {
  const prompt = ChatPromptTemplate.fromTemplate('Tell me about {topic}');
  const chain = prompt.pipe(make('echo')).pipe(new StringOutputParser());
  equal(await chain.invoke({ topic: 'chains' }), 'You said: Tell me about chains');
  let streamed = '';
  for await (const piece of await chain.stream({ topic: 'streams' })) streamed += piece;
  equal(streamed, 'You said: Tell me about streams');
});

checks.add('batch', 'a batch gets an answer for each question', async () => {
  const prompts = Array.from({ length: 8 }, (_, i) => `batch ${i}`);
  const answers = await make('echo').batch(prompts);
  equal(answers.map((one) => one.content), prompts.map((prompt) => `You said: ${prompt}`));
});

// That they come while the model still writes is seen where a stream without end is left half-way.
checks.add('stream', 'a stream brings the whole text, piece by piece', async () => {
  const { chunks, whole } = await collect(make('writer').stream('hello'));
  equal(chunks.filter((chunk) => chunk.content).length, 6, 'the number of pieces');
  equal(whole.content, WRITTEN);
  equal(whole.response_metadata.finish_reason, 'stop');
});

checks.add('streamEvents', 'the events of a stream tell of each piece', async () => {
  let text = '';
  for await (const event of make('writer').streamEvents('hello', { version: 'v2' }))
    if (event.event === 'on_chat_model_stream') text += event.data.chunk.content;
  equal(text, WRITTEN);
});

checks.add('reasoning_content', 'reasoning is set apart, whole and streamed', async () => {
  const { whole } = await collect(make('thinker').stream('hello'));
  for (const answer of [await make('thinker').invoke('hello'), whole]) {
    equal(answer.content, 'The answer is 42.');
    equal(answer.additional_kwargs.reasoning_content, 'First I think. Then I answer.');
  }
});

checks.add('usage_metadata', 'usage is told, whole and streamed', async () => {
  const { whole } = await collect(make('echo').stream('two words'));
  for (const { usage_metadata: usage } of [await make('echo').invoke('two words'), whole])
    equal([usage.input_tokens, usage.output_tokens, usage.total_tokens], [2, 4, 6]);
});

checks.add('leaving early', 'a stream that is left half-way cancels its prediction', async () => {
  let pieces = 0;
  for await (const chunk of await make('endless').stream('left half-way')) if (chunk.content && ++pieces === 5) break;
  await endsAs('left half-way', 'canceled');
});

checks.add('leaving early', 'an abort signal cancels a stream and a whole answer', async () => {
  for (const prompt of ['aborted stream', 'aborted whole']) {
    const controller = new AbortController();
    const model = make('endless');
    setTimeout(() => controller.abort(), 1000);
    const options = { signal: controller.signal };
    const asked = prompt === 'aborted stream' ? collect(model.stream(prompt, options)) : model.invoke(prompt, options);
    truthy(await asked.then(() => false, () => true), `${prompt} was not aborted`);
    await endsAs(prompt, 'canceled');
  }
});
