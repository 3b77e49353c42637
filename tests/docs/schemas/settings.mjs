// Holds settings against the schema of the program that reads them: node settings.mjs continue|librechat|n8n FILE
//
// The schemas drop keys that they do not know, so each key that is given has to be there in what comes back.
import { readFileSync } from 'node:fs';
import { configYamlSchema } from '@continuedev/config-yaml';
import { configSchema } from 'librechat-data-provider';
import { parse } from 'yaml';

function lost(given, taken, path = '') {
  if (typeof given !== 'object' || given === null) return [];
  return Object.keys(given).flatMap((key) =>
    taken?.[key] === undefined ? [`${path}/${key}`] : lost(given[key], taken[key], `${path}/${key}`));
}

function bySchema(schema) {
  return (given) => {
    const { data, error } = schema.safeParse(given);
    return error ? [error.message] : lost(given, data).map((key) => `${key} is not known`);
  };
}

// A node's description says for which of its versions each property is.
function isFor(property, version) {
  const bounds = (property.displayOptions?.hide?.['@version'] ?? []).map((bound) => bound._cnd ?? { eq: bound });
  return !bounds.some((bound) => version >= (bound.gte ?? bound.eq ?? Infinity) || version <= (bound.lte ?? -Infinity));
}

function typeOf(value) {
  return typeof value === 'object' ? (value.__rl ? 'resourceLocator' : 'collection') : typeof value;
}

function misfits(given, properties, version) {
  return Object.entries(given).flatMap(([name, value]) => {
    const known = properties.find((property) => property.name === name && isFor(property, version));
    if (!known) return [`${name} is not known`];
    if (known.type !== typeOf(value)) return [`${name} is a ${typeOf(value)} and not a ${known.type}`];
    return known.type === 'collection' ? misfits(value, known.options, version) : [];
  });
}

function byDescription({ nodes }) {
  const described = JSON.parse(readFileSync(new URL('nodes.json', import.meta.url)));
  return nodes.flatMap(({ type, typeVersion, parameters }) => {
    const node = described.find(({ name }) => `@n8n/n8n-nodes-langchain.${name}` === type);
    if (![node?.version].flat().includes(typeVersion)) return [`there is no ${type} of version ${typeVersion}`];
    return misfits(parameters, node.properties, typeVersion);
  });
}

// A misspelt key has to be noticed, or the check proves nothing.
const programs = {
  continue: [bySchema(configYamlSchema), (given) => (given.models[0].apiBsae = 'x')],
  librechat: [bySchema(configSchema), (given) => (given.endpoints.custom[0].titelConvo = false)],
  n8n: [byDescription, (given) => (given.nodes[0].parameters.options.timeuot = 1)],
};

const [complaints, misspell] = programs[process.argv[2]];
const given = parse(readFileSync(process.argv[3], 'utf8'));
const said = complaints(given);
misspell(given);
if (complaints(given).length === said.length) said.push('a misspelt key is not noticed');
if (said.length > 0) {
  console.error(said.join('\n'));
  process.exit(1);
}
