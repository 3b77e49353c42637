// Base URLs, connections and headers.
import { UnprocessableEntityError } from 'openai';

import { URL_WITHOUT_V1, equal } from './checks.mjs';
import { caught } from './errors.mjs';
import { WRITTEN, ask, askStream, checks, collect, make, textOf } from './sdk.mjs';

checks.add('base URLs', 'every way to write the base URL works', async () => {
  for (const path of ['', '/', '/v1', '/v1/']) {
    const client = make({ baseURL: URL_WITHOUT_V1 + path });
    equal((await ask(client, 'acme/tiny-writer')).choices[0].message.content, WRITTEN, `the answer at "${path}"`);
    equal((await client.models.retrieve('acme/tiny-writer')).id, 'acme/tiny-writer');
  }
});

checks.add('connections', 'one client gets whole answers, streams and errors in turn', async () => {
  const client = make();
  for (let round = 0; round < 3; round++) {
    equal((await ask(client, 'writer')).choices[0].message.content, WRITTEN);
    equal(textOf(await collect(askStream(client, 'writer'))), WRITTEN);
    await caught(UnprocessableEntityError, () => ask(client, 'failing'));
  }
});

checks.add('connections', 'headers and parameters that mean nothing here disturb nobody', async () => {
  const client = make({ organization: 'org-none', project: 'proj-none', defaultHeaders: { 'OpenAI-Beta': 'none=v0' } });
  const more = { user: 'somebody', store: false, metadata: { a: 'b' }, service_tier: 'auto' };
  equal((await ask(client, 'writer', 'hello', more)).choices[0].message.content, WRITTEN);
});

checks.add('connections', 'a client made for a browser works likewise', async () => {
  const client = make({ dangerouslyAllowBrowser: true, defaultHeaders: { Origin: 'http://page.example' } });
  const { response } = await ask(client, 'writer').withResponse();
  equal(response.headers.get('access-control-allow-origin'), 'http://page.example');
});
