// The models that there are.
import { NotFoundError } from 'openai';

import { equal, truthy } from './checks.mjs';
import { caught } from './errors.mjs';
import { checks, make } from './sdk.mjs';

checks.add('models.list', 'the list of models names them all', async () => {
  const ids = [];
  for await (const model of make().models.list()) ids.push(model.id);
  for (const id of ['writer', 'echo', 'boots', 'acme/tiny-writer']) truthy(ids.includes(id), `${id} is not in ${ids}`);
});

checks.add('models.retrieve', 'one model is told of by its name', async () => {
  for (const id of ['writer', 'acme/tiny-writer']) {
    const model = await make().models.retrieve(id);
    equal([model.id, model.object, Number.isInteger(model.created)], [id, 'model', true]);
  }
});

checks.add('models.retrieve', 'a model that is not there is not found', async () => {
  equal((await caught(NotFoundError, () => make().models.retrieve('acme/nothing'))).code, 'model_not_found');
});
