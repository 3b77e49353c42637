// Loaded into the gateway before its own code, which would listen on all addresses, and could not tell on which port.
// Without the checks it shall not live on.
import { Server } from 'node:net';

import { strangers } from './loopback.mjs';

const { listen } = Server.prototype;

Server.prototype.listen = function listenOnLoopback(...given) {
  this.once('listening', () => process.send({ port: this.address().port }));
  return listen.call(this, { port: 0, host: '127.0.0.1' }, given.find((one) => typeof one === 'function'));
};

process.on('message', () => process.send({ strangers }));
process.on('disconnect', () => process.exit());
